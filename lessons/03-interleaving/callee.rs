//! The callee of the lesson `interleaving`: it pays, and knows what it paid.

use std::cell::RefCell;

use candid::{CandidType, Principal};
use ic_cdk::api::msg_caller;
use ic_cdk_macros::{post_upgrade, pre_upgrade, query, update};
use serde::Deserialize;

use shared::{bounded::BoundedMap, callers};

/// What was paid; what is oldest is forgotten when it is too much.
#[derive(CandidType, Deserialize, Default)]
struct State {
    /// What was paid altogether, for each caller and account of it.
    paid: BoundedMap<(Principal, u64), u64>,
}

thread_local! {
    static STATE: RefCell<State> = RefCell::default();
}

/// Pays `amount` for an account of the caller. It does so in one message: if it fails, nothing is
/// paid.
#[update(guard = "callers::are_canisters")]
fn pay(account: u64, amount: u64) {
    let key = (msg_caller(), account);
    STATE.with_borrow_mut(|state| {
        let before = state.paid.get(&key).copied().unwrap_or(0);
        state.paid.insert(key, before.saturating_add(amount));
    });
    // COMMIT POINT: the message ends here. It is paid, whatever becomes of the caller.
}

/// What was paid altogether for an account of a caller.
#[query]
fn paid(caller: Principal, account: u64) -> u64 {
    STATE.with_borrow(|state| state.paid.get(&(caller, account)).copied().unwrap_or(0))
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
