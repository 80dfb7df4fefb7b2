//! "Cycle cost calculation", "Cycles bookkeeping and resource consumption": the network's figures,
//! which do not follow this replica's own limits.

use candid::{Nat, Principal};
use ic_management_canister_types::{
    CanisterIdRecord, CanisterInstallMode, CanisterSettings, CanisterStatusResult,
    UpdateSettingsArgs,
};
use local_replica::fees;
use local_replica::message::ErrorCode::*;
use local_replica::message::RejectCode::*;

use crate::deploying::installation;
use crate::harness::{MANAGEMENT, T, World, expect_reject, imports, number, rejected};
use crate::puppet::{self, Script, call, call_method, script};

/// One billion cycles.
const B: u128 = 1_000_000_000;

/// What an execution costs without its instructions.
const BASE: u128 = 5_000_000;

/// The cost of the largest response: 2 MiB.
const LARGEST_RESPONSE: u128 = 2_097_152_000;

/// A canister that makes 500 calls to itself and tells how many it could make, and one that tells
/// what a call costs. Addresses have 64 bits if `wide`.
fn caller(wide: bool) -> Vec<u8> {
    let p = if wide { "i64" } else { "i32" };
    let text = format!(
        r#"(module {imports}
             (memory {p} 1) (table 1 funcref) (elem (i32.const 0) $back)
             (data ({p}.const 100) "none")
             (func $back (param {p}))
             (func $tell
               (call $msg_reply_data_append ({p}.const 8) ({p}.const 8)) (call $msg_reply))
             (func (export "canister_update many")
               (local $left i32)
               (call $canister_self_copy ({p}.const 200) ({p}.const 0) ({p}.const 10))
               (local.set $left (i32.const 500))
               (loop $again
                 (call $call_new ({p}.const 200) ({p}.const 10) ({p}.const 100) ({p}.const 4)
                   ({p}.const 0) ({p}.const 0) ({p}.const 0) ({p}.const 0))
                 (if (i32.eqz (call $call_perform))
                   (then (i64.store ({p}.const 8)
                     (i64.add (i64.load ({p}.const 8)) (i64.const 1)))))
                 (local.set $left (i32.sub (local.get $left) (i32.const 1)))
                 (br_if $again (local.get $left)))
               (call $tell))
             (func (export "canister_query cost_of_call")
               (call $cost_call (i64.const 4) (i64.const 0) ({p}.const 8)) (call $tell))
             (func (export "canister_query spin")
               (local $n i64) (local.set $n (i64.const 100000))
               (loop $again (local.set $n (i64.sub (local.get $n) (i64.const 1)))
                 (br_if $again (i64.ne (local.get $n) (i64.const 0))))
               (call $tell)))"#,
        imports = imports(wide),
    );
    wat::parse_str(text).unwrap_or_else(|error| panic!("{error}"))
}

fn deployed(world: &mut World, wide: bool, cycles: u128) -> Principal {
    let id = world.create_with(100 * T, CanisterSettings::default());
    world.install(id, &caller(wide), b"").unwrap();
    world.leave(id, cycles);
    id
}

#[test]
fn open_calls_reserve_for_40_billion_instructions_whatever_the_limit_is_here() {
    for (wide, reserved, performed) in [(false, 40 * B, 34), (true, 80 * B, 17)] {
        let mut world = World::new();
        let id = deployed(&mut world, wide, 3 * T / 2);
        let cost = number(&world.query(id, "cost_of_call", b"").unwrap());
        let name = 4 * 1_000;
        let expected = 260_000 + name + LARGEST_RESPONSE + BASE + reserved;
        assert_eq!(u128::from(cost), expected);
        let result = number(&world.call(id, "many", b"").unwrap());
        assert_eq!(result, performed);
        world.settle();
        assert!(world.state(id).balance > 3 * T / 2 - B);
    }
}

