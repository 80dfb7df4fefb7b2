//! The callee of the lesson `upgrades`: work that is counted, for each caller and each of its
//! orders.

use std::cell::RefCell;

use candid::{CandidType, Principal};
use ic_cdk::{api::msg_caller, call::Call, trap};
use ic_cdk_macros::{post_upgrade, pre_upgrade, query, update};
use serde::Deserialize;

use shared::bounded::BoundedMap;

/// What outlives an upgrade: how often the work of each order was done.
#[derive(CandidType, Deserialize, Default)]
struct State {
    done: BoundedMap<(Principal, u64), u64>,
}

thread_local! {
    static STATE: RefCell<State> = RefCell::default();
}

fn times(caller: Principal, order: u64) -> u64 {
    STATE.with_borrow(|state| state.done.get(&(caller, order)).copied().unwrap_or(0))
}

/// How often the work of a caller's order was done.
#[query]
fn done(caller: Principal, order: u64) -> u64 {
    times(caller, order)
}

/// Does the work of an order. Who asks twice gets it twice.
#[update]
fn do_work(order: u64) {
    let caller = msg_caller();
    let times = times(caller, order) + 1;
    STATE.with_borrow_mut(|state| state.done.insert((caller, order), times));
}

/// Does the work of an order, unless it is done: asking again harms nobody.
#[update]
fn do_work_once(order: u64) {
    if times(msg_caller(), order) == 0 {
        do_work(order);
    }
}

/// Does the work of an order after an await.
#[update]
async fn do_work_slowly(order: u64) {
    // COMMIT POINT: nothing is done yet. An upgrade of this canister here loses what follows.
    // (What is awaited doesn't matter: any call would do.)
    let management = Principal::management_canister();
    if let Err(error) = Call::unbounded_wait(management, "raw_rand").await {
        trap(format!("there are no random numbers: {error}"));
    }
    do_work(order);
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
