//! Canister interface, "Global timer" and "Heartbeat".

use candid::{CandidType, Principal};
use ic_management_canister_types::{CanisterIdRecord, CanisterInstallMode, InstallCodeArgs};
use local_replica::canister::Canister;
use local_replica::message::SystemTask;
use local_replica::timeline::Step;

use crate::harness::{MANAGEMENT, T, USER, World};
use crate::puppet::{self, call, script};

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

/// A puppet whose timer counts in cell 0 and is due in one second.
fn timed(world: &mut World) -> Principal {
    let id = world.puppet_with(&["canister_global_timer"], "");
    let due = world.replica.time() + SECOND;
    let setup = script().hook("canister_global_timer", script().add(0, 1));
    world
        .run(id, setup.get_of("timer", 1, due).reply())
        .unwrap();
    id
}

/// Submits a call of the management canister that is delivered before the timers of a clock that
/// moves on now.
fn before_the_timer<A: CandidType>(world: &mut World, method: &str, argument: &A) {
    let argument = candid::encode_one(argument).unwrap();
    world
        .replica
        .submit(USER, MANAGEMENT, method, &argument)
        .unwrap();
    world.advance(1);
    world.step();
    let task = SystemTask::GlobalTimer;
    let scheduled = |canister: &Canister| world.replica.pool().has_task(canister.id, task);
    assert!(world.replica.canisters().any(scheduled));
    world.settle();
}

#[test]
fn timer_that_is_turned_off_or_put_off_when_it_is_due_does_not_fire() {
    let mut world = World::new();
    let id = timed(&mut world);
    let now = world.replica.time();
    for (later, runs) in [(now + 60 * SECOND, 0), (0, 1)] {
        world.submit(id, script().get_of("timer", 1, later).reply());
        world.advance(30);
        world.step();
        let scheduled = world.replica.pool().has_task(id, SystemTask::GlobalTimer);
        assert!(scheduled, "the task waits behind the update");
        world.settle();
        assert_eq!(
            (world.cell(id, 0), world.state(id).global_timer),
            (runs, later)
        );
        // Put off, it fires when that time has come.
        world.advance(60);
        world.settle();
        assert_eq!(world.cell(id, 0), 1);
        let again = world.replica.time() + SECOND;
        world
            .run(id, script().get_of("timer", 1, again).reply())
            .unwrap();
    }
}

#[test]
fn timer_that_is_due_fires_once_though_it_is_set_to_another_time_past() {
    let mut world = World::new();
    let id = timed(&mut world);
    world.submit(id, script().get_of("timer", 1, 1).reply());
    world.advance(1);
    world.settle();
    assert_eq!((world.cell(id, 0), world.state(id).global_timer), (1, 0));
}

#[test]
fn timer_of_the_old_code_does_not_fire_in_the_new() {
    for mode in [
        CanisterInstallMode::Upgrade(None),
        CanisterInstallMode::Reinstall,
    ] {
        let mut world = World::new();
        let id = timed(&mut world);
        let install = InstallCodeArgs {
            mode,
            canister_id: id,
            wasm_module: puppet::module(&["canister_global_timer"], ""),
            arg: script().hook("canister_global_timer", script().add(0, 1)).0,
            sender_canister_version: None,
        };
        before_the_timer(&mut world, "install_code", &install);
        assert_eq!(world.cell(id, 0), 0, "{mode:?}");
        assert_eq!(world.state(id).global_timer, 0);
        // The new code's own timer does.
        let due = world.replica.time() + SECOND;
        world
            .run(id, script().get_of("timer", 1, due).reply())
            .unwrap();
        world.advance(1);
        world.settle();
        assert_eq!(world.cell(id, 0), 1, "{mode:?}");
    }
}

#[test]
fn timer_of_a_canister_that_is_stopped_when_it_is_due_waits_until_it_is_started() {
    let mut world = World::new();
    let id = timed(&mut world);
    let record = CanisterIdRecord { canister_id: id };
    before_the_timer(&mut world, "stop_canister", &record);
    assert!(!world.state(id).is_running());
    assert!(world.state(id).global_timer > 0, "it is still set");
    world.advance(1);
    world.settle();
    assert!(world.state(id).global_timer > 0);
    world.command("start_canister", id).unwrap();
    world.settle();
    assert_eq!((world.cell(id, 0), world.state(id).global_timer), (1, 0));
}

#[test]
fn timer_of_a_frozen_canister_waits_for_cycles_and_the_clock() {
    let mut world = World::new();
    let id = timed(&mut world);
    world.bind(id, 150 * T);
    for _ in 0..2 {
        world.advance(1);
        world.settle();
        assert!(world.state(id).global_timer > 0, "it is still set");
    }
    world.top_up(id, 100 * T);
    world.advance(1);
    world.settle();
    assert_eq!((world.cell(id, 0), world.state(id).global_timer), (1, 0));
}
