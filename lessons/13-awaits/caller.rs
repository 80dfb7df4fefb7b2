//! The lesson `awaits`: what Rust does at an await.
//!
//! Every order does the same: it *awaits* the callee, which takes the order, and then *notes* a
//! receipt on the account. The lines that differ are those about what is held across the await.

use std::cell::RefCell;
use std::future::{Future, pending};
use std::mem;
use std::rc::Rc;

use candid::{CandidType, Principal};
use ic_cdk::{
    api::{canister_cycle_balance, canister_self, msg_caller, time},
    call::Call,
    futures::{is_recovering_from_trap, spawn, spawn_migratory, spawn_weak},
    trap,
};
use ic_cdk_macros::{post_upgrade, pre_upgrade, query, update};
use serde::{Deserialize, Deserializer};

use shared::{bounded::Bounded, peer};

/// How many accounts one owner can have, so that one owner alone can't take all.
const ACCOUNTS_EACH: usize = 100;

#[derive(CandidType, Deserialize)]
struct Account {
    owner: Principal,
    lock: LockState,
    /// In a cell of its own, which can be held when the state is no longer borrowed.
    #[serde(deserialize_with = "in_a_cell")]
    books: Rc<RefCell<Books>>,
}

fn in_a_cell<'de, D: Deserializer<'de>>(saved: D) -> Result<Rc<RefCell<Books>>, D::Error> {
    RefCell::deserialize(saved).map(Rc::new)
}

#[derive(CandidType, Default, Deserialize)]
struct Books {
    balance: u64,
    /// How many orders are known here to be placed.
    receipts: u64,
}

#[derive(CandidType, Default, Deserialize)]
struct State {
    accounts: Bounded<u64, Account>,
}

thread_local! {
    static STATE: RefCell<State> = RefCell::default();
}

// ---- A borrow across an await ---------------------------------------------------------------

/// The mistake: an order with a borrow that is held while it waits.
#[update]
async fn order_while_borrowed(account: u64) -> Result<(), String> {
    own(account)?;
    order_and_note_while_borrowed(account).await
}

/// The mistake: any other method that borrows these books while this one waits panics.
#[expect(
    clippy::await_holding_refcell_ref,
    reason = "the mistake: Clippy finds it"
)]
async fn order_and_note_while_borrowed(account: u64) -> Result<(), String> {
    let books = books(account)?;
    let mut books = books.borrow_mut();
    // COMMIT POINT: "borrowed" is a number in memory, and is kept like everything else.
    send_order(account).await?;
    books.receipts += 1;
    Ok(())
}

/// The right way: an order that borrows nothing while it waits.
#[update]
async fn order(account: u64) -> Result<(), String> {
    own(account)?;
    order_and_note(account).await
}

/// The right way: borrow after the await, and let the borrow end in the same line.
async fn order_and_note(account: u64) -> Result<(), String> {
    let _lock = Lock::take(account, LockState::Open)?;
    // COMMIT POINT: the lock is part of the state that is kept. Nothing is borrowed.
    send_order(account).await?;
    books(account)?.borrow_mut().receipts += 1;
    Ok(())
    // COMMIT POINT: the receipt, and the lock that opens, are kept together.
}

/// Places an order with the callee. The wait is not bounded and the callee does it in one message, so a
/// call that fails means that there is no order.
async fn send_order(account: u64) -> Result<(), String> {
    let reply = Call::unbounded_wait(callee(), "take_order")
        .with_arg(account)
        .await
        .map_err(|error| format!("nothing was ordered: {error}"))?;
    // If the reply can't be read, there may be an order. The trap leaves the lock behind.
    reply
        .candid()
        .unwrap_or_else(|error| trap(error.to_string()))
}

// ---- What an await changes ------------------------------------------------------------------

/// What a method sees.
#[derive(CandidType)]
struct Seen {
    time: u64,
    cycles: u128,
    balance: u64,
    caller: Principal,
}

fn look(account: u64) -> Result<Seen, String> {
    Ok(Seen {
        time: time(),
        cycles: canister_cycle_balance(),
        balance: books(account)?.borrow().balance,
        caller: msg_caller(),
    })
}

/// Looks before an await and after it.
#[update]
async fn look_twice(account: u64) -> Result<(Seen, Seen), String> {
    own(account)?;
    let before = look(account)?;
    ask_for_orders(account).await?; // COMMIT POINT: another message may be next.
    Ok((before, look(account)?))
}

