//! Motoko's variables live in Wasm memory, and outlive the upgrades that keep it.

use ic_management_canister_types::{UpgradeFlags, WasmMemoryPersistence};
use observe::lessons::rollback::Counters;
use observe::network::Answer;
use observe::stage::Stage;

use super::stage;

const COUNTED: Counters = Counters {
    canister1: 2,
    canister2: 2,
    drops: 1,
};

fn call(stage: &mut Stage, method: &str) -> Answer {
    stage.call(stage.caller, method, ()).unwrap()
}

/// A pair that has counted.
fn used() -> Stage {
    let mut stage = stage();
    call(&mut stage, "increment_both").unwrap();
    call(&mut stage, "increment_both_then_trap_with_guard").unwrap_err();
    assert_eq!(Counters::read(&mut stage).unwrap(), COUNTED);
    stage
}

fn upgrade(stage: &mut Stage, memory: Option<WasmMemoryPersistence>) -> Answer {
    let flags = Some(UpgradeFlags {
        skip_pre_upgrade: None,
        wasm_memory_persistence: memory,
    });
    let pair = [stage.callee, stage.caller];
    let [canister2, canister1] = pair.map(|canister| stage.upgrade_with(canister, flags).unwrap());
    canister1.and(canister2)
}

#[test]
fn an_upgrade_that_keeps_the_memory_keeps_all_counters() {
    let mut stage = used();
    upgrade(&mut stage, Some(WasmMemoryPersistence::Keep)).unwrap();
    assert_eq!(Counters::read(&mut stage).unwrap(), COUNTED);
    call(&mut stage, "increment_both").unwrap();
    assert_eq!(Counters::read(&mut stage).unwrap().canister2, 3);
}

#[test]
fn an_upgrade_that_does_not_say_what_becomes_of_the_memory_is_refused() {
    let mut stage = used();
    let reject = upgrade(&mut stage, None).unwrap_err();
    assert_eq!(reject.error_code, "IC0504");
    assert_eq!(
        reject.message,
        "Missing upgrade option: Enhanced orthogonal persistence requires the \
         `wasm_memory_persistence` upgrade option."
    );
    assert_eq!(Counters::read(&mut stage).unwrap(), COUNTED);
}

#[test]
fn an_upgrade_that_replaces_the_memory_starts_again_at_0() {
    let mut stage = used();
    upgrade(&mut stage, Some(WasmMemoryPersistence::Replace)).unwrap();
    assert_eq!(Counters::read(&mut stage).unwrap(), Counters::default());
}

#[test]
fn after_a_trap_in_finally_the_upgrade_takes_a_stopped_canister() {
    let mut stage = used();
    call(&mut stage, "increment_both_then_trap_in_finally").unwrap_err();
    // Motoko takes the call for one that is still awaited.
    let reject = upgrade(&mut stage, Some(WasmMemoryPersistence::Keep)).unwrap_err();
    assert!(reject.message.contains("outstanding message callbacks"));
    let canister1 = stage.caller;
    stage.command(canister1, "stop_canister").unwrap().unwrap();
    upgrade(&mut stage, Some(WasmMemoryPersistence::Keep)).unwrap();
    stage.command(canister1, "start_canister").unwrap().unwrap();
    assert_eq!(Counters::read(&mut stage).unwrap().canister1, 3);
}
