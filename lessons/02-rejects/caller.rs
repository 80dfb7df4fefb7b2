//! The lesson `rejects`: every way in which a call can fail, and what the caller may conclude.
//!
//! The mistake is to read `Err` as "nothing happened". The right way is [`conclude`], which every
//! method here applies to a failure of another kind.

use candid::{CandidType, Principal};
use ic_cdk::call::{Call, CallErrorExt, CallRejected, Error, RejectCode, Response};
use ic_cdk_macros::update;

use shared::peer;

/// What a caller may conclude from the error of a call about what the callee did.
#[derive(CandidType, Clone, Copy, Debug, PartialEq, Eq)]
enum Conclusion {
    /// The callee did nothing, and will do nothing, because of this call. It may be called again,
    /// or what was set aside for the call may be given back.
    NothingHappened,
    /// The callee answered, with a reject that it chose. Everything before it is kept, so only the
    /// callee's documentation can tell what it means.
    AsTheCalleeSays,
    /// Nothing, a part, or everything happened, but the callee is done with this call: what it says
    /// when it is asked now is final.
    UnknownButOver,
    /// Nothing, a part, or everything happened, and what did not may happen yet.
    Unknown,
    /// The callee replied. Only the caller did not understand the reply.
    ItHappened,
}

/// What to conclude from the error of a call.
///
/// ```ignore
/// match conclude(&error) {
///     Conclusion::NothingHappened => { /* call again, or give back */ }
///     _ => { /* find out first, or call again in a way that cannot happen twice */ }
/// }
/// ```
fn conclude(error: &Error) -> Conclusion {
    match error {
        // The call never left this canister.
        Error::InsufficientLiquidCycleBalance(_) | Error::CallPerformFailed(_) => {
            Conclusion::NothingHappened
        }
        Error::CallRejected(reject) => conclude_from_reject(reject),
        Error::CandidDecodeFailed(_) => Conclusion::ItHappened,
    }
}

fn conclude_from_reject(reject: &CallRejected) -> Conclusion {
    // The code can be trusted: the system sets it. A callee can choose the text, and code 4.
    match reject.reject_code() {
        // The system did not deliver the call: it could not (1, 2), or nobody is there (3). One
        // call is an exception: `stop_canister` that gives up waiting rejects with 2, and the
        // canister goes on stopping.
        Ok(RejectCode::SysFatal | RejectCode::SysTransient | RejectCode::DestinationInvalid) => {
            Conclusion::NothingHappened
        }
        Ok(RejectCode::CanisterReject) => Conclusion::AsTheCalleeSays,
        // The callee trapped, did not reply, or could not be executed. A trap undoes its message
        // and no earlier one; a callee that ends without a reply undoes nothing.
        Ok(RejectCode::CanisterError) => Conclusion::UnknownButOver,
        // The system stopped waiting. The call may be lost, the answer may be, and the callee may
        // still be at work. A code that this ic-cdk does not know is treated with the same care.
        Ok(RejectCode::SysUnknown) | Err(_) => Conclusion::Unknown,
    }
}

/// What this canister tells of a call that failed.
#[derive(CandidType)]
struct FailedCall {
    /// What it saw.
    saw: String,
    /// What it concludes.
    conclusion: Conclusion,
    /// What ic-cdk says: the callee's state is certainly unchanged.
    is_clean: bool,
    /// What ic-cdk says: the same call, made at once, *might* get through. It does not say that
    /// making it twice is safe.
    is_immediately_retryable: bool,
}

impl From<Error> for FailedCall {
    fn from(error: Error) -> Self {
        FailedCall {
            saw: match &error {
                Error::InsufficientLiquidCycleBalance(_) => "too few cycles".to_string(),
                Error::CallPerformFailed(_) => "call not performed".to_string(),
                Error::CallRejected(reject) => format!("reject {}", reject.raw_reject_code()),
                Error::CandidDecodeFailed(_) => "unreadable reply".to_string(),
            },
            conclusion: conclude(&error),
            is_clean: error.is_clean_reject(),
            is_immediately_retryable: error.is_immediately_retryable(),
        }
    }
}

/// Makes a call. `Ok` if it was replied to.
async fn attempt(call: Call<'_, '_>) -> Result<(), FailedCall> {
    // COMMIT POINT: the call is sent, unless the await fails at once.
    let reply: Response = call
        .await
        .map_err(|error| FailedCall::from(Error::from(error)))?;
    reply
        .candid_tuple::<()>()
        .map_err(|error| Error::from(error).into())
}

