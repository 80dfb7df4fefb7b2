//! What several lessons' canisters share, so that each room shows its own lesson and nothing else.

pub mod bounded;
pub mod callers;
pub mod upgrade;

// The pair's own files: how the id of a peer is found, and what became of a call.
#[path = "../../../canisters/canister1/src/outcome.rs"]
pub mod outcome;
#[path = "../../../canisters/canister1/src/peer.rs"]
pub mod peer;
