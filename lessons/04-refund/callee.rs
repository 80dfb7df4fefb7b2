//! The callee of the lesson `refund`: it pays each payment once, can be asked about it, and says
//! what its rejects mean.

use std::cell::RefCell;
use std::collections::BTreeMap;

use candid::{CandidType, Principal};
use ic_cdk::{
    api::{msg_caller, msg_reject, msg_reply},
    trap,
};
use ic_cdk_macros::{post_upgrade, pre_upgrade, query, update};
use serde::Deserialize;

use shared::callers;

/// More than this is not paid at once.
const MOST: u64 = 90;

/// How many payments of one payer are remembered.
const REMEMBERED: usize = 100;

/// How many payers there can be.
const MAX_PAYERS: usize = 1000;

/// A reply without a value, in Candid.
const NO_VALUE: &[u8] = b"DIDL\0\0";

/// What became of a payment.
#[derive(CandidType, Clone, Copy, Debug, PartialEq, Eq)]
enum PaymentFate {
    /// It was paid.
    Paid,
    /// It was not paid.
    NotPaid,
    /// It is too long ago: nobody knows any more.
    Forgotten,
}

#[derive(CandidType, Deserialize)]
struct Payment {
    account: u64,
    amount: u64,
}

/// The payments of one payer, by their numbers, which the payer counts up.
#[derive(CandidType, Default, Deserialize)]
struct Payments {
    /// Lower numbers are forgotten.
    remembered_from: u64,
    paid: BTreeMap<u64, Payment>,
}

impl Payments {
    fn find(&self, number: u64) -> PaymentFate {
        match self.paid.contains_key(&number) {
            true => PaymentFate::Paid,
            false if number < self.remembered_from => PaymentFate::Forgotten,
            false => PaymentFate::NotPaid,
        }
    }

    fn add(&mut self, number: u64, payment: Payment) {
        self.paid.insert(number, payment);
        if self.paid.len() > REMEMBERED
            && let Some((oldest, _)) = self.paid.pop_first()
        {
            self.remembered_from = oldest + 1;
        }
    }
}

/// What was paid for whom.
#[derive(CandidType, Deserialize, Default)]
struct State {
    /// A payer is never forgotten: its numbers could be paid again.
    payers: BTreeMap<Principal, Payments>,
}

impl State {
    fn find(&self, payer: Principal, number: u64) -> PaymentFate {
        let payments = self.payers.get(&payer);
        payments.map_or(PaymentFate::NotPaid, |payments| payments.find(number))
    }

    fn has_room_for(&self, payer: Principal) -> bool {
        self.payers.len() < MAX_PAYERS || self.payers.contains_key(&payer)
    }

    fn add(&mut self, payer: Principal, number: u64, payment: Payment) {
        self.payers.entry(payer).or_default().add(number, payment);
    }
}

thread_local! {
    static STATE: RefCell<State> = RefCell::default();
}

/// Pays `amount` for an account of the caller. `number` is the caller's for this payment.
///
/// A reply means that it was paid: once, however often it was asked for. A reject with code 4 is
/// made here and means that it was not; this is a promise of this method, not of the system.
#[update(manual_reply = true, guard = "callers::are_canisters")]
fn pay(number: u64, account: u64, amount: u64) {
    if amount > MOST {
        msg_reject(format!("no more than {MOST} at once; nothing was paid"));
        return;
    }
    let payer = msg_caller();
    if !STATE.with_borrow(|state| state.has_room_for(payer)) {
        msg_reject(format!(
            "there are {MAX_PAYERS} payers already; nothing was paid"
        ));
        return;
    }
    match STATE.with_borrow(|state| state.find(payer, number)) {
        PaymentFate::Paid => {}
        PaymentFate::NotPaid => STATE.with_borrow_mut(|state| {
            state.add(payer, number, Payment { account, amount });
        }),
        PaymentFate::Forgotten => trap("the number is so old that it may have been paid already"),
    }
    msg_reply(NO_VALUE);
    // COMMIT POINT: the message ends here. It is paid, whatever becomes of the caller.
}

/// What became of a payment of a payer. Whoever asked for the payment and then asks this, learns
/// what is final: requests arrive in the order in which they were sent.
#[query]
fn find(payer: Principal, number: u64) -> PaymentFate {
    STATE.with_borrow(|state| state.find(payer, number))
}

/// What was paid altogether for an account of a payer, as far as it is remembered.
#[query]
fn paid(payer: Principal, account: u64) -> u64 {
    STATE.with_borrow(|state| {
        let payments = state.payers.get(&payer).map(|payments| &payments.paid);
        let all = payments.into_iter().flat_map(BTreeMap::values);
        let for_account = all.filter(|payment| payment.account == account);
        for_account.map(|payment| payment.amount).sum()
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

    fn pay(state: &mut State, payer: Principal, number: u64) {
        let (account, amount) = (0, 1);
        state.add(payer, number, Payment { account, amount });
    }

    #[test]
    fn a_number_that_was_not_paid_is_known_as_such_while_nothing_is_forgotten() {
        let mut state = State::default();
        assert_eq!(state.find(PAYER, 0), PaymentFate::NotPaid);
        pay(&mut state, PAYER, 1);
        assert_eq!(state.find(PAYER, 0), PaymentFate::NotPaid);
        assert_eq!(state.find(PAYER, 1), PaymentFate::Paid);
        assert_eq!(state.find(PAYER, 2), PaymentFate::NotPaid);
    }

    #[test]
    fn many_payers_lock_nobody_out_who_paid_before() {
        let mut state = State::default();
        pay(&mut state, PAYER, 0);
        for number in 0..2000u32 {
            let other = Principal::from_slice(&number.to_be_bytes());
            if state.has_room_for(other) {
                pay(&mut state, other, 0);
            }
        }
        assert_eq!(state.payers.len(), MAX_PAYERS);
        assert!(state.has_room_for(PAYER));
        assert_eq!(state.find(PAYER, 0), PaymentFate::Paid);
        assert_eq!(state.find(PAYER, 1), PaymentFate::NotPaid);
    }

    #[test]
    fn payers_have_numbers_of_their_own() {
        let mut state = State::default();
        pay(&mut state, PAYER, 7);
        let other = Principal::management_canister();
        assert_eq!(state.find(other, 7), PaymentFate::NotPaid);
    }

    #[test]
    fn what_was_forgotten_is_never_said_to_be_not_paid() {
        let mut state = State::default();
        for number in 0..=REMEMBERED as u64 {
            pay(&mut state, PAYER, number);
        }
        assert_eq!(state.find(PAYER, 0), PaymentFate::Forgotten);
        assert_eq!(state.find(PAYER, 1), PaymentFate::Paid);
    }
}
