//! The callee of the lesson `interleaving`: it pays, and knows what it paid.

use std::cell::RefCell;

use candid::{CandidType, Principal};
use ic_cdk::{api::msg_caller, trap};
use ic_cdk_macros::{post_upgrade, pre_upgrade, query, update};
use serde::Deserialize;

use shared::{
    bounded::{Bounded, Full},
    callers,
};

/// What was paid. None of it is ever forgotten: the callers ask for it.
#[derive(CandidType, Deserialize, Default)]
struct State {
    /// What was paid altogether, for each caller and each account of it. Each caller has room of
    /// its own, which no other can fill.
    paid: Bounded<Principal, Bounded<u64, u64>>,
}

impl State {
    fn paid(&self, caller: &Principal, account: u64) -> u64 {
        let accounts = self.paid.get(caller);
        let paid = accounts.and_then(|accounts| accounts.get(&account));
        paid.copied().unwrap_or(0)
    }

    fn add(&mut self, caller: Principal, account: u64, amount: u64) -> Result<(), Full> {
        let paid = self.paid(&caller, account).saturating_add(amount);
        if let Some(accounts) = self.paid.get_mut(&caller) {
            return accounts.insert(account, paid);
        }
        let mut accounts = Bounded::default();
        accounts.insert(account, paid)?;
        self.paid.insert(caller, accounts)
    }
}

thread_local! {
    static STATE: RefCell<State> = RefCell::default();
}

/// Pays `amount` for an account of the caller. It does so in one message: if it fails, nothing is
/// paid. It fails if there is no room to remember it.
#[update(guard = "callers::are_canisters")]
fn pay(account: u64, amount: u64) {
    let added = STATE.with_borrow_mut(|state| state.add(msg_caller(), account, amount));
    if let Err(full) = added {
        trap(full.to_string());
    }
    // COMMIT POINT: the message ends here. It is paid, whatever becomes of the caller.
}

/// What was paid altogether for an account of a caller.
#[query]
fn paid(caller: Principal, account: u64) -> u64 {
    STATE.with_borrow(|state| state.paid(&caller, account))
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_room_it_refuses_and_forgets_nothing() {
        let mut state = State::default();
        let callers = (0..2000u32).map(|number| Principal::from_slice(&number.to_be_bytes()));
        let callers: Vec<_> = callers.collect();
        for account in 0..2000 {
            let added = state.add(callers[0], account, 80);
            assert_eq!(added.is_ok(), account < 1000);
        }
        for caller in &callers[1..] {
            let _ = state.add(*caller, 0, 80);
        }
        assert_eq!(state.add(callers[1999], 0, 80), Err(Full));
        for caller in &callers[..1000] {
            assert_eq!(state.paid(caller, 0), 80);
        }
        assert_eq!(state.add(callers[0], 999, 10), Ok(()));
        assert_eq!(state.paid(&callers[0], 999), 90);
    }
}
