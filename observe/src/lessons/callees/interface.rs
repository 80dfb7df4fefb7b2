//! What the canisters take, as their interfaces have it.

use candid::{CandidType, Deserialize};

/// Which reply the callee is to give.
#[derive(CandidType, Clone, Copy, Deserialize)]
pub enum NameReply {
    Honest,
    WrongType,
    Huge,
    Bomb,
}
