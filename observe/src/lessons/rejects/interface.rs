//! What the canisters take and give, as their interfaces have it.

use anyhow::{Context, Result};
use candid::{CandidType, Deserialize, Nat};

use crate::stage::Stage;

/// `Conclusion` in the caller's interface.
#[derive(CandidType, Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
pub enum Conclusion {
    NothingHappened,
    AsTheCalleeSays,
    UnknownButCallEnded,
    Unknown,
    Replied,
}

impl Conclusion {
    pub fn words(self) -> &'static str {
        match self {
            Conclusion::NothingHappened => "nothing happened",
            Conclusion::AsTheCalleeSays => "as the callee says",
            Conclusion::UnknownButCallEnded => "unknown, call ended",
            Conclusion::Unknown => "unknown",
            Conclusion::Replied => "it replied",
        }
    }
}

/// `FailedCall` in the caller's interface.
#[derive(CandidType, Deserialize)]
pub struct FailedCall {
    pub saw: String,
    pub conclusion: Conclusion,
    pub is_clean: bool,
    pub is_immediately_retryable: bool,
}

/// The callee's counter.
pub fn counter(stage: &mut Stage) -> Result<u64> {
    let counter: Nat = stage.query(stage.callee, "get", ())?;
    u64::try_from(counter.0).context("get returned a huge number")
}
