//! Executions in non-replicated mode, outside consensus: nothing of what they change stays.

use std::collections::BTreeMap;

use crate::canister::Canister;
use crate::environment::run;
use crate::message::Cycles;
use crate::system_api::{SystemApi, Trap, View};
use crate::wasm::{Allowance, Checkpoint, Entry, Fault};

/// Runs something on a canister and leaves its state as it became.
pub(crate) fn run_in_place(
    canister: &mut Canister,
    entry: Entry<'_>,
    view: View,
    balance: Cycles,
    limit: u64,
) -> (SystemApi, Result<(), Fault<Trap>>, u64) {
    let Some(code) = &mut canister.code else {
        unreachable!("only canisters with code are queried");
    };
    let limits = Allowance {
        instructions: limit,
        memory: code.module.memory_limit(&view.limits),
        soft_memory: None,
    };
    let stable = std::mem::take(&mut canister.stable);
    let timer = canister.global_timer;
    let api = SystemApi::new(view, balance, 0, stable, BTreeMap::new(), timer);
    let (mut api, result, instructions) = run(&mut code.instance, entry, api, limits);
    canister.stable = std::mem::take(&mut api.stable);
    (api, result, instructions)
}

/// Puts a canister's state back to what it was at a checkpoint.
pub(crate) fn put_back(canister: &mut Canister, before: &Checkpoint) {
    canister.stable.roll_back();
    if let Some(code) = &mut canister.code {
        code.instance.roll_back(before);
    }
}