#[test]
fn instructions_with_64_bit_memory_cost_double() {
    let mut costs = [0; 2];
    for (wide, cost) in [false, true].into_iter().zip(&mut costs) {
        let mut world = World::new();
        let id = deployed(&mut world, wide, T);
        let before = world.replica.cycles().consumed;
        world.call(id, "spin", b"").unwrap();
        let ingress = fees::ingress(fees::envelope_size("spin", b""));
        *cost = world.replica.cycles().consumed - before - ingress - BASE;
    }
    let [narrow, wide] = costs;
    assert!(narrow > 300_000);
    assert_eq!(wide, 2 * narrow);
}

#[test]
fn message_needs_the_cycles_for_40_billion_instructions_and_a_query_for_5() {
    let mut world = World::new();
    let id = world.puppet();
    let ingress =
        |method: &str, script: &Script| fees::ingress(fees::envelope_size(method, &script.0));
    for (method, needed) in [("run", 40 * B + BASE), ("ask", 5 * B + BASE)] {
        let tell = script().get("balance", 0).reply_cell(0);
        world.leave(id, needed + ingress(method, &tell) - 1);
        let result = world.call(id, method, &tell.0);
        expect_reject(result, SysTransient, CanisterOutOfCycles);
        world.leave(id, needed + ingress(method, &tell));
        let stays = world.state(id).freezing_limit();
        let reply = world.call(id, method, &tell.0).unwrap();
        assert_eq!(u128::from(number(&reply)), stays, "{method}");
    }
}

#[test]
fn installation_needs_the_cycles_for_300_billion_instructions() {
    let mut world = World::new();
    for wide in [false, true] {
        let needed = BASE + if wide { 600 } else { 300 } * B;
        let never = CanisterSettings {
            freezing_threshold: Some(Nat::from(0u8)),
            ..Default::default()
        };
        let id = world.create_with(needed - 1, never);
        let result = world.install(id, &caller(wide), b"");
        expect_reject(result, SysTransient, CanisterOutOfCycles);
        world.top_up(id, B);
        world.install(id, &caller(wide), b"").unwrap();
    }
}

fn status(world: &mut World, id: Principal) -> CanisterStatusResult {
    let status = world.command("canister_status", id).unwrap();
    candid::decode_one(&status).unwrap()
}

