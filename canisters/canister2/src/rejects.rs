//! What the lesson `rejects` needs of a callee: methods that fail, or answer late, in ways that
//! leave something behind.

use ic_cdk::{api::canister_self, call::Call, trap};
use ic_cdk_macros::update;

use crate::add_one;

/// Awaits a call that really is sent: one of canister2 itself.
async fn await_something() {
    if let Err(error) = Call::unbounded_wait(canister_self(), "get").await {
        trap(format!("canister2 did not answer itself: {error}"));
    }
}

/// Adds 1, awaits, adds 1, traps.
#[update]
async fn rejects_increment_twice_then_trap() {
    add_one();
    await_something().await; // COMMIT POINT: the first 1 is kept.
    add_one();
    trap("canister2 trapped on purpose"); // Undoes the second 1. The caller sees code 5.
}

/// Adds 1 and ends without a reply, as a method does that replies by hand and forgets it on one of
/// its paths.
#[update(manual_reply = true)]
fn rejects_increment_without_reply() {
    add_one();
    // COMMIT POINT: the message ends normally. The system answers in its place, with code 5.
}

/// Awaits, then adds 1.
#[update]
async fn rejects_await_then_increment() {
    await_something().await; // A caller that stops waiting here does not stop what follows.
    add_one();
    // COMMIT POINT: the 1 is kept, whether or not anybody waits for the answer.
}