/// How many orders the callee has taken for an account.
async fn ask_for_orders(account: u64) -> Result<u64, String> {
    let reply = Call::unbounded_wait(callee(), "get_orders")
        .with_args(&(canister_self(), account))
        .await
        .map_err(|error| error.to_string())?;
    reply.candid().map_err(|error| error.to_string())
}

// ---- Tasks ----------------------------------------------------------------------------------

/// How a task is spawned.
#[derive(CandidType, Clone, Copy, Deserialize)]
enum Kind {
    Protected,
    Weak,
    Migratory,
}

fn spawn_as(kind: Kind, task: impl Future<Output = ()> + 'static) {
    match kind {
        Kind::Protected => spawn(task),
        Kind::Weak => spawn_weak(task),
        Kind::Migratory => spawn_migratory(task),
    }
}

/// The mistake: protected and weak tasks belong to their method, which is such a task itself. If one of
/// them traps, all are canceled where they wait, and nothing notes what the callee has done.
#[update]
async fn order_for_all_in_tasks(accounts: Vec<u64>, kind: Kind) -> Result<(), String> {
    own_few(&accounts)?;
    let (&last, others) = accounts.split_last().ok_or("no account")?;
    for &account in others {
        // Nobody learns of a task's error.
        spawn_as(kind, async move { drop(order_and_note(account).await) });
    }
    // COMMIT POINT: the method's own call is sent, and those of its tasks with it.
    order_and_note(last).await
}

/// The right way: each order is a method of its own, called by this canister itself. If it traps, that
/// is a reject here, and no other order is affected.
#[update]
async fn order_for_all(accounts: Vec<u64>) -> Result<(), String> {
    own_few(&accounts)?;
    let mut failed = Vec::new();
    for account in accounts {
        // COMMIT POINT: the call is sent.
        let answer = Call::unbounded_wait(canister_self(), "order")
            .with_arg(account)
            .await;
        let outcome: Option<Result<(), String>> = answer.ok().and_then(|reply| reply.candid().ok());
        if outcome != Some(Ok(())) {
            failed.push(account);
        }
    }
    match failed.as_slice() {
        [] => Ok(()),
        _ => Err(format!("no receipt for {failed:?}; look at their locks")),
    }
}

/// A task that is not done when its method ends: nothing that the method called will wake it.
#[update]
fn outlive(account: u64, kind: Kind) -> Result<(), String> {
    own(account)?;
    if matches!(kind, Kind::Migratory) {
        return Err("it would stay in the memory for ever".to_string());
    }
    let lock = Lock::take(account, LockState::Open)?;
    spawn_as(kind, async move {
        let _lock = lock;
        pending().await // No commit point: nothing is sent.
    });
    Ok(())
}

// ---- A lock that learns of a trap -----------------------------------------------------------

/// The lock of an account.
#[derive(CandidType, Clone, Copy, Debug, Deserialize, PartialEq)]
enum LockState {
    Open,
    /// By a method that is under way.
    Held,
    /// By a method that trapped: what it was doing is neither done nor undone.
    LeftBehind,
}

/// The mistake: `Drop` opens the lock however the method ended. After a trap the next method finds
/// an open account, of which something is missing.
struct LockThatOpens(u64);

impl Drop for LockThatOpens {
    fn drop(&mut self) {
        set_lock(self.0, LockState::Open);
    }
}

/// The mistake: an order with such a lock.
#[update]
async fn order_with_lock_that_opens(account: u64) -> Result<(), String> {
    own(account)?;
    change_lock(account, LockState::Open, LockState::Held)?;
    let _lock = LockThatOpens(account);
    send_order(account).await?; // COMMIT POINT: with the lock.
    books(account)?.borrow_mut().receipts += 1; // A trap undoes this. Cleanup opens the lock.
    Ok(())
}

/// The right way: a lock that asks in `Drop` whether its method has trapped.
#[must_use = "a lock that is in no variable opens at once"]
struct Lock(u64);

impl Lock {
    fn take(account: u64, from: LockState) -> Result<Self, String> {
        change_lock(account, from, LockState::Held)?;
        Ok(Lock(account))
    }

    /// Gives the lock up without opening it.
    fn leave_behind(self) {
        set_lock(self.0, LockState::LeftBehind);
        mem::forget(self);
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        release(self.0);
    }
}

/// What `Drop` does, at a normal end and in the cleanup after a trap. So nothing here may trap.
fn release(account: u64) {
    let lock = match is_recovering_from_trap() {
        true => LockState::LeftBehind,
        false => LockState::Open,
    };
    set_lock(account, lock);
}

