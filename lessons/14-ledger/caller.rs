//! The lesson `ledger`: a canister that pays out of its account at an ICRC-1 ledger, and takes in.
//!
//! It keeps the books of its users: whoever deposits tokens with it can withdraw them.

use std::cell::RefCell;

use candid::{CandidType, Nat, Principal};
use ic_cdk::{
    api::{canister_self, is_controller, msg_caller, time},
    call::Call,
};
use ic_cdk_macros::{post_upgrade, pre_upgrade, query, update};
use icrc_ledger_types::icrc1::{
    account::{Account, Subaccount},
    transfer::{TransferArg, TransferError},
};
use serde::Deserialize;

use shared::{bounded::Bounded, peer};

/// What the ledger takes for a transfer. Should that change, it refuses with `BadFee`, and this
/// canister has to be upgraded.
const FEE: u128 = 10;

/// How long the ledger's answer is waited for, in seconds. 300 is the most that the system allows.
const PATIENCE: u32 = 60;

/// What the ledger answers to a transfer.
type Answer = Result<Nat, TransferError>;

/// Asks the ledger for a transfer, and waits for a bounded time. `Err`: there is no answer, and
/// nobody knows.
async fn ask_ledger(arg: &TransferArg) -> Result<Answer, String> {
    let reply = Call::bounded_wait(ledger(), "icrc1_transfer")
        .change_timeout(PATIENCE)
        .with_arg(arg)
        .await // COMMIT POINT: the call is sent.
        .map_err(|error| error.to_string())?;
    reply.candid().map_err(|error| error.to_string())
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
        let mut arg = Kind::Withdrawal.arg(user, 0, amount);
        arg.created_at_time = created();
        // COMMIT POINT: the amount is taken, and the call is sent.
        if let Ok(answer) = ask_ledger(&arg).await {
            return answer.map_err(|refusal| refusal.to_string());
        }
    }
    Err(format!("no answer, {ATTEMPTS} times"))
}

