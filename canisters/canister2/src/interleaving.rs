//! The lesson `interleaving`: a callee that pays, and knows what it paid.

use std::cell::RefCell;

use bounded::BoundedMap;
use candid::{CandidType, Principal};
use ic_cdk::api::msg_caller;
use ic_cdk_macros::{query, update};
use serde::Deserialize;

use crate::callers;

/// What was paid; what is oldest is forgotten when it is too much.
#[derive(CandidType, Deserialize, Default)]
pub struct State {
    /// What was paid altogether, for each caller and account of it.
    paid: BoundedMap<(Principal, u64), u64>,
}

thread_local! {
    static STATE: RefCell<State> = RefCell::default();
}

/// Pays `amount` for an account of the caller. It does so in one message: if it fails, nothing is
/// paid.
#[update(guard = "callers::are_canisters")]
fn interleaving_pay(account: u64, amount: u64) {
    let key = (msg_caller(), account);
    STATE.with_borrow_mut(|state| {
        let before = state.paid.get(&key).copied().unwrap_or(0);
        state.paid.insert(key, before.saturating_add(amount));
    });
    // COMMIT POINT: the message ends here. It is paid, whatever becomes of the caller.
}

/// What was paid altogether for an account of a caller.
#[query]
fn interleaving_paid(caller: Principal, account: u64) -> u64 {
    STATE.with_borrow(|state| state.paid.get(&(caller, account)).copied().unwrap_or(0))
}

/// Takes the state out, to be saved.
pub fn save() -> State {
    STATE.take()
}

/// Puts back what was saved.
pub fn restore(state: State) {
    STATE.set(state);
}
