//! Canister interface, "Global timer", "Heartbeat" and "On Low Wasm Memory".

use candid::Nat;
use ic_management_canister_types::CanisterSettings;
use local_replica::timeline::Step;

use crate::harness::World;
use crate::puppet::{call, script};

const SECOND: u64 = 1_000_000_000;

#[test]
fn timer_fires_once_when_its_time_has_come() {
    let mut world = World::new();
    let id = world.puppet_with(&["canister_global_timer"], "");
    let due = world.replica.time() + 5 * SECOND;
    let fired = script().add(0, 1).get_of("timer", 1, 0);
    let setup = script()
        .hook("canister_global_timer", fired)
        .get_of("timer", 2, due);
    world.run(id, setup.reply()).unwrap();
    world.advance(4);
    world.settle();
    assert_eq!(world.cell(id, 0), 0);
    world.advance(1);
    world.settle();
    let told = [world.cell(id, 0), world.cell(id, 1), world.cell(id, 2)];
    assert_eq!(told, [1, 0, 0], "while it runs, the timer is off");
    world.advance(100);
    world.settle();
    assert_eq!(world.cell(id, 0), 1);
}

#[test]
fn setting_the_timer_returns_the_one_before_and_zero_turns_it_off() {
    let mut world = World::new();
    let id = world.puppet_with(&["canister_global_timer"], "");
    let due = world.replica.time() + 5 * SECOND;
    let setup = script()
        .hook("canister_global_timer", script().add(9, 1))
        .get_of("timer", 0, due)
        .get_of("timer", 1, due + 1)
        .get_of("timer", 2, 0)
        .get_of("timer", 3, 0);
    world.run(id, setup.reply()).unwrap();
    let told: Vec<u64> = (0..4).map(|cell| world.cell(id, cell)).collect();
    assert_eq!(told, [0, due, due + 1, 0]);
    world.advance(10);
    world.settle();
    assert_eq!(world.cell(id, 9), 0);
}

#[test]
fn timer_set_by_a_timer_fires_again_and_can_make_calls() {
    let mut world = World::new();
    let id = world.puppet_with(&["canister_global_timer"], "");
    let b = world.puppet();
    let now = world.replica.time();
    let again = script().add(7, -1).get_of("timer", 5, now + 20 * SECOND);
    let called = call(b, script().op("append_caller").reply()).on_reply(script().add(1, 1));
    let fired = script().add(0, 1).call(called).when(7, again);
    let setup = script().add(7, 1).hook("canister_global_timer", fired);
    world
        .run(id, setup.get_of("timer", 5, now + 10 * SECOND).reply())
        .unwrap();
    for count in [1, 2, 2] {
        world.advance(10);
        world.settle();
        assert_eq!((world.cell(id, 0), world.cell(id, 1)), (count, count));
    }
}

#[test]
fn timer_of_a_stopped_canister_waits_until_it_is_started() {
    let mut world = World::new();
    let id = world.puppet_with(&["canister_global_timer"], "");
    let setup = script().hook("canister_global_timer", script().add(0, 1));
    let due = world.replica.time() + SECOND;
    world
        .run(id, setup.get_of("timer", 1, due).reply())
        .unwrap();
    world.command("stop_canister", id).unwrap();
    world.advance(10);
    world.settle();
    world.command("start_canister", id).unwrap();
    world.settle();
    assert_eq!(world.cell(id, 0), 1);
}

#[test]
fn heartbeat_comes_with_time_and_has_no_caller_to_answer() {
    let mut world = World::new();
    let id = world.puppet_with(&["canister_heartbeat"], "");
    let setup = script().hook("canister_heartbeat", script().add(0, 1));
    world.run(id, setup.reply()).unwrap();
    for beats in 1..4 {
        world.advance(1);
        world.settle();
        assert_eq!(world.cell(id, 0), beats);
        assert!(matches!(world.last_event().step, Step::SystemTask(_)));
        assert_eq!(world.last_event().caller, crate::harness::MANAGEMENT);
    }
    world.command("stop_canister", id).unwrap();
    world.advance(1);
    world.settle();
    world.command("start_canister", id).unwrap();
    assert_eq!(world.cell(id, 0), 3);
}

#[test]
fn low_memory_hook_runs_when_the_rest_falls_below_the_threshold() {
    let mut world = World::new();
    let id = world.puppet_with(&["canister_on_low_wasm_memory"], "");
    let setup = script().hook("canister_on_low_wasm_memory", script().add(0, 1));
    world.run(id, setup.reply()).unwrap();
    let page = 65536u64;
    let settings = CanisterSettings {
        wasm_memory_limit: Some(Nat::from(10 * page)),
        wasm_memory_threshold: Some(Nat::from(5 * page)),
        ..Default::default()
    };
    world.settings(id, settings).unwrap();
    let grow = |pages| script().get_of("memory_grow", 1, pages).reply();
    world.run(id, grow(3)).unwrap();
    world.settle();
    assert_eq!(world.cell(id, 0), 0);
    world.run(id, grow(3)).unwrap();
    world.settle();
    assert_eq!(world.cell(id, 0), 1);
    world.run(id, grow(1)).unwrap();
    world.settle();
    assert_eq!(world.cell(id, 0), 1, "once for each fall");
}