/// The mistake: to take `TooOld` for "not paid". It carries on with the last transfer of the user, as
/// the right way does, but believes each refusal.
#[update(guard = "by_controller")]
async fn carry_on_believing_refusals() -> Result<Progress, String> {
    let user = msg_caller();
    let (number, arg) = STATE.with_borrow_mut(|state| state.user(user)?.next_attempt(user))?;
    let answer = ask_ledger(&arg).await;
    STATE.with_borrow_mut(|state| {
        let user = state.user(user)?;
        match answer {
            // The ledger did not pay now. What it did a day ago, this does not say.
            Ok(Err(refusal)) => user.end(number, Progress::Refused(refusal.to_string())),
            answer => user.learn(number, answer),
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
    let user = msg_caller();
    let now = time();
    // Writes down what is wanted, and its `created_at_time`, unless that was done before.
    STATE.with_borrow_mut(|state| state.begin(user, kind, number, amount, now))?;
    if get_progress(number)? == Progress::Open {
        let (number, arg) = STATE.with_borrow_mut(|state| state.user(user)?.next_attempt(user))?;
        // COMMIT POINT: the await sends the call. The taking, the intent, and that an attempt is in
        // doubt are kept together. No later trap, lost answer or upgrade can undo them.
        let answer = ask_ledger(&arg).await;
        // A trap from here on undoes only what was learned: the attempt stays in doubt.
        STATE.with_borrow_mut(|state| state.user(user).map(|user| user.learn(number, answer)))?;
    }
    get_progress(number)
    // COMMIT POINT: what was learned is kept.
}

/// The way out of `Unknown`, for a controller who has looked into the blocks of the ledger: after
/// `TooOld` nothing can come any more, so what they say is final. With the block, or with none.
#[update(guard = "by_controller")]
fn settle(user: Principal, number: u64, block: Option<Nat>) -> Result<Progress, String> {
    STATE.with_borrow_mut(|state| {
        let user = state.user(user)?;
        if user.progress(number)? != Progress::Unknown {
            return Err("this transfer is not unknown".to_string());
        }
        user.end(
            number,
            match block {
                Some(block) => Progress::Done(block),
                None => Progress::Refused("it is not in the blocks of the ledger".to_string()),
            },
        );
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

/// A subaccount for each principal: its length, its bytes, and zeros.
fn subaccount_of(user: Principal) -> Subaccount {
    let bytes = user.as_slice(); // 29 at most.
    let mut subaccount = [0; 32];
    subaccount[0] = bytes.len() as u8;
    subaccount[1..=bytes.len()].copy_from_slice(bytes);
    subaccount
}

// ---- The state -----------------------------------------------------------------------------------

/// Which way tokens go.
#[derive(CandidType, Clone, Copy, Deserialize, PartialEq)]
enum Kind {
    /// From the deposit account of the user to the account of this canister.
    Deposit,
    /// From the account of this canister to that of the user.
    Withdrawal,
}

impl Kind {
    /// What the ledger is asked for, but for the time.
    fn arg(self, user: Principal, number: u64, amount: u128) -> TransferArg {
        let (from_subaccount, to) = match self {
            Kind::Deposit => (Some(subaccount_of(user)), canister_self()),
            Kind::Withdrawal => (None, user),
        };
        TransferArg {
            from_subaccount,
            to: to.into(),
            fee: Some(FEE.into()),
            created_at_time: None,
            // Else two that are alike in all the rest would be duplicates.
            memo: Some(number.into()),
            amount: amount.into(),
        }
    }
}

/// How far a transfer has come.
#[derive(CandidType, Clone, Deserialize, PartialEq)]
enum Progress {
    /// It was begun. Whether it is done is not known yet: ask again.
    Open,
    /// It is done, in this block of the ledger.
    Done(Nat),
    /// It was not done and will not be, for this reason.
    Refused(String),
    /// It may have been done, and the ledger has forgotten. A controller has to look.
    Unknown,
}

/// A transfer: what was intended, written down before the first attempt.
#[derive(CandidType, Clone, Deserialize)]
struct Transfer {
    kind: Kind,
    number: u64,
    amount: u128,
    /// In nanoseconds since 1970-01-01: chosen once, and the same in every attempt.
    created_at_time: u64,
    /// How many attempts were made that the ledger is not known to have refused.
    in_doubt: u32,
    progress: Progress,
}

/// A user, and the last transfer. The next one begins when that has ended.
#[derive(CandidType, Clone, Default, Deserialize)]
struct User {
    balance: u128,
    transfer: Option<Transfer>,
}

#[derive(CandidType, Default, Deserialize)]
struct State {
    users: Bounded<Principal, User>,
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

const NOTHING: &str = "you have nothing here; `deposit` first";

impl State {
    fn user(&mut self, user: Principal) -> Result<&mut User, String> {
        let known = self.users.get_mut(&user);
        known.ok_or_else(|| NOTHING.to_string())
    }

    /// Writes a transfer down, unless that was done before. For a withdrawal it takes the amount.
    fn begin(
        &mut self,
        user: Principal,
        kind: Kind,
        number: u64,
        amount: u128,
        now: u64,
    ) -> Result<(), String> {
        let mut new = self.users.get(&user).cloned().unwrap_or_default();
        let last = new.transfer.as_ref();
        if let Some(last) = last.filter(|last| last.number == number) {
            return match (last.kind, last.amount) == (kind, amount) {
                true => Ok(()),
                false => Err("another transfer has this number".to_string()),
            };
        }
        if let Some(last) = last.filter(|last| last.is_pending()) {
            let number = last.number;
            return Err(format!("transfer {number} has not ended"));
        }
        let next = last.map_or(1, |last| last.number + 1);
        if number != next {
            return Err(format!("the next transfer has the number {next}"));
        }
        if kind == Kind::Withdrawal {
            new.take(amount)?;
        }
        new.transfer = Some(Transfer {
            kind,
            number,
            amount,
            created_at_time: now,
            in_doubt: 0,
            progress: Progress::Open,
        });
        self.users.insert(user, new)?;
        Ok(())
    }
}

impl Transfer {
    fn is_pending(&self) -> bool {
        matches!(self.progress, Progress::Open | Progress::Unknown)
    }
}

impl User {
    /// Takes an amount and the fee.
    fn take(&mut self, amount: u128) -> Result<(), String> {
        let left = amount
            .checked_add(FEE)
            .and_then(|price| self.balance.checked_sub(price));
        self.balance = left.ok_or_else(|| {
            let balance = self.balance;
            format!("you have {balance}, less than {amount} and the fee of {FEE}")
        })?;
        Ok(())
    }

    /// What to ask the ledger for, once more; from now on this attempt is in doubt.
    fn next_attempt(&mut self, user: Principal) -> Result<(u64, TransferArg), String> {
        let last = self.transfer.as_mut();
        let open = last.filter(|last| last.progress == Progress::Open);
        let open = open.ok_or_else(|| "no transfer is open".to_string())?;
        open.in_doubt += 1;
        let mut arg = open.kind.arg(user, open.number, open.amount);
        arg.created_at_time = Some(open.created_at_time);
        Ok((open.number, arg))
    }

    /// Learns what the ledger answered to an attempt.
    fn learn(&mut self, number: u64, answer: Result<Answer, String>) {
        let last = self.transfer.as_mut();
        let Some(last) = last.filter(|last| last.number == number && last.is_pending()) else {
            return; // Another attempt has ended it.
        };
        let progress = match answer {
            // `Duplicate` is success: an earlier attempt has done it, and that is its block.
            Ok(
                Ok(block)
                | Err(TransferError::Duplicate {
                    duplicate_of: block,
                }),
            ) => Progress::Done(block),
            // A refusal tells of this attempt alone.
            Ok(Err(refusal)) => {
                last.in_doubt -= 1;
                match refusal {
                    // No other attempt is in doubt, so it was not done. The reason may be long.
                    refusal if last.in_doubt == 0 => {
                        Progress::Refused(refusal.to_string().chars().take(200).collect())
                    }
                    // Another attempt may have done it, and no later one will ever tell.
                    TransferError::TooOld => Progress::Unknown,
                    _ => return,
                }
            }
            // No answer proves nothing. Ask again.
            Err(_) => return,
        };
        self.end(number, progress);
    }

    /// Ends a transfer: in one message with what follows from it for the balance.
    fn end(&mut self, number: u64, progress: Progress) {
        let last = self.transfer.as_mut();
        let Some(last) = last.filter(|last| last.number == number && last.is_pending()) else {
            return;
        };
        match (last.kind, &progress) {
            (Kind::Deposit, Progress::Done(_)) => self.balance += last.amount,
            (Kind::Withdrawal, Progress::Refused(_)) => self.balance += last.amount + FEE,
            _ => {}
        }
        last.progress = progress;
    }

    fn progress(&self, number: u64) -> Result<Progress, String> {
        let last = self.transfer.as_ref();
        let found = last.filter(|last| last.number == number);
        let found = found.ok_or_else(|| format!("{number} is not the last transfer"))?;
        Ok(found.progress.clone())
    }
}

fn ledger() -> Principal {
    peer::id("ledger_callee", option_env!("CANISTER_ID_LEDGER_CALLEE"))
}

ic_cdk::export_candid!();

fn main() {}
