//! The callee of the lesson `ledger`: a small ledger, with the part of ICRC-1 that moves tokens. What
//! wallets show (name, symbol, metadata), blocks, and ICRC-2 are left out.

use std::cell::RefCell;

use candid::{CandidType, Nat};
use ic_cdk::api::{msg_caller, time};
use ic_cdk_macros::{post_upgrade, pre_upgrade, query, update};
use icrc_ledger_types::icrc1::{
    account::Account,
    transfer::{TransferArg, TransferError},
};
use serde::Deserialize;

use shared::bounded::Bounded;

/// What a transfer costs its sender. The fee is burned.
const FEE: u64 = 10;

/// For how long the ledger knows what it has done, in nanoseconds: 24 hours. What is older it refuses.
const WINDOW: u64 = 24 * 60 * 60 * 1_000_000_000;

/// How far the clock of a sender may be away from this canister's, in nanoseconds: 2 minutes.
const DRIFT: u64 = 2 * 60 * 1_000_000_000;

/// How many transfers out of one account it remembers.
const MOST_REMEMBERED: usize = 1000;

/// How many bytes a memo has at most.
const LONGEST_MEMO: usize = 32;

/// How many tokens `get_tokens` gives.
const GIFT: u64 = 1000;

/// What is in an account, and what was done with it: what one account remembers is in no other's way.
#[derive(CandidType, Default, Deserialize)]
struct Holding {
    balance: Nat,
    /// The transfers out of it that may come again, each with the number of its block.
    done: Vec<(TransferArg, u64)>,
}

#[derive(CandidType, Default, Deserialize)]
struct State {
    accounts: Bounded<Account, Holding>,
    /// How many blocks there are.
    blocks: u64,
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

/// Moves tokens out of an account of the caller, and returns the number of the block. An error says
/// that *this* call moved nothing.
#[update]
fn icrc1_transfer(arg: TransferArg) -> Result<Nat, TransferError> {
    let from = Account {
        owner: msg_caller(),
        subaccount: arg.from_subaccount,
    };
    STATE.with_borrow_mut(|state| state.transfer(from, arg, time()))
    // COMMIT POINT: the tokens are moved, and the transfer is remembered, together or not at all.
}

/// The balance of an account.
#[query]
fn icrc1_balance_of(account: Account) -> Nat {
    STATE.with_borrow(|state| state.balance(&account))
}

/// What a transfer costs.
#[query]
fn icrc1_fee() -> Nat {
    Nat::from(FEE)
}

/// Gives tokens to whoever calls, once. No real ledger does this.
#[update]
fn get_tokens() -> Result<Nat, String> {
    let account = Account::from(msg_caller());
    STATE.with_borrow_mut(|State { accounts, .. }| {
        if accounts.get(&account).is_some() {
            return Err("you have an account already".to_string());
        }
        let gift = Holding {
            balance: Nat::from(GIFT),
            done: Vec::new(),
        };
        accounts.insert(account, gift)?;
        Ok(Nat::from(GIFT))
    })
}

impl State {
    fn balance(&self, account: &Account) -> Nat {
        let found = self.accounts.get(account);
        found.map_or(Nat::default(), |found| found.balance.clone())
    }

    fn transfer(
        &mut self,
        from: Account,
        arg: TransferArg,
        now: u64,
    ) -> Result<Nat, TransferError> {
        if arg.fee.as_ref().is_some_and(|fee| *fee != FEE) {
            return Err(TransferError::BadFee {
                expected_fee: Nat::from(FEE),
            });
        }
        if arg
            .memo
            .as_ref()
            .is_some_and(|memo| memo.0.len() > LONGEST_MEMO)
        {
            return Err(refusal(1, "the memo is too long"));
        }
        let oldest = now.saturating_sub(WINDOW + DRIFT);
        if let Some(created) = arg.created_at_time {
            // It refuses what it may have forgotten, so nothing is done twice.
            if created < oldest {
                return Err(TransferError::TooOld);
            }
            if created > now.saturating_add(DRIFT) {
                return Err(TransferError::CreatedInFuture { ledger_time: now });
            }
        }
        let Some(sender) = self.accounts.get_mut(&from) else {
            return Err(TransferError::InsufficientFunds {
                balance: Nat::default(),
            });
        };
        sender
            .done
            .retain(|(done, _)| done.created_at_time >= Some(oldest));
        // A duplicate is one in every field. It is found before the funds are looked at: what was
        // done once may have taken the last of them.
        if arg.created_at_time.is_some()
            && let Some((_, block)) = sender.done.iter().find(|(done, _)| *done == arg)
        {
            return Err(TransferError::Duplicate {
                duplicate_of: Nat::from(*block),
            });
        }
        let price = arg.amount.clone() + FEE;
        if sender.balance < price {
            return Err(TransferError::InsufficientFunds {
                balance: sender.balance.clone(),
            });
        }
        // To forget a younger one instead would be to do that one twice.
        if arg.created_at_time.is_some() && sender.done.len() >= MOST_REMEMBERED {
            return Err(TransferError::TemporarilyUnavailable);
        }
        if self.accounts.get(&arg.to).is_none() {
            let new = self.accounts.insert(arg.to, Holding::default());
            new.map_err(|full| refusal(2, &full.to_string()))?;
        }
        // Nothing can be refused from here on.
        let block = self.blocks;
        self.blocks += 1;
        if let Some(receiver) = self.accounts.get_mut(&arg.to) {
            receiver.balance += arg.amount.clone();
        }
        if let Some(sender) = self.accounts.get_mut(&from) {
            sender.balance -= price;
            if arg.created_at_time.is_some() {
                sender.done.push((arg, block));
            }
        }
        Ok(Nat::from(block))
    }
}

fn refusal(code: u8, message: &str) -> TransferError {
    TransferError::GenericError {
        error_code: Nat::from(code),
        message: message.to_string(),
    }
}

ic_cdk::export_candid!();

fn main() {}

#[cfg(test)]
mod tests {
    use super::*;
    use candid::Principal;

