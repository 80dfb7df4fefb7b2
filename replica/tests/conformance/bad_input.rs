//! Canister interface, "WebAssembly module requirements", and everything else that users send:
//! whatever it is, there is an answer with a text, never a panic, and the replica goes on.

use candid::Principal;
use ic_management_canister_types::*;
use local_replica::message::ErrorCode::*;
use local_replica::message::RejectCode::*;
use proptest::prelude::*;

use crate::harness::{MANAGEMENT, USER, World, expect_reject, number, runner};

/// A module with every section that a canister can have.
const RICH: &str = r#"(module
  (type $number (func (result i64)))
  (import "ic0" "msg_reply" (func $msg_reply))
  (import "ic0" "msg_reply_data_append" (func $append (param i32 i32)))
  (import "ic0" "msg_arg_data_copy" (func $copy (param i32 i32 i32)))
  (import "ic0" "stable64_grow" (func $grow (param i64) (result i64)))
  (memory (export "memory") 1 8)
  (global $g (mut i64) (i64.const 7)) (global $c i32 (i32.const 5))
  (table $t 4 8 funcref)
  (elem (table $t) (i32.const 0) func $one $two) (elem declare func $one)
  (func $one (result i64) (i64.const 1)) (func $two (result i64) (i64.const 2))
  (func $begin (global.set $g (i64.const 8)) (table.set $t (i32.const 3) (ref.func $one)))
  (start $begin)
  (func (export "canister_init") (drop (call $grow (i64.const 1))) (call $copy (i32.const 64) (i32.const 0) (i32.const 0)))
  (func (export "canister_update go") (local $i i32)
    (loop $l (local.set $i (i32.add (local.get $i) (i32.const 1)))
      (br_if $l (i32.lt_u (local.get $i) (i32.const 10))))
    (memory.init $d (i32.const 32) (i32.const 0) (i32.const 4))
    (i64.store (i32.const 0) (i64.add (global.get $g) (call_indirect (type $number) (i32.const 1))))
    (call $append (i32.const 0) (i32.const 8)) (call $msg_reply))
  (func (export "canister_query look") (call $append (i32.const 32) (i32.const 4)) (call $msg_reply))
  (data (i32.const 16) "active") (data $d "passive")
  (@custom "icp:public candid:service" "service : {}")
  (@custom "name of no meaning" "x"))"#;

fn rich() -> Vec<u8> {
    wat::parse_str(RICH).unwrap()
}

/// Installs bytes, and uses whatever could be installed.
fn try_module(world: &mut World, bytes: &[u8]) {
    let id = world.create();
    match world.install(id, bytes, b"argument") {
        Ok(_) => {
            let _ = world.call(id, "go", b"");
            let _ = world.query(id, "look", b"");
            let _ = world.upgrade(id, bytes, b"");
            world.settle();
        }
        Err(reject) => assert!(!reject.message.is_empty()),
    }
    world.command("stop_canister", id).unwrap();
    world.command("delete_canister", id).unwrap();
}

fn still_works(world: &mut World) {
    let id = world.create();
    world.install(id, &rich(), b"").unwrap();
    assert_eq!(number(&world.call(id, "go", b"").unwrap()), 10);
}

#[test]
fn random_bytes_are_no_module() {
    let mut world = World::new();
    let strategy = (0..3usize, prop::collection::vec(any::<u8>(), 0..200));
    let heads: [&[u8]; 3] = [b"", b"\0asm\x01\0\0\0", &[0x1f, 0x8b, 0x08]];
    let test = |(head, tail): (usize, Vec<u8>)| {
        let mut world = World::new();
        let id = world.create();
        let result = world.install(id, &[heads[head], &tail].concat(), b"");
        if !(head == 1 && tail.is_empty()) {
            let reject = expect_reject(result, CanisterError, CanisterInvalidWasm);
            assert!(reject.message.len() > 60, "{reject}");
        }
        Ok(())
    };
    runner(60).run(&strategy, test).unwrap();
    still_works(&mut world);
}

#[test]
fn truncated_modules_are_refused() {
    let mut world = World::new();
    let wasm = rich();
    for length in (0..wasm.len()).step_by(3) {
        try_module(&mut world, &wasm[..length]);
    }
    still_works(&mut world);
}

#[test]
fn modules_with_wrong_bits_are_refused_or_run_or_trap() {
    let mut world = World::new();
    let wasm = rich();
    let flips = prop::collection::vec((0..wasm.len(), any::<u8>()), 1..4);
    let world_cell = std::cell::RefCell::new(&mut world);
    let test = |flips: Vec<(usize, u8)>| {
        let mut mutated = wasm.clone();
        for (at, byte) in flips {
            mutated[at] = byte;
        }
        try_module(&mut world_cell.borrow_mut(), &mutated);
        Ok(())
    };
    runner(400).run(&flips, test).unwrap();
    still_works(&mut world);
}

