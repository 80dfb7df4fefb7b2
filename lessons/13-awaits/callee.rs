//! The callee of the lesson `awaits`: it takes orders, each in one message.

use std::cell::RefCell;

use candid::{CandidType, Principal};
use ic_cdk::api::msg_caller;
use ic_cdk_macros::{post_upgrade, pre_upgrade, query, update};
use serde::Deserialize;

use shared::{
    bounded::{Bounded, Full},
    callers,
};

#[derive(CandidType, Default, Deserialize)]
struct State {
    /// How many orders each caller has placed for each of its accounts. Each caller has room of its
    /// own, which no other can fill.
    orders: Bounded<Principal, Bounded<u64, u64>>,
}

impl State {
    fn placed(&self, caller: &Principal, account: u64) -> u64 {
        let accounts = self.orders.get(caller);
        let placed = accounts.and_then(|accounts| accounts.get(&account));
        placed.copied().unwrap_or(0)
    }

    fn add(&mut self, caller: Principal, account: u64) -> Result<(), Full> {
        let placed = self.placed(&caller, account) + 1;
        if let Some(accounts) = self.orders.get_mut(&caller) {
            return accounts.insert(account, placed);
        }
        let mut accounts = Bounded::default();
        accounts.insert(account, placed)?;
        self.orders.insert(caller, accounts)
    }
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
    Ok(STATE.with_borrow_mut(|state| state.add(msg_caller(), account))?)
    // COMMIT POINT: the message ends. No later error in the caller can undo it.
}

/// How many orders a caller has placed for an account.
#[query]
fn get_orders(caller: Principal, account: u64) -> u64 {
    STATE.with_borrow(|state| state.placed(&caller, account))
}

ic_cdk::export_candid!();

fn main() {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_caller_that_is_full_takes_no_room_from_another() {
        let mut state = State::default();
        let [full, other] = [[1], [2]].map(|id| Principal::from_slice(&id));
        for account in 0..2000 {
            assert_eq!(state.add(full, account).is_ok(), account < 1000);
        }
        assert_eq!(state.add(other, 0), Ok(()));
        assert_eq!(state.add(full, 0), Ok(()));
        assert_eq!((state.placed(&other, 0), state.placed(&full, 0)), (1, 2));
    }
}
