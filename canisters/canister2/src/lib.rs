//! canister2, the callee: a counter that canister1 adds to from afar. Anybody else may add to it, too:
//! what only some may do has to check `msg_caller`.

use std::cell::RefCell;

use candid::{CandidType, Nat};
use ic_cdk::{
    api::msg_reject,
    storage::{stable_restore, stable_save},
    trap,
};
use ic_cdk_macros::{post_upgrade, pre_upgrade, query, update};
use serde::Deserialize;

thread_local! {
    static COUNTER: RefCell<Nat> = RefCell::new(Nat::from(0u8));
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
    trap("canister2 trapped on purpose");
}

/// Adds 1, then rejects: the caller sees a reject with code 4, and the 1 is kept all the same.
// `manual_reply`: it answers by itself, so the CDK must not reply as well.
#[update(manual_reply = true)]
fn increment_then_reject() {
    add_one();
    msg_reject("canister2 rejected on purpose");
    // COMMIT POINT: a reject is an answer like any other, and the message ends normally.
}

/// What outlives an upgrade. A later version may add `Option` fields and still read it.
#[derive(CandidType, Deserialize)]
struct Saved {
    counter: Nat,
}

#[pre_upgrade]
fn save() {
    if let Err(error) = stable_save((Saved { counter: get() },)) {
        trap(format!("the state could not be saved: {error}"));
    }
}

#[post_upgrade]
fn restore() {
    match stable_restore::<(Saved,)>() {
        Ok((saved,)) => COUNTER.set(saved.counter),
        // A trap cancels the upgrade; going on would start again at 0.
        Err(error) => trap(format!("the state could not be restored: {error}")),
    }
}

// Has the Wasm tell its interface; tests hold candid/canister2.did to it.
ic_cdk::export_candid!();
