//! The lesson `loops`: an order that another canister has to confirm, in a circle and without one,
//! and through a proxy.

use std::cell::RefCell;

use candid::{DecoderConfig, Principal, decode_one_with_config, encode_one};
use ic_cdk::{
    api::{is_controller, msg_caller},
    call::Call,
};
use ic_cdk_macros::{post_upgrade, pre_upgrade, query, update};

use shared::{bounded::Bounded, peer};

thread_local! {
    /// How many orders were confirmed.
    static CONFIRMED: RefCell<u64> = RefCell::default();
    /// The users with an order under way. It is not saved: when this canister has stopped, nothing is
    /// under way.
    static UNDER_WAY: RefCell<Bounded<Principal, ()>> = RefCell::default();
}

/// An order that is under way, until this is dropped. Each user has one at a time.
struct Order(Principal);

impl Order {
    fn begin() -> Result<Self, String> {
        let user = msg_caller();
        UNDER_WAY.with_borrow_mut(|under_way| match under_way.get(&user) {
            Some(()) => Err("an order of yours is under way".to_string()),
            None => Ok(under_way.insert(user, ())?),
        })?;
        Ok(Order(user))
    }
}

impl Drop for Order {
    fn drop(&mut self) {
        UNDER_WAY.with_borrow_mut(|under_way| under_way.remove(&self.0));
    }
}

/// Whether no order of a user is under way. The callee may ask.
#[query]
fn is_free(user: Principal) -> bool {
    UNDER_WAY.with_borrow(|under_way| under_way.get(&user).is_none())
}

/// How many orders were confirmed.
#[query]
fn get_confirmed() -> u64 {
    CONFIRMED.with_borrow(|confirmed| *confirmed)
}

/// Counts an order, if the callee has confirmed it.
fn count(confirmed: Result<(), String>) -> Result<(), String> {
    confirmed?;
    CONFIRMED.with_borrow_mut(|confirmed| *confirmed += 1);
    Ok(())
}

/// How much work the decoder may do for an answer of the callee: enough for a reason of some hundred
/// letters. See the lesson `callees`.
const MOST_WORK: usize = 5_000;

/// Reads what the callee said, also where a proxy passed it on: a proxy waits for the callee, and makes
/// it no more to be trusted.
fn read(reply: &[u8]) -> Result<(), String> {
    let mut limits = DecoderConfig::new();
    limits.set_decoding_quota(MOST_WORK);
    let confirmed: Result<Result<(), String>, _> = decode_one_with_config(reply, &limits);
    confirmed.map_err(|error| error.to_string())?
}

// ---- A circle ------------------------------------------------------------------------------------

/// The mistake: waits without a bound for somebody who waits for this canister. Only a controller may
/// try it: it keeps both canisters busy.
#[update(guard = "by_controller")]
async fn order_in_circle() -> Result<(), String> {
    let order = Order::begin()?;
    // COMMIT POINT: the order is under way, and the call is sent.
    let response = Call::unbounded_wait(callee(), "confirm_asking_back")
        .with_arg(order.0)
        .await
        .map_err(|error| error.to_string())?;
    count(read(&response))
    // COMMIT POINT: `order` is dropped, and the user is free. This is never reached.
}

/// The right way: tells the callee all that it has to know, so that it need not ask. No circle.
#[update]
async fn order() -> Result<(), String> {
    let order = Order::begin()?; // Checked here: the user had no other order.
    // COMMIT POINT: the order is under way, and the call is sent.
    let response = Call::unbounded_wait(callee(), "confirm")
        .with_arg(order.0)
        .await
        .map_err(|error| error.to_string())?;
    count(read(&response))
}

/// The next best, where a circle can't be avoided: one wait in it is bounded, and the circle ends
/// there. Then nobody knows whether the order is confirmed.
#[update(guard = "by_controller")]
async fn order_with_deadline() -> Result<(), String> {
    let order = Order::begin()?;
    // COMMIT POINT: the order is under way, and the call is sent.
    let response = Call::bounded_wait(callee(), "confirm_asking_back")
        .change_timeout(60) // In seconds, 300 at most.
        .with_arg(order.0)
        .await
        .map_err(|error| format!("it may be confirmed or not: {error}"))?;
    count(read(&response))
}

fn by_controller() -> Result<(), String> {
    match is_controller(&msg_caller()) {
        true => Ok(()),
        false => Err("only a controller may do this".to_string()),
    }
}

// ---- A callee that is not trusted ----------------------------------------------------------------

/// The right way to wait without a bound for a callee that may never answer: the proxy waits, and
/// this canister waits for the proxy, which its controller can uninstall.
#[update]
async fn order_by_proxy() -> Result<(), String> {
    let order = Order::begin()?;
    let argument = encode_one(order.0).map_err(|error| error.to_string())?;
    // COMMIT POINT: the order is under way, and the call is sent.
    let response = Call::unbounded_wait(proxy(), "forward")
        .with_args(&(callee(), "confirm", argument))
        .await
        .map_err(|error| format!("it may be confirmed or not: {error}"))?;
    let forwarded: Result<Vec<u8>, String> =
        response.candid().map_err(|error| error.to_string())?;
    count(read(&forwarded?))
}

#[pre_upgrade]
fn save() {
    shared::upgrade::save(&CONFIRMED);
}

#[post_upgrade]
fn restore() {
    shared::upgrade::restore(&CONFIRMED);
}

fn callee() -> Principal {
    peer::id("loops_callee", option_env!("CANISTER_ID_LOOPS_CALLEE"))
}

fn proxy() -> Principal {
    peer::id("loops_proxy", option_env!("CANISTER_ID_LOOPS_PROXY"))
}

ic_cdk::export_candid!();

fn main() {}
