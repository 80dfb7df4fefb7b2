//! "Cycle cost calculation", "Cycles bookkeeping and resource consumption": the network's figures,
//! which do not follow this replica's own limits.

use candid::Principal;
use ic_management_canister_types::CanisterSettings;
use local_replica::fees;
use local_replica::message::ErrorCode::*;
use local_replica::message::RejectCode::*;

use crate::harness::{T, World, expect_reject, imports, number};
use crate::puppet::{Script, script};

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
        let ingress = fees::ingress("spin", b"");
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
    let ingress = |method: &str, script: &Script| fees::ingress(method, &script.0);
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
            freezing_threshold: Some(candid::Nat::from(0u8)),
            ..Default::default()
        };
        let id = world.create_with(needed - 1, never);
        let result = world.install(id, &caller(wide), b"");
        expect_reject(result, SysTransient, CanisterOutOfCycles);
        world.top_up(id, B);
        world.install(id, &caller(wide), b"").unwrap();
    }
}
