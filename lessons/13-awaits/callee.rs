//! The callee of the lesson `awaits`: it takes orders, each in one message.

use std::cell::RefCell;

use candid::{CandidType, Principal};
use ic_cdk::api::msg_caller;
use ic_cdk_macros::{post_upgrade, pre_upgrade, query, update};
use serde::Deserialize;

use shared::{bounded::Bounded, callers};

#[derive(CandidType, Default, Deserialize)]
struct State {
    /// How many orders each caller has placed for each of its accounts.
    orders: Bounded<(Principal, u64), u64>,
}

thread_local! {
    static STATE: RefCell<State> = RefCell::default();
}

#[pre_upgrade]
fn save() {
    shared::upgrade::save(&STATE);
}

#[post_upgrade]
fn restore() {
    shared::upgrade::restore(&STATE);
}

/// Takes an order of the caller's for one of its accounts.
#[update(guard = "callers::are_canisters")]
fn take_order(account: u64) -> Result<(), String> {
    STATE.with_borrow_mut(|State { orders }| {
        let key = (msg_caller(), account);
        let placed = orders.get(&key).copied().unwrap_or_default();
        Ok(orders.insert(key, placed + 1)?)
    })
    // COMMIT POINT: the message ends. No later error in the caller can undo it.
}

/// How many orders a caller has placed for an account.
#[query]
fn get_orders(caller: Principal, account: u64) -> u64 {
    STATE
        .with_borrow(|state| state.orders.get(&(caller, account)).copied())
        .unwrap_or_default()
}

ic_cdk::export_candid!();

fn main() {}
