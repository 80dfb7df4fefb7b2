//! The callee of the lesson `ordering`: lists that are appended to from afar, and prices that are
//! asked for.

use std::cell::RefCell;

use candid::CandidType;
use ic_cdk::trap;
use ic_cdk_macros::{post_upgrade, pre_upgrade, query, update};
use serde::Deserialize;

use shared::bounded::BoundedMap;

/// How many entries a list has at most.
const MAX_ENTRIES: usize = 1000;

thread_local! {
    static STATE: RefCell<State> = RefCell::default();
}

/// All lists.
#[derive(CandidType, Default, Deserialize)]
struct State {
    lists: BoundedMap<u64, Vec<u64>>,
}

/// Opens an empty list, and returns its number.
#[update]
fn open_list() -> u64 {
    STATE.with_borrow_mut(|State { lists }| {
        let list = lists.next_number();
        lists.insert(list, Vec::new());
        list
    })
}

/// A list's entries, in the order in which they came.
#[query]
fn list(list: u64) -> Option<Vec<u64>> {
    STATE.with_borrow(|state| state.lists.get(&list).cloned())
}

/// Appends one entry.
#[update]
fn append(list: u64, entry: u64) {
    extend(list, &[entry]);
    // COMMIT POINT: one for each entry.
}

/// Appends many entries: all of them, or none.
#[update]
fn append_all(list: u64, entries: Vec<u64>) {
    extend(list, &entries);
    // COMMIT POINT: one for all entries.
}

fn extend(list: u64, entries: &[u64]) {
    STATE.with_borrow_mut(|state| {
        let Some(list) = state.lists.get_mut(&list) else {
            trap(format!(
                "there is no list {list}: it was never opened, or is too old"
            ));
        };
        if list.len() + entries.len() > MAX_ENTRIES {
            trap(format!("a list has at most {MAX_ENTRIES} entries"));
        }
        list.extend(entries);
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
