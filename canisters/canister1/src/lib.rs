//! canister1, the caller: it adds 1 to a counter of its own, then asks canister2 to do the same.
//!
//! A comment `COMMIT POINT` marks where everything so far becomes final: at an await that sends a
//! call, and at the normal end of a message.

mod outcome;
mod peer;
mod rollback;

use std::cell::RefCell;

use candid::{CandidType, Nat, Principal};
use ic_cdk::{
    call::Call,
    storage::{stable_restore, stable_save},
    trap,
};
use ic_cdk_macros::{post_upgrade, pre_upgrade, query, update};
use serde::Deserialize;

use outcome::CallOutcome; // For `rollback`, and for the interface at the end.

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

/// Adds 1 here and 1 in canister2, then fails by returning `Err`. Nothing is undone: `Err` is
/// a reply like any other.
#[update]
async fn increment_both() -> Result<(), String> {
    // Step 1: add 1 here. A trap before the commit point would undo it.
    add_one();

    // Step 2: ask canister2 to add 1, and wait for its answer as long as that takes.
    // COMMIT POINT: the await sends the call. The 1 of step 1 is final, whatever follows.
    Call::unbounded_wait(canister2(), "increment")
        .await
        .map_err(|error| format!("canister2 did not confirm: {error}"))?;

    // Step 3: fail. A trap here would undo nothing: nothing was done since the commit point.
    Err("Failed to complete the operation.".to_string())
    // COMMIT POINT: the message ends normally.
}

fn canister2() -> Principal {
    peer::id("canister2", option_env!("CANISTER_ID_CANISTER2"))
}

/// What outlives an upgrade. A later version may add `Option` fields and still read it.
#[derive(CandidType, Deserialize)]
struct Saved {
    counter: Nat,
    drops: Nat,
}

#[pre_upgrade]
fn save() {
    let counter = get();
    let drops = rollback::get_drops();
    // A trap here would block this upgrade and all later ones: fine for two numbers, not for a state
    // that can grow. Keep that in stable memory.
    if let Err(error) = stable_save((Saved { counter, drops },)) {
        trap(format!("the state could not be saved: {error}"));
    }
}

#[post_upgrade]
fn restore() {
    match stable_restore::<(Saved,)>() {
        Ok((saved,)) => {
            COUNTER.set(saved.counter);
            rollback::set_drops(saved.drops);
        }
        // A trap cancels the upgrade; going on would start again at 0.
        Err(error) => trap(format!("the state could not be restored: {error}")),
    }
}

// Has the Wasm tell its interface; tests hold candid/canister1.did to it.
ic_cdk::export_candid!();
