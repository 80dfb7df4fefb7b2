//! "Cycle cost calculation", "Cycles bookkeeping and resource consumption": the network's figures,
//! which do not follow this replica's own limits.

use candid::{Nat, Principal};
use ic_management_canister_types::{
    CanisterIdRecord, CanisterInstallMode, CanisterSettings, UpdateSettingsArgs, UploadChunkArgs,
};
use local_replica::fees;
use local_replica::message::ErrorCode::*;
use local_replica::message::RejectCode::*;

use crate::deploying::installation;
use crate::harness::{MANAGEMENT, T, World, expect_reject, imports, number};
use crate::puppet::{Script, call_method, script};

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
             (global $bounded (mut i32) (i32.const 0))
             (memory {p} 1) (table 1 funcref) (elem (i32.const 0) $back)
             (data ({p}.const 100) "none")
             (func $back (param {p}))
             (func $tell
               (call $msg_reply_data_append ({p}.const 8) ({p}.const 8)) (call $msg_reply))
             (func $many (export "canister_update many")
               (local $left i32)
               (call $canister_self_copy ({p}.const 200) ({p}.const 0) ({p}.const 10))
               (local.set $left (i32.const 500))
               (loop $again
                 (call $call_new ({p}.const 200) ({p}.const 10) ({p}.const 100) ({p}.const 4)
                   ({p}.const 0) ({p}.const 0) ({p}.const 0) ({p}.const 0))
                 (if (global.get $bounded)
                   (then (call $call_with_best_effort_response (i32.const 10))))
                 (if (i32.eqz (call $call_perform))
                   (then (i64.store ({p}.const 8)
                     (i64.add (i64.load ({p}.const 8)) (i64.const 1)))))
                 (local.set $left (i32.sub (local.get $left) (i32.const 1)))
                 (br_if $again (local.get $left)))
               (call $tell))
             (func (export "canister_update many_bounded")
               (global.set $bounded (i32.const 1)) (call $many))
             (func (export "canister_update grow_memory_and_call")
               (drop (memory.grow ({p}.const 640))) (call $many))
             (func (export "canister_update grow_stable_memory_and_call")
               (drop (call $stable64_grow (i64.const 640))) (call $many))
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
fn memory_that_a_message_has_taken_leaves_less_for_its_calls() {
    // 40 MiB for the 30 days of the freezing threshold. And the response to each call has 2 MiB kept
    // free, unless the call is a bounded-wait one.
    let kept = 40 * 317_500 * 30 * 24 * 60 * 60 / 1024;
    assert!(kept > 32 * B);
    for (method, performed) in [
        ("many_bounded", 34),
        ("many", 33),
        ("grow_memory_and_call", 32),
        ("grow_stable_memory_and_call", 32),
    ] {
        let mut world = World::new();
        let id = world.create_with(3 * T / 2 + B, CanisterSettings::default());
        world.install(id, &caller(false), b"").unwrap();
        let result = number(&world.call(id, method, b"").unwrap());
        assert_eq!(result, performed, "{method}");
    }
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
        let result = number(&world.call(id, "many_bounded", b"").unwrap());
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

#[test]
fn chunk_is_paid_for_as_200_million_instructions() {
    let mut world = World::new();
    let id = world.create();
    let upload = UploadChunkArgs {
        canister_id: id,
        chunk: vec![7; 1000],
    };
    let argument = candid::encode_one(&upload).unwrap();
    let ingress = fees::ingress(fees::envelope_size("upload_chunk", &argument));
    // One that is there already costs nothing more.
    for price in [BASE + 200_000_000, 0] {
        let before = world.state(id).balance;
        world.manage("upload_chunk", &upload).unwrap();
        assert_eq!(before - world.state(id).balance, ingress + price);
    }
    world.leave(id, ingress + BASE + 200_000_000 - 1);
    let other = UploadChunkArgs {
        canister_id: id,
        chunk: vec![8; 1000],
    };
    let result = world.manage("upload_chunk", &other);
    expect_reject(result, SysTransient, CanisterOutOfCycles);
}