    const NOW: u64 = 1_700_000_000_000_000_000;

    fn account(number: u8) -> Account {
        Account::from(Principal::from_slice(&[number]))
    }

    /// A ledger where account 1 has so much.
    fn ledger(balance: u64) -> State {
        let mut state = State::default();
        let holding = Holding {
            balance: Nat::from(balance),
            done: Vec::new(),
        };
        state.accounts.insert(account(1), holding).unwrap();
        state
    }

    fn arg(amount: u64, created_at_time: Option<u64>) -> TransferArg {
        TransferArg {
            from_subaccount: None,
            to: account(2),
            fee: None,
            created_at_time,
            memo: None,
            amount: Nat::from(amount),
        }
    }

    fn transfer(state: &mut State, arg: &TransferArg, now: u64) -> Result<Nat, TransferError> {
        state.transfer(account(1), arg.clone(), now)
    }

    #[test]
    fn at_no_time_is_a_transfer_done_twice() {
        let mut state = ledger(1000);
        let once = arg(100, Some(NOW));
        assert_eq!(transfer(&mut state, &once, NOW), Ok(Nat::from(0u8)));
        let known = Err(TransferError::Duplicate {
            duplicate_of: Nat::from(0u8),
        });
        for now in [NOW - DRIFT, NOW, NOW + WINDOW, NOW + WINDOW + DRIFT] {
            // Others come and go, so that old ones are forgotten.
            transfer(&mut state, &arg(1, Some(now)), now).unwrap();
            assert_eq!(transfer(&mut state, &once, now), known);
        }
        let later = NOW + WINDOW + DRIFT + 1;
        assert_eq!(
            transfer(&mut state, &once, later),
            Err(TransferError::TooOld)
        );
        assert_eq!(state.balance(&account(2)), 104u8);
    }

    #[test]
    fn a_duplicate_is_known_though_nothing_is_left_to_pay_it_from() {
        let mut state = ledger(110);
        let all = arg(100, Some(NOW));
        transfer(&mut state, &all, NOW).unwrap();
        let again = transfer(&mut state, &all, NOW);
        assert!(matches!(again, Err(TransferError::Duplicate { .. })));
        let more = transfer(&mut state, &arg(1, Some(NOW)), NOW);
        let balance = Nat::default();
        assert_eq!(more, Err(TransferError::InsufficientFunds { balance }));
    }

    #[test]
    fn what_has_no_time_is_done_each_time() {
        let mut state = ledger(1000);
        for _ in 0..2 {
            transfer(&mut state, &arg(100, None), NOW).unwrap();
        }
        assert_eq!(state.balance(&account(1)), 780u16);
        assert_eq!(state.balance(&account(2)), 200u8);
    }

    #[test]
    fn what_is_refused_moves_nothing() {
        let mut state = ledger(1000);
        let early = arg(1, Some(NOW + DRIFT + 1));
        let refused = transfer(&mut state, &early, NOW);
        assert_eq!(
            refused,
            Err(TransferError::CreatedInFuture { ledger_time: NOW })
        );
        let mut cheap = arg(1, None);
        cheap.fee = Some(Nat::from(9u8));
        let expected_fee = Nat::from(FEE);
        let refused = transfer(&mut state, &cheap, NOW);
        assert_eq!(refused, Err(TransferError::BadFee { expected_fee }));
        let mut wordy = arg(1, None);
        wordy.memo = Some(vec![0; LONGEST_MEMO + 1].into());
        transfer(&mut state, &wordy, NOW).unwrap_err();
        assert_eq!(state.balance(&account(1)), 1000u16);
        assert_eq!(state.accounts.iter().count(), 1);
    }

    #[test]
    fn where_there_is_no_room_new_transfers_wait_and_known_ones_are_still_known() {
        let mut state = ledger(1_000_000);
        for amount in 0..MOST_REMEMBERED as u64 {
            transfer(&mut state, &arg(amount, Some(NOW)), NOW).unwrap();
        }
        let more = arg(7, Some(NOW + 1));
        let refused = transfer(&mut state, &more, NOW);
        assert_eq!(refused, Err(TransferError::TemporarilyUnavailable));
        let known = transfer(&mut state, &arg(0, Some(NOW)), NOW);
        assert!(matches!(known, Err(TransferError::Duplicate { .. })));
        let later = NOW + WINDOW + DRIFT + 1;
        transfer(&mut state, &more, later).unwrap();
    }

    #[test]
    fn tokens_that_a_sender_sends_to_itself_only_cost_the_fee() {
        let mut state = ledger(100);
        let mut to_itself = arg(90, Some(NOW));
        to_itself.to = account(1);
        transfer(&mut state, &to_itself, NOW).unwrap();
        assert_eq!(state.balance(&account(1)), 90u8);
    }
}