#[test]
fn broken_gzip_is_refused() {
    use std::io::Read;
    let mut world = World::new();
    let wasm = rich();
    let mut gzipped = Vec::new();
    flate2::read::GzEncoder::new(&wasm[..], flate2::Compression::best())
        .read_to_end(&mut gzipped)
        .unwrap();
    for length in (3..gzipped.len()).step_by(7) {
        try_module(&mut world, &gzipped[..length]);
    }
    for at in 3..gzipped.len() {
        let mut mutated = gzipped.clone();
        mutated[at] ^= 1 << (at % 8);
        try_module(&mut world, &mutated);
    }
    still_works(&mut world);
}

#[test]
fn bytes_that_decompress_to_too_much_are_refused() {
    use std::io::Read;
    let mut world = World::new();
    let id = world.create();
    let mut bomb = Vec::new();
    let zeros = std::io::repeat(0).take(101 * 1024 * 1024);
    flate2::read::GzEncoder::new(zeros, flate2::Compression::fast())
        .read_to_end(&mut bomb)
        .unwrap();
    let result = world.install(id, &bomb, b"");
    let reject = expect_reject(result, CanisterError, CanisterInvalidWasm);
    assert!(reject.message.contains("exceeds"), "{reject}");
}

/// What the specification refuses, and a word of the text that says why.
#[test]
fn modules_that_the_specification_refuses_are_refused_by_name() {
    let mut world = World::new();
    let methods = |count: usize, length: usize| {
        let mut text = String::from("(module (func $f)");
        for n in 0..count {
            text += &format!("(export \"canister_query {n:0length$}\" (func $f))");
        }
        text + ")"
    };
    let sections = |count: usize, size: usize| {
        let content = "x".repeat(size);
        let mut text = String::from("(module");
        for n in 0..count {
            text += &format!("(@custom \"icp:public {n}\" \"{content}\")");
        }
        text + ")"
    };
    let globals = format!("(module {})", "(global i32 (i32.const 0))".repeat(1001));
    let functions = format!("(module {})", "(func)".repeat(50_001));
    let (many, long) = (methods(1001, 4), methods(500, 41));
    let (custom, large) = (sections(17, 1), sections(2, 600_000));
    for (wat, word) in [
        (r#"(module (import "env" "f" (func)))"#, "\"env\""),
        (r#"(module (import "ic0" "nope" (func)))"#, "ic0.nope"),
        (
            r#"(module (import "ic0" "msg_reply" (func (param i32))))"#,
            "ic0.msg_reply",
        ),
        (
            r#"(module (import "ic0" "time" (func (result i32))))"#,
            "ic0.time",
        ),
        (
            r#"(module (import "ic0" "memory" (memory 1)))"#,
            "\"memory\"",
        ),
        (r#"(module (import "ic0" "g" (global i32)))"#, "\"g\""),
        (
            r#"(module (import "ic0" "msg_arg_data_size" (func (result i64))))"#,
            "msg_arg_data_size",
        ),
        (
            r#"(module (import "ic0" "stable_size" (func (result i32))) (memory i64 1))"#,
            "64-bit",
        ),
        (
            r#"(module (func (export "canister_frob")))"#,
            "canister_frob",
        ),
        (
            r#"(module (func (export "canister_update")))"#,
            "canister_update",
        ),
        (
            r#"(module (func (export "canister_init") (param i32)))"#,
            "canister_init",
        ),
        (
            r#"(module (func (export "canister_query q") (result i32) (i32.const 0)))"#,
            "canister_query q",
        ),
        (
            r#"(module (memory (export "canister_heartbeat") 1))"#,
            "canister_heartbeat",
        ),
        (
            r#"(module (func $f) (export "canister_query x" (func $f)) (export "canister_update x" (func $f)))"#,
            "'x'",
        ),
        (
            r#"(module (func $f) (export "canister_composite_query x" (func $f)) (export "canister_query x" (func $f)))"#,
            "'x'",
        ),
        (
            r#"(module (func (export "local-replica:memory 0000000000")))"#,
            "local-replica:",
        ),
        (r#"(module (@custom "icp:secret x" ""))"#, "icp:secret"),
        (r#"(module (@custom "icp:public" ""))"#, "icp:public"),
        (
            r#"(module (@custom "icp:public x" "") (@custom "icp:private x" ""))"#,
            "\"x\"",
        ),
        (r#"(module (memory 1) (memory 1))"#, "memory"),
        (r#"(module (memory 65537))"#, ""),
        (r#"(module (memory i64 0x100000000))"#, "memor"),
        (r#"(module (table 4000000000 funcref))"#, "table"),
        (globals.as_str(), "globals"),
        (functions.as_str(), "functions"),
        (many.as_str(), "1000"),
        (long.as_str(), "20000"),
        (custom.as_str(), "custom sections"),
        (large.as_str(), "bytes"),
    ] {
        let wasm = wat::parse_str(wat).unwrap_or_else(|error| panic!("{wat}: {error}"));
        let id = world.create();
        let result = world.install(id, &wasm, b"");
        let reject = expect_reject(result, CanisterError, CanisterInvalidWasm);
        assert!(reject.message.contains(word), "{word}: {reject}");
    }
    // And at the limits, nothing is refused.
    let globals = format!("(module {})", "(global i32 (i32.const 0))".repeat(1000));
    for wat in [globals, methods(1000, 20), sections(16, 1000)] {
        let id = world.create();
        world
            .install(id, &wat::parse_str(wat).unwrap(), b"")
            .unwrap();
    }
    still_works(&mut world);
}

#[test]
fn wrong_arguments_of_every_management_method_are_rejected() {
    let mut world = World::new();
    let id = world.create();
    world.install(id, &rich(), b"").unwrap();
    let record = candid::encode_one(CanisterIdRecord { canister_id: id }).unwrap();
    let install = candid::encode_one(InstallCodeArgs {
        mode: CanisterInstallMode::Upgrade(Some(UpgradeFlags::default())),
        canister_id: id,
        wasm_module: rich(),
        arg: vec![1, 2, 3],
        sender_canister_version: Some(1),
    })
    .unwrap();
    let create = candid::encode_one(ProvisionalCreateCanisterWithCyclesArgs {
        amount: Some(5u8.into()),
        specified_id: Some(id),
        ..Default::default()
    })
    .unwrap();
    let update = candid::encode_one(UpdateSettingsArgs {
        canister_id: id,
        settings: CanisterSettings {
            controllers: Some(vec![USER, Principal::anonymous()]),
            ..Default::default()
        },
        sender_canister_version: None,
    })
    .unwrap();
    const METHODS: [&str; 19] = [
        "create_canister",
        "provisional_create_canister_with_cycles",
        "provisional_top_up_canister",
        "deposit_cycles",
        "install_code",
        "install_chunked_code",
        "uninstall_code",
        "upload_chunk",
        "clear_chunk_store",
        "stored_chunks",
        "start_canister",
        "stop_canister",
        "delete_canister",
        "update_settings",
        "canister_status",
        "canister_info",
        "canister_metadata",
        "fetch_canister_logs",
        "raw_rand",
    ];
    // Nothing, half a magic, no values, and a type table that refers to itself without end.
    let fixed: [&[u8]; 5] = [
        b"",
        b"DI",
        b"DIDL\0\0",
        b"DIDL\x01\x6e\0\x01\0\x01",
        &[0xff; 64],
    ];
    for method in METHODS.into_iter().filter(|method| *method != "raw_rand") {
        for argument in fixed {
            let reject = world.call(MANAGEMENT, method, argument).unwrap_err();
            assert!(!reject.message.is_empty(), "{method}");
        }
    }
    let samples = [record, install, create, update];
    let strategy = (
        0..METHODS.len(),
        0..samples.len(),
        prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..5),
        any::<bool>(),
    );
    let world_cell = std::cell::RefCell::new(&mut world);
    let test =
        |(method, sample, flips, cut): (usize, usize, Vec<(prop::sample::Index, u8)>, bool)| {
            let mut argument: Vec<u8> = samples[sample].clone();
            for (at, byte) in &flips {
                let at = at.index(argument.len());
                argument[at] = *byte;
                if cut {
                    argument.truncate(at);
                }
                if argument.is_empty() {
                    break;
                }
            }
            let mut world = world_cell.borrow_mut();
            if let Err(reject) = world.call(MANAGEMENT, METHODS[method], &argument) {
                assert!(!reject.message.is_empty());
            }
            let _ = world.query(MANAGEMENT, METHODS[method], &argument);
            Ok(())
        };
    runner(600).run(&strategy, test).unwrap();
    still_works(&mut world);
}

#[test]
fn names_and_arguments_of_any_kind_are_answered() {
    let mut world = World::new();
    let id = world.create();
    world.install(id, &rich(), b"").unwrap();
    let long = "x".repeat(100_000);
    for name in [
        "",
        " ",
        "go ",
        "\0",
        "\u{1f980}",
        "canister_update go",
        long.as_str(),
    ] {
        expect_reject(
            world.call(id, name, b""),
            CanisterError,
            CanisterMethodNotFound,
        );
        expect_reject(
            world.query(id, name, b""),
            CanisterError,
            CanisterMethodNotFound,
        );
    }
    world.call(id, "go", &vec![0; 2 * 1024 * 1024]).unwrap();
    let too_long = world.call(id, "go", &vec![0; 2 * 1024 * 1024 + 1]);
    assert!(too_long.unwrap_err().message.contains("2097153 bytes"));
    for receiver in [
        Principal::anonymous(),
        USER,
        Principal::from_slice(&[7; 29]),
    ] {
        expect_reject(
            world.call(receiver, "go", b""),
            DestinationInvalid,
            CanisterNotFound,
        );
    }
}
