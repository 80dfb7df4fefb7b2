//! The lesson `refund`: giving back what was taken for a payment that failed.
//!
//! Every withdrawal takes the amount from the account in the message that checks it, so that no
//! other call can take it again during the await. Then the callee pays. What differs is when the
//! amount is given back: that must never be, if it was paid.

use std::cell::RefCell;

use candid::{CandidType, Principal};
use ic_cdk::{
    api::msg_caller,
    call::{Call, CallErrorExt, CallFailed, RejectCode},
};
use ic_cdk_macros::{post_upgrade, pre_upgrade, query, update};
use serde::Deserialize;

use shared::{bounded::Bounded, peer};

/// What a new account has.
const DEPOSIT: u64 = 100;

/// How many accounts one owner can have, so that one owner alone can't take all.
const ACCOUNTS_EACH: usize = 100;

#[derive(CandidType, Deserialize)]
struct Account {
    owner: Principal,
    balance: u64,
    /// The number of its next payment.
    next_number: u64,
    /// The payment of which it is not known yet whether it was paid. There is one at most: until it
    /// is settled, the account makes no other.
    pending: Option<Payment>,
}

#[derive(CandidType, Clone, Copy, Deserialize)]
struct Payment {
    number: u64,
    amount: u64,
}

/// The accounts.
#[derive(CandidType, Deserialize, Default)]
struct State {
    accounts: Bounded<u64, Account>,
}

thread_local! {
    static STATE: RefCell<State> = RefCell::default();
}

/// Opens an account with 100 in it for the caller of this method. Returns its id.
#[update]
fn open() -> Result<u64, String> {
    let account = Account {
        owner: msg_caller(),
        balance: DEPOSIT,
        next_number: 0,
        pending: None,
    };
    STATE.with_borrow_mut(|state| {
        let all = state.accounts.iter();
        if all.filter(|(_, one)| one.owner == account.owner).count() >= ACCOUNTS_EACH {
            return Err(format!("you have {ACCOUNTS_EACH} accounts already"));
        }
        let id = state.accounts.next_number();
        state.accounts.insert(id, account)?;
        Ok(id)
    })
}

/// What an account has, if there is such an account.
#[query]
fn balance(account: u64) -> Option<u64> {
    STATE.with_borrow(|state| state.accounts.get(&account).map(|account| account.balance))
}

/// Finds an account, if the caller of this method owns it.
fn with_own<T>(
    account: u64,
    act: impl FnOnce(&mut Account) -> Result<T, String>,
) -> Result<T, String> {
    STATE.with_borrow_mut(|state| match state.accounts.get_mut(&account) {
        None => Err(format!("there is no account {account}; `open` opens one")),
        Some(found) if found.owner != msg_caller() => {
            Err(format!("account {account} belongs to another caller"))
        }
        Some(found) => act(found),
    })
}

/// Takes `amount` from an account, and gives the payment of it a number.
fn take(account: u64, amount: u64) -> Result<Payment, String> {
    with_own(account, |found| {
        if let Some(Payment { amount, .. }) = found.pending {
            return Err(format!(
                "a payment of {amount} is pending; `settle` it first"
            ));
        }
        let balance = found.balance;
        found.balance = balance
            .checked_sub(amount)
            .ok_or_else(|| format!("the account has {balance}, not {amount}"))?;
        let number = found.next_number;
        found.next_number += 1;
        Ok(Payment { number, amount })
    })
}

fn give_back(account: u64, amount: u64) {
    STATE.with_borrow_mut(|state| {
        if let Some(account) = state.accounts.get_mut(&account) {
            account.balance += amount;
        }
    });
}

/// A call that ends after 300 seconds at the latest: then its outcome may be unknown.
fn bounded(method: &str) -> Call<'_, 'static> {
    Call::bounded_wait(callee(), method)
}

// ---- The mistakes --------------------------------------------------------------------------

/// Gives back when it is dropped.
struct Refund {
    account: u64,
    amount: u64,
    is_paid: bool,
}

impl Drop for Refund {
    fn drop(&mut self) {
        if !self.is_paid {
            give_back(self.account, self.amount);
        }
    }
}

/// The mistake: giving back in `Drop`. A trap after the await undoes the line that says that it was
/// paid. Cleanup drops `refund` as it was at the await, and gives back.
#[update]
async fn withdraw_giving_back_in_drop(account: u64, amount: u64) -> Result<(), String> {
    let Payment { number, .. } = take(account, amount)?;
    let mut refund = Refund {
        account,
        amount,
        is_paid: false,
    };
    // COMMIT POINT: the amount is taken, and `refund` says that it was not paid.
    bounded("pay")
        .with_args(&(account, number, amount))
        .await
        .map_err(|error| format!("given back: {error}"))?;
    refund.is_paid = true; // A trap after this line would undo it, not the payment.
    Ok(())
}

/// The mistake: taking any `Err` as proof that nothing was paid.
#[update]
async fn withdraw_giving_back_on_any_error(account: u64, amount: u64) -> Result<(), String> {
    let Payment { number, .. } = take(account, amount)?;
    // COMMIT POINT: the amount is taken.
    let result = bounded("pay").with_args(&(account, number, amount)).await;
    match result {
        Ok(_) => Ok(()),
        Err(error) => {
            give_back(account, amount);
            Err(format!("given back: {error}"))
        }
    }
}

