//! The canister or the subnet that a request is sent to (the specification's section "Effective
//! canister id").

use candid::Principal;

use super::answer::Failure;
use super::shared::Shared;
use crate::management::effective;
use crate::message::CanisterId;

/// Where a request was sent: its effective canister id or effective subnet id.
#[derive(Clone, Copy)]
pub(super) enum Effective {
    Canister(CanisterId),
    Subnet(Principal),
}

impl Effective {
    /// The canister in a path.
    pub(super) fn canister(text: &str) -> Result<Self, Failure> {
        principal(text).map(Effective::Canister)
    }

    /// The subnet in a path, which is this one.
    pub(super) fn subnet(text: &str, shared: &Shared) -> Result<Self, Failure> {
        let (subnet, this) = (principal(text)?, shared.owner.subnet().id);
        match subnet == this {
            true => Ok(Effective::Subnet(subnet)),
            false => Err(Failure::bad_request(format!(
                "there is no subnet {subnet} here; this one is {this}"
            ))),
        }
    }

    pub(super) fn id(self) -> Principal {
        let (Effective::Canister(id) | Effective::Subnet(id)) = self;
        id
    }
}

/// The principal in a path.
fn principal(text: &str) -> Result<Principal, Failure> {
    Principal::from_text(text)
        .map_err(|error| Failure::bad_request(format!("'{text}' in the path is no id: {error}")))
}

/// Refuses a request at a subnet's path that is not for one of these methods of the management
/// canister.
pub(super) fn check_at_subnet(
    receiver: CanisterId,
    method: &str,
    methods: &[&str],
) -> Result<(), Failure> {
    match receiver == Principal::management_canister() && methods.contains(&method) {
        true => Ok(()),
        false => Err(Failure::bad_request(format!(
            "at a subnet's path, only these methods of the management canister can be called like \
             this: {}; send this request to the path of its effective canister id",
            methods.join(", ")
        ))),
    }
}

/// Refuses a request that was sent to another canister's path.
pub(super) fn check_effective_id(
    effective: CanisterId,
    receiver: CanisterId,
    method: &str,
    argument: &[u8],
) -> Result<(), Failure> {
    let expected = match receiver == Principal::management_canister() {
        true => effective::canister_id(method, argument),
        false => Some(receiver),
    };
    match expected {
        Some(expected) if expected != effective => Err(Failure::bad_request(format!(
            "the path names the canister {effective}, but the effective canister id of this \
             request is {expected}"
        ))),
        _ => Ok(()),
    }
}