#[test]
fn status_counts_everything_that_a_canister_stores() {
    let mut world = World::new();
    let id = world.create();
    let created = status(&mut world, id);
    assert_eq!(
        created.memory_metrics.canister_history_size,
        Nat::from(192u64 + 30)
    );
    assert_eq!(created.memory_size, Nat::from(192u64 + 30));
    let wasm = crate::harness::module(
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
    let chunk = ic_management_canister_types::UploadChunkArgs {
        canister_id: id,
        chunk: vec![7; 100],
    };
    world.manage("upload_chunk", &chunk).unwrap();
    let told = status(&mut world, id);
    let metrics = told.memory_metrics;
    let parts = [
        (metrics.wasm_memory_size, 2 * 65536),
        (metrics.stable_memory_size, 3 * 65536),
        (metrics.global_memory_size, 2 * 32),
        (metrics.wasm_binary_size, wasm.len() as u64),
        (metrics.custom_sections_size, 4 + 1 + 5 + 4 + 1 + 3),
        (metrics.canister_history_size, 2 * 192 + 30),
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
    assert_eq!(told, Nat::from(stored * 317_500 * DAY >> 30));
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
    let seconds = u64::try_from(world.state(b).balance / 1_000_000_000).unwrap() + 1;
    world.advance(seconds);
    let canister = world.state(b);
    assert!(canister.code.is_none());
    assert_eq!((canister.balance, canister.stable.pages()), (0, 0));
    assert_eq!(canister.settings.compute_allocation, 0);
    assert_eq!(canister.settings.memory_allocation, 0);
    assert_eq!(canister.memory_size(), 0);
    assert_eq!(
        canister.history().1,
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
    world.install(b, &puppet::module(&[], ""), b"").unwrap();
    assert_eq!(world.cell(b, 0), 0);
}

#[test]
fn user_s_call_of_the_management_canister_is_paid_for_by_the_canister_that_it_is_about() {
    let mut world = World::new();
    let id = world.puppet();
    let argument = |id| candid::encode_one(CanisterIdRecord { canister_id: id }).unwrap();
    for method in ["canister_status", "stop_canister", "start_canister"] {
        let before = world.state(id).balance;
        world.call(MANAGEMENT, method, &argument(id)).unwrap();
        let bytes = 285 + method.len() + argument(id).len();
        assert_eq!(
            before - world.state(id).balance,
            1_200_000 + 2_000 * bytes as u128
        );
    }
    // Cycles made for a canister cost nothing, and nor does what another canister calls.
    let balance = world.state(id).balance;
    world.top_up(id, 7);
    let other = world.puppet();
    let deposit = call_method(MANAGEMENT, "deposit_cycles", &argument(id));
    world.run(other, script().call(deposit.cycles(T))).unwrap();
    assert_eq!(world.state(id).balance, balance + 7 + T);
    let nowhere = Principal::from_slice(&[0, 0, 0, 0, 0, 0, 0, 9, 1, 1]);
    let result = world.call(MANAGEMENT, "canister_status", &argument(nowhere));
    expect_reject(result, DestinationInvalid, CanisterNotFound);
}

#[test]
fn frozen_canister_pays_for_new_settings_after_they_freed_it() {
    let mut world = World::new();
    let id = world.puppet();
    world.leave(id, 0);
    let argument = candid::encode_one(CanisterIdRecord { canister_id: id }).unwrap();
    for method in ["canister_status", "stop_canister", "uninstall_code"] {
        let result = world.call(MANAGEMENT, method, &argument);
        expect_reject(result, SysTransient, CanisterOutOfCycles);
    }
    let threshold = |seconds: u8| CanisterSettings {
        freezing_threshold: Some(Nat::from(seconds)),
        ..Default::default()
    };
    let before = world.state(id).balance;
    world.settings(id, threshold(0)).unwrap();
    let argument = candid::encode_one(UpdateSettingsArgs {
        canister_id: id,
        settings: threshold(0),
        sender_canister_version: None,
    });
    let bytes = "update_settings".len() + argument.unwrap().len();
    let paid = before - world.state(id).balance;
    assert_eq!(paid, 1_200_000 + 2_000 * bytes as u128);
    // A long argument is paid for before.
    world.leave(id, 0);
    let long = CanisterSettings {
        controllers: Some((0..10).map(|n| Principal::from_slice(&[n; 29])).collect()),
        ..threshold(0)
    };
    let result = world.settings(id, long);
    expect_reject(result, SysTransient, CanisterOutOfCycles);
}

#[test]
fn compiling_costs_6000_instructions_for_each_of_the_module() {
    for (wide, price) in [(false, 1), (true, 2)] {
        let p = if wide { "i64" } else { "i32" };
        let module = |more: &str| {
            // A function has an end too, and a global a value and an end.
            let text = format!(
                "(module (memory {p} 1) (func nop nop nop {more}) (global i32 (i32.const 1)))"
            );
            wat::parse_str(text).unwrap()
        };
        let mut world = World::new();
        let mut cost = |wasm: &[u8]| {
            let id = world.create();
            let before = world.replica.cycles().consumed;
            let result = world.install(id, wasm, b"");
            let argument = installation(id, wasm, CanisterInstallMode::Install, b"");
            let ingress = fees::ingress(fees::envelope_size("install_code", &argument));
            (result, world.replica.cycles().consumed - before - ingress)
        };
        let (installed, paid) = cost(&module(""));
        installed.unwrap();
        assert_eq!(paid, BASE + price * 6 * 6_000);
        let (installed, paid) = cost(&module("nop nop"));
        installed.unwrap();
        assert_eq!(paid, BASE + price * 8 * 6_000);
        // Of a module that is none, each byte counts as an instruction.
        let broken = &module("")[..20];
        let (refused, paid) = cost(broken);
        expect_reject(refused, CanisterError, CanisterInvalidWasm);
        assert_eq!(paid, BASE + 20 * 6_000);
    }
}
