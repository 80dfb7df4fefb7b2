//! Who may call a method that remembers something for its callers.

use ic_cdk::api::msg_caller;

/// A guard that lets only canisters in. Room for callers is bounded, so whoever could be any number of
/// callers could take all of it; and anybody can have any number of principals that are not canisters.
pub fn are_canisters() -> Result<(), String> {
    const OPAQUE: u8 = 1; // The last byte of the ids that the system gives out.
    match msg_caller().as_slice().last() {
        Some(&OPAQUE) => Ok(()),
        _ => Err("only a canister may call this; nothing was done".to_string()),
    }
}
