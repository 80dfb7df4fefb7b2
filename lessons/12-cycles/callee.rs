//! The callee of the lesson `cycles`: a service that takes 400 cycles.
//!
//! 400 is so little that it doesn't matter who pays. The rules are the same for any amount.

use std::cell::RefCell;

use candid::CandidType;
use ic_cdk::{
    api::{canister_self, msg_cycles_accept, msg_cycles_available, msg_reject, msg_reply},
    call::Call,
    trap,
};
use ic_cdk_macros::{post_upgrade, pre_upgrade, query, update};
use serde::Deserialize;

use shared::bounded::BoundedMap;

/// What the service costs, in cycles.
const PRICE: u128 = 400;

thread_local! {
    static STATE: RefCell<State> = RefCell::default();
}

/// All accounts.
#[derive(CandidType, Default, Deserialize)]
struct State {
    accounts: BoundedMap<u64, Account>,
}

/// What was taken and done for one customer.
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

/// Opens an account, and returns its number.
#[update]
fn open_account() -> u64 {
    STATE.with_borrow_mut(|State { accounts }| {
        let number = accounts.next_number();
        accounts.insert(number, Account::default());
        number
    })
}

/// An account.
#[query]
fn account(account: u64) -> Option<Account> {
    STATE.with_borrow(|state| state.accounts.get(&account).cloned())
}

/// Accepts, then traps: the trap undoes the acceptance too, and all cycles go back.
#[update]
fn accept_then_trap(account: u64) {
    accept(account);
    trap("the callee trapped on purpose");
}

/// The mistake: accepts before it is known that the work succeeds. A reject is an answer like any
/// other, and what was accepted before it is kept: the customer has paid for nothing.
#[update(manual_reply = true)]
fn accept_then_reject(account: u64) {
    accept(account);
    msg_reject("the callee rejected on purpose");
    // COMMIT POINT: the message ends normally, and the acceptance is kept.
}

/// The same mistake with an await. The trap undoes only what came after it.
#[update]
async fn accept_then_await_then_trap(account: u64) {
    accept(account);
    a_part_of_the_work(account).await; // COMMIT POINT: the acceptance is kept.
    trap("the callee trapped on purpose");
}

/// The right way: looks at what is attached, works, and accepts last, in the message that has the
/// result. What is attached waits for that, across awaits, until the call is answered.
#[update(manual_reply = true)]
async fn work_then_accept(account: u64, work: Work) {
    if msg_cycles_available() < PRICE {
        msg_reject(format!("the price is {PRICE} cycles"));
        return;
    }
    a_part_of_the_work(account).await; // COMMIT POINT: nothing is accepted yet.
    match work {
        Work::Succeeds => {
            // Payment, result and reply are kept together, or undone together.
            accept(account);
            with_account(account, |account| account.served += 1);
            msg_reply(b"DIDL\0\0"); // Candid for nothing.
        }
        Work::Rejects => msg_reject("the callee rejected on purpose"),
        Work::Traps => trap("the callee trapped on purpose"),
    }
}

/// Takes the price, or what there is of it, and writes down how much that was: it may be less.
fn accept(account: u64) {
    let accepted = msg_cycles_accept(PRICE);
    with_account(account, |account| account.accepted += accepted);
}

/// Something that needs a call: here, of this canister itself.
async fn a_part_of_the_work(account: u64) {
    let call = Call::unbounded_wait(canister_self(), "account").with_arg(account);
    if let Err(error) = call.await {
        trap(format!("the callee can't call itself: {error}"));
    }
}

fn with_account(account: u64, act: impl FnOnce(&mut Account)) {
    STATE.with_borrow_mut(|state| match state.accounts.get_mut(&account) {
        Some(account) => act(account),
        // What was accepted in this message goes back with all else.
        None => trap(format!(
            "there is no account {account}: it was never opened, or is too old"
        )),
    });
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
