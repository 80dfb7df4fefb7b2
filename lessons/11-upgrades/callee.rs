//! The callee of the lesson `upgrades`: work that is counted, for each caller and each of its
//! orders.

use std::cell::RefCell;

use candid::{CandidType, Principal};
use ic_cdk::{api::msg_caller, call::Call, trap};
use ic_cdk_macros::{post_upgrade, pre_upgrade, query, update};
use serde::Deserialize;

use shared::{bounded::Bounded, callers};

/// What outlives an upgrade: how often the work of each order was done. Every caller has room of its
/// own, and takes none from the others.
#[derive(CandidType, Deserialize, Default)]
struct State {
    done: Bounded<Principal, Bounded<u64, u64>>,
}

thread_local! {
    static STATE: RefCell<State> = RefCell::default();
}

/// How often the work of a caller's order was done.
#[query]
fn done(caller: Principal, order: u64) -> u64 {
    STATE
        .with_borrow(|State { done }| {
            let orders = done.get(&caller);
            orders.and_then(|orders| orders.get(&order).copied())
        })
        .unwrap_or(0)
}

/// Does the work of an order. Asking twice does it twice.
#[update(guard = "callers::are_canisters")]
fn do_work(order: u64) {
    work(msg_caller(), order);
}

/// Does the work of an order, unless it is done. Asking again does it no second time: nothing that was
/// done is forgotten, and where there is no room to note it, it is not done.
///
/// An order is known by its caller and its number alone. A caller that is installed anew and begins
/// with number 0 again is told that those orders are done.
#[update(guard = "callers::are_canisters")]
fn do_work_once(order: u64) {
    let caller = msg_caller();
    if done(caller, order) == 0 {
        work(caller, order);
    }
}

/// Does the work of an order after an await.
#[update(guard = "callers::are_canisters")]
async fn do_work_slowly(order: u64) {
    let caller = msg_caller();
    // COMMIT POINT: nothing is done yet. An upgrade of this canister here loses what follows.
    // (What is awaited doesn't matter: any call would do.)
    let management = Principal::management_canister();
    if let Err(error) = Call::unbounded_wait(management, "raw_rand").await {
        trap(format!("there are no random numbers: {error}"));
    }
    work(caller, order);
}

/// The work: here it only notes that it is done. Traps if there is no room for that.
fn work(caller: Principal, order: u64) {
    let times = done(caller, order) + 1;
    let noted = STATE.with_borrow_mut(|State { done }| match done.get_mut(&caller) {
        Some(orders) => orders.insert(order, times),
        None => {
            let mut orders = Bounded::default();
            orders.insert(order, times)?;
            done.insert(caller, orders)
        }
    });
    if let Err(full) = noted {
        trap(full.to_string());
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
