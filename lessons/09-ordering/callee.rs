//! The callee of the lesson `ordering`: a shop. Its customers have baskets, and ask for prices.

use std::cell::RefCell;

use candid::{CandidType, Principal};
use ic_cdk::{api::msg_caller, trap};
use ic_cdk_macros::{post_upgrade, pre_upgrade, query, update};
use serde::Deserialize;

use shared::bounded::Bounded;

/// How many items a basket has at most.
const MAX_ITEMS: usize = 1000;

thread_local! {
    static STATE: RefCell<State> = RefCell::default();
}

/// All baskets, by owner.
#[derive(CandidType, Default, Deserialize)]
struct State {
    baskets: Bounded<Principal, Basket>,
}

/// A basket.
#[derive(CandidType, Deserialize)]
struct Basket {
    /// The canister that may put items into it for the owner.
    buyer: Principal,
    items: Vec<u64>,
}

/// Begins an empty basket of the caller's, in place of the one before. `buyer` may put
/// items into it too: the owner trusts that canister to do so only for the owner.
#[update]
fn open_basket(buyer: Principal) -> Result<(), String> {
    let items = Vec::new();
    let basket = Basket { buyer, items };
    STATE.with_borrow_mut(|state| state.baskets.insert(msg_caller(), basket))?;
    Ok(())
}

/// The items of somebody's basket, in the order in which they came.
#[query]
fn basket(owner: Principal) -> Option<Vec<u64>> {
    STATE.with_borrow(|state| state.baskets.get(&owner).map(|basket| basket.items.clone()))
}

/// Puts one item into a basket.
#[update]
fn put(owner: Principal, item: u64) {
    extend(owner, &[item]);
    // COMMIT POINT: one for each item.
}

/// Puts many items into a basket: all of them, or none.
#[update]
fn put_all(owner: Principal, items: Vec<u64>) {
    extend(owner, &items);
    // COMMIT POINT: one for all items.
}

fn extend(owner: Principal, items: &[u64]) {
    STATE.with_borrow_mut(|state| {
        let Some(basket) = state.baskets.get_mut(&owner) else {
            trap("there is no such basket; `open_basket` begins one");
        };
        if ![owner, basket.buyer].contains(&msg_caller()) {
            trap("only its owner and its buyer may put items into a basket");
        }
        if basket.items.len() + items.len() > MAX_ITEMS {
            trap(format!("a basket has at most {MAX_ITEMS} items"));
        }
        basket.items.extend(items);
    });
}

/// The price of an apple or a pear.
#[update]
fn price(item: String) -> u64 {
    match item.as_str() {
        "apple" => 10,
        "pear" => 20,
        _ => trap(format!("there is no price of '{item}'")),
    }
}

#[pre_upgrade]
fn save() {
    shared::upgrade::save(&STATE);
}

#[post_upgrade]
fn restore() {
    shared::upgrade::restore(&STATE);
}

ic_cdk::export_candid!();

fn main() {}
