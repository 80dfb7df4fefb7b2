//! The lesson `interleaving`: while a method awaits, other calls run.
//!
//! Every withdrawal does the same: it *checks* the balance, *awaits* the payout by the callee, and
//! *charges* the account. Whatever runs during the await sees an account that is not charged yet.
//! The lines that differ are those about the guard.

mod guard;

use std::cell::RefCell;

use candid::{CandidType, Principal};
use ic_cdk::{
    api::{canister_self, msg_caller},
    call::Call,
    trap,
};
use ic_cdk_macros::{post_upgrade, pre_upgrade, query, update};
use serde::Deserialize;

use guard::{Guard, Key};
use shared::{bounded::Bounded, peer};

/// What a new account has.
const DEPOSIT: u64 = 100;

/// How many accounts one owner can have, so that one owner alone can't take all.
const ACCOUNTS_EACH: usize = 100;

#[derive(CandidType, Deserialize)]
struct Account {
    owner: Principal,
    /// What came in, less what was transferred to other accounts.
    credited: u64,
    /// What was paid out, as far as it was noticed here.
    charged: u64,
    /// A settlement has begun, and none has had its answer: nothing can be taken. It stays so
    /// after an upgrade, which loses all guards.
    unsettled: bool,
}

impl Account {
    fn balance(&self) -> u64 {
        // The mistakes charge more than there is.
        self.credited.saturating_sub(self.charged)
    }
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
        credited: DEPOSIT,
        charged: 0,
        unsettled: false,
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
    STATE.with_borrow(|state| state.accounts.get(&account).map(Account::balance))
}

// ---- The three steps -----------------------------------------------------------------------

/// Finds an account, if the caller of this method owns it. (After an await, `msg_caller` still says
/// who that is.)
fn with_own<T>(account: u64, act: impl FnOnce(&mut Account) -> T) -> Result<T, String> {
    STATE.with_borrow_mut(|state| match state.accounts.get_mut(&account) {
        None => Err(format!("there is no account {account}; `open` opens one")),
        Some(found) if found.owner != msg_caller() => {
            Err(format!("account {account} belongs to another caller"))
        }
        Some(found) => Ok(act(found)),
    })
}

/// Whether the caller of this method may take `amount` from an account.
fn check(account: u64, amount: u64) -> Result<(), String> {
    with_own(account, |found| match found.balance() {
        _ if found.unsettled => Err("the account is locked; settle it first".to_string()),
        _ if amount == 0 => Err("the amount must be more than 0".to_string()),
        balance if balance < amount => Err(format!("the account has {balance}, not {amount}")),
        _ => Ok(()),
    })?
}

/// Lets the callee pay. It does so in one message, so any failure of this call, whose wait is not
/// bounded, means that nothing was paid. (The lesson `refund` is about other callees.)
async fn pay_out(account: u64, amount: u64) -> Result<(), String> {
    Call::unbounded_wait(callee(), "pay")
        .with_args(&(account, amount))
        .await
        .map_err(|error| format!("nothing was paid: {error}"))?;
    Ok(())
}

/// Takes what was paid from the account.
fn charge(account: u64, amount: u64) -> Result<(), String> {
    with_own(account, |account| {
        account.charged = account.charged.saturating_add(amount);
    })
}

// ---- Withdrawals at the same time ----------------------------------------------------------

/// The mistake: two calls of this can both check before either charges.
#[update]
async fn withdraw_unguarded(account: u64, amount: u64) -> Result<(), String> {
    check(account, amount)?;
    // COMMIT POINT: the message ends here, and any other may run before the answer comes.
    pay_out(account, amount).await?;
    charge(account, amount) // A trap after this line would undo the charge, not the payout.
}

/// The mistake: `_` is not a variable. The guard is dropped in the line that makes it.
/// `#![warn(let_underscore_drop)]` makes the compiler say so.
#[update]
async fn withdraw_guard_dropped_at_once(account: u64, amount: u64) -> Result<(), String> {
    #[expect(
        let_underscore_drop,
        reason = "the mistake: the compiler finds it, if asked"
    )]
    let _ = Guard::new(Key::Account(account), 1)?;
    check(account, amount)?;
    pay_out(account, amount).await?; // COMMIT POINT: and nothing is locked.
    charge(account, amount)
}

/// The right way: one withdrawal at a time for each account.
#[update]
async fn withdraw(account: u64, amount: u64) -> Result<(), String> {
    let guard = Guard::new(Key::Account(account), 1)?;
    check(account, amount)?;
    // COMMIT POINT: the guard is part of the state that is kept, and so seen by other calls.
    pay_out(account, amount).await?;
    if guard.is_held() {
        charge(account, amount)?;
    } // Else it is charged by the settlement that took the guard over.
    Ok(())
    // COMMIT POINT: the charge and the release of the guard are kept together.
}

/// The right way to limit each caller: one withdrawal at a time. The guard of the account is taken
/// too: other methods, and a settlement, know only that one.
#[update]
async fn withdraw_one_per_caller(account: u64, amount: u64) -> Result<(), String> {
    let guard = Guard::new(Key::Account(account), 1)?;
    let _one_of_caller = Guard::new(Key::Caller(msg_caller()), 1)?;
    check(account, amount)?;
    pay_out(account, amount).await?; // COMMIT POINT: with both guards.
    if guard.is_held() {
        charge(account, amount)?;
    }
    Ok(())
}

