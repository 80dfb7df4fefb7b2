//! The callee of the lesson `journal`: accounts, and a memory of what it has done.

use std::cell::RefCell;

use candid::{CandidType, Principal};
use ic_cdk::{api::msg_caller, trap};
use ic_cdk_macros::{post_upgrade, pre_upgrade, query, update};
use serde::Deserialize;

#[cfg(test)]
use shared::bounded::CAPACITY;
use shared::{
    bounded::{Bounded, Full},
    callers,
};

/// What names a transfer. A caller that asks twice for one transfer uses the same id.
#[derive(CandidType, Clone, Copy, Deserialize, PartialEq, Eq, PartialOrd, Ord)]
struct TransferId {
    /// The caller's account that it is from.
    account: u64,
    /// The number of the transfer, among those from that account.
    number: u64,
}

#[derive(CandidType, Deserialize)]
struct Account {
    /// Who opened it.
    owner: Principal,
    /// The canister from which it takes money.
    payer: Principal,
    balance: u64,
}

/// The last transfer that was asked for from an account of a caller, and what came of it: `Err` says
/// why the amount was not added, and never will be.
#[derive(CandidType, Clone, Deserialize)]
struct Last {
    number: u64,
    outcome: Result<(), String>,
}

#[derive(CandidType, Default, Deserialize)]
struct State {
    accounts: Bounded<u64, Account>,
    /// Of each caller, and each of its accounts, the last transfer. No caller can fill the room of
    /// another, and each has room for as many accounts as `journal_caller` can have.
    last: Bounded<Principal, Bounded<u64, Last>>,
}

/// How many accounts one owner may have.
const MOST_EACH: usize = 100;

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

/// Opens an empty account, which takes money from this canister only. The owner chooses it, so the
/// balance is worth what that canister is worth. A real callee takes money only from a ledger that it
/// trusts itself.
#[update]
fn open(payer: Principal) -> Result<u64, String> {
    let owner = msg_caller();
    STATE.with_borrow_mut(|state| {
        let own = state.accounts.iter().filter(|(_, one)| one.owner == owner);
        if own.count() >= MOST_EACH {
            return Err(format!(
                "you have {MOST_EACH} accounts, and can't have more"
            ));
        }
        let account = state.accounts.next_number();
        let new = Account {
            owner,
            payer,
            balance: 0,
        };
        state.accounts.insert(account, new)?;
        Ok(account)
    })
}

/// The balance of an account.
#[query]
fn get_balance(account: u64) -> Option<u64> {
    STATE.with_borrow(|state| Some(state.accounts.get(&account)?.balance))
}

/// Adds an amount. The mistake: a caller that asks twice, because it lost or forgot the first answer,
/// adds it twice.
#[update]
fn add_without_id(account: u64, amount: u64) -> Result<(), String> {
    STATE.with_borrow_mut(|state| state.add(msg_caller(), account, amount))
    // COMMIT POINT: the message ends. No later error in the caller can undo it.
}

/// Adds the amount of a transfer, once. A caller that asks again for the last transfer from an account
/// gets the same answer, and nothing is added.
///
/// Traps if that can't be promised. A reject is no outcome: nothing was done, and a caller that has no
/// answer yet may ask again.
#[update(guard = "callers::are_canisters")]
fn add(id: TransferId, account: u64, amount: u64) -> Result<(), String> {
    let added = STATE.with_borrow_mut(|state| state.add_once(msg_caller(), id, account, amount));
    added.unwrap_or_else(|why| trap(why))
    // COMMIT POINT: the amount and the memory of it are kept together.
}

impl State {
    /// The outcome of a transfer. `Err` says why there is none; then nothing may be kept of this.
    fn add_once(
        &mut self,
        caller: Principal,
        id: TransferId,
        account: u64,
        amount: u64,
    ) -> Result<Result<(), String>, String> {
        let known = self.last.get(&caller);
        match known.and_then(|accounts| accounts.get(&id.account)) {
            Some(last) if last.number == id.number => return Ok(last.outcome.clone()),
            // A caller asks for the next transfer when it has the outcome of this one.
            Some(last) if last.number > id.number => {
                return Err("a later transfer was asked for; nothing was done".to_string());
            }
            _ => {}
        }
        if known.is_none() {
            self.last.insert(caller, Bounded::default())?;
        }
        // A refusal is remembered too: the caller may act on it.
        let outcome = self.add(caller, account, amount);
        let last = Last {
            number: id.number,
            outcome: outcome.clone(),
        };
        let accounts = self.last.get_mut(&caller).ok_or(Full)?;
        accounts.insert(id.account, last)?;
        Ok(outcome)
    }

    fn add(&mut self, caller: Principal, account: u64, amount: u64) -> Result<(), String> {
        let Some(found) = self.accounts.get_mut(&account) else {
            return Err(format!("the callee has no account {account}"));
        };
        if found.payer != caller {
            return Err(format!("account {account} takes nothing from you"));
        }
        found.balance = found
            .balance
            .checked_add(amount)
            .ok_or_else(|| format!("account {account} can't hold {amount} more"))?;
        Ok(())
    }
}

ic_cdk::export_candid!();

fn main() {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_memory_forgets_no_outcome_and_is_in_no_other_callers_way() {
        let mut state = State::default();
        let [payer, other] = [1, 2].map(|id| Principal::from_slice(&[id]));
        let account = Account {
            owner: payer,
            payer,
            balance: 0,
        };
        state.accounts.insert(0, account).unwrap();
        let from = |account| TransferId { account, number: 1 };
        for account in 0..CAPACITY as u64 {
            let refused = state.add_once(other, from(account), 0, 1);
            refused.unwrap().unwrap_err();
        }
        let full = state.add_once(other, from(CAPACITY as u64), 0, 1);
        assert_eq!(full, Err(Full.to_string()), "it is no outcome");
        for _ in 0..2 {
            assert_eq!(state.add_once(payer, from(0), 0, 1), Ok(Ok(())));
            state.add_once(other, from(0), 0, 1).unwrap().unwrap_err();
        }
        assert_eq!(state.accounts.get(&0).unwrap().balance, 1);
    }

    #[test]
    fn a_transfer_before_the_last_is_never_done_again() {
        let mut state = State::default();
        let caller = Principal::from_slice(&[1]);
        let mut ask = |number| state.add_once(caller, TransferId { account: 0, number }, 0, 1);
        for number in [1, 2] {
            ask(number).unwrap().unwrap_err();
        }
        ask(1).unwrap_err();
    }
}
