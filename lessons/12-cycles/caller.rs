//! The lesson `cycles`: where attached cycles are after a call, however it ends.
//!
//! Every method makes one call of the callee with cycles attached, and reports what came back with
//! the answer. What the callee accepts can be seen in this canister's account there.

use candid::{CandidType, Principal, utils::ArgumentEncoder};
use ic_cdk::{
    api::{canister_self, msg_cycles_refunded},
    call::{Call, CallFailed},
};
use ic_cdk_macros::update;
use serde::Deserialize;

use shared::{outcome::CallOutcome, peer};

/// What the callee's service costs.
const PRICE: u128 = 400;

/// More than that; and still so little that anybody may make this canister spend it.
const MORE: u128 = 1000;

/// How long a bounded-wait call waits, in seconds.
const PATIENCE: u32 = 30;

/// What this canister saw of a call.
#[derive(CandidType)]
struct Report {
    outcome: CallOutcome,
    /// The cycles that this canister attached.
    attached: u128,
    /// The cycles that came back with the answer, or were never sent.
    back: u128,
}

/// How the callee's work ends.
#[derive(CandidType, Deserialize)]
enum Work {
    /// Well.
    Succeeds,
    /// With a reject on purpose.
    Rejects,
    /// With a trap.
    Traps,
}

/// Makes a call with cycles attached, and reports what became of it.
async fn report(call: Call<'_, '_>, attached: u128) -> Report {
    // COMMIT POINT: the call is sent, and the cycles leave the balance.
    let result = call.with_cycles(attached).await;
    let was_sent = match &result {
        Ok(_) | Err(CallFailed::CallRejected(_)) => true,
        Err(CallFailed::InsufficientLiquidCycleBalance(_) | CallFailed::CallPerformFailed(_)) => {
            false
        }
    };
    Report {
        outcome: result.into(),
        attached,
        // This belongs to the response, and can be asked only in the message that received it. What
        // is refunded is in the balance already.
        back: if was_sent {
            msg_cycles_refunded()
        } else {
            attached
        },
    }
}

fn call<'m>(method: &'m str, arguments: &impl ArgumentEncoder) -> Call<'m, 'static> {
    Call::unbounded_wait(callee(), method).with_args(arguments)
}

fn bounded_call<'m>(method: &'m str, arguments: &impl ArgumentEncoder) -> Call<'m, 'static> {
    Call::bounded_wait(callee(), method)
        .change_timeout(PATIENCE)
        .with_args(arguments)
}

// ---- Unbounded wait: what is not accepted comes back ----------------------------------------

/// Calls a method that knows nothing of cycles, and accepts none.
#[update]
async fn call_free_method() -> Report {
    report(call("account", &(canister_self(),)), MORE).await
}

/// Calls a method that does not exist.
#[update]
async fn call_missing_method() -> Report {
    report(call("no_such_method", &()), MORE).await
}

/// Attaches more than there can be.
#[update]
async fn call_with_too_many() -> Report {
    report(call("account", &(canister_self(),)), u128::MAX).await
}

/// The callee accepts and traps in the same message.
#[update]
async fn call_trapping_callee() -> Report {
    report(call("accept_then_trap", &()), MORE).await
}

/// The callee makes the mistake: it accepts, and rejects.
#[update]
async fn call_rejecting_callee() -> Report {
    report(call("accept_then_reject", &()), MORE).await
}

/// The callee makes the mistake: it accepts, awaits, and traps.
#[update]
async fn call_awaiting_callee() -> Report {
    report(call("accept_then_await_then_trap", &()), MORE).await
}

/// The callee does it the right way: it accepts last. The work ends as it is told to.
#[update]
async fn call_careful_callee(work: Work) -> Report {
    report(call("work_then_accept", &(work,)), MORE).await
}

/// The same callee, and less is attached than it wants.
#[update]
async fn call_with_too_few() -> Report {
    let arguments = (Work::Succeeds,);
    report(call("work_then_accept", &arguments), PRICE - 100).await
}

// ---- Bounded wait: what would come back can get lost -----------------------------------------

/// The mistake: attaches more than the price to a call that waits for a bounded time only. When it
/// ends in SysUnknown, the rest does not come back.
#[update]
async fn call_bounded_wait() -> Report {
    let arguments = (Work::Succeeds,);
    report(bounded_call("work_then_accept", &arguments), MORE).await
}

/// Better: attaches the price, so that there is no refund to lose. Or uses unbounded wait, as above.
#[update]
async fn call_bounded_wait_with_the_price() -> Report {
    let arguments = (Work::Succeeds,);
    report(bounded_call("work_then_accept", &arguments), PRICE).await
}

fn callee() -> Principal {
    peer::id("cycles_callee", option_env!("CANISTER_ID_CYCLES_CALLEE"))
}

ic_cdk::export_candid!();

fn main() {}