fn unbounded_wait(method: &str) -> Call<'_, 'static> {
    Call::unbounded_wait(callee(), method)
}

// ---- The call is not delivered -------------------------------------------------------------

/// Needs more cycles than there can be: the error is there before anything is sent.
#[update]
async fn call_with_too_many_cycles() -> Result<(), FailedCall> {
    attempt(unbounded_wait("increment").with_cycles(u128::MAX)).await
}

/// Calls a method that adds 1 and replies. What goes wrong is up to the network and to the
/// callee's controller: no room for the call (code 2), or a canister that is stopped (code 5).
#[update]
async fn call_increment() -> Result<(), FailedCall> {
    attempt(unbounded_wait("increment")).await
}

/// Calls a canister that does not exist: code 3. No network has given out this id: they count up
/// from the lowest numbers, or from just below the highest.
#[update]
async fn call_missing_canister() -> Result<(), FailedCall> {
    let nowhere = Principal::from_slice(b"nowhere!\x01\x01");
    attempt(Call::unbounded_wait(nowhere, "increment")).await
}

/// Calls a method that the callee does not have: code 5.
#[update]
async fn call_missing_method() -> Result<(), FailedCall> {
    attempt(unbounded_wait("no_such_method")).await
}

// ---- The callee fails ----------------------------------------------------------------------

/// The callee adds 1, then traps: code 5, and its only message is undone.
#[update]
async fn call_trapping_callee() -> Result<(), FailedCall> {
    attempt(unbounded_wait("increment_then_trap")).await
}

/// The callee adds 1, awaits, adds 1, then traps: code 5 again, and the first 1 is kept.
#[update]
async fn call_callee_trapping_after_await() -> Result<(), FailedCall> {
    attempt(unbounded_wait("increment_twice_then_trap")).await
}

/// The callee adds 1 and forgets to reply: code 5 again, and nothing is undone.
#[update]
async fn call_silent_callee() -> Result<(), FailedCall> {
    attempt(unbounded_wait("increment_without_reply")).await
}

/// The callee adds 1, then rejects: code 4, and the 1 is kept.
#[update]
async fn call_rejecting_callee() -> Result<(), FailedCall> {
    attempt(unbounded_wait("increment_then_reject")).await
}

// ---- The caller does not learn the answer --------------------------------------------------

/// Waits for 60 seconds at most. The call may get lost, or the answer: code 6 in both cases.
#[update]
async fn call_with_bounded_wait() -> Result<(), FailedCall> {
    let call = Call::bounded_wait(callee(), "increment");
    attempt(call.change_timeout(60)).await
}

/// Waits for 60 seconds at most, for a callee that awaits before it adds 1: code 6, and the 1 may
/// be added later.
#[update]
async fn call_slow_callee() -> Result<(), FailedCall> {
    let call = Call::bounded_wait(callee(), "await_then_increment");
    attempt(call.change_timeout(60)).await
}

/// Expects a number where the callee replies with nothing.
#[update]
async fn misread_reply() -> Result<(), FailedCall> {
    let reply = unbounded_wait("increment").await;
    let reply = reply.map_err(|error| FailedCall::from(Error::from(error)))?;
    reply
        .candid::<u64>()
        .map(drop)
        .map_err(|error| Error::from(error).into())
}

fn callee() -> Principal {
    peer::id("rejects_callee", option_env!("CANISTER_ID_REJECTS_CALLEE"))
}

ic_cdk::export_candid!();

fn main() {}

#[cfg(test)]
mod tests {
    use super::*;
    use ic_cdk::call::CallPerformFailed;

    fn rejected(code: u32) -> Error {
        CallRejected::with_rejection(code, String::new()).into()
    }

    #[test]
    fn only_what_ic_cdk_calls_clean_lets_conclude_that_nothing_happened() {
        let errors = (1..=7).map(rejected).chain([CallPerformFailed.into()]);
        for error in errors {
            let nothing = conclude(&error) == Conclusion::NothingHappened;
            assert_eq!(nothing, error.is_clean_reject(), "{error}");
        }
    }

    #[test]
    fn codes_that_no_experiment_can_provoke_are_concluded_from_too() {
        // 1: the network has no room for another canister. 7: there is none today.
        assert_eq!(conclude(&rejected(1)), Conclusion::NothingHappened);
        assert_eq!(conclude(&rejected(7)), Conclusion::Unknown);
    }
}
