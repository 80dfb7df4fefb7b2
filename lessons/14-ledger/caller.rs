//! The lesson `ledger`: a canister that pays out of its account at an ICRC-1 ledger, and takes in.
//!
//! It keeps the books of its users: whoever deposits tokens with it can withdraw them.

use std::cell::RefCell;

use candid::{Nat, Principal};
use ic_cdk::{
    api::{canister_self, is_controller, msg_caller, time},
    call::{Call, CallFailed},
};
use ic_cdk_macros::{post_upgrade, pre_upgrade, query, update};
use icrc_ledger_types::icrc1::{
    account::Account,
    transfer::{TransferArg, TransferError},
};

use books::{Answer, Kind, NOTHING, Progress, SETTLE_TIME, State, learn, subaccount_of};
use shared::peer;

mod books;

/// How long the ledger's answer is waited for, in seconds. 300 is the most that the system allows.
const PATIENCE: u32 = 60;

/// Asks the ledger for a transfer, and waits for a bounded time. `Err`: there is no answer, and
/// nobody knows.
async fn ask_ledger(arg: &TransferArg) -> Result<Answer, String> {
    let call = Call::bounded_wait(ledger(), "icrc1_transfer").change_timeout(PATIENCE);
    // COMMIT POINT: the call is sent.
    match call.with_arg(arg).await {
        Ok(reply) => reply.candid().map_err(|error| error.to_string()),
        Err(CallFailed::CallRejected(reject)) => Err(reject.to_string()),
        // It was not sent, as if the ledger had refused. Then there was no commit point either.
        Err(_) => Ok(Err(TransferError::TemporarilyUnavailable)),
    }
}

// ---- The mistakes --------------------------------------------------------------------------------
//
// They pay twice, out of the account in which the tokens of all users are. So only a controller may
// try them.

/// How often they try.
const ATTEMPTS: u32 = 3;

/// The mistake: no `created_at_time`. For the ledger each attempt is a new transfer.
#[update(guard = "by_controller")]
async fn withdraw_without_time(amount: u128) -> Result<Nat, String> {
    withdraw_and_retry(amount, || None).await
}

/// The mistake: a new `created_at_time` in each attempt. It is part of what names a transfer, so
/// again each attempt is a new one.
#[update(guard = "by_controller")]
async fn withdraw_with_new_time(amount: u128) -> Result<Nat, String> {
    withdraw_and_retry(amount, || Some(time())).await
}

async fn withdraw_and_retry(amount: u128, created: fn() -> Option<u64>) -> Result<Nat, String> {
    let user = msg_caller();
    STATE.with_borrow_mut(|state| state.user(user)?.take(amount))?;
    for _ in 0..ATTEMPTS {
        let arg = Kind::Withdrawal.arg(user, 0, amount, created());
        // COMMIT POINT: the amount is taken, and the call is sent.
        if let Ok(answer) = ask_ledger(&arg).await {
            return answer.map_err(|refusal| refusal.to_string());
        }
    }
    Err(format!("no answer, {ATTEMPTS} times"))
}

/// The mistake: taking `TooOld` for "not paid". It asks for the last transfer of the user again, as the
/// right way does, but however late, and believes each refusal.
#[update(guard = "by_controller")]
async fn carry_on_believing_refusals() -> Result<Progress, String> {
    let user = msg_caller();
    let (number, arg) = STATE.with_borrow_mut(|state| state.user(user)?.last_arg(user))?;
    let answer = ask_ledger(&arg).await;
    STATE.with_borrow_mut(|state| {
        let user = state.user(user)?;
        match answer {
            // The ledger did not pay now. This doesn't say what it did a day ago.
            Ok(Err(refusal)) => user.end(number, Progress::Refused(refusal.to_string())),
            answer => learn(user, number, answer),
        }
        user.progress(number)
    })
}

fn by_controller() -> Result<(), String> {
    match is_controller(&msg_caller()) {
        true => Ok(()),
        false => Err("only a controller may do this".to_string()),
    }
}

// ---- The right way -------------------------------------------------------------------------------

/// Pays the user who calls. The user counts the numbers of all transfers up from 1, and calls again
/// with the same one, after whatever error, until this returns `Done` or `Refused`.
#[update]
async fn withdraw(number: u64, amount: u128) -> Result<Progress, String> {
    transfer(Kind::Withdrawal, number, amount).await
}

/// Takes what the user has put into the deposit account. It is done as a withdrawal is: the same
/// transfer, asked for again with the same number.
#[update]
async fn deposit(number: u64, amount: u128) -> Result<Progress, String> {
    transfer(Kind::Deposit, number, amount).await
}

async fn transfer(kind: Kind, number: u64, amount: u128) -> Result<Progress, String> {
    let (user, now) = (msg_caller(), time());
    // Writes the intent down, with its `created_at_time`, unless that was done before.
    let attempt = STATE.with_borrow_mut(|state| state.attempt(user, kind, number, amount, now))?;
    if let Some(arg) = attempt {
        // COMMIT POINT: the await sends the call. The intent, the taking, and that an attempt is in
        // doubt are kept together. No later trap, lost answer or upgrade can undo them.
        let answer = ask_ledger(&arg).await;
        // A trap from here on undoes only what was learned. The attempt stays in doubt: ask again.
        STATE.with_borrow_mut(|state| state.user(user).map(|user| learn(user, number, answer)))?;
    }
    get_progress(number)
    // COMMIT POINT: what was learned is kept.
}

/// The way out of `Unknown`, for a controller who has looked into the blocks of the ledger: with the
/// block, or with none. It has to be late enough for nothing to come any more.
#[update(guard = "by_controller")]
fn settle(user: Principal, number: u64, block: Option<Nat>) -> Result<Progress, String> {
    STATE.with_borrow_mut(|state| {
        let user = state.user(user)?;
        let unknown = user.pending(number);
        let unknown = unknown.filter(|unknown| unknown.progress == Progress::Unknown);
        let unknown = unknown.ok_or("this transfer is not unknown")?;
        if time() <= unknown.created_at_time + SETTLE_TIME {
            return Err("too early: the ledger may still do it".to_string());
        }
        let progress = match block {
            Some(block) => Progress::Done(block),
            None => Progress::Refused("it is not in the blocks of the ledger".to_string()),
        };
        user.end(number, progress);
        user.progress(number)
    })
}

/// How far the last transfer of the user who calls has come.
#[query]
fn get_progress(number: u64) -> Result<Progress, String> {
    STATE.with_borrow(|state| match state.users.get(&msg_caller()) {
        Some(user) => user.progress(number),
        None => Err(NOTHING.to_string()),
    })
}

/// How many tokens this canister owes to a user.
#[query]
fn get_balance(user: Principal) -> u128 {
    STATE.with_borrow(|state| state.users.get(&user).map_or(0, |user| user.balance))
}

/// Where the user who calls puts tokens for [`deposit`]: a subaccount of this canister that is the
/// user's alone.
#[query]
fn get_deposit_account() -> Account {
    Account {
        owner: canister_self(),
        subaccount: Some(subaccount_of(msg_caller())),
    }
}

// ---- The state -----------------------------------------------------------------------------------

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

fn ledger() -> Principal {
    peer::id("ledger_callee", option_env!("CANISTER_ID_LEDGER_CALLEE"))
}

ic_cdk::export_candid!();

fn main() {}
