//! How a state outlives an upgrade.

use std::cell::RefCell;
use std::thread::LocalKey;

use candid::CandidType;
use ic_cdk::storage::{stable_restore, stable_save};
use ic_cdk::trap;
use serde::de::DeserializeOwned;

/// Saves a state: for `pre_upgrade`. Traps if that fails, which cancels the upgrade. The trap may come
/// at every later upgrade, too: where a state can grow large, keep it in stable memory from the start
/// (see the lesson `upgrades`).
pub fn save<State: CandidType + Default>(state: &'static LocalKey<RefCell<State>>) {
    if let Err(error) = stable_save((state.take(),)) {
        trap(format!("the state could not be saved: {error}"));
    }
}

/// Puts back what [`save`] saved: for `post_upgrade`. Traps if that fails, which cancels the upgrade;
/// going on would start with nothing.
pub fn restore<State: CandidType + DeserializeOwned>(state: &'static LocalKey<RefCell<State>>) {
    match stable_restore() {
        Ok((saved,)) => state.set(saved),
        Err(error) => trap(format!("the state could not be restored: {error}")),
    }
}
