//! The limits of an execution, and what Wasm itself traps on ("Execution errors").

use candid::Nat;
use ic_management_canister_types::{CanisterSettings, CanisterStatusResult};
use local_replica::message::ErrorCode::*;
use local_replica::message::RejectCode::*;

use crate::harness::{World, config, expect_reject, module, number};
use crate::puppet::{call, script};

#[test]
fn loop_without_end_traps_with_the_limit_in_its_message() {
    let mut world = World::new();
    let id = world.puppet();
    let result = world.run(id, script().add(0, 1).spin(u64::MAX));
    let reject = expect_reject(result, CanisterError, CanisterInstructionLimitExceeded);
    let limit = config().limits.message_instructions;
    assert!(
        reject
            .message
            .contains(&format!("limit of {limit} instructions"))
    );
    assert_eq!(world.cell(id, 0), 0);
    let result = world.ask(id, script().spin(u64::MAX));
    expect_reject(result, CanisterError, CanisterInstructionLimitExceeded);
}

#[test]
fn loop_without_end_in_init_fails_the_installation() {
    let mut world = World::new();
    let id = world.create();
    let wasm = crate::puppet::module(&[], "");
    let result = world.install(id, &wasm, &script().spin(u64::MAX).0);
    expect_reject(result, CanisterError, CanisterInstructionLimitExceeded);
    assert!(world.state(id).code.is_none());
}

#[test]
fn cleanup_has_instructions_left_when_the_callback_used_all() {
    let mut world = World::new();
    let (a, b) = (world.puppet(), world.puppet());
    let endless = call(b, script().reply())
        .on_reply(script().spin(u64::MAX))
        .cleanup(script().spin(1000).add(1, 1));
    let result = world.run(a, script().call(endless));
    expect_reject(result, CanisterError, CanisterInstructionLimitExceeded);
    assert_eq!(world.cell(a, 1), 1);
}

#[test]
fn wasm_s_own_traps_are_told_by_their_reason() {
    let mut world = World::new();
    let id = world.canister(
        r#"(memory 1) (type $void (func)) (table 2 funcref) (elem (i32.const 1) $takes_one)
           (func $takes_one (param i32))
           (func $deep (param i64) (result i64)
             (i64.add (call $deep (local.get 0)) (call $deep (local.get 0))))
           (func (export "canister_update unreachable") unreachable)
           (func (export "canister_update heap out of bounds")
             (i32.store (i32.const 65533) (i32.const 1)))
           (func (export "canister_update integer division by 0")
             (drop (i32.div_s (i32.const 1) (i32.const 0))))
           (func (export "canister_update integer overflow")
             (drop (i32.div_s (i32.const 0x80000000) (i32.const -1))))
           (func (export "canister_update invalid conversion to integer")
             (drop (i32.trunc_f32_s (f32.const nan))))
           (func (export "canister_update table out of bounds")
             (call_indirect (type $void) (i32.const 2)))
           (func (export "canister_update indirect call to a null function")
             (call_indirect (type $void) (i32.const 0)))
           (func (export "canister_update function invocation does not match its signature")
             (call_indirect (type $void) (i32.const 1)))
           (func (export "canister_update stack overflow") (drop (call $deep (i64.const 0))))
           (func (export "canister_update stable memory out of bounds")
             (call $stable64_write (i64.const 0) (i64.const 0) (i64.const 1)))
           (func (export "canister_update fine") (call $msg_reply))"#,
    );
    for reason in [
        "unreachable",
        "heap out of bounds",
        "integer division by 0",
        "integer overflow",
        "invalid conversion to integer",
        "table out of bounds",
        "indirect call to a null function",
        "function invocation does not match its signature",
        "stack overflow",
        "stable memory out of bounds",
    ] {
        let reject = expect_reject(world.call(id, reason, b""), CanisterError, CanisterTrapped);
        let message = format!("Error from Canister {id}: Canister trapped: {reason}");
        assert!(reject.message.starts_with(&message), "{reject}");
        world.call(id, "fine", b"").unwrap();
    }
}

#[test]
fn deep_recursion_traps_on_a_thread_with_a_small_stack_too() {
    // The default of test threads is 2 MiB, and what runs above the engine needs some of it.
    let thread = std::thread::Builder::new().stack_size(1024 * 1024);
    let ended = thread.spawn(|| {
        let mut world = World::new();
        let id = world.canister(
            r#"(memory 1) (func $f (param i32 i64 f64) (result i32)
                 (i32.add (i32.const 1) (call $f (local.get 0) (local.get 1) (local.get 2))))
               (func (export "canister_update go")
                 (drop (call $f (i32.const 0) (i64.const 0) (f64.const 0))))"#,
        );
        expect_reject(world.call(id, "go", b""), CanisterError, CanisterTrapped);
    });
    ended.unwrap().join().unwrap();
}

