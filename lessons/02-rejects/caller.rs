//! The lesson `rejects`: every way in which a call can fail, and what the caller may conclude.
//!
//! The mistake is reading `Err` as "nothing happened". The right way is [`conclude`]. Every method here
//! applies it to another kind of failure.

use candid::{CandidType, Principal};
use ic_cdk::call::{Call, CallErrorExt, CallRejected, Error, RejectCode};
use ic_cdk_macros::update;

use shared::peer;

/// What a caller may conclude from the error of a call about what the callee did.
#[derive(CandidType, Clone, Copy, Debug, PartialEq, Eq)]
enum Conclusion {
    /// The callee did nothing, and will do nothing, because of this call. It may be called again,
    /// or what was set aside for the call may be given back.
    NothingHappened,
    /// The callee answered, with a reject that it chose. Everything before it is kept, so only the
    /// callee's documentation can tell what it means. (The system also rejects with this code, if the
    /// callee's code is uninstalled at an await: of a method with awaits, anything may be done.)
    AsTheCalleeSays,
    /// Nothing, a part, or everything happened. The call has ended: no more of the callee's code
    /// runs for it. What it started may go on, such as a timer, and other calls may come. So what the
    /// callee says now is final only if it promises that.
    UnknownButCallEnded,
    /// Nothing, a part, or everything happened, and what did not may happen yet.
    Unknown,
    /// The callee replied, and the caller did not understand it. What the callee does before it replies
    /// is done. But if its replies can report a failure, this may have been one.
    Replied,
}

/// What to conclude from the error of a call of `callee`.
///
/// ```ignore
/// match conclude(callee, &error) {
///     Conclusion::NothingHappened => { /* call again, or give back */ }
///     _ => { /* find out first, or call again in a way that cannot happen twice */ }
/// }
/// ```
fn conclude(callee: Principal, error: &Error) -> Conclusion {
    match error {
        // The call never left this canister.
        Error::InsufficientLiquidCycleBalance(_) | Error::CallPerformFailed(_) => {
            Conclusion::NothingHappened
        }
        Error::CallRejected(reject) => conclude_from_reject(callee, reject),
        Error::CandidDecodeFailed(_) => Conclusion::Replied,
    }
}

fn conclude_from_reject(callee: Principal, reject: &CallRejected) -> Conclusion {
    // You can trust the code: the system sets it. A callee can choose the text, and code 4.
    match reject.reject_code() {
        // The management canister is the system, so these may be its own answers, after it has acted:
        // `http_request` may reject with 1 or 2 after servers have acted, and `stop_canister` with 2
        // while the canister goes on stopping.
        Ok(RejectCode::SysFatal | RejectCode::SysTransient | RejectCode::DestinationInvalid)
            if callee == Principal::management_canister() =>
        {
            Conclusion::Unknown
        }
        // The system did not deliver the call: it could not (1, 2), or nobody is there (3).
        Ok(RejectCode::SysFatal | RejectCode::SysTransient | RejectCode::DestinationInvalid) => {
            Conclusion::NothingHappened
        }
        Ok(RejectCode::CanisterReject) => Conclusion::AsTheCalleeSays,
        // The callee trapped, did not reply, or could not be executed. A trap undoes its own message and
        // no earlier one. Ending without a reply undoes nothing.
        Ok(RejectCode::CanisterError) => Conclusion::UnknownButCallEnded,
        // The system stopped waiting. The call or the answer may be lost, and the callee may still be at
        // work. A code that this ic-cdk doesn't know gets the same care.
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
    /// What ic-cdk says: the callee's state is certainly unchanged. It says so of the management
    /// canister too, where that is not certain.
    is_clean: bool,
    /// What ic-cdk says: the same call, made at once, *might* get through. It does not say that
    /// making it twice is safe.
    is_immediately_retryable: bool,
}

impl FailedCall {
    fn new(callee: Principal, error: &Error) -> Self {
        FailedCall {
            saw: match error {
                Error::InsufficientLiquidCycleBalance(_) => "too few cycles".to_string(),
                Error::CallPerformFailed(_) => "call not performed".to_string(),
                Error::CallRejected(reject) => format!("reject {}", reject.raw_reject_code()),
                Error::CandidDecodeFailed(_) => "unreadable reply".to_string(),
            },
            conclusion: conclude(callee, error),
            is_clean: error.is_clean_reject(),
            is_immediately_retryable: error.is_immediately_retryable(),
        }
    }
}

/// Calls the callee. `Ok` if it replied.
async fn attempt(call: Call<'_, '_>) -> Result<(), FailedCall> {
    attempt_of(callee(), call).await
}

/// The same for a call of any canister.
async fn attempt_of(whom: Principal, call: Call<'_, '_>) -> Result<(), FailedCall> {
    // COMMIT POINT: the call is sent, unless the await fails at once.
    match call.await {
        Ok(_) => Ok(()),
        Err(error) => Err(FailedCall::new(whom, &error.into())),
    }
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
    attempt_of(nowhere, Call::unbounded_wait(nowhere, "increment")).await
}

/// Calls the management canister, which is the system itself.
#[update]
async fn call_management_canister() -> Result<(), FailedCall> {
    let system = Principal::management_canister();
    attempt_of(system, Call::unbounded_wait(system, "raw_rand")).await
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

/// The callee sets a timer that adds 1, awaits, then traps: code 5 again, and the 1 is added later.
#[update]
async fn call_callee_with_timer() -> Result<(), FailedCall> {
    attempt(unbounded_wait("set_timer_then_trap")).await
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
    let failed = |error: Error| FailedCall::new(callee(), &error);
    let reply = unbounded_wait("increment").await;
    let reply = reply.map_err(|error| failed(error.into()))?;
    let number: Result<u64, _> = reply.candid();
    number.map(drop).map_err(|error| failed(error.into()))
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

    const CANISTER: Principal = Principal::from_slice(&[1]);
    const SYSTEM: Principal = Principal::management_canister();

    fn rejected(code: u32) -> Error {
        CallRejected::with_rejection(code, String::new()).into()
    }

    #[test]
    fn of_a_canister_what_ic_cdk_calls_clean_lets_conclude_that_nothing_happened() {
        let errors = (1..=7).map(rejected).chain([CallPerformFailed.into()]);
        for error in errors {
            let nothing = conclude(CANISTER, &error) == Conclusion::NothingHappened;
            assert_eq!(nothing, error.is_clean_reject(), "{error}");
        }
    }

    #[test]
    fn of_the_management_canister_only_a_call_that_was_not_sent_does() {
        for code in 1..=7 {
            let conclusion = conclude(SYSTEM, &rejected(code));
            assert_ne!(conclusion, Conclusion::NothingHappened, "{code}");
        }
        let not_sent = conclude(SYSTEM, &CallPerformFailed.into());
        assert_eq!(not_sent, Conclusion::NothingHappened);
    }

    #[test]
    fn codes_that_no_experiment_can_provoke_are_concluded_from_too() {
        // There is no code 7 today.
        let conclude = |code| super::conclude(CANISTER, &rejected(code));
        assert_eq!(conclude(1), Conclusion::NothingHappened);
        assert_eq!(conclude(7), Conclusion::Unknown);
    }
}
