//! Canister interface, "Entry points": what a trap undoes, in modules whose tables can grow and in
//! modules that drop their segments.

use candid::Principal;
use local_replica::message::ErrorCode::*;
use local_replica::message::RejectCode::*;

use crate::harness::{World, expect_reject, number, numbers};

/// A way to call another method of the same canister, with the functions 1 and 2 of the table as
/// callbacks for a reply, or 3 and 2.
const CALL_SELF: &str = r#"
  (data (i32.const 300) "inner")
  (func $call_self (param $on_reply i32)
    (call $canister_self_copy (i32.const 400) (i32.const 0) (call $canister_self_size))
    (call $call_new (i32.const 400) (call $canister_self_size) (i32.const 300) (i32.const 5)
      (local.get $on_reply) (i32.const 0) (i32.const 2) (i32.const 0))
    (drop (call $call_perform)))
  (func $say (param $n i64)
    (i64.store (i32.const 8) (local.get $n))
    (call $msg_reply_data_append (i32.const 8) (i32.const 8)))
"#;

#[test]
fn table_of_externref_that_grew_is_as_it_was_after_a_trap() {
    let mut world = World::new();
    let id = world.canister(
        r#"(memory 1) (table $t 1 externref)
           (func $grow (drop (table.grow $t (ref.null extern) (i32.const 5)))
             (i64.store (i32.const 100) (i64.const 7)))
           (func (export "canister_update trap") (call $grow) (unreachable))
           (func (export "canister_update keep") (call $grow) (call $msg_reply))
           (func (export "canister_query size")
             (call $reply_number (i64.extend_i32_u (table.size $t))))"#,
    );
    for size in [1, 6, 11] {
        for _ in 0..2 {
            expect_reject(world.call(id, "trap", b""), CanisterError, CanisterTrapped);
            assert_eq!(number(&world.query(id, "size", b"").unwrap()), size);
        }
        world.call(id, "keep", b"").unwrap();
    }
}

/// `use` reads both segments, drops them, and changes memory, a global and the table.
const DROPS: &str = r#"
  (memory 1) (global $g (mut i64) (i64.const 0)) (global $f (mut funcref) (ref.func $one))
  (type $number (func (result i64)))
  (table $t 2 10 funcref)
  (elem (i32.const 0) func $one $one)
  (elem $passive func $two)
  (data $d "segment!")
  (func $one (result i64) (i64.const 1))
  (func $two (result i64) (i64.const 2))
  (func $say (param $n i64)
    (i64.store (i32.const 8) (local.get $n))
    (call $msg_reply_data_append (i32.const 8) (i32.const 8)))
  (func $use
    (memory.init $d (i32.const 100) (i32.const 0) (i32.const 8))
    (table.init $t $passive (i32.const 1) (i32.const 0) (i32.const 1))
    (data.drop $d) (elem.drop $passive)
    (i64.store (i32.const 1000) (i64.add (i64.load (i32.const 1000)) (i64.const 1)))
    (global.set $g (i64.add (global.get $g) (i64.const 10)))
    (drop (memory.grow (i32.const 1))) (drop (table.grow $t (ref.func $two) (i32.const 1))))
  (func (export "canister_update keep") (call $use) (call $msg_reply))
  (func (export "canister_update trap") (call $use) (unreachable))
  (func (export "canister_query discard") (call $use) (call $msg_reply))
  (func (export "canister_update twice") (call $use)
    (memory.init $d (i32.const 100) (i32.const 0) (i32.const 8)) (call $msg_reply))
  (func (export "canister_update call global")
    (table.set $t (i32.const 0) (global.get $f))
    (call $reply_number (call_indirect $t (type $number) (i32.const 0))))
  (func (export "canister_query see")
    (call $say (i64.load (i32.const 1000))) (call $say (global.get $g))
    (call $say (i64.extend_i32_u (memory.size))) (call $say (i64.extend_i32_u (table.size $t)))
    (call $say (call_indirect $t (type $number) (i32.const 0)))
    (call $say (call_indirect $t (type $number) (i32.const 1)))
    (call $say (i64.load (i32.const 100)))
    (call $msg_reply))
"#;

fn see(world: &mut World, id: Principal) -> Vec<u64> {
    numbers(&world.query(id, "see", b"").unwrap())
}