/// The mistake: with unbounded wait, taking any callee's reject as proof. This callee pays and then
/// awaits. If it traps after that, the caller gets a reject, too.
#[update]
async fn withdraw_giving_back_on_any_reject(account: u64, amount: u64) -> Result<(), String> {
    pay_or_give_back("pay_then_await", account, amount).await
}

// ---- The right way -------------------------------------------------------------------------

/// Whether a call of `callee.pay` that failed proves that nothing was paid.
fn proves_that_nothing_was_paid(error: &CallFailed) -> bool {
    match error {
        // This callee promises it for its own rejects. Another callee might not.
        CallFailed::CallRejected(reject)
            if reject.reject_code() == Ok(RejectCode::CanisterReject) =>
        {
            true
        }
        // Not sent, or rejected by the system before the callee saw it. (Not true for the management
        // canister: see `rejects`.)
        error => error.is_clean_reject(),
        // CanisterError (a part may have happened) and SysUnknown prove nothing.
    }
}

/// Ends a pending payment. A second call finds nothing to do.
fn close(account: u64, number: u64, is_paid: bool) {
    STATE.with_borrow_mut(|state| {
        let account = state.accounts.get_mut(&account);
        if let Some(account) = account
            && let Some(payment) = account.pending.take_if(|one| one.number == number)
            && !is_paid
        {
            account.balance += payment.amount;
        }
    });
}

/// The right way: keep a record of the payment before the await, and give the amount back only on proof
/// that it was not paid. Otherwise the payment stays pending until [`settle`] has asked.
#[update]
async fn withdraw(account: u64, amount: u64) -> Result<(), String> {
    let payment = take(account, amount)?;
    with_own(account, |found| {
        found.pending = Some(payment);
        Ok(())
    })?;
    let number = payment.number;
    // COMMIT POINT: the amount is taken, and the payment is pending. A trap after the await changes
    // neither.
    let result = bounded("pay").with_args(&(account, number, amount)).await;
    match result {
        Ok(_) => {
            close(account, number, true);
            Ok(())
        }
        Err(error) if proves_that_nothing_was_paid(&error) => {
            close(account, number, false);
            Err(format!("given back: {error}"))
        }
        Err(error) => Err(format!(
            "it is not known whether it was paid, `settle` finds out: {error}"
        )),
    }
}

/// The amount of the pending payment of an account, if there is one.
#[query]
fn pending(account: u64) -> Option<u64> {
    STATE.with_borrow(|state| {
        let pending = state.accounts.get(&account)?.pending;
        pending.map(|payment| payment.amount)
    })
}

/// What the callee knows of a payment.
#[derive(CandidType, Deserialize)]
enum PaymentFate {
    Paid,
    NotPaid,
    Forgotten,
}

/// Asks the callee what became of the pending payment, and gives back what was not paid; for the
/// owner.
///
/// `NotPaid` is final because this canister sent the request to pay, and asks after it. Requests of
/// one canister to another arrive in the order in which they were sent, and the callee pays in one
/// message: so the request to pay is done by then, or never comes.
#[update]
async fn settle(account: u64) -> Result<(), String> {
    let pending = with_own(account, |found| Ok(found.pending))?;
    let Some(Payment { number, .. }) = pending else {
        return Err("no payment is pending".to_string());
    };
    // COMMIT POINT: nothing has changed yet, so a trap loses nothing.
    let response = bounded("find")
        .with_args(&(account, number))
        .await
        .map_err(|error| format!("still pending, ask again: {error}"))?;
    match response.candid().map_err(|error| error.to_string())? {
        PaymentFate::Paid => close(account, number, true),
        PaymentFate::NotPaid => close(account, number, false),
        PaymentFate::Forgotten => {
            return Err(
                "still pending: the callee has forgotten it, so a person must decide".to_string(),
            );
        }
    }
    Ok(())
}

// ---- The simpler right way, and its price --------------------------------------------------

/// The right way with less code: with unbounded wait there is no unknown outcome, and the callee
/// pays in the message that answers, so any reject means that nothing was paid.
///
/// The price: until the callee answers, this canister can't be stopped. And there is no record, so a
/// trap after a reject takes the amount from the account for ever.
#[update]
async fn withdraw_unbounded(account: u64, amount: u64) -> Result<(), String> {
    pay_or_give_back("pay", account, amount).await
}

/// Has a method of the callee pay, and gives back on any reject. Use it only with a method that pays in
/// the message that answers.
async fn pay_or_give_back(method: &str, account: u64, amount: u64) -> Result<(), String> {
    let Payment { number, .. } = take(account, amount)?;
    // COMMIT POINT: the amount is taken.
    let result = Call::unbounded_wait(callee(), method)
        .with_args(&(account, number, amount))
        .await;
    match result {
        Ok(_) => Ok(()), // A trap here would undo nothing.
        Err(error) => {
            give_back(account, amount); // A trap after this line would undo it.
            Err(format!("given back: {error}"))
        }
    }
}

// ---- Upgrades ------------------------------------------------------------------------------

#[pre_upgrade]
fn save() {
    shared::upgrade::save(&STATE);
}

#[post_upgrade]
fn restore() {
    shared::upgrade::restore(&STATE);
}

fn callee() -> Principal {
    peer::id("refund_callee", option_env!("CANISTER_ID_REFUND_CALLEE"))
}

ic_cdk::export_candid!();

fn main() {}
