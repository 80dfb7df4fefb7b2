//! The lesson `ordering`: requests arrive in the order in which they were sent, responses in any;
//! and what many calls cost: one after the other, side by side, or as one.
//!
//! This canister buys for its users: it asks a shop for prices, and puts items into baskets there.

use std::cell::RefCell;
use std::future::poll_fn;
use std::task::Poll;

use candid::{Principal, utils::ArgumentEncoder};
use ic_cdk::{
    api::{canister_self, msg_caller},
    call::{Call, Response},
    trap,
};
use ic_cdk_macros::update;

use shared::peer;

/// How many items one call may put into a basket: each takes one of the 500 calls that may be open from
/// here to the callee, and others need some too.
const MAX_COUNT: u64 = 100;

/// Awaits many futures side by side. The results stand in the order of the futures, whichever was
/// ready first.
///
/// A call is sent when its future is polled for the first time. Awaiting a future polls it, so calls
/// that are awaited one by one are sent one by one. This polls all of them before it waits for any,
/// so all calls leave with one message. (`join_all` of the crate `futures` does the same.)
async fn join_all<F: Future>(futures: impl IntoIterator<Item = F>) -> Vec<F::Output> {
    let mut futures: Vec<_> = futures.into_iter().map(Box::pin).collect();
    let mut results: Vec<Option<F::Output>> = futures.iter().map(|_| None).collect();
    poll_fn(|context| {
        for (future, result) in futures.iter_mut().zip(&mut results) {
            if result.is_none()
                && let Poll::Ready(value) = future.as_mut().poll(context)
            {
                *result = Some(value);
            }
        }
        match results.iter().all(Option::is_some) {
            true => Poll::Ready(results.iter_mut().filter_map(Option::take).collect()),
            false => Poll::Pending,
        }
    })
    .await
}

// ---- Which response is it? -----------------------------------------------------------------

/// What is asked for.
const ITEMS: [&str; 2] = ["apple", "pear"];

/// The mistake: taking the first response as the answer to the first request. Most of the time it is.
#[update]
async fn ask_prices_by_arrival() -> Result<Vec<(String, u64)>, String> {
    let arrived = RefCell::new(Vec::new());
    let ask = async |item| {
        let price = price_of(item).await?;
        arrived.borrow_mut().push(price); // In the order of the responses.
        Ok::<(), String>(())
    };
    // COMMIT POINT: both calls are sent.
    for result in join_all(ITEMS.map(&ask)).await {
        result?;
    }
    let prices = arrived.into_inner();
    Ok(ITEMS.map(String::from).into_iter().zip(prices).collect())
}

/// The right way: keep each response with its question.
#[update]
async fn ask_prices_by_call() -> Result<Vec<(String, u64)>, String> {
    let ask = async |item: &str| {
        let price = price_of(item).await?;
        Ok((item.to_owned(), price))
    };
    // COMMIT POINT: both calls are sent.
    join_all(ITEMS.map(ask)).await.into_iter().collect()
}

async fn price_of(item: &str) -> Result<u64, String> {
    price_at(callee(), item).await
}

async fn price_at(shop: Principal, item: &str) -> Result<u64, String> {
    let response = call(shop, "price", &(item,)).await?;
    response
        .candid()
        .map_err(|error| format!("price replied something else: {error}"))
}

/// Asks two canisters with one message: first the callee, then this canister itself. Either request
/// may be executed first. The order in which they were sent holds for one callee only.
#[update]
async fn ask_two_callees() -> Result<Vec<u64>, String> {
    let shops = [callee(), canister_self()];
    // COMMIT POINT: both calls are sent.
    let prices = join_all(shops.map(|shop| price_at(shop, "apple"))).await;
    prices.into_iter().collect()
}

/// The price of an apple here. This is the second callee of [`ask_two_callees`].
#[update]
fn price(item: String) -> u64 {
    match item.as_str() {
        "apple" => 11,
        _ => trap(format!("there is no price of '{item}' here")),
    }
}

// ---- Many calls ----------------------------------------------------------------------------

/// The mistake: a loop of awaits. Each waits for the one before. Each is a commit point, so a failure in
/// the middle leaves a half.
#[update]
async fn put_in_a_loop(count: u64) -> Result<(), String> {
    check(count)?;
    let owner = msg_caller();
    for item in 1..=count {
        put(owner, item).await?; // COMMIT POINT: as often as there are items.
    }
    Ok(())
}

/// Faster: all calls leave with one message, and the callee receives them in this order. There is still
/// a message for each item, and each may fail alone.
#[update]
async fn put_in_parallel(count: u64) -> Result<(), String> {
    check(count)?;
    let owner = msg_caller();
    let calls = (1..=count).map(|item| put(owner, item));
    // COMMIT POINT: all calls are sent; and another one with each response.
    join_all(calls).await.into_iter().collect()
}

/// The right way, if the callee offers it: one call for all items. It is one message in the callee, so
/// the callee has all of them or none.
#[update]
async fn put_as_a_batch(count: u64) -> Result<(), String> {
    check(count)?;
    let owner = msg_caller();
    let items: Vec<u64> = (1..=count).collect();
    // COMMIT POINT: the call is sent.
    call_callee("put_all", &(owner, items)).await.map(drop)
}

/// Puts an item into the basket of the user who called, and to no other: the callee relies on that.
async fn put(owner: Principal, item: u64) -> Result<(), String> {
    call_callee("put", &(owner, item)).await.map(drop)
}

fn check(count: u64) -> Result<(), String> {
    match count {
        0..=MAX_COUNT => Ok(()),
        _ => Err(format!("at most {MAX_COUNT} items at once, not {count}")),
    }
}

async fn call_callee(method: &str, arguments: &impl ArgumentEncoder) -> Result<Response, String> {
    call(callee(), method, arguments).await
}

async fn call(
    canister: Principal,
    method: &str,
    arguments: &impl ArgumentEncoder,
) -> Result<Response, String> {
    Call::unbounded_wait(canister, method)
        .with_args(arguments)
        .await
        .map_err(|error| format!("{method} failed: {error}"))
}

fn callee() -> Principal {
    peer::id(
        "ordering_callee",
        option_env!("CANISTER_ID_ORDERING_CALLEE"),
    )
}

ic_cdk::export_candid!();

fn main() {}
