//! The callee of the lesson `journal`: accounts, and a memory of what it has done.

use std::cell::RefCell;

use candid::{CandidType, Principal};
use ic_cdk::api::msg_caller;
use ic_cdk_macros::{post_upgrade, pre_upgrade, query, update};
use serde::Deserialize;

use shared::{bounded::BoundedMap, callers};

/// What names a transfer. Whoever asks twice for the same transfer uses the same id.
#[derive(CandidType, Clone, Copy, Deserialize, PartialEq, Eq, PartialOrd, Ord)]
struct TransferId {
    /// The caller's account that it is from.
    account: u64,
    /// The number of the transfer, among those from that account.
    number: u64,
}

#[derive(CandidType, Default, Deserialize)]
struct State {
    /// The balances.
    accounts: BoundedMap<u64, u64>,
    /// What came of each transfer: `Err` says why the amount was not added, and never will be. A
    /// caller can't use up the ids of another.
    outcomes: BoundedMap<(Principal, TransferId), Result<(), String>>,
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

/// Opens an empty account.
#[update]
fn open() -> u64 {
    STATE.with_borrow_mut(|state| {
        let account = state.accounts.next_number();
        state.accounts.insert(account, 0);
        account
    })
}

/// The balance of an account.
#[query]
fn get_balance(account: u64) -> Option<u64> {
    STATE.with_borrow(|state| state.accounts.get(&account).copied())
}

/// Adds an amount. The mistake: who asks twice, because the first answer got lost or forgotten,
/// gets it twice.
#[update]
fn add_without_id(account: u64, amount: u64) -> Result<(), String> {
    STATE.with_borrow_mut(|state| state.add(account, amount))
    // COMMIT POINT: the message ends. No later error in the caller can undo it.
}

/// Adds the amount of a transfer, once. Who asks again gets the same answer, and no more.
#[update(guard = "callers::are_canisters")]
fn add(id: TransferId, account: u64, amount: u64) -> Result<(), String> {
    STATE.with_borrow_mut(|state| {
        let key = (msg_caller(), id);
        if let Some(outcome) = state.outcomes.get(&key) {
            return outcome.clone();
        }
        let outcome = state.add(account, amount);
        // A refusal is remembered too: the caller may have acted on it.
        state.outcomes.insert(key, outcome.clone());
        outcome
    })
    // COMMIT POINT: the amount and the memory of it are kept together.
}

impl State {
    fn add(&mut self, account: u64, amount: u64) -> Result<(), String> {
        let Some(balance) = self.accounts.get_mut(&account) else {
            return Err(format!("the callee has no account {account}"));
        };
        *balance = balance
            .checked_add(amount)
            .ok_or_else(|| format!("account {account} can't hold {amount} more"))?;
        Ok(())
    }
}

ic_cdk::export_candid!();

fn main() {}
