//! Whether a canister takes in a message from a user (Interface Specification, "Ingress message
//! inspection").

use candid::Principal;

use crate::canister::Canister;
use crate::environment::Environment;
use crate::message::{ErrorCode, Reject};
use crate::non_replicated::Found;
use crate::rejects::no_module_to_take_in;
use crate::system_api::EntryPoint;
use crate::wasm::Entry;

/// Asks `canister_inspect_message` whether a message from a user is accepted.
pub(crate) fn inspect(
    environment: &mut Environment,
    canister: &Canister,
    sender: Principal,
    method: &str,
    argument: &[u8],
) -> Result<(), Reject> {
    const HOOK: &str = "canister_inspect_message";
    let Some(code) = &canister.code else {
        return Err(no_module_to_take_in());
    };
    if !code.module.has_hook(HOOK) {
        return canister.find_method(method).map(|_| ());
    }
    let entry_point = EntryPoint::InspectMessage;
    let mut view = environment.bare_view(canister, entry_point, sender, argument.to_vec());
    view.method = method.to_owned();
    view.replicated = false;
    let limit = environment.limits.inspect_instructions;
    let Some(found) = Found::of(canister) else {
        unreachable!("only canisters with code are inspected");
    };
    let (result, _) = found.run(environment, Entry::Export(HOOK), view, limit);
    match result?.accepted {
        true => Ok(()),
        false => Err(Reject::new(
            ErrorCode::CanisterRejectedMessage,
            format!("Canister {} rejected the message", canister.id),
        )),
    }
}
