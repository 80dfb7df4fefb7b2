//! The callee of the lesson `ordering`: lists that are appended to from afar, and prices that are
//! asked for.

use std::cell::RefCell;

use candid::{CandidType, Principal};
use ic_cdk::{api::msg_caller, trap};
use ic_cdk_macros::{post_upgrade, pre_upgrade, query, update};
use serde::Deserialize;

use shared::bounded::Bounded;

/// How many entries a list has at most.
const MAX_ENTRIES: usize = 1000;

thread_local! {
    static STATE: RefCell<State> = RefCell::default();
}

/// All lists, by owner.
#[derive(CandidType, Default, Deserialize)]
struct State {
    lists: Bounded<Principal, List>,
}

/// A list.
#[derive(CandidType, Deserialize)]
struct List {
    /// The canister that may append to it for the owner.
    writer: Principal,
    entries: Vec<u64>,
}

/// Begins an empty list of the caller's, in place of the one before. `writer` may append to it too: the
/// owner trusts that canister to do so only for the owner.
#[update]
fn open_list(writer: Principal) -> Result<(), String> {
    let entries = Vec::new();
    let list = List { writer, entries };
    STATE.with_borrow_mut(|state| state.lists.insert(msg_caller(), list))?;
    Ok(())
}

/// The entries of somebody's list, in the order in which they came.
#[query]
fn list(owner: Principal) -> Option<Vec<u64>> {
    STATE.with_borrow(|state| state.lists.get(&owner).map(|list| list.entries.clone()))
}

/// Appends one entry.
#[update]
fn append(owner: Principal, entry: u64) {
    extend(owner, &[entry]);
    // COMMIT POINT: one for each entry.
}

/// Appends many entries: all of them, or none.
#[update]
fn append_all(owner: Principal, entries: Vec<u64>) {
    extend(owner, &entries);
    // COMMIT POINT: one for all entries.
}

fn extend(owner: Principal, entries: &[u64]) {
    STATE.with_borrow_mut(|state| {
        let Some(list) = state.lists.get_mut(&owner) else {
            trap("there is no such list; `open_list` begins one");
        };
        if ![owner, list.writer].contains(&msg_caller()) {
            trap("only its owner and its writer may append to a list");
        }
        if list.entries.len() + entries.len() > MAX_ENTRIES {
            trap(format!("a list has at most {MAX_ENTRIES} entries"));
        }
        list.entries.extend(entries);
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
