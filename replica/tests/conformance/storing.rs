//! "Cycles bookkeeping and resource consumption": what canisters store is counted, and paid for as
//! the clock moves; and what becomes of those that can't pay.

use candid::{Nat, Principal};
use ic_management_canister_types::{
    CanisterMetricsResult, CanisterSettings, CanisterStatusResult, CyclesConsumed, UploadChunkArgs,
};
use local_replica::fees;
use local_replica::message::ErrorCode::*;
use local_replica::message::RejectCode::*;

use crate::harness::{T, World, expect_reject, module, rejected};
use crate::puppet::{self, call, script};

fn status(world: &mut World, id: Principal) -> CanisterStatusResult {
    let status = world.command("canister_status", id).unwrap();
    candid::decode_one(&status).unwrap()
}

fn consumed(world: &mut World, id: Principal) -> CyclesConsumed {
    let metrics = world.command("canister_metrics", id).unwrap();
    let metrics: CanisterMetricsResult = candid::decode_one(&metrics).unwrap();
    metrics.cycles_consumed
}

#[test]
fn status_counts_everything_that_a_canister_stores() {
    let mut world = World::new();
    let id = world.create();
    let created = status(&mut world, id);
    assert_eq!(
        created.memory_metrics.canister_history_size,
        Nat::from(184u64 + 30)
    );
    assert_eq!(created.memory_size, Nat::from(184u64 + 30));
    let wasm = module(
        r#"(memory 2) (global (mut i32) (i32.const 0)) (global (mut i64) (i64.const 0))
           (global i32 (i32.const 7))
           (@custom "icp:public told" "12345")
           (@custom "icp:private kept" "123")
           (func (export "canister_update grow")
             (drop (call $stable64_grow (i64.const 3)))
             (call $debug_print (i32.const 0) (i32.const 10)) (call $msg_reply))"#,
    );
    world.install(id, &wasm, b"").unwrap();
    world.call(id, "grow", b"").unwrap();
    let chunk = UploadChunkArgs {
        canister_id: id,
        chunk: vec![7; 100],
    };
    world.manage("upload_chunk", &chunk).unwrap();
    let told = status(&mut world, id);
    let metrics = told.memory_metrics;
    let parts = [
        (metrics.wasm_memory_size, 2 * 65536),
        (metrics.stable_memory_size, 3 * 65536),
        (metrics.global_memory_size, (2 + 1) * 32),
        (metrics.wasm_binary_size, wasm.len() as u64),
        (metrics.custom_sections_size, 4 + 1 + 5 + 4 + 1 + 3),
        (metrics.canister_history_size, 2 * 184 + 30),
        (metrics.wasm_chunk_store_size, 1024 * 1024),
        (metrics.snapshots_size, 0),
        (metrics.log_memory_store_size, 16 + 10),
    ];
    for (part, expected) in &parts {
        assert_eq!(*part, Nat::from(*expected));
    }
    let sum: u64 = parts.iter().map(|(_, size)| size).sum();
    assert_eq!(told.memory_size, Nat::from(sum));
}

#[test]
fn day_costs_317_500_cycles_a_gib_and_second_and_ten_million_a_percent_of_compute() {
    const DAY: u128 = 24 * 60 * 60;
    let mut world = World::new();
    let settings = |memory: u64, compute: u64| CanisterSettings {
        memory_allocation: Some(Nat::from(memory)),
        compute_allocation: Some(Nat::from(compute)),
        freezing_threshold: Some(Nat::from(2 * DAY)),
        ..Default::default()
    };
    let id = world.create_with(1000 * T, settings(3 << 30, 0));
    for (memory, compute, a_second) in [
        (3 << 30, 0, 3 * 317_500),
        (3 << 30, 5, 3 * 317_500 + 5 * 10_000_000),
    ] {
        world.settings(id, settings(memory, compute)).unwrap();
        let told = status(&mut world, id).idle_cycles_burned_per_day;
        assert_eq!(told, Nat::from(a_second * DAY));
        assert_eq!(world.state(id).freezing_limit(), 2 * a_second * DAY);
    }
    // Without an allocation, what is stored is paid for.
    world.settings(id, settings(0, 0)).unwrap();
    let stored = u128::from(world.state(id).memory_size());
    let told = status(&mut world, id).idle_cycles_burned_per_day;
    assert_eq!(told, Nat::from((stored * 317_500 * DAY) >> 30));
}

