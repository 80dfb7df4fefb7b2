//! The lesson `upgrades`: an upgrade while calls are in flight.
//!
//! What waits at an await is in the memory of the running instance, and an upgrade discards
//! that memory. The response comes all the same, to code that knows nothing of it.

use std::cell::{Cell, RefCell};
use std::collections::BTreeSet;

use candid::{CandidType, Principal};
use ic_cdk::{
    api::{is_controller, msg_caller},
    call::Call,
    trap,
};
use ic_cdk_macros::{post_upgrade, pre_upgrade, query, update};
use serde::Deserialize;

use shared::{bounded::Bounded, peer};

/// What an order is known by: its owner, and its number, which is that of no other order. Who calls with
/// the number of somebody else's order finds none.
type OrderId = (Principal, u64);

/// What outlives an upgrade.
#[derive(CandidType, Deserialize, Default)]
struct State {
    orders: Bounded<OrderId, Order>,
}

/// How many orders an owner may have: one alone doesn't take all the room.
const MOST_ORDERS: usize = 100;

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
    static LOCKED_IN_MEMORY: RefCell<BTreeSet<OrderId>> = RefCell::default();
    /// Whether `pre_upgrade` traps. A new instance's does not.
    static PRE_UPGRADE_TRAPS: Cell<bool> = Cell::default();
}

/// A new order of the user who calls.
#[update]
fn open() -> Result<u64, String> {
    let user = msg_caller();
    STATE.with_borrow_mut(|State { orders }| {
        let owned = orders.iter().filter(|((owner, _), _)| *owner == user);
        if owned.count() >= MOST_ORDERS {
            return Err(format!(
                "you have {MOST_ORDERS} orders, and nobody may have more"
            ));
        }
        let number = orders.next_number();
        orders.insert((user, number), Order::default())?;
        Ok(number)
    })
}

/// What is known of an order.
#[derive(CandidType)]
struct OrderStatus {
    order: Order,
    locked_in_memory: bool,
}

/// Tells what is known of an order of the user's.
#[query]
fn look(number: u64) -> Result<OrderStatus, String> {
    let order = (msg_caller(), number);
    Ok(OrderStatus {
        order: with(order, |order| *order)?,
        locked_in_memory: LOCKED_IN_MEMORY.with_borrow(|locks| locks.contains(&order)),
    })
}

/// Reads or changes an order.
fn with<T>(order: OrderId, act: impl FnOnce(&mut Order) -> T) -> Result<T, String> {
    STATE.with_borrow_mut(|state| {
        let order = state.orders.get_mut(&order);
        order
            .map(act)
            .ok_or_else(|| "you have no such order; `open` opens one".to_string())
    })
}

// ---- Without a journal: safe only if nobody upgrades in the middle --------------------------

/// Has the callee do the work of an order.
#[update]
async fn order(number: u64) -> Result<(), String> {
    order_of((msg_caller(), number), "do_work").await
}

/// The same, of a method of the callee that has an await of its own.
#[update]
async fn order_slow(number: u64) -> Result<(), String> {
    order_of((msg_caller(), number), "do_work_slowly").await
}

async fn order_of(order: OrderId, method: &str) -> Result<(), String> {
    if with(order, |order| std::mem::replace(&mut order.locked, true))? {
        return Err("the order is locked".to_string());
    }
    LOCKED_IN_MEMORY.with_borrow_mut(|locks| locks.insert(order));

    // COMMIT POINT: both locks are taken. An upgrade here forgets everything below.
    let result = Call::unbounded_wait(callee(), method)
        .with_arg(order.1)
        .await;

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
async fn order_with_journal(number: u64) -> Result<(), String> {
    let order = (msg_caller(), number);
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
async fn resume(number: u64) -> Result<(), String> {
    let order = (msg_caller(), number);
    with(order, |order| match order.journal {
        Step::Sent => Ok(()),
        Step::New | Step::Done => Err("nothing of this order is in flight".to_string()),
    })??;
    finish(order).await
}

/// Asks for the work, which may be done already: the callee knows the order by its number, and never
/// does it twice.
async fn finish(order: OrderId) -> Result<(), String> {
    // COMMIT POINT: the journal says Sent. An upgrade here forgets what follows, but not that.
    Call::unbounded_wait(callee(), "do_work_once")
        .with_arg(order.1)
        .await
        .map_err(|error| error.to_string())?;
    with(order, |order| order.journal = Step::Done)
    // COMMIT POINT: the journal says Done.
}

// ---- An upgrade that fails -----------------------------------------------------------------

/// The mistake: a `pre_upgrade` that can trap. Here a controller has it trap, or not any more.
#[update(guard = "by_controller")]
fn trap_in_pre_upgrade(traps: bool) {
    PRE_UPGRADE_TRAPS.set(traps);
}

fn by_controller() -> Result<(), String> {
    match is_controller(&msg_caller()) {
        true => Ok(()),
        false => Err("only a controller may do this".to_string()),
    }
}

/// The installed code runs this, not the new one. If it traps, there is no upgrade.
#[pre_upgrade]
fn save() {
    if PRE_UPGRADE_TRAPS.get() {
        trap("pre_upgrade trapped on purpose");
    }
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
