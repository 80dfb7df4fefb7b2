//! Canister interface, "Entry points": if an execution traps for any reason, all its changes are
//! discarded; and "Query call" of the abstract behaviour: a query's changes always are.

use candid::Principal;
use local_replica::message::ErrorCode::*;
use local_replica::message::RejectCode::*;

use crate::harness::{T, World, expect_reject, numbers, rejected};
use crate::puppet::{call, script};

/// A canister with something of everything that Wasm can change. `change` changes it all and
/// replies; `change_and_trap` traps then; `see` replies with everything, and calls through both
/// tables.
const EVERYTHING: &str = r#"
  (memory 1 64)
  (global $i32 (mut i32) (i32.const 1))
  (global $i64 (mut i64) (i64.const 2))
  (global $f32 (mut f32) (f32.const 3))
  (global $f64 (mut f64) (f64.const 4))
  (global $v128 (mut v128) (v128.const i64x2 5 6))
  (global $reference (mut funcref) (ref.func $one))
  (type $number (func (result i64)))
  (table $first 2 20 funcref) (table $second 2 funcref)
  (elem (table $first) (i32.const 0) func $one $two)
  (elem (table $second) (i32.const 0) func $two $one)
  (elem declare func $three)
  (func $one (result i64) (i64.const 1))
  (func $two (result i64) (i64.const 2))
  (func $three (result i64) (i64.const 3))
  (func $say (param $n i64)
    (i64.store (i32.const 8) (local.get $n))
    (call $msg_reply_data_append (i32.const 8) (i32.const 8)))
  (func $see (export "canister_query see")
    (call $say (i64.load (i32.const 1000)))
    (call $say (i64.extend_i32_u (memory.size)))
    (call $say (i64.extend_i32_u (global.get $i32)))
    (call $say (global.get $i64))
    (call $say (i64.trunc_f32_u (global.get $f32)))
    (call $say (i64.trunc_f64_u (global.get $f64)))
    (call $say (i64x2.extract_lane 0 (global.get $v128)))
    (call $say (i64x2.extract_lane 1 (global.get $v128)))
    (call $say (i64.extend_i32_u (table.size $first)))
    (call $say (i64.extend_i32_u (table.size $second)))
    (call $say (call_indirect $first (type $number) (i32.const 0)))
    (call $say (call_indirect $first (type $number) (i32.const 1)))
    (call $say (call_indirect $second (type $number) (i32.const 0)))
    (table.set $second (i32.const 1) (global.get $reference))
    (call $say (call_indirect $second (type $number) (i32.const 1)))
    (call $msg_reply))
  (func $globals
    (global.set $i32 (i32.const 11)) (global.set $i64 (i64.const 12))
    (global.set $f32 (f32.const 13)) (global.set $f64 (f64.const 14))
    (global.set $v128 (v128.const i64x2 15 16)) (global.set $reference (ref.func $two)))
  (func $tables
    (table.set $first (i32.const 0) (ref.func $three))
    (table.set $second (i32.const 0) (ref.null func))
    (drop (table.grow $first (ref.func $one) (i32.const 5)))
    (table.copy $first $first (i32.const 1) (i32.const 0) (i32.const 1)))
  (func $bytes (i64.store (i32.const 1000) (i64.const 10)))
  (func $more (drop (memory.grow (i32.const 3))) (i32.store (i32.const 200000) (i32.const 9)))
  (func (export "canister_update globals") (call $globals) (unreachable))
  (func (export "canister_update tables") (call $tables) (unreachable))
  (func (export "canister_update bytes") (call $bytes) (unreachable))
  (func (export "canister_update growth") (call $more) (unreachable))
  (func $all (call $globals) (call $tables) (call $bytes) (call $more))
  (func (export "canister_update all") (call $all) (unreachable))
  (func (export "canister_update reply") (call $all) (call $msg_reply) (unreachable))
  (func (export "canister_query discarded") (call $all) (call $msg_reply))
  (func (export "canister_composite_query discarded too") (call $all) (call $msg_reply))
  (func (export "canister_update keep") (call $globals) (call $bytes) (call $more)
    (table.set $first (i32.const 0) (ref.func $three)) (call $msg_reply))
"#;

fn see(world: &mut World, id: Principal) -> Vec<u64> {
    numbers(&world.query(id, "see", b"").unwrap())
}