/// The way out of a lock that was left behind: ask the callee what became of the orders. Requests
/// arrive in the order in which they were sent, so the answer counts every earlier order.
#[update]
async fn settle(account: u64) -> Result<(), String> {
    own(account)?;
    let lock = Lock::take(account, LockState::LeftBehind)?;
    // COMMIT POINT: the lock is held, so nothing is ordered until the answer comes.
    match ask_for_orders(account).await {
        Ok(orders) => books(account)?.borrow_mut().receipts = orders,
        Err(why) => {
            lock.leave_behind(); // No answer, so nothing is known.
            return Err(format!("settle again: {why}"));
        }
    }
    Ok(())
}

fn set_lock(account: u64, lock: LockState) {
    STATE.with_borrow_mut(|state| {
        if let Some(account) = state.accounts.get_mut(&account) {
            account.lock = lock;
        }
    });
}

fn change_lock(account: u64, from: LockState, to: LockState) -> Result<(), String> {
    STATE.with_borrow_mut(|state| match state.accounts.get_mut(&account) {
        Some(found) if found.lock == from => {
            found.lock = to;
            Ok(())
        }
        Some(found) => Err(format!("account {account}: its lock is {:?}", found.lock)),
        None => Err(format!("there is no account {account}")),
    })
}

// ---- Accounts -------------------------------------------------------------------------------

/// An account, as it is told.
#[derive(CandidType)]
struct AccountNow {
    balance: u64,
    receipts: u64,
    lock: LockState,
}

/// Opens an account for the caller of this method. Returns its number.
#[update]
fn open() -> Result<u64, String> {
    let owner = msg_caller();
    STATE.with_borrow_mut(|State { accounts }| {
        let all = accounts.iter();
        if all.filter(|(_, one)| one.owner == owner).count() >= ACCOUNTS_EACH {
            return Err(format!("you have {ACCOUNTS_EACH} accounts already"));
        }
        let number = accounts.next_number();
        let account = Account {
            owner,
            lock: LockState::Open,
            books: Rc::default(),
        };
        accounts.insert(number, account)?;
        Ok(number)
    })
}

/// An account.
#[query]
fn get_account(account: u64) -> Option<AccountNow> {
    STATE.with_borrow(|state| {
        let Account { lock, books, .. } = state.accounts.get(&account)?;
        let books = books.borrow();
        Some(AccountNow {
            balance: books.balance,
            receipts: books.receipts,
            lock: *lock,
        })
    })
}

/// Adds to an account, whoever it belongs to. Amounts are small, so that nobody can fill an account up.
#[update]
fn deposit(account: u64, amount: u32) -> Result<(), String> {
    let books = books(account)?;
    let mut books = books.borrow_mut(); // Panics while a method holds a borrow across its await.
    books.balance = books
        .balance
        .checked_add(amount.into())
        .ok_or("the account can't hold so much")?;
    Ok(())
}

/// The books of an account.
fn books(account: u64) -> Result<Rc<RefCell<Books>>, String> {
    STATE
        .with_borrow(|state| Some(state.accounts.get(&account)?.books.clone()))
        .ok_or_else(|| format!("there is no account {account}"))
}

/// The books of an account, if the caller of this method owns it; this canister may act for the owner.
fn own(account: u64) -> Result<Rc<RefCell<Books>>, String> {
    let owner = STATE.with_borrow(|state| Some(state.accounts.get(&account)?.owner));
    match owner {
        Some(owner) if owner != msg_caller() && msg_caller() != canister_self() => {
            Err(format!("account {account} belongs to another caller"))
        }
        _ => books(account),
    }
}

/// For so many accounts at most an order is placed in one call: each takes a place in the queue to the
/// callee, which others need too.
const FEW: usize = 10;

fn own_few(accounts: &[u64]) -> Result<(), String> {
    if accounts.len() > FEW {
        return Err(format!("{FEW} accounts at most"));
    }
    accounts
        .iter()
        .try_for_each(|account| own(*account).map(drop))
}

#[pre_upgrade]
fn save() {
    shared::upgrade::save(&STATE);
}

#[post_upgrade]
fn restore() {
    shared::upgrade::restore(&STATE);
    // The methods that held locks in the code before will not open them.
    STATE.with_borrow_mut(|State { accounts }| {
        for number in 0..accounts.next_number() {
            match accounts.get_mut(&number) {
                Some(account) if account.lock == LockState::Held => {
                    account.lock = LockState::LeftBehind;
                }
                _ => {}
            }
        }
    });
}

fn callee() -> Principal {
    peer::id("awaits_callee", option_env!("CANISTER_ID_AWAITS_CALLEE"))
}

ic_cdk::export_candid!();

fn main() {}
