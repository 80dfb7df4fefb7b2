//! Management canister, "IC method `update_settings`": the freezing threshold and the memory
//! allocation; abstract behaviour, "freezing_limit".

use candid::{Nat, Principal};
use ic_management_canister_types::{
    CanisterIdRecord, CanisterInstallMode, CanisterSettings, CanisterStatusResult,
};
use local_replica::fees;
use local_replica::message::ErrorCode::*;
use local_replica::message::RejectCode::*;

use crate::deploying::installation;
use crate::harness::{MANAGEMENT, T, World, expect_reject};
use crate::puppet::{self, call, script};

const HUGE: u64 = 1 << 60;

/// What a query tells, which costs nothing.
fn status(world: &mut World, canister_id: Principal) -> CanisterStatusResult {
    let argument = candid::encode_one(CanisterIdRecord { canister_id }).unwrap();
    let status = world.query(MANAGEMENT, "canister_status", &argument);
    candid::decode_one(&status.unwrap()).unwrap()
}

/// What a user's call costs that installs a module.
fn fee_of_installing(id: Principal, wasm: &[u8], arg: &[u8]) -> u128 {
    let argument = installation(id, wasm, CanisterInstallMode::Install, arg);
    fees::ingress(fees::envelope_size("install_code", &argument))
}

fn threshold(seconds: u64) -> CanisterSettings {
    CanisterSettings {
        freezing_threshold: Some(Nat::from(seconds)),
        ..Default::default()
    }
}

#[test]
fn memory_allocation_that_can_t_be_paid_for_is_refused() {
    let mut world = World::new();
    let id = world.puppet();
    let before = world.state(id).settings.clone();
    let version = world.state(id).version;
    for freezing_threshold in [None, Some(Nat::from(HUGE))] {
        let settings = CanisterSettings {
            memory_allocation: Some(Nat::from(HUGE)),
            freezing_threshold,
            ..Default::default()
        };
        let result = world.settings(id, settings);
        expect_reject(result, CanisterError, InsufficientCyclesInMemoryAllocation);
        assert_eq!(world.state(id).settings, before);
        assert_eq!(world.state(id).version, version);
    }
    world.run(id, script().add(0, 1).reply()).unwrap();
    assert_eq!(world.cell(id, 0), 1);
}

#[test]
fn compute_allocation_that_can_t_be_paid_for_is_refused() {
    let mut world = World::new();
    let id = world.puppet();
    let before = world.state(id).settings.clone();
    // A tenth of a subnet's compute for ten years.
    let settings = CanisterSettings {
        compute_allocation: Some(Nat::from(10u8)),
        ..threshold(10 * 365 * 24 * 60 * 60)
    };
    let result = world.settings(id, settings);
    expect_reject(result, CanisterError, InsufficientCyclesInComputeAllocation);
    assert_eq!(world.state(id).settings, before);
    let little = CanisterSettings {
        compute_allocation: Some(Nat::from(1u8)),
        ..Default::default()
    };
    world.settings(id, little).unwrap();
}

#[test]
fn canister_frozen_by_its_threshold_refuses_calls_until_the_threshold_is_lowered() {
    let mut world = World::new();
    let id = world.puppet();
    for seconds in [HUGE, u64::MAX] {
        world.settings(id, threshold(seconds)).unwrap();
        let calls = [
            world.run(id, script().add(0, 1).reply()),
            world.ask(id, script().reply()),
            world.upgrade(id, &puppet::module(&[], ""), b""),
        ];
        for result in calls {
            expect_reject(result, SysTransient, CanisterOutOfCycles);
        }
        let status = status(&mut world, id);
        assert_eq!(status.settings.freezing_threshold, Nat::from(seconds));
        world.advance(1);
        world.settle();
        world.settings(id, threshold(0)).unwrap();
    }
    assert_eq!(world.cell(id, 0), 0);
    world.run(id, script().add(0, 1).reply()).unwrap();
    assert_eq!(world.cell(id, 0), 1);
}

#[test]
fn canister_created_with_the_largest_settings_is_frozen_but_can_be_seen_and_repaired() {
    let mut world = World::new();
    let settings = CanisterSettings {
        memory_allocation: Some(Nat::from(HUGE)),
        ..threshold(HUGE)
    };
    let id = world.create_with(T, settings);
    assert_eq!(world.state(id).liquid_balance(), 0);
    let result = world.install(id, &puppet::module(&[], ""), b"");
    expect_reject(result, SysTransient, CanisterOutOfCycles);
    status(&mut world, id);
    let none = CanisterSettings {
        memory_allocation: Some(Nat::from(0u8)),
        ..Default::default()
    };
    world.settings(id, none).unwrap();
    world.settings(id, threshold(0)).unwrap();
    world.install(id, &puppet::module(&[], ""), b"").unwrap();
}