const BEFORE: [u64; 14] = [0, 1, 1, 2, 3, 4, 5, 6, 2, 2, 1, 2, 2, 1];
const AFTER: [u64; 14] = [10, 4, 11, 12, 13, 14, 15, 16, 2, 2, 3, 2, 2, 2];

#[test]
fn trap_undoes_memory_growth_globals_and_tables_each_alone_and_together() {
    let mut world = World::new();
    let id = world.canister(EVERYTHING);
    assert_eq!(see(&mut world, id), BEFORE);
    for method in [
        "bytes", "growth", "globals", "tables", "all", "reply", "all",
    ] {
        let result = world.call(id, method, b"");
        expect_reject(result, CanisterError, CanisterTrapped);
        assert_eq!(see(&mut world, id), BEFORE, "{method}");
    }
}

#[test]
fn trap_undoes_back_to_the_last_commit_and_not_further() {
    let mut world = World::new();
    let id = world.canister(EVERYTHING);
    world.call(id, "keep", b"").unwrap();
    assert_eq!(see(&mut world, id), AFTER);
    for method in ["bytes", "growth", "globals", "tables", "all"] {
        world.call(id, method, b"").unwrap_err();
        assert_eq!(see(&mut world, id), AFTER, "{method}");
    }
    assert_eq!(numbers(&world.call(id, "see", b"").unwrap()), AFTER);
}

#[test]
fn queries_change_nothing() {
    let mut world = World::new();
    let id = world.canister(EVERYTHING);
    for method in ["discarded", "discarded too"] {
        world.query(id, method, b"").unwrap();
        assert_eq!(see(&mut world, id), BEFORE, "{method}");
    }
    world.call(id, "discarded", b"").unwrap();
    assert_eq!(see(&mut world, id), BEFORE);
}

#[test]
fn reference_in_a_global_survives_the_undo_of_memory_growth() {
    // Without instructions that change tables, the reference can only be tested for null.
    let mut world = World::new();
    let id = world.canister(
        r#"(memory 1) (func $f) (global $reference (mut funcref) (ref.func $f))
           (func (export "canister_update grow") (drop (memory.grow (i32.const 1))) (unreachable))
           (func (export "canister_query is null")
             (call $reply_number (i64.extend_i32_u (ref.is_null (global.get $reference)))))"#,
    );
    world.call(id, "grow", b"").unwrap_err();
    assert_eq!(numbers(&world.query(id, "is null", b"").unwrap()), [0]);
}

#[test]
fn memory_that_was_grown_again_after_the_undo_is_zero() {
    let mut world = World::new();
    let id = world.canister(
        r#"(memory 1)
           (func $write (drop (memory.grow (i32.const 1)))
             (i64.store (i32.const 70000) (i64.const 1)))
           (func (export "canister_update trap") (call $write) (unreachable))
           (func (export "canister_update grow") (drop (memory.grow (i32.const 1)))
             (call $reply_number (i64.load (i32.const 70000))))"#,
    );
    world.call(id, "trap", b"").unwrap_err();
    assert_eq!(numbers(&world.call(id, "grow", b"").unwrap()), [0]);
}

#[test]
fn trap_undoes_stable_memory_certified_data_timer_cycles_and_calls() {
    let mut world = World::new();
    let (a, b) = (world.puppet(), world.puppet());
    let base = script()
        .get_of("stable_grow", 1, 1)
        .stable_write(5000, b"base")
        .certify(b"base");
    world
        .run(b, base.get_of("timer", 1, 1 << 63).reply())
        .unwrap();
    let (balance, burned) = (world.state(b).balance, world.replica.cycles().burned);
    let change = script()
        .get_of("accept", 1, 2 * T as u64)
        .get_of("burn", 2, T as u64)
        .stable_write(5002, b"xx")
        .get_of("stable_grow", 1, 1)
        .stable_write(70_000, b"new")
        .certify(b"new")
        .get_of("timer", 1, 5)
        .call(call(a, script().add(9, 1).reply()).cycles(T))
        .print("before the trap")
        .trap("boom");
    let (code, message) = rejected(world.run(a, script().call(call(b, change).cycles(3 * T))));
    assert_eq!((code, &message[..7]), (5, "IC0503:"), "{message}");
    world.settle();
    let canister = world.state(b);
    assert_eq!(
        (canister.stable.pages(), canister.global_timer),
        (1, 1 << 63)
    );
    assert_eq!(canister.certified_data, b"base");
    let mut bytes = [0; 4];
    canister.stable.read(5000, &mut bytes).unwrap();
    assert_eq!(&bytes, b"base");
    // Only the execution was paid for.
    assert!(balance - T / 100 < canister.balance && canister.balance < balance);
    assert_eq!(world.replica.cycles().burned, burned);
    assert!(world.state(a).balance > 99 * T);
    assert_eq!(world.cell(a, 9), 0);
}

