//! The lesson `ordering`, on the callee's side: lists that are appended to from afar, and prices
//! that are asked for.

use std::cell::RefCell;

use bounded::BoundedMap;
use candid::CandidType;
use ic_cdk::trap;
use ic_cdk_macros::{query, update};
use serde::Deserialize;

/// How many entries a list has at most.
const MAX_ENTRIES: usize = 1000;

thread_local! {
    static STATE: RefCell<State> = RefCell::default();
}

/// All lists.
#[derive(CandidType, Clone, Default, Deserialize)]
pub struct State {
    lists: BoundedMap<u64, Vec<u64>>,
}

/// Opens an empty list, and returns its number.
#[update]
fn ordering_open_list() -> u64 {
    STATE.with_borrow_mut(|State { lists }| {
        let list = lists.next_number();
        lists.insert(list, Vec::new());
        list
    })
}

/// A list's entries, in the order in which they came.
#[query]
fn ordering_list(list: u64) -> Option<Vec<u64>> {
    STATE.with_borrow(|state| state.lists.get(&list).cloned())
}

/// Appends one entry.
#[update]
fn ordering_append(list: u64, entry: u64) {
    append(list, &[entry]);
    // COMMIT POINT: one for each entry.
}

/// Appends many entries: all of them, or none.
#[update]
fn ordering_append_all(list: u64, entries: Vec<u64>) {
    append(list, &entries);
    // COMMIT POINT: one for all entries.
}

fn append(list: u64, entries: &[u64]) {
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
fn ordering_price(item: String) -> u64 {
    match item.as_str() {
        "apple" => 10,
        "pear" => 20,
        _ => trap(format!("there is no price of '{item}'")),
    }
}

/// What outlives an upgrade.
pub fn save() -> State {
    STATE.with_borrow(State::clone)
}

/// Puts back what [`save`] gave before an upgrade.
pub fn restore(state: State) {
    STATE.set(state);
}