#[test]
fn memory_limit_of_the_settings_stops_updates() {
    let mut world = World::new();
    let (id, b) = (world.puppet(), world.puppet());
    let settings = CanisterSettings {
        wasm_memory_limit: Some(Nat::from(4u64 * 65536)),
        ..Default::default()
    };
    world.settings(id, settings).unwrap();
    let grow = |pages| script().add(0, 1).get_of("memory_grow", 1, pages);
    world.run(id, grow(2).reply()).unwrap();
    let result = world.run(id, grow(2).reply());
    let reject = expect_reject(result, CanisterError, CanisterWasmMemoryLimitExceeded);
    assert!(reject.message.contains("262144"), "{reject}");
    assert_eq!(world.cell(id, 0), 1);
    assert_eq!(world.state(id).wasm_memory_size(), 3 * 65536);
    // Callbacks go on: the limit must not lose what is under way. Nor does it concern queries.
    world.ask(id, grow(2).reply()).unwrap();
    world.call(id, "ask", &grow(2).reply().0).unwrap();
    world
        .run(
            id,
            script().call(call(b, script().reply()).on_reply(grow(2).reply())),
        )
        .unwrap();
    assert_eq!(world.state(id).wasm_memory_size(), 5 * 65536);
}

#[test]
fn memory_limit_is_3_gib_where_nobody_set_one() {
    const LIMIT: u64 = 3 * 1024 * 1024 * 1024;
    let mut world = World::new();
    let id = world.canister(
        r#"(memory 1)
           (func (export "canister_update grow")
             (call $reply_number (i64.extend_i32_s (memory.grow (i32.const 49152)))))"#,
    );
    let status = world.command("canister_status", id).unwrap();
    let status: CanisterStatusResult = candid::decode_one(&status).unwrap();
    assert_eq!(status.settings.wasm_memory_limit, Nat::from(LIMIT));
    // One page and 3 GiB are too much.
    let reject = expect_reject(
        world.call(id, "grow", b""),
        CanisterError,
        CanisterWasmMemoryLimitExceeded,
    );
    assert!(reject.message.contains(&LIMIT.to_string()), "{reject}");
}

#[test]
fn memory_limit_below_the_present_memory_is_refused() {
    let mut world = World::new();
    let id = world.puppet();
    world
        .run(id, script().get_of("memory_grow", 1, 3).reply())
        .unwrap();
    let size = world.state(id).wasm_memory_size();
    let limit = |bytes: u64| CanisterSettings {
        wasm_memory_limit: Some(Nat::from(bytes)),
        ..Default::default()
    };
    let before = world.state(id).settings.clone();
    for bytes in [1, size - 1] {
        let result = world.settings(id, limit(bytes));
        expect_reject(result, CanisterError, CanisterContractViolation);
        assert_eq!(world.state(id).settings, before);
    }
    // 0 is no limit.
    for bytes in [size, 0] {
        world.settings(id, limit(bytes)).unwrap();
        world.run(id, script().reply()).unwrap();
    }
}

#[test]
fn update_on_a_memory_that_is_above_the_limit_traps() {
    let mut world = World::new();
    let (id, b) = (world.puppet(), world.puppet());
    let limit = |pages: u64| CanisterSettings {
        wasm_memory_limit: Some(Nat::from(pages * 65536)),
        ..Default::default()
    };
    world.settings(id, limit(2)).unwrap();
    // A callback may pass the limit.
    let grow = script().get_of("memory_grow", 1, 3).reply();
    world
        .run(id, script().call(call(b, script().reply()).on_reply(grow)))
        .unwrap();
    let result = world.run(id, script().add(0, 1).reply());
    expect_reject(result, CanisterError, CanisterWasmMemoryLimitExceeded);
    assert_eq!(world.cell(id, 0), 0);
    world.settings(id, limit(4)).unwrap();
    world.run(id, script().add(0, 1).reply()).unwrap();
    assert_eq!(world.cell(id, 0), 1);
}

#[test]
fn installation_above_the_memory_limit_is_refused() {
    let mut world = World::new();
    let limit = CanisterSettings {
        wasm_memory_limit: Some(Nat::from(2u64 * 65536)),
        ..Default::default()
    };
    let id = world.create_with(100 * crate::harness::T, limit);
    // The memory that the module begins with, and the one that its init grows.
    for wat in [
        "(memory 3)",
        r#"(memory 1) (func (export "canister_init") (drop (memory.grow (i32.const 2))))"#,
        r#"(memory 1) (func $f (drop (memory.grow (i32.const 2)))) (start $f)"#,
    ] {
        let result = world.install(id, &module(wat), b"");
        expect_reject(result, CanisterError, CanisterWasmMemoryLimitExceeded);
        assert!(world.state(id).code.is_none());
        assert_eq!(world.state(id).version, 0);
    }
    let wasm = crate::puppet::module(&[], "");
    world.install(id, &wasm, &script().add(0, 1).0).unwrap();
    let result = world.upgrade(id, &module("(memory 3)"), b"");
    expect_reject(result, CanisterError, CanisterWasmMemoryLimitExceeded);
    assert_eq!(world.cell(id, 0), 1);
}