#[test]
fn every_message_finds_the_segments_that_the_one_before_dropped() {
    let mut world = World::new();
    let id = world.canister(DROPS);
    let text = u64::from_le_bytes(*b"segment!");
    assert_eq!(see(&mut world, id), [0, 0, 1, 2, 1, 1, 0]);
    for round in 1..4 {
        // What was kept stays through everything that is undone.
        world.call(id, "keep", b"").unwrap();
        let expected = [round, 10 * round, 1 + round, 2 + round, 1, 2, text];
        assert_eq!(see(&mut world, id), expected);
        for _ in 0..2 {
            expect_reject(world.call(id, "trap", b""), CanisterError, CanisterTrapped);
            assert_eq!(see(&mut world, id), expected);
            world.query(id, "discard", b"").unwrap();
            world.call(id, "discard", b"").unwrap();
            assert_eq!(see(&mut world, id), expected);
        }
        let reply = world.call(id, "call global", b"").unwrap();
        assert_eq!(number(&reply), 1, "the reference in the global is kept too");
    }
}

#[test]
fn segments_dropped_by_kept_messages_in_a_row_are_there_again() {
    // Nothing is undone in between, not even a query.
    let mut world = World::new();
    let id = world.canister(DROPS);
    for _ in 0..3 {
        world.call(id, "keep", b"").unwrap();
    }
    let text = u64::from_le_bytes(*b"segment!");
    assert_eq!(see(&mut world, id), [3, 30, 4, 5, 1, 2, text]);
}

#[test]
fn segment_that_was_dropped_in_the_same_message_is_gone() {
    let mut world = World::new();
    let id = world.canister(DROPS);
    let before = see(&mut world, id);
    for _ in 0..2 {
        let result = world.call(id, "twice", b"");
        let reject = expect_reject(result, CanisterError, CanisterTrapped);
        assert!(
            reject.message.contains("heap out of bounds"),
            "{}",
            reject.message
        );
        assert_eq!(see(&mut world, id), before);
    }
}

/// A composite query that changes everything and then calls the canister itself.
fn composite(change: &str, more: &str) -> String {
    format!(
        r#"(memory 1) (type $number (func (result i64)))
           (table $t 5 20 funcref)
           (elem (i32.const 0) func $one $told $failed $trapping $one)
           (elem declare func $two)
           (global $f (mut funcref) (ref.func $one))
           (func $one (result i64) (i64.const 1))
           (func $two (result i64) (i64.const 2))
           {CALL_SELF} {more}
           (func $change {change})
           (func $state
             (call $say (i64.extend_i32_u (memory.size)))
             (call $say (i64.extend_i32_u (table.size $t)))
             (call $say (call_indirect $t (type $number) (i32.const 0)))
             (table.set $t (i32.const 4) (global.get $f))
             (call $say (call_indirect $t (type $number) (i32.const 4))))
           (func $told (param i32) (call $state) (call $msg_reply))
           (func $failed (param i32) (call $msg_reply))
           (func $trapping (param i32) (call $change) (unreachable))
           (func (export "canister_query see") (call $state) (call $msg_reply))
           (func (export "canister_composite_query inner") (call $state) (call $msg_reply))
           (func (export "canister_composite_query outer") (call $change)
             (call $call_self (i32.const 1)))
           (func (export "canister_composite_query traps in its callback") (call $change)
             (call $call_self (i32.const 3)))"#
    )
}

const CHANGES: [&str; 4] = [
    "(table.set $t (i32.const 0) (ref.func $two)) (global.set $f (ref.func $two))",
    "(drop (memory.grow (i32.const 1)))",
    "(drop (table.grow $t (ref.func $two) (i32.const 1)))",
    "(drop (memory.grow (i32.const 1))) (table.set $t (i32.const 0) (ref.func $two))
     (global.set $f (ref.func $two))",
];

const DROP: &str = r#"(data $d "x") (func $drop (data.drop $d))"#;

#[test]
fn composite_query_keeps_references_between_its_callbacks_and_leaves_none() {
    let changed = [[1, 5, 2, 2], [2, 5, 1, 1], [1, 6, 1, 1], [2, 5, 2, 2]];
    for more in ["", DROP] {
        for (change, expected) in CHANGES.iter().zip(changed) {
            let mut world = World::new();
            let id = world.canister(&composite(change, more));
            for _ in 0..2 {
                let told = world.query(id, "outer", b"").unwrap();
                assert_eq!(numbers(&told), expected, "{change} {more}");
                assert_eq!(see(&mut world, id), [1, 5, 1, 1], "{change} {more}");
            }
        }
    }
}

#[test]
fn composite_query_whose_callback_traps_leaves_references_as_they_were() {
    for more in ["", DROP] {
        for change in CHANGES {
            let mut world = World::new();
            let id = world.canister(&composite(change, more));
            for _ in 0..2 {
                let result = world.query(id, "traps in its callback", b"");
                expect_reject(result, CanisterError, CanisterTrapped);
                assert_eq!(see(&mut world, id), [1, 5, 1, 1], "{change} {more}");
            }
        }
    }
}
