//! What the paths of requests have to do with methods (the specification's sections "Effective
//! canister id" and "Effective subnet id").

use super::table::{EffectiveId, find};
#[cfg(feature = "server")]
use super::table::{METHODS, Modes};
use crate::message::CanisterId;

/// The effective canister id of a call or query, if it has one.
pub(crate) fn canister_id(method: &str, argument: &[u8]) -> Option<CanisterId> {
    // What is no method at all may name a canister too.
    let effective = find(method).map_or(EffectiveId::CanisterId, |method| method.effective);
    effective.read(argument).ok()?
}

/// The updates that can be called at a subnet's path.
#[cfg(feature = "server")]
pub(crate) fn updates_of_subnet() -> Vec<&'static str> {
    about_no_canister(Modes::Update)
}

/// The queries that can be called at a subnet's path.
#[cfg(feature = "server")]
pub(crate) fn queries_of_subnet() -> Vec<&'static str> {
    about_no_canister(Modes::Query)
}

#[cfg(feature = "server")]
fn about_no_canister(mode: Modes) -> Vec<&'static str> {
    METHODS
        .iter()
        .filter(|method| method.effective == EffectiveId::Any && method.modes == mode)
        .map(|method| method.name)
        .collect()
}
