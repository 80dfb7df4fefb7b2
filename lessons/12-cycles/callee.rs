//! The callee of the lesson `cycles`: a service that takes 400 cycles.
//!
//! 400 is so little that it doesn't matter who pays. The rules are the same for any amount.

use std::cell::RefCell;

use candid::{CandidType, Principal};
use ic_cdk::{
    api::{
        canister_self, msg_caller, msg_cycles_accept, msg_cycles_available, msg_reject, msg_reply,
    },
    call::Call,
    trap,
};
use ic_cdk_macros::{post_upgrade, pre_upgrade, query, update};
use serde::Deserialize;

use shared::{bounded::Bounded, callers};

/// What the service costs, in cycles.
const PRICE: u128 = 400;

thread_local! {
    static STATE: RefCell<State> = RefCell::default();
}

/// All accounts, by canister. When there is no room for another one, its canister pays nothing.
#[derive(CandidType, Default, Deserialize)]
struct State {
    accounts: Bounded<Principal, Account>,
}

/// What was taken from one canister, and done for it.
#[derive(CandidType, Clone, Default, Deserialize)]
struct Account {
    /// The cycles that were accepted and kept.
    accepted: u128,
    /// How often the work was done and kept.
    served: u64,
}

/// How the work ends.
#[derive(CandidType, Deserialize)]
enum Work {
    /// Well.
    Succeeds,
    /// With a reject on purpose.
    Rejects,
    /// With a trap.
    Traps,
}

/// The account of a canister. Anybody may see it.
#[query]
fn account(canister: Principal) -> Account {
    STATE.with_borrow(|state| state.accounts.get(&canister).cloned().unwrap_or_default())
}

/// Accepts, then traps: the trap undoes the acceptance too, and all cycles go back.
#[update(guard = "callers::are_canisters")]
fn accept_then_trap() {
    accept(msg_caller());
    trap("the callee trapped on purpose");
}

/// The mistake: accepts before it is known that the work succeeds. A reject is an answer like any
/// other, and what was accepted before it is kept: the customer has paid for nothing.
#[update(manual_reply = true, guard = "callers::are_canisters")]
fn accept_then_reject() {
    accept(msg_caller());
    msg_reject("the callee rejected on purpose");
    // COMMIT POINT: the message ends normally, and the acceptance is kept.
}

/// The same mistake with an await. The trap undoes only what came after it.
#[update(guard = "callers::are_canisters")]
async fn accept_then_await_then_trap() {
    accept(msg_caller());
    a_part_of_the_work().await; // COMMIT POINT: the acceptance is kept.
    trap("the callee trapped on purpose");
}

/// The right way: look at what is attached, work, and accept last, in the message that has the result.
/// What is attached stays with the call, across awaits, until it is answered.
#[update(manual_reply = true, guard = "callers::are_canisters")]
async fn work_then_accept(work: Work) {
    let customer = msg_caller();
    if msg_cycles_available() < PRICE {
        msg_reject(format!("the price is {PRICE} cycles"));
        return;
    }
    a_part_of_the_work().await; // COMMIT POINT: nothing is accepted yet.
    match work {
        Work::Succeeds => {
            // Payment, result and reply are kept together, or undone together.
            accept(customer);
            with_account(customer, |account| account.served += 1);
            msg_reply(b"DIDL\0\0"); // Candid for nothing.
        }
        Work::Rejects => msg_reject("the callee rejected on purpose"),
        Work::Traps => trap("the callee trapped on purpose"),
    }
}

/// Takes the price, or what there is of it, and writes down how much that was: it may be less.
fn accept(customer: Principal) {
    let accepted = msg_cycles_accept(PRICE);
    with_account(customer, |account| account.accepted += accepted);
}

/// Something that needs a call: here, of this canister itself.
async fn a_part_of_the_work() {
    let call = Call::unbounded_wait(canister_self(), "account").with_arg(canister_self());
    if let Err(error) = call.await {
        trap(format!("the callee can't call itself: {error}"));
    }
}

fn with_account(customer: Principal, act: impl FnOnce(&mut Account)) {
    let mut account = account(customer);
    act(&mut account);
    let kept = STATE.with_borrow_mut(|state| state.accounts.insert(customer, account));
    if let Err(full) = kept {
        trap(full.to_string()); // What was accepted in this message goes back with all else.
    }
}

#[pre_upgrade]
fn save() {
    shared::upgrade::save(&STATE);
}

#[post_upgrade]
fn restore() {
    shared::upgrade::restore(&STATE);
}

ic_cdk::export_candid!();

fn main() {}