#[test]
fn log_and_trap_message_stay() {
    let mut world = World::new();
    let id = world.puppet();
    world
        .run(id, script().add(0, 1).print("before").trap("boom"))
        .unwrap_err();
    let log = world.log(id);
    assert_eq!(log[0], "before");
    assert!(
        log[1].starts_with("[TRAP]: ") && log[1].contains("boom"),
        "{log:?}"
    );
    assert_eq!(log.len(), 2);
    assert_eq!(world.cell(id, 0), 0);
}

#[test]
fn query_writes_nothing_to_stable_memory_and_the_log() {
    let mut world = World::new();
    let id = world.puppet();
    world
        .run(
            id,
            script()
                .get_of("stable_grow", 0, 1)
                .stable_write(0, b"base")
                .reply(),
        )
        .unwrap();
    let change = script()
        .stable_write(0, b"xxxx")
        .get_of("stable_grow", 0, 1)
        .print("printed");
    for method in ["ask", "compose"] {
        world.query(id, method, &change.clone().reply().0).unwrap();
        world
            .query(id, method, &change.clone().trap("boom").0)
            .unwrap_err();
    }
    let mut bytes = [0; 4];
    world.state(id).stable.read(0, &mut bytes).unwrap();
    assert_eq!((&bytes, world.state(id).stable.pages()), (b"base", 1));
    assert!(world.log(id).is_empty());
}

#[test]
fn both_interfaces_of_stable_memory_see_one_memory_and_are_undone_alike() {
    let mut world = World::new();
    let id = world.canister(
        r#"(memory 1) (data (i32.const 100) "abcdefgh")
           (func (export "canister_update write32")
             (drop (call $stable_grow (i32.const 1)))
             (call $stable_write (i32.const 0) (i32.const 100) (i32.const 8)) (call $msg_reply))
           (func (export "canister_update trap32")
             (call $stable_write (i32.const 0) (i32.const 200) (i32.const 8))
             (drop (call $stable_grow (i32.const 1))) (unreachable))
           (func (export "canister_update trap64")
             (call $stable64_write (i64.const 0) (i64.const 200) (i64.const 8))
             (drop (call $stable64_grow (i64.const 1))) (unreachable))
           (func (export "canister_query read64")
             (call $stable64_read (i64.const 300) (i64.const 0) (i64.const 8))
             (i64.store (i32.const 308) (call $stable64_size))
             (call $msg_reply_data_append (i32.const 300) (i32.const 16)) (call $msg_reply))"#,
    );
    world.call(id, "write32", b"").unwrap();
    for method in ["trap32", "trap64"] {
        world.call(id, method, b"").unwrap_err();
        let expected = [u64::from_le_bytes(*b"abcdefgh"), 1];
        assert_eq!(numbers(&world.query(id, "read64", b"").unwrap()), expected);
    }
}

#[test]
fn trap_of_every_system_task_undoes_it() {
    let mut world = World::new();
    let hooks = ["canister_heartbeat", "canister_global_timer"];
    let id = world.puppet_with(&hooks, "");
    let trap = script().add(0, 1).print("ran").trap("boom");
    let setup = script()
        .hook("canister_heartbeat", trap.clone())
        .hook("canister_global_timer", trap)
        .get_of("timer", 1, world.replica.time() + 1);
    world.run(id, setup.reply()).unwrap();
    world.advance(1);
    world.settle();
    assert_eq!(world.cell(id, 0), 0);
    assert_eq!(
        world.log(id).iter().filter(|line| *line == "ran").count(),
        2
    );
    assert!(world.state(id).call_contexts.is_empty());
}
