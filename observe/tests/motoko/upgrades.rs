//! Motoko's variables live in Wasm memory, and outlive the upgrades that keep it.

use ic_management_canister_types::{
    CanisterIdRecord, CanisterInstallMode, UpgradeFlags, WasmMemoryPersistence,
};
use local_replica::message::CallResult;

use crate::pair::{Counters, Language, Pair};

const COUNTED: Counters = Counters {
    canister1: 2,
    canister2: 2,
    drops: 1,
};

/// A pair that has counted.
fn used() -> Pair {
    let mut pair = Pair::deploy(Language::Motoko, Language::Motoko);
    pair.call("increment_both").unwrap();
    pair.call("increment_both_then_trap_with_guard")
        .unwrap_err();
    assert_eq!(pair.counters(), COUNTED);
    pair
}

fn upgrade(pair: &mut Pair, memory: Option<WasmMemoryPersistence>) -> CallResult {
    let mode = CanisterInstallMode::Upgrade(Some(UpgradeFlags {
        skip_pre_upgrade: None,
        wasm_memory_persistence: memory,
    }));
    let canister2 = pair.install(pair.canister2, Language::Motoko.module("canister2"), mode);
    let canister1 = pair.install(pair.canister1, Language::Motoko.module("canister1"), mode);
    canister1.and(canister2)
}

#[test]
fn an_upgrade_that_keeps_the_memory_keeps_all_counters() {
    let mut pair = used();
    upgrade(&mut pair, Some(WasmMemoryPersistence::Keep)).unwrap();
    assert_eq!(pair.counters(), COUNTED);
    pair.call("increment_both").unwrap();
    assert_eq!(pair.counters().canister2, 3);
}

#[test]
fn an_upgrade_that_does_not_say_what_becomes_of_the_memory_is_refused() {
    let mut pair = used();
    let reject = upgrade(&mut pair, None).unwrap_err();
    assert_eq!(reject.error_code.to_string(), "IC0504");
    assert_eq!(
        reject.message,
        "Missing upgrade option: Enhanced orthogonal persistence requires the \
         `wasm_memory_persistence` upgrade option."
    );
    assert_eq!(pair.counters(), COUNTED);
}

#[test]
fn an_upgrade_that_replaces_the_memory_starts_again_at_0() {
    let mut pair = used();
    upgrade(&mut pair, Some(WasmMemoryPersistence::Replace)).unwrap();
    assert_eq!(pair.counters(), Counters::default());
}

#[test]
fn after_a_trap_in_finally_the_upgrade_takes_a_stopped_canister() {
    let mut pair = used();
    pair.call("increment_both_then_trap_in_finally")
        .unwrap_err();
    // Motoko takes the call for one that is still awaited.
    let reject = upgrade(&mut pair, Some(WasmMemoryPersistence::Keep)).unwrap_err();
    assert!(reject.message.contains("outstanding message callbacks"));
    let canister1 = CanisterIdRecord {
        canister_id: pair.canister1,
    };
    pair.manage("stop_canister", (&canister1,)).unwrap();
    upgrade(&mut pair, Some(WasmMemoryPersistence::Keep)).unwrap();
    pair.manage("start_canister", (&canister1,)).unwrap();
    assert_eq!(pair.counters().canister1, 3);
}
