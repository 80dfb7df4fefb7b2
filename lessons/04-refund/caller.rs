//! The lesson `refund`: giving back what was taken for a payment that failed.
//!
//! Every withdrawal takes the amount from the account in the message that checks it, so that no
//! other call can take it again during the await. Then the callee pays. What differs is when the
//! amount is given back: that must never be, if it was paid.

use std::cell::RefCell;

use candid::{CandidType, Principal};
use ic_cdk::{
    api::{canister_self, msg_caller},
    call::{Call, CallErrorExt, CallFailed, RejectCode},
};
use ic_cdk_macros::{post_upgrade, pre_upgrade, query, update};
use serde::Deserialize;

use shared::{bounded::BoundedMap, peer};

/// What a new account has.
const DEPOSIT: u64 = 100;

#[derive(CandidType, Deserialize)]
struct Account {
    owner: Principal,
    balance: u64,
}

/// A payment of which it is not known yet whether it was paid.
#[derive(CandidType, Deserialize)]
struct Payment {
    account: u64,
    amount: u64,
}

/// Accounts and pending payments; the oldest go when there are too many. (With real money no
/// pending payment may go: refuse the next withdrawal instead.)
#[derive(CandidType, Deserialize, Default)]
struct State {
    accounts: BoundedMap<u64, Account>,
    pending: BoundedMap<u64, Payment>,
    next_number: u64,
}

thread_local! {
    static STATE: RefCell<State> = RefCell::default();
}

/// Opens an account with 100 in it, which belongs to whoever calls. Returns its id.
#[update]
fn open() -> u64 {
    let account = Account {
        owner: msg_caller(),
        balance: DEPOSIT,
    };
    STATE.with_borrow_mut(|state| {
        let id = state.accounts.next_number();
        state.accounts.insert(id, account);
        id
    })
}

/// What an account has, if there is such an account.
#[query]
fn balance(account: u64) -> Option<u64> {
    STATE.with_borrow(|state| state.accounts.get(&account).map(|account| account.balance))
}

/// Takes `amount` from an account, if it belongs to whoever called. Returns a number for the
/// payment of it.
fn take(account: u64, amount: u64) -> Result<u64, String> {
    STATE.with_borrow_mut(|state| {
        let Some(found) = state.accounts.get_mut(&account) else {
            return Err(format!("there is no account {account}; `open` opens one"));
        };
        if found.owner != msg_caller() {
            return Err(format!("account {account} belongs to another caller"));
        }
        let balance = found.balance;
        found.balance = balance
            .checked_sub(amount)
            .ok_or_else(|| format!("the account has {balance}, not {amount}"))?;
        state.next_number += 1;
        Ok(state.next_number - 1)
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

/// The mistake: to give back in `Drop`. A trap after the await undoes the line that says that it
/// was paid; cleanup drops `refund` as it was at the await, and gives back.
#[update]
async fn withdraw_giving_back_in_drop(account: u64, amount: u64) -> Result<(), String> {
    let number = take(account, amount)?;
    let mut refund = Refund {
        account,
        amount,
        is_paid: false,
    };
    // COMMIT POINT: the amount is taken, and `refund` says that it was not paid.
    bounded("pay")
        .with_args(&(number, account, amount))
        .await
        .map_err(|error| format!("given back: {error}"))?;
    refund.is_paid = true; // A trap after this line would undo it, not the payment.
    Ok(())
}

/// The mistake: to take any `Err` for a proof that nothing was paid.
#[update]
async fn withdraw_giving_back_on_any_error(account: u64, amount: u64) -> Result<(), String> {
    let number = take(account, amount)?;
    // COMMIT POINT: the amount is taken.
    let result = bounded("pay").with_args(&(number, account, amount)).await;
    match result {
        Ok(_) => Ok(()),
        Err(error) => {
            give_back(account, amount);
            Err(format!("given back: {error}"))
        }
    }
}

// ---- The right way -------------------------------------------------------------------------

/// Whether a call of `callee.pay` that failed proves that nothing was paid.
fn proves_that_nothing_was_paid(error: &CallFailed) -> bool {
    match error {
        // The callee promises it for its own rejects. Of another callee this might not be true.
        CallFailed::CallRejected(reject)
            if reject.reject_code() == Ok(RejectCode::CanisterReject) =>
        {
            true
        }
        // Not sent, or rejected by the system before the callee saw it.
        error => error.is_clean_reject(),
        // So not CanisterError (in other callees a part may have happened) and not SysUnknown.
    }
}

/// Ends a pending payment. Whoever comes second finds nothing to do.
fn close(number: u64, is_paid: bool) {
    let payment = STATE.with_borrow_mut(|state| state.pending.remove(&number));
    if let Some(Payment { account, amount }) = payment
        && !is_paid
    {
        give_back(account, amount);
    }
}

/// The right way: a record of the payment is kept before the await, and the amount is given back
/// only on what proves that it was not paid. Otherwise the payment stays pending, until
/// [`settle`] has asked.
#[update]
async fn withdraw(account: u64, amount: u64) -> Result<(), String> {
    let number = take(account, amount)?;
    STATE.with_borrow_mut(|state| state.pending.insert(number, Payment { account, amount }));
    // COMMIT POINT: the amount is taken, and the payment is pending. A trap after the await leaves
    // it so.
    let result = bounded("pay").with_args(&(number, account, amount)).await;
    match result {
        Ok(_) => {
            close(number, true);
            Ok(())
        }
        Err(error) if proves_that_nothing_was_paid(&error) => {
            close(number, false);
            Err(format!("given back: {error}"))
        }
        Err(error) => Err(format!(
            "it is not known whether it was paid, `settle` finds out: {error}"
        )),
    }
}

/// The numbers of the pending payments of an account.
#[query]
fn pending(account: u64) -> Vec<u64> {
    STATE.with_borrow(|state| {
        let pending = state.pending.iter();
        let of_account = pending.filter(|(_, payment)| payment.account == account);
        of_account.map(|(number, _)| *number).collect()
    })
}

/// What the callee knows of a payment.
#[derive(CandidType, Deserialize)]
enum PaymentFate {
    Paid,
    NotPaid,
    Forgotten,
}

/// Asks the callee what became of a pending payment, and gives back what was not paid. Anybody may
/// ask: the answer decides.
///
/// Requests arrive in the order in which they were sent, and the callee pays in one message. So
/// `NotPaid` is final: the request to pay is older than this question, and can't come after it.
#[update]
async fn settle(number: u64) -> Result<(), String> {
    if STATE.with_borrow(|state| state.pending.get(&number).is_none()) {
        return Err(format!("payment {number} is not pending"));
    }
    // COMMIT POINT: nothing has changed yet, so a trap loses nothing.
    let response = bounded("find")
        .with_args(&(canister_self(), number))
        .await
        .map_err(|error| format!("still pending, ask again: {error}"))?;
    match response.candid().map_err(|error| error.to_string())? {
        PaymentFate::Paid => close(number, true),
        PaymentFate::NotPaid => close(number, false),
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
/// The price: until the callee answers, this canister can't be stopped; and a trap after a reject
/// takes the amount from the account for ever, as there is no record.
#[update]
async fn withdraw_unbounded(account: u64, amount: u64) -> Result<(), String> {
    let number = take(account, amount)?;
    // COMMIT POINT: the amount is taken.
    let result = Call::unbounded_wait(callee(), "pay")
        .with_args(&(number, account, amount))
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