#[test]
fn storage_and_compute_are_charged_as_the_clock_moves() {
    const DAY: u64 = 24 * 60 * 60;
    let mut world = World::new();
    let settings = CanisterSettings {
        memory_allocation: Some(Nat::from(1u64 << 30)),
        compute_allocation: Some(Nat::from(1u8)),
        ..Default::default()
    };
    let id = world.create_with(100 * T, settings);
    let a_second = 317_500 + 10_000_000;
    let balance = |world: &World| world.state(id).balance;
    world.advance(9);
    assert_eq!(balance(&world), 100 * T, "every ten seconds");
    world.advance(1);
    assert_eq!(balance(&world), 100 * T - 10 * a_second);
    for _ in 0..4 {
        world.advance(DAY / 4);
    }
    let paid = u128::from(DAY + 10) * a_second;
    assert_eq!(balance(&world), 100 * T - paid);
    assert_eq!(world.replica.cycles().consumed, paid);
    let metrics = consumed(&mut world, id);
    assert_eq!(metrics.memory, Nat::from(u128::from(DAY + 10) * 317_500));
    assert_eq!(
        metrics.compute_allocation,
        Nat::from(u128::from(DAY + 10) * 10_000_000)
    );
}

#[test]
fn little_that_costs_nothing_in_ten_seconds_is_charged_later() {
    let mut world = World::new();
    let id = world.create();
    let a_day = world.state(id).idle_cost_per_day();
    assert_eq!(fees::idle(a_day, 10), 0);
    for _ in 0..2 {
        world.advance(10);
    }
    assert_eq!(world.state(id).balance, 100 * T - 1);
}

#[test]
fn canister_whose_cycles_run_out_is_uninstalled_and_its_callers_are_told() {
    let mut world = World::new();
    let (a, b, c) = (world.puppet(), world.puppet(), world.puppet());
    let forever = CanisterSettings {
        compute_allocation: Some(Nat::from(100u8)),
        memory_allocation: Some(Nat::from(1u64 << 30)),
        freezing_threshold: Some(Nat::from(0u8)),
        ..Default::default()
    };
    world.settings(b, forever).unwrap();
    world
        .run(b, script().get_of("stable_grow", 0, 1).reply())
        .unwrap();
    let waiting = world.submit(a, script().call(call(b, script().call(call(c, script())))));
    // The call of b to c is on its way, and a waits for b.
    while world.state(b).callbacks.is_empty() {
        assert!(world.step());
    }
    world.replica.hold_messages(true);
    let left = world.state(b).balance;
    world.advance(u64::try_from(left / 1_000_000_000).unwrap() + 1);
    let canister = world.state(b);
    assert!(canister.code.is_none());
    assert_eq!((canister.balance, canister.stable.pages()), (0, 0));
    assert_eq!(canister.settings.compute_allocation, 0);
    assert_eq!(canister.settings.memory_allocation, 0);
    assert_eq!(canister.memory_size(), 0);
    assert_eq!(
        canister.history.total(),
        2,
        "how many changes there were is known"
    );
    world.replica.hold_messages(false);
    world.settle();
    let (code, message) = rejected(world.answer(waiting).unwrap());
    assert_eq!(
        (code, message.as_str()),
        (4, "Canister has been uninstalled")
    );
    let result = world.run(b, script().reply());
    expect_reject(result, CanisterError, CanisterWasmModuleNotFound);
    // It is still there, and can be used again.
    world.top_up(b, 10 * T);
    let metrics = consumed(&mut world, b);
    assert_eq!(metrics.uninstall, Nat::from(left));
    assert_eq!(metrics.memory, Nat::from(0u8));
    world.install(b, &puppet::module(&[], ""), b"").unwrap();
    assert_eq!(world.cell(b, 0), 0);
}
