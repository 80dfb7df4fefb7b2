//! The lesson `upgrades`: an upgrade while calls are in flight.
//!
//! What waits at an await is in the memory of the running instance, and an upgrade discards
//! that memory. The response comes all the same, to code that knows nothing of it.

use std::cell::RefCell;

use candid::{CandidType, Principal};
use ic_cdk::call::Call;
use ic_cdk_macros::{post_upgrade, pre_upgrade, query, update};
use serde::Deserialize;

use shared::{bounded::BoundedMap, peer};

/// What outlives an upgrade.
#[derive(CandidType, Deserialize, Default)]
struct State {
    orders: BoundedMap<u64, Order>,
}

/// An order: work that the callee is to do.
#[derive(CandidType, Clone, Copy, Deserialize, Default)]
struct Order {
    /// The lock of the methods without a journal.
    locked: bool,
    /// How often this canister saw that the work was done.
    seen_done: u64,
    /// How far the methods with a journal got.
    journal: Step,
}

/// An entry of the journal.
#[derive(CandidType, Clone, Copy, Deserialize, Default)]
enum Step {
    /// Nothing was asked of the callee.
    #[default]
    New,
    /// The callee was asked, and the answer is not known.
    Sent,
    /// The callee has done it.
    Done,
}

thread_local! {
    static STATE: RefCell<State> = RefCell::default();
    /// Locks that are not saved: an upgrade opens them all.
    static LOCKED_IN_MEMORY: RefCell<BoundedMap<u64, ()>> = RefCell::default();
}

/// A new order.
#[update]
fn open() -> u64 {
    STATE.with_borrow_mut(|state| {
        let order = state.orders.next_number();
        state.orders.insert(order, Order::default());
        order
    })
}

/// What is known of an order.
#[derive(CandidType)]
struct OrderStatus {
    order: Order,
    locked_in_memory: bool,
}

/// Tells what is known of an order.
#[query]
fn look(order: u64) -> Result<OrderStatus, String> {
    Ok(OrderStatus {
        order: with(order, |order| *order)?,
        locked_in_memory: LOCKED_IN_MEMORY.with_borrow(|locks| locks.get(&order).is_some()),
    })
}

/// Reads or changes an order.
fn with<T>(order: u64, act: impl FnOnce(&mut Order) -> T) -> Result<T, String> {
    STATE.with_borrow_mut(|state| {
        let order = state.orders.get_mut(&order);
        order
            .map(act)
            .ok_or_else(|| "there is no such order; `open` opens one".to_string())
    })
}

// ---- Without a journal: safe only if nobody upgrades in the middle --------------------------

/// Has the callee do the work of an order.
#[update]
async fn order(order: u64) -> Result<(), String> {
    order_of(order, "do_work").await
}

/// The same, of a method of the callee that has an await of its own.
#[update]
async fn order_slow(order: u64) -> Result<(), String> {
    order_of(order, "do_work_slowly").await
}

async fn order_of(order: u64, method: &str) -> Result<(), String> {
    if with(order, |order| std::mem::replace(&mut order.locked, true))? {
        return Err("the order is locked".to_string());
    }
    LOCKED_IN_MEMORY.with_borrow_mut(|locks| locks.insert(order, ()));

    // COMMIT POINT: both locks are taken. An upgrade here forgets everything below.
    let result = Call::unbounded_wait(callee(), method).with_arg(order).await;

    LOCKED_IN_MEMORY.with_borrow_mut(|locks| locks.remove(&order));
    with(order, |order| {
        order.locked = false;
        order.seen_done += u64::from(result.is_ok());
    })?;
    result.map(drop).map_err(|error| error.to_string())
}

// ---- With a journal: what was in flight is known afterwards, and can be finished -------------

/// Has the callee do the work of an order, and writes down how far that got. The journal is saved
/// with the rest of the state.
#[update]
async fn order_with_journal(order: u64) -> Result<(), String> {
    with(order, |order| match order.journal {
        Step::New => {
            order.journal = Step::Sent;
            Ok(())
        }
        Step::Sent | Step::Done => Err("it was ordered before".to_string()),
    })??;
    finish(order).await
}

/// Finishes what an upgrade interrupted.
#[update]
async fn resume(order: u64) -> Result<(), String> {
    with(order, |order| match order.journal {
        Step::Sent => Ok(()),
        Step::New | Step::Done => Err("nothing of this order is in flight".to_string()),
    })??;
    finish(order).await
}

/// Asks for the work, which may have been done already: the callee knows the order by its number
/// and does it once.
async fn finish(order: u64) -> Result<(), String> {
    // COMMIT POINT: the journal says Sent. An upgrade here forgets what follows, but not that.
    Call::unbounded_wait(callee(), "do_work_once")
        .with_arg(order)
        .await
        .map_err(|error| error.to_string())?;
    with(order, |order| order.journal = Step::Done)
    // COMMIT POINT: the journal says Done.
}

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
        "upgrades_callee",
        option_env!("CANISTER_ID_UPGRADES_CALLEE"),
    )
}

ic_cdk::export_candid!();

fn main() {}
