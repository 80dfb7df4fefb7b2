//! What all canisters may have together: messages that wait, and memory.

use candid::Principal;
use local_replica::Config;
use local_replica::limits::Limits;
use local_replica::message::ErrorCode::*;
use local_replica::message::RejectCode::*;

use crate::harness::{World, config, expect_reject, module, number};
use crate::puppet::{call, script, tell_reject};

fn world(limits: Limits) -> World {
    World::with(Config { limits, ..config() })
}

/// A world in which messages of so many bytes may wait.
fn room_for(waiting_size: u64) -> World {
    world(Limits {
        waiting_size,
        ..config().limits
    })
}

/// A world whose canisters may have so many bytes in use.
fn memory_for(memory_capacity: u64) -> World {
    world(Limits {
        memory_capacity,
        ..config().limits
    })
}

#[test]
fn calls_of_users_are_refused_when_too_many_bytes_wait() {
    let mut world = room_for(10_000);
    let id = world.puppet();
    world.replica.hold_messages(true);
    let user = Principal::anonymous();
    let argument = script().append(&[7; 3000]).reply().0;
    let submit = |world: &mut World| world.replica.submit(user, id, "run", &argument);
    let mut taken_in = 0;
    let refused = loop {
        match submit(&mut world) {
            Ok(_) => taken_in += 1,
            Err(reject) => break reject,
        }
    };
    assert_eq!(
        (refused.code, refused.error_code),
        (SysTransient, IngressHistoryFull)
    );
    assert_eq!(taken_in, 4);
    world.replica.hold_messages(false);
    world.settle();
    submit(&mut world).unwrap();
}

#[test]
fn calls_of_canisters_are_rejected_when_too_many_bytes_wait() {
    let mut world = room_for(10_000);
    let (a, b) = (world.puppet(), world.puppet());
    let large = || script().append(&[7; 20_000]).reply();
    // The first has room, and takes all of it.
    let first = call(b, large()).on_reply(script()).on_reject(script());
    let second = call(b, script().reply())
        .on_reply(script().trap("sent"))
        .on_reject(tell_reject());
    let answer = world.run(a, script().call(first).call(second)).unwrap();
    let text = String::from_utf8_lossy(&answer);
    assert!(text.contains("too many bytes together"), "{text}");
    world.settle();
    // All cycles are where they were.
    assert!(world.replica.cycles().is_balanced());
    world
        .run(
            a,
            script().call(call(b, script().reply()).on_reply(script().reply())),
        )
        .unwrap();
}

/// Fills so many blocks of 4 KiB, of its memory or its stable memory, as the argument says; `count`
/// tells how often it did.
const FILLING: &str = r#"
  (memory 100)
  (func $blocks (result i32)
    (call $msg_arg_data_copy (i32.const 8) (i32.const 0) (i32.const 1))
    (i32.mul (i32.load8_u (i32.const 8)) (i32.const 4096)))
  (func $done
    (i64.store (i32.const 0) (i64.add (i64.load (i32.const 0)) (i64.const 1)))
    (call $msg_reply))
  (func (export "canister_update fill")
    (memory.fill (i32.const 4096) (i32.const 1) (call $blocks))
    (call $done))
  (func (export "canister_update touch")
    (memory.fill (i32.const 4096) (i32.const 0) (call $blocks))
    (call $done))
  (func (export "canister_update fill_stable")
    (drop (call $stable64_grow (i64.const 100)))
    (call $stable64_write (i64.const 0) (i64.const 4096) (i64.extend_i32_u (call $blocks)))
    (call $done))
  (func (export "canister_query count")
    (call $msg_reply_data_append (i32.const 0) (i32.const 8))
    (call $msg_reply))
"#;

fn count(world: &mut World, id: Principal) -> u64 {
    number(&world.query(id, "count", b"").unwrap())
}

#[test]
fn memory_of_all_canisters_together_is_limited() {
    // Forty blocks.
    let mut world = memory_for(40 * 4096);
    let (a, b) = (world.canister(FILLING), world.canister(FILLING));
    world.call(a, "fill", &[20]).unwrap();
    let reject = expect_reject(world.call(b, "fill", &[30]), SysFatal, SubnetOversubscribed);
    assert!(
        reject
            .message
            .contains("163840 bytes of memory in use together"),
        "{reject}"
    );
    assert_eq!((count(&mut world, a), count(&mut world, b)), (1, 0));
    // Zeros that were never anything else take no room; nor does what there is already.
    world.call(b, "touch", &[100]).unwrap();
    world.call(a, "fill", &[20]).unwrap();
    world.call(b, "fill", &[10]).unwrap();
    assert_eq!((count(&mut world, a), count(&mut world, b)), (2, 2));
}

#[test]
fn stable_memory_counts_where_it_was_written_to() {
    let mut world = memory_for(40 * 4096);
    let (a, b) = (world.canister(FILLING), world.canister(FILLING));
    world.call(a, "fill_stable", &[20]).unwrap();
    let result = world.call(b, "fill_stable", &[30]);
    expect_reject(result, SysFatal, SubnetOversubscribed);
    assert_eq!(world.state(b).stable.pages(), 0);
    world.call(b, "fill_stable", &[10]).unwrap();
}

#[test]
fn code_is_installed_only_where_memory_is_left_and_uninstalling_makes_room() {
    let mut world = memory_for(10 * 4096);
    let (a, b) = (world.canister(FILLING), world.create());
    world.call(a, "fill", &[9]).unwrap();
    let wasm = module(FILLING);
    let result = world.install(b, &wasm, b"");
    expect_reject(result, SysFatal, SubnetOversubscribed);
    world.command("uninstall_code", a).unwrap();
    world.install(b, &wasm, b"").unwrap();
    world.call(b, "fill", &[8]).unwrap();
}
