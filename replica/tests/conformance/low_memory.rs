//! Canister interface, "On Low Wasm Memory".

use candid::{Nat, Principal};
use ic_management_canister_types::{CanisterInstallMode, CanisterSettings, InstallCodeArgs};
use local_replica::message::SystemTask;
use local_replica::timeline::Step;

use crate::harness::{MANAGEMENT, T, USER, World};
use crate::puppet::{self, Script, script};

const HOOK: &str = "canister_on_low_wasm_memory";
const PAGE: u64 = 65536;

fn limits(limit: u64, threshold: u64) -> CanisterSettings {
    CanisterSettings {
        wasm_memory_limit: Some(Nat::from(limit * PAGE)),
        wasm_memory_threshold: Some(Nat::from(threshold * PAGE)),
        ..Default::default()
    }
}

fn grow(pages: u64) -> Script {
    script().get_of("memory_grow", 1, pages).reply()
}

/// A puppet whose hook counts in cell 0.
fn counting(world: &mut World) -> Principal {
    let id = world.puppet_with(&[HOOK], "");
    let setup = script().hook(HOOK, script().add(0, 1).print("hook"));
    world.run(id, setup.reply()).unwrap();
    id
}

#[test]
fn low_memory_hook_runs_when_the_rest_falls_below_the_threshold() {
    let mut world = World::new();
    let id = counting(&mut world);
    world.settings(id, limits(10, 5)).unwrap();
    // The last time it is no new fall.
    for (pages, runs) in [(3, 0), (3, 1), (1, 1)] {
        world.run(id, grow(pages)).unwrap();
        world.settle();
        assert_eq!(world.cell(id, 0), runs);
    }
}

#[test]
fn low_memory_hook_runs_before_everything_that_waits() {
    let mut world = World::new();
    let id = counting(&mut world);
    world.settings(id, limits(10, 5)).unwrap();
    world.submit(
        id,
        script().print("first").get_of("memory_grow", 1, 6).reply(),
    );
    for _ in 0..3 {
        world.submit(id, script().print("later").reply());
    }
    world.settle();
    assert_eq!(world.log(id), ["first", "hook", "later", "later", "later"]);
}

#[test]
fn low_memory_is_noticed_when_the_settings_change() {
    let mut world = World::new();
    let id = counting(&mut world);
    for (settings, runs) in [
        (limits(10, 9), 0),
        (limits(10, 10), 1),
        (limits(10, 10), 1),
        // Plenty again, and then low again.
        (limits(100, 10), 1),
        (limits(10, 10), 2),
        (limits(10, 0), 2),
    ] {
        world.settings(id, settings).unwrap();
        world.settle();
        assert_eq!(world.cell(id, 0), runs);
    }
}

#[test]
fn low_memory_is_noticed_again_when_it_was_plenty_in_between() {
    let mut world = World::new();
    let id = counting(&mut world);
    world.settings(id, limits(10, 5)).unwrap();
    world.run(id, grow(5)).unwrap();
    world.settle();
    assert_eq!(world.cell(id, 0), 1);
    world.settings(id, limits(20, 5)).unwrap();
    world.run(id, grow(3)).unwrap();
    world.settle();
    assert_eq!(world.cell(id, 0), 1);
    world.run(id, grow(8)).unwrap();
    world.settle();
    assert_eq!(world.cell(id, 0), 2);
}

#[test]
fn low_memory_is_noticed_after_every_installation() {
    let mut world = World::new();
    let id = world.create_with(100 * T, limits(10, 10));
    let wasm = puppet::module(&[HOOK], "");
    let setup = script().hook(HOOK, script().add(0, 1));
    for mode in [
        CanisterInstallMode::Install,
        CanisterInstallMode::Upgrade(None),
        CanisterInstallMode::Reinstall,
    ] {
        world.deploy(mode, id, &wasm, &setup.0).unwrap();
        world.settle();
        assert_eq!(world.cell(id, 0), 1, "{mode:?}");
        assert_eq!(
            world.last_event().step,
            Step::SystemTask(SystemTask::OnLowWasmMemory)
        );
    }
}

#[test]
fn low_memory_hook_after_an_installation_runs_before_updates_that_wait() {
    let mut world = World::new();
    let id = world.create_with(100 * T, limits(10, 10));
    let install = InstallCodeArgs {
        mode: CanisterInstallMode::Reinstall,
        canister_id: id,
        wasm_module: puppet::module(&[HOOK], ""),
        arg: script().hook(HOOK, script().print("hook")).0,
        sender_canister_version: None,
    };
    world.manage("install_code", &install).unwrap();
    world.settle();
    let argument = candid::encode_one(&install).unwrap();
    world
        .replica
        .submit(USER, MANAGEMENT, "install_code", &argument)
        .unwrap();
    world.submit(id, script().print("update").reply());
    world.settle();
    assert_eq!(world.log(id), ["hook", "update"]);
}

#[test]
fn low_memory_hook_of_a_stopped_canister_waits_for_the_start_and_the_clock() {
    let mut world = World::new();
    let id = counting(&mut world);
    world.command("stop_canister", id).unwrap();
    world.settings(id, limits(10, 10)).unwrap();
    world.settle();
    world.advance(1);
    world.settle();
    world.command("start_canister", id).unwrap();
    assert_eq!(world.log(id).len(), 0);
    world.advance(1);
    world.settle();
    assert_eq!(world.cell(id, 0), 1);
    world.advance(1);
    world.settle();
    assert_eq!(world.cell(id, 0), 1);
}

#[test]
fn low_memory_hook_of_a_frozen_canister_waits_for_cycles_and_the_clock() {
    let mut world = World::new();
    let id = counting(&mut world);
    world.bind(id, 150 * T);
    world.settings(id, limits(10, 10)).unwrap();
    world.settle();
    world.top_up(id, 100 * T);
    assert_eq!(world.log(id).len(), 0);
    world.advance(1);
    world.settle();
    assert_eq!(world.cell(id, 0), 1);
}
