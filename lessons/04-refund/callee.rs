//! The callee of the lesson `refund`: it pays each payment once, can be asked about it, and says
//! what its rejects mean.

use std::cell::RefCell;

use candid::{CandidType, Principal};
use ic_cdk::{
    api::{canister_self, msg_caller, msg_reject, msg_reply},
    call::Call,
    trap,
};
use ic_cdk_macros::{post_upgrade, pre_upgrade, query, update};
use serde::Deserialize;

use shared::{
    bounded::{Bounded, Full},
    callers,
};

/// More than this is not paid at once.
const MOST: u64 = 90;

/// A reply without a value, in Candid.
const NO_VALUE: &[u8] = b"DIDL\0\0";

/// What became of a payment.
#[derive(CandidType, Clone, Copy, Debug, PartialEq, Eq)]
enum PaymentFate {
    /// It was paid.
    Paid,
    /// It was not paid.
    NotPaid,
    /// A later one of the account was paid: what became of this one, nobody knows any more.
    Forgotten,
}

/// What was paid for an account.
#[derive(CandidType, Deserialize)]
struct Payments {
    /// The number of the last payment. The payer counts them up, and asks only about the last one.
    last: u64,
    /// What was paid altogether.
    sum: u64,
}

/// What was paid for each payer, by its accounts. Each payer has room of its own, which no other can
/// fill, and nothing is dropped to make room: a number could be paid again.
#[derive(CandidType, Deserialize, Default)]
struct State {
    payers: Bounded<Principal, Bounded<u64, Payments>>,
}

impl State {
    fn payments(&self, payer: Principal, account: u64) -> Option<&Payments> {
        self.payers.get(&payer)?.get(&account)
    }

    fn find(&self, payer: Principal, account: u64, number: u64) -> PaymentFate {
        match self.payments(payer, account) {
            Some(payments) if number == payments.last => PaymentFate::Paid,
            Some(payments) if number < payments.last => PaymentFate::Forgotten,
            _ => PaymentFate::NotPaid,
        }
    }

    fn add(
        &mut self,
        payer: Principal,
        account: u64,
        number: u64,
        amount: u64,
    ) -> Result<(), Full> {
        let before = self.payments(payer, account);
        let sum = before
            .map_or(0, |payments| payments.sum)
            .saturating_add(amount);
        let payments = Payments { last: number, sum };
        if let Some(accounts) = self.payers.get_mut(&payer) {
            return accounts.insert(account, payments);
        }
        let mut accounts = Bounded::default();
        accounts.insert(account, payments)?;
        self.payers.insert(payer, accounts)
    }
}

thread_local! {
    static STATE: RefCell<State> = RefCell::default();
}

/// Pays `amount` for an account of the caller, unless it has paid this number already. An `Err` means
/// that the number was not paid.
fn pay_once(account: u64, number: u64, amount: u64) -> Result<(), String> {
    let payer = msg_caller();
    match STATE.with_borrow(|state| state.find(payer, account, number)) {
        PaymentFate::Paid => Ok(()),
        PaymentFate::NotPaid if amount > MOST => {
            Err(format!("no more than {MOST} at once; nothing was paid"))
        }
        PaymentFate::NotPaid => {
            STATE.with_borrow_mut(|state| Ok(state.add(payer, account, number, amount)?))
        }
        PaymentFate::Forgotten => trap("the number is so old that it may have been paid already"),
    }
}

fn answer(paid: Result<(), String>) {
    match paid {
        Ok(()) => msg_reply(NO_VALUE),
        Err(message) => msg_reject(message),
    }
}

/// Pays `amount` for an account of the caller. `number` is the caller's for this payment, higher than
/// those before it for this account.
///
/// A reply means that it was paid: once, however often it was asked for. A reject with code 4 is
/// made here, or by the guard, and means that it was not paid, for example for lack of room to remember
/// it. This is a promise of this method, not of the system.
#[update(manual_reply = true, guard = "callers::are_canisters")]
fn pay(account: u64, number: u64, amount: u64) {
    answer(pay_once(account, number, amount));
    // COMMIT POINT: the message ends here. It is paid, whatever becomes of the caller.
}

/// Pays like `pay`, and awaits before it answers, as a ledger may that archives its blocks. Here
/// code 5 can mean that it was paid.
#[update(manual_reply = true, guard = "callers::are_canisters")]
async fn pay_then_await(account: u64, number: u64, amount: u64) {
    let paid = pay_once(account, number, amount);
    // COMMIT POINT: it is paid. A trap after the await does not undo it, and is a reject.
    if let Err(error) = Call::unbounded_wait(canister_self(), "archive").await {
        trap(error.to_string());
    }
    answer(paid);
}

/// Does nothing: it stands for what a ledger awaits.
#[query]
fn archive() {}

/// What became of a payment of the caller.
///
/// "Not paid" is final for the canister that has sent this payment, counts its numbers up, and asks
/// after that: requests of one canister to another arrive in the order in which they were sent, so
/// the request to pay was here, or never comes. The question of anybody else could overtake it; so
/// each caller is told of its own payments alone.
#[query(guard = "callers::are_canisters")]
fn find(account: u64, number: u64) -> PaymentFate {
    STATE.with_borrow(|state| state.find(msg_caller(), account, number))
}

/// What was paid altogether for an account of a payer.
#[query]
fn paid(payer: Principal, account: u64) -> u64 {
    STATE.with_borrow(|state| {
        let payments = state.payments(payer, account);
        payments.map_or(0, |payments| payments.sum)
    })
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

    const PAYER: Principal = Principal::anonymous();

    #[test]
    fn it_says_paid_of_the_last_number_not_paid_of_a_later_one_and_forgotten_of_an_earlier_one() {
        let mut state = State::default();
        assert_eq!(state.find(PAYER, 0, 0), PaymentFate::NotPaid);
        state.add(PAYER, 0, 1, 80).unwrap();
        assert_eq!(state.find(PAYER, 0, 0), PaymentFate::Forgotten);
        assert_eq!(state.find(PAYER, 0, 1), PaymentFate::Paid);
        assert_eq!(state.find(PAYER, 0, 2), PaymentFate::NotPaid);
        state.add(PAYER, 0, 2, 10).unwrap();
        assert_eq!(state.payments(PAYER, 0).unwrap().sum, 90);
    }

    #[test]
    fn payers_and_their_accounts_have_numbers_of_their_own() {
        let mut state = State::default();
        state.add(PAYER, 0, 7, 80).unwrap();
        let other = Principal::management_canister();
        assert_eq!(state.find(other, 0, 7), PaymentFate::NotPaid);
        assert_eq!(state.find(PAYER, 1, 7), PaymentFate::NotPaid);
    }

    #[test]
    fn when_it_is_full_it_refuses_and_forgets_nothing() {
        let mut state = State::default();
        for account in 0..2000 {
            let added = state.add(PAYER, account, 7, 80);
            assert_eq!(added.is_ok(), account < 1000);
        }
        assert_eq!(state.find(PAYER, 1000, 7), PaymentFate::NotPaid);
        for other in 1..2000u32 {
            let other = Principal::from_slice(&other.to_be_bytes());
            let added = state.add(other, 0, 7, 80);
            let found = state.find(other, 0, 7);
            assert_eq!(added.is_ok(), found == PaymentFate::Paid);
        }
        for account in 0..1000 {
            assert_eq!(state.find(PAYER, account, 7), PaymentFate::Paid);
            assert_eq!(state.add(PAYER, account, 8, 10), Ok(()));
        }
    }
}