#[test]
fn growth_past_the_module_s_own_maximum_is_refused_but_no_trap() {
    let mut world = World::new();
    let id = world.canister(
        r#"(memory 1 2) (table 1 2 funcref)
           (func (export "canister_update memory")
             (call $reply_number (i64.extend_i32_s (memory.grow (i32.const 2)))))
           (func (export "canister_update table")
             (call $reply_number (i64.extend_i32_s (table.grow (ref.null func) (i32.const 2)))))"#,
    );
    for limit in [0u64, 1 << 30] {
        let settings = CanisterSettings {
            wasm_memory_limit: Some(Nat::from(limit)),
            ..Default::default()
        };
        world.settings(id, settings).unwrap();
        for method in ["memory", "table"] {
            let told = number(&world.call(id, method, b"").unwrap());
            assert_eq!(told.cast_signed(), -1, "{method} with the limit {limit}");
        }
    }
}

#[test]
fn stable_memory_can_t_grow_past_its_limit_and_says_so() {
    let mut world = World::new();
    let id = world.puppet();
    let pages = config().limits.stable_memory / 65_536;
    let grow = |pages| script().get_of("stable_grow", 0, pages).reply_cell(0);
    assert_eq!(number(&world.run(id, grow(pages + 1)).unwrap()), u64::MAX);
    assert_eq!(number(&world.run(id, grow(u64::MAX)).unwrap()), u64::MAX);
    assert_eq!(number(&world.run(id, grow(2)).unwrap()), 0);
    assert_eq!(number(&world.run(id, grow(0)).unwrap()), 2);
}

#[test]
fn narrow_stable_memory_functions_refuse_what_lies_above_4_gib() {
    let mut world = World::new();
    let id = world.canister(
        r#"(memory 1)
           (func (export "canister_update grow64")
             (call $reply_number (call $stable64_grow (i64.const 65536))))
           (func (export "canister_update grow32")
             (call $reply_number (i64.extend_i32_s (call $stable_grow (i32.const 1)))))
           (func (export "canister_update size32")
             (call $reply_number (i64.extend_i32_u (call $stable_size))))"#,
    );
    world.call(id, "grow64", b"").unwrap();
    assert_eq!(
        number(&world.call(id, "grow32", b"").unwrap()).cast_signed(),
        -1
    );
    assert_eq!(number(&world.call(id, "size32", b"").unwrap()), 65536);
    world.call(id, "grow64", b"").unwrap();
    for method in ["grow32", "size32"] {
        expect_reject(
            world.call(id, method, b""),
            CanisterError,
            CanisterContractViolation,
        );
    }
}

#[test]
fn system_api_checks_every_address() {
    let mut world = World::new();
    let id = world.canister(
        r#"(memory 1)
           (func (export "canister_update 1") (call $msg_reply_data_append (i32.const 65530) (i32.const 7)))
           (func (export "canister_update 2") (call $msg_reply_data_append (i32.const -1) (i32.const 2)))
           (func (export "canister_update 3") (call $msg_arg_data_copy (i32.const 0) (i32.const 2) (i32.const 2)))
           (func (export "canister_update 4") (call $msg_arg_data_copy (i32.const 65535) (i32.const 0) (i32.const 2)))
           (func (export "canister_update 5") (call $canister_cycle_balance128 (i32.const 65521)))
           (func (export "canister_update 6") (call $stable64_read (i64.const -1) (i64.const 0) (i64.const 2)))
           (func (export "canister_update 7") (drop (call $is_controller (i32.const 0) (i32.const 30))))
           (func (export "canister_update fine")
             (call $msg_arg_data_copy (i32.const 65533) (i32.const 0) (i32.const 3))
             (call $canister_cycle_balance128 (i32.const 65520))
             (call $msg_reply_data_append (i32.const 65536) (i32.const 0)) (call $msg_reply))"#,
    );
    for method in ["1", "2", "3", "4", "5", "6", "7"] {
        let result = world.call(id, method, b"abc");
        let reject = expect_reject(result, CanisterError, CanisterContractViolation);
        assert!(reject.message.len() > 80, "{reject}");
    }
    world.call(id, "fine", b"abc").unwrap();
}

#[test]
fn trap_outside_the_memory_and_with_bad_text_is_still_a_trap() {
    let mut world = World::new();
    let id = world.puppet();
    let wasm = module(
        r#"(memory 1) (data (i32.const 0) "\ffok\fe")
           (func (export "canister_update far") (call $trap (i32.const -1) (i32.const 9)))
           (func (export "canister_update bad") (call $trap (i32.const 0) (i32.const 4)))
           (func (export "canister_update print") (call $debug_print (i32.const -1) (i32.const 9)) (call $msg_reply))"#,
    );
    world.upgrade(id, &wasm, b"").unwrap();
    expect_reject(
        world.call(id, "far", b""),
        CanisterError,
        CanisterCalledTrap,
    );
    let reject = expect_reject(
        world.call(id, "bad", b""),
        CanisterError,
        CanisterCalledTrap,
    );
    assert!(reject.message.contains("message: 'ok'."), "{reject}");
    world.call(id, "print", b"").unwrap();
}
