//! The callee of the lesson `rejects`: a counter, and methods that fail, or answer late, in ways
//! that leave something behind.

use std::cell::RefCell;
use std::time::Duration;

use candid::Nat;
use ic_cdk::{
    api::{canister_self, msg_reject},
    call::Call,
    trap,
};
use ic_cdk_macros::{post_upgrade, pre_upgrade, query, update};
use ic_cdk_timers::set_timer;

thread_local! {
    static COUNTER: RefCell<Nat> = RefCell::new(Nat::from(0u8));
}

#[pre_upgrade]
fn save() {
    shared::upgrade::save(&COUNTER);
}

#[post_upgrade]
fn restore() {
    shared::upgrade::restore(&COUNTER);
}

fn add_one() {
    COUNTER.with_borrow_mut(|counter| *counter += 1u8);
}

/// The counter.
#[query]
fn get() -> Nat {
    COUNTER.with_borrow(Nat::clone)
}

/// Adds 1.
#[update]
fn increment() {
    add_one();
    // COMMIT POINT: the message ends here. No later error in the caller can undo it.
}

/// Adds 1, then traps: the 1 is undone, and the caller sees a reject with code 5.
#[update]
fn increment_then_trap() {
    add_one();
    trap("the callee trapped on purpose");
}

/// Adds 1, then rejects: the caller sees a reject with code 4, and the 1 is kept all the same.
#[update(manual_reply = true)]
fn increment_then_reject() {
    add_one();
    msg_reject("the callee rejected on purpose");
    // COMMIT POINT: a reject is an answer like any other, and the message ends normally.
}

/// Awaits a call that really is sent: one of this canister itself.
async fn await_something() {
    if let Err(error) = Call::unbounded_wait(canister_self(), "get").await {
        trap(format!("the callee did not answer itself: {error}"));
    }
}

/// Adds 1, awaits, adds 1, traps.
#[update]
async fn increment_twice_then_trap() {
    add_one();
    await_something().await; // COMMIT POINT: the first 1 is kept.
    add_one();
    trap("the callee trapped on purpose"); // Undoes the second 1. The caller sees code 5.
}

/// Sets a timer that adds 1 a second later, awaits, traps: the caller sees code 5, and the 1 is still
/// to come.
#[update]
async fn set_timer_then_trap() {
    set_timer(Duration::from_secs(1), async { add_one() });
    await_something().await; // COMMIT POINT: the timer is kept.
    trap("the callee trapped on purpose");
}

/// Adds 1 and ends without a reply, as a method does that replies by hand and forgets it on one of
/// its paths.
#[update(manual_reply = true)]
fn increment_without_reply() {
    add_one();
    // COMMIT POINT: the message ends normally. The system answers in its place, with code 5.
}

/// Awaits, then adds 1.
#[update]
async fn await_then_increment() {
    await_something().await; // A caller that stops waiting here does not stop what follows.
    add_one();
    // COMMIT POINT: the 1 is kept, whether or not anybody waits for the answer.
}

ic_cdk::export_candid!();

fn main() {}
