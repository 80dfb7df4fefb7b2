//! What the canisters take and give, as their interfaces have it.

use candid::{CandidType, Deserialize};

/// `Work` in both interfaces.
#[derive(CandidType, Clone, Copy)]
pub enum Work {
    Succeeds,
    Rejects,
    Traps,
}

/// What matters here of `Account` in the callee's interface.
#[derive(CandidType, Deserialize)]
pub struct Account {
    pub accepted: u128,
    pub served: u64,
}
