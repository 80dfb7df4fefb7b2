//! The other ways to fail, beside `increment_both`: what an error undoes, and what it does not.
//!
//! Every method adds 1 first. One that awaits adds 1 again after each await, so that `get`
//! afterwards tells what was kept and what was undone.

use std::cell::RefCell;

use candid::{Nat, Principal};
use ic_cdk::{call::Call, trap};
use ic_cdk_macros::{query, update};

use crate::{CallOutcome, add_one, canister2};

/// A call of canister2. With unbounded wait an answer always comes; the price is that canister1 cannot
/// be stopped until then. So wait without bound only for a callee that you trust.
fn call_canister2(method: &str) -> Call<'_, 'static> {
    Call::unbounded_wait(canister2(), method)
}

/// Awaits `canister2.increment`. It traps if that fails, so that each method here fails in its own way
/// and in no other. Don't copy that: real code handles the error.
async fn increment_canister2() {
    if let Err(error) = call_canister2("increment").await {
        trap(format!("canister2 did not confirm: {error}"));
    }
}

// ---- A trap, and no commit point before it -------------------------------------------------

/// A trap before any await undoes everything.
#[update]
fn increment_then_trap() {
    add_one();
    trap("trapped on purpose"); // Undoes the 1.
}

/// An await that sends no call is no commit point: a trap after it undoes what came before it, too.
#[update]
async fn increment_then_await_nothing_then_trap() {
    async fn nothing() {}

    add_one();
    nothing().await; // Not a commit point.
    add_one();
    trap("trapped on purpose"); // Undoes both.
}

/// A one-way call leaves when the message ends normally. This message traps, so the call is
/// discarded with the rest.
#[update]
fn increment_both_one_way_then_trap() {
    add_one();
    if let Err(error) = call_canister2("increment").oneway() {
        trap(format!("the one-way call was refused: {error}"));
    }
    trap("trapped on purpose"); // Undoes the 1, and the call.
}

// ---- A trap after a commit point -----------------------------------------------------------

/// A trap after the await undoes only what came after the await.
#[update]
async fn increment_both_then_trap() {
    add_one();
    increment_canister2().await; // COMMIT POINT: the first 1 is kept.
    add_one();
    trap("trapped on purpose"); // Undoes the second 1.
}

/// A trap after two awaits undoes only what came after the second.
#[update]
async fn increment_both_twice_then_trap() {
    add_one();
    increment_canister2().await; // COMMIT POINT: the first 1 is kept.
    add_one();
    increment_canister2().await; // COMMIT POINT: the second 1 is kept.
    add_one();
    trap("trapped on purpose"); // Undoes the third 1.
}

// ---- The callee fails, or is not there: canister1 sees a reject, and goes on ---------------

/// The callee traps. Its own change is undone, and nothing here.
#[update]
async fn increment_then_call_trapping_callee() -> CallOutcome {
    add_one();
    // COMMIT POINT: the first 1 is kept.
    let result = call_canister2("increment_then_trap").await;
    add_one();
    result.into()
    // COMMIT POINT: so is the second.
}

/// The callee rejects on purpose. A reject does not prove that the callee changed nothing:
/// this one keeps its 1.
#[update]
async fn increment_then_call_rejecting_callee() -> CallOutcome {
    add_one();
    // COMMIT POINT: the first 1 is kept.
    let result = call_canister2("increment_then_reject").await;
    add_one();
    result.into()
    // COMMIT POINT: so is the second.
}

/// The callee has no such method.
#[update]
async fn increment_then_call_missing_method() -> CallOutcome {
    add_one();
    // COMMIT POINT: the first 1 is kept; the call is sent, and the system rejects it.
    let result = call_canister2("no_such_method").await;
    add_one();
    result.into()
    // COMMIT POINT: so is the second.
}

/// The id of a canister that no network has given out.
const NOWHERE: Principal = Principal::from_slice(b"nowhere!\x01\x01");

/// The callee does not exist.
#[update]
async fn increment_then_call_missing_canister() -> CallOutcome {
    add_one();
    // COMMIT POINT: the first 1 is kept; the call is sent, and the system rejects it.
    let result = Call::unbounded_wait(NOWHERE, "increment").await;
    add_one();
    result.into()
    // COMMIT POINT: so is the second.
}

/// The call needs more cycles than there can be. It is not sent, so its await is no commit
/// point, and the error is there at once.
#[update]
async fn increment_then_call_with_too_many_cycles() -> CallOutcome {
    add_one();
    // Not a commit point: a trap on the next line would undo the first 1.
    let result = call_canister2("increment").with_cycles(u128::MAX).await;
    add_one();
    result.into()
    // COMMIT POINT: both are kept.
}

// ---- Cleanup: what `Drop` does after a trap ------------------------------------------------

thread_local! {
    /// How many guards were dropped, as far as it was kept.
    static DROPS: RefCell<Nat> = RefCell::new(Nat::from(0u8));
}

/// How often a guard's `Drop` ran and was kept.
#[query]
pub fn get_drops() -> Nat {
    DROPS.with_borrow(Nat::clone)
}

/// Puts back the number that [`get_drops`] gave before an upgrade.
pub fn set_drops(drops: Nat) {
    DROPS.set(drops);
}

/// Counts its own drop. In real code this would be the unlocking of a lock.
struct CountsDrop;

impl Drop for CountsDrop {
    fn drop(&mut self) {
        DROPS.with_borrow_mut(|drops| *drops += 1u8);
    }
}

/// Counts its own drop, then traps.
struct TrapsInDrop;

impl Drop for TrapsInDrop {
    fn drop(&mut self) {
        DROPS.with_borrow_mut(|drops| *drops += 1u8);
        trap("trapped on purpose, in cleanup"); // Undoes what cleanup did: the drop is not counted.
    }
}

/// After a trap after an await, cleanup drops the local variables, and what `Drop` does is kept.
#[update]
async fn increment_both_then_trap_with_guard() {
    let _guard = CountsDrop; // In a variable: `let _ = CountsDrop` would drop it at once.
    add_one();
    increment_canister2().await; // COMMIT POINT: the first 1 is kept.
    add_one();
    trap("trapped on purpose"); // Undoes the second 1. Then cleanup drops `_guard`.
}

/// The mistake: a `Drop` that can trap. It undoes what cleanup did: if the guard were a lock, it
/// would stay locked. The right way is the method above: a `Drop` that cannot trap.
#[update]
async fn increment_both_then_trap_in_cleanup_too() {
    let _guard = TrapsInDrop;
    add_one();
    increment_canister2().await; // COMMIT POINT: the first 1 is kept.
    add_one();
    trap("trapped on purpose"); // Undoes the second 1. Then cleanup drops `_guard`, and traps.
}