/// The right way to limit the whole canister: one withdrawal at a time for each account, and two for
/// all accounts together.
#[update]
async fn withdraw_at_most_two(account: u64, amount: u64) -> Result<(), String> {
    let guard = Guard::new(Key::Account(account), 1)?;
    let _one_of_two = Guard::new(Key::All, 2)?;
    check(account, amount)?;
    pay_out(account, amount).await?; // COMMIT POINT: with both guards.
    if guard.is_held() {
        charge(account, amount)?;
    }
    Ok(())
}

// ---- Another method on the same account ----------------------------------------------------

/// Moves `amount` to another account. Without an await it needs nobody's protection, but others
/// need protection from it.
fn move_to(from: u64, to: u64, amount: u64) -> Result<(), String> {
    check(from, amount)?;
    STATE.with_borrow_mut(|state| {
        let Some(receiver) = state.accounts.get_mut(&to) else {
            return Err(format!("there is no account {to} to transfer to"));
        };
        receiver.credited = receiver.credited.saturating_add(amount);
        Ok(())
    })?;
    with_own(from, |account| account.credited -= amount)
}

/// The mistake: it takes what a withdrawal has checked and is about to charge.
#[update]
fn transfer_unguarded(from: u64, to: u64, amount: u64) -> Result<(), String> {
    move_to(from, to, amount)
}

/// The right way: the same guard as the withdrawal, although there is no await here.
#[update]
fn transfer(from: u64, to: u64, amount: u64) -> Result<(), String> {
    let _guard = Guard::new(Key::Account(from), 1)?;
    move_to(from, to, amount)
}

// ---- A trap while the guard is held --------------------------------------------------------

/// After a trap cleanup drops `_guard`, so the account is not locked for ever. But the charge is
/// undone: the guard kept others out, it did not do the work.
#[update]
async fn withdraw_then_trap(account: u64, amount: u64) -> Result<(), String> {
    let _guard = Guard::new(Key::Account(account), 1)?;
    check(account, amount)?;
    pay_out(account, amount).await?; // COMMIT POINT: with the guard.
    charge(account, amount)?;
    trap("trapped on purpose") // Undoes the charge. Then cleanup drops `_guard`.
}

/// The mistake: a local variable whose `Drop` can trap. Here it always does; in real code it is an
/// `unwrap`, an assertion, a `RefCell` that is borrowed already.
struct TrapsInDrop;

impl Drop for TrapsInDrop {
    fn drop(&mut self) {
        trap("trapped on purpose, in cleanup"); // Undoes what cleanup did: the guard stays.
    }
}

/// The mistake: cleanup traps too, and the account stays locked.
#[update]
async fn withdraw_then_trap_in_cleanup_too(account: u64, amount: u64) -> Result<(), String> {
    let _guard = Guard::new(Key::Account(account), 1)?;
    check(account, amount)?;
    let _traps = TrapsInDrop;
    pay_out(account, amount).await?; // COMMIT POINT: with the guard.
    charge(account, amount)?;
    trap("trapped on purpose") // Undoes the charge. Cleanup traps: `_guard` was never dropped.
}

/// The way out of both: the owner takes over the account's guard, asks the callee what it paid, and
/// charges that.
///
/// It may be called at any time. Requests arrive in the order in which they were sent, so the
/// answer counts every payout requested before. A withdrawal that still waits will see that its
/// guard was taken over, and will not charge again.
#[update]
async fn settle(account: u64) -> Result<(), String> {
    // Only the answer may unlock the account, and no error, trap or upgrade: until then nobody knows
    // what it has. If there is no answer, settle again.
    with_own(account, |account| account.unsettled = true)?;
    let guard = Guard::take_over(Key::Account(account))?;
    // COMMIT POINT: the account is locked.
    let response = Call::unbounded_wait(callee(), "paid")
        .with_args(&(canister_self(), account))
        .await
        .map_err(|error| format!("still locked, settle again: {error}"))?;
    let paid: u64 = response.candid().map_err(|error| error.to_string())?;
    if !guard.is_held() {
        return Err("another settlement has begun meanwhile".to_string());
    }
    with_own(account, |account| {
        account.charged = account.charged.max(paid);
        account.unsettled = false;
    })
}

// ---- Without a guard during the await ------------------------------------------------------

/// The right way if you can: charge in the message that checks. Then nobody sees an account that is
/// checked and not charged, and no later trap undoes the charge. The guard only finds out whether another
/// method holds it: that one has checked, and is about to spend the same money.
///
/// If the payout fails, the account stays charged here. See the lesson `refund`.
#[update]
async fn withdraw_charge_first(account: u64, amount: u64) -> Result<(), String> {
    let guard = Guard::new(Key::Account(account), 1)?;
    check(account, amount)?;
    charge(account, amount)?;
    drop(guard); // Nothing is left to guard.
    pay_out(account, amount).await // COMMIT POINT: the charge is kept.
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
    peer::id(
        "interleaving_callee",
        option_env!("CANISTER_ID_INTERLEAVING_CALLEE"),
    )
}

ic_cdk::export_candid!();

fn main() {}