#[test]
fn install_needs_the_cycles_for_the_most_instructions_that_it_may_take() {
    let mut world = World::new();
    let needed = fees::reserved_for_install(false);
    let id = world.create_with(needed - 1, threshold(0));
    let wasm = puppet::module(&[], "");
    let print = script().print("ran").0;
    world.top_up(id, fee_of_installing(id, &wasm, &print));
    let result = world.install(id, &wasm, &print);
    expect_reject(result, SysTransient, CanisterOutOfCycles);
    let canister = world.state(id);
    assert!(canister.code.is_none() && canister.log.records().count() == 0);
    assert_eq!((canister.version, canister.balance), (0, needed - 1));
    let add = script().add(0, 1).0;
    world.top_up(id, 1 + fee_of_installing(id, &wasm, &add));
    world.install(id, &wasm, &add).unwrap();
    // What was not used came back.
    assert!(world.state(id).balance > needed - T / 1000);
    assert_eq!(world.cell(id, 0), 1);

    world.top_up(id, needed);
    world.run(id, script().add(0, 1).reply()).unwrap();
    let version = world.state(id).version;
    let limit = world.state(id).balance - needed;
    world.bind(id, limit + needed / 2);
    let balance = world.state(id).balance;
    let result = world.upgrade(id, &wasm, b"");
    expect_reject(result, SysTransient, CanisterOutOfCycles);
    // Only taking it in was paid for.
    assert!(balance - world.state(id).balance < T / 1000);
    world.settings(id, threshold(0)).unwrap();
    assert_eq!(world.state(id).version, version + 2);
    assert_eq!(world.cell(id, 0), 2);
}

#[test]
fn installation_that_would_freeze_the_canister_is_undone() {
    let mut world = World::new();
    // An empty canister stores hardly anything, so the threshold does not freeze it.
    let id = world.create_with(T, threshold(1_000_000_000_000));
    assert!(world.state(id).liquid_balance() > T * 9 / 10);
    let wasm = puppet::module(&[], "");
    let result = world.install(id, &wasm, b"");
    expect_reject(result, SysTransient, CanisterOutOfCycles);
    assert!(world.state(id).code.is_none());
    assert_eq!(world.state(id).version, 0);

    world.settings(id, threshold(0)).unwrap();
    world.install(id, &wasm, b"").unwrap();
    world.run(id, script().add(0, 1).reply()).unwrap();
    world.bind(id, T / 2);
    let grow = script().get_of("stable_grow", 0, 100);
    let result = world.upgrade(id, &wasm, &grow.0);
    expect_reject(result, SysTransient, CanisterOutOfCycles);
    assert_eq!(world.state(id).stable.pages(), 0);
    assert_eq!(world.cell(id, 0), 1);
}

#[test]
fn growth_that_would_freeze_the_canister_traps_and_is_undone() {
    let mut world = World::new();
    let id = world.puppet_with(&["canister_heartbeat"], "");
    world.bind(id, 50 * T);
    let size = world.state(id).wasm_memory_size();
    for memory in ["stable_grow", "memory_grow"] {
        let grow = |pages| script().add(0, 1).get_of(memory, 1, pages);
        let result = world.run(id, grow(3).reply());
        expect_reject(result, CanisterError, InsufficientCyclesInMemoryGrow);
        let canister = world.state(id);
        assert_eq!(
            (canister.stable.pages(), canister.wasm_memory_size()),
            (0, size)
        );
        assert_eq!(world.cell(id, 0), 0, "{memory}");
        // In a query nothing has to be paid for.
        world.ask(id, grow(3).reply()).unwrap();
    }
    let beat = script().get_of("stable_grow", 1, 3).print("beat");
    world
        .run(id, script().hook("canister_heartbeat", beat).reply())
        .unwrap();
    world.advance(1);
    world.settle();
    assert_eq!(world.log(id).last().unwrap(), "beat");
    assert_eq!(world.state(id).stable.pages(), 0);
    // What can be paid for grows.
    world.bind(id, T);
    let both = script()
        .get_of("stable_grow", 1, 3)
        .get_of("memory_grow", 1, 3);
    world.run(id, both.reply()).unwrap();
    let canister = world.state(id);
    assert_eq!(
        (canister.stable.pages(), canister.wasm_memory_size()),
        (3, size + 3 * 65536)
    );
}

#[test]
fn response_is_processed_even_if_what_it_grows_freezes_the_canister() {
    for memory in ["stable_grow", "memory_grow"] {
        let mut world = World::new();
        let (a, b) = (world.puppet(), world.puppet());
        world.bind(a, 50 * T);
        let before = world.state(a).memory_size();
        for answer in [script().reply(), script().reject("no")] {
            let grow = || script().get_of(memory, 1, 1).reply();
            // A bounded-wait call, for whose response no memory is kept free.
            let made = call(b, answer).on_reply(grow()).on_reject(grow());
            let made = made.timeout(100);
            world.bind(a, 50 * T);
            let sent = world.submit(a, script().call(made));
            world.step();
            // While the response is on its way, the limit rises over half of the balance.
            world.bind(a, 90 * T);
            world.settle();
            world.answer(sent).unwrap().unwrap();
            assert_eq!(world.state(a).liquid_balance(), 0);
            let result = world.run(a, script().reply());
            expect_reject(result, SysTransient, CanisterOutOfCycles);
        }
        assert!(world.state(a).memory_size() >= before + 2 * 65536);
    }
}
