//! The canisters that methods are about, and who may use the methods on them.

use candid::Principal;

use crate::canister::Canister;
use crate::explanations::with_help;
use crate::message::{CanisterId, ErrorCode, Reject};
use crate::replica::Replica;

/// The canister with this id.
pub(super) fn find(replica: &mut Replica, id: CanisterId) -> Result<&mut Canister, Reject> {
    let canister = replica.canisters.get_mut(&id);
    canister.ok_or_else(|| {
        with_help(
            ErrorCode::CanisterNotFound,
            &format!("Canister {id} not found."),
            "Check the ICP dashboard to ensure the canister exists.",
            "canister-not-found",
        )
    })
}

/// The canister with this id, if `caller` controls it.
pub(super) fn controlled(
    replica: &mut Replica,
    id: CanisterId,
    caller: Principal,
) -> Result<&mut Canister, Reject> {
    let canister = find(replica, id)?;
    match canister.settings.controllers.contains(&caller) {
        true => Ok(canister),
        false => Err(with_help(
            ErrorCode::CanisterInvalidController,
            &format!(
                "Only the controllers of the canister {id} can control it.\n\
                 Canister's controllers: {}\nSender's ID: {caller}",
                controllers_of(canister)
            ),
            "Execute this call from a controller of the target canister or add the current caller \
             as a controller.",
            "invalid-controller",
        )),
    }
}

/// A canister's controllers, for a person to read.
pub(super) fn controllers_of(canister: &Canister) -> String {
    let controllers = canister.settings.controllers.iter();
    let controllers: Vec<String> = controllers.map(Principal::to_text).collect();
    controllers.join(" ")
}
