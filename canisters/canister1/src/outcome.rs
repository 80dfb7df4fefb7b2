//! What a canister tells of its own call.

use candid::CandidType;
use ic_cdk::call::{CallFailed, Response};

/// What became of a call, as the caller saw it.
#[derive(CandidType)]
pub enum CallOutcome {
    /// The callee replied.
    Replied,
    /// The callee, or the system in its place, rejected the call.
    Rejected {
        /// The reject code.
        code: u32,
        /// The reject message.
        message: String,
    },
    /// The call never left this canister; the text is the CDK's error.
    NotSent(String),
}

impl From<Result<Response, CallFailed>> for CallOutcome {
    fn from(result: Result<Response, CallFailed>) -> Self {
        match result {
            Ok(_) => Self::Replied,
            Err(CallFailed::CallRejected(reject)) => Self::Rejected {
                code: reject.raw_reject_code(),
                message: reject.reject_message().to_string(),
            },
            Err(
                error @ (CallFailed::InsufficientLiquidCycleBalance(_)
                | CallFailed::CallPerformFailed(_)),
            ) => Self::NotSent(error.to_string()),
        }
    }
}
