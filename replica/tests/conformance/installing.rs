//! Canister interface, "Canister initialization" and "Canister upgrades"; management canister,
//! "IC method `install_code`" and "IC method `install_chunked_code`".

use candid::Principal;
use ic_management_canister_types::{
    CanisterInstallMode, CanisterStatusResult, ChunkHash, InstallChunkedCodeArgs, UpgradeFlags,
    UploadChunkArgs, WasmMemoryPersistence,
};
use local_replica::message::ErrorCode::*;
use local_replica::message::RejectCode::*;
use sha2::{Digest, Sha256};

use crate::harness::{World, expect_reject, module, number, numbers};
use crate::puppet::{self, call, script};

const KEEPS: &str = r#"(@custom "icp:private enhanced-orthogonal-persistence" "")"#;

fn upgrade(skip: Option<bool>, memory: Option<WasmMemoryPersistence>) -> CanisterInstallMode {
    CanisterInstallMode::Upgrade(Some(UpgradeFlags {
        skip_pre_upgrade: skip,
        wasm_memory_persistence: memory,
    }))
}

fn plain() -> Vec<u8> {
    puppet::module(&[], "")
}

/// A puppet with something in everything that an upgrade can change, and what it had.
fn full(world: &mut World, more: &str) -> (Principal, Contents) {
    let id = world.puppet_with(&["canister_pre_upgrade"], more);
    let fill = script()
        .add(0, 7)
        .get_of("stable_grow", 1, 1)
        .stable_write(100, b"kept");
    let later = world.replica.time() + 1_000_000;
    world
        .run(id, fill.certify(b"data").get_of("timer", 1, later).reply())
        .unwrap();
    let contents = contents(world, id);
    (id, contents)
}

#[derive(Debug, PartialEq)]
struct Contents {
    memory: Vec<u8>,
    stable: Vec<u8>,
    certified: Vec<u8>,
    timer: u64,
    hash: [u8; 32],
    version: u64,
}

fn contents(world: &World, id: Principal) -> Contents {
    let canister = world.state(id);
    let code = canister.code.as_ref().unwrap();
    let mut stable = vec![0; (canister.stable.pages() * 65536) as usize];
    canister.stable.read(0, &mut stable).unwrap();
    Contents {
        memory: code.instance.memory().to_vec(),
        stable,
        certified: canister.certified_data.clone(),
        timer: canister.global_timer,
        hash: code.module.hash,
        version: canister.version,
    }
}

#[test]
fn init_gets_the_argument_and_the_installer() {
    let mut world = World::new();
    let id = world.create();
    let own = script()
        .add(0, 5)
        .get("version", 1)
        .is_controller(2, crate::harness::USER);
    world.install(id, &plain(), &own.0).unwrap();
    let told = [world.cell(id, 0), world.cell(id, 1), world.cell(id, 2)];
    assert_eq!(
        told,
        [5, 1, 1],
        "the version in init is the one after the installation"
    );
    assert_eq!(world.state(id).version, 1);
}

#[test]
fn trap_in_init_leaves_the_canister_empty() {
    let mut world = World::new();
    let id = world.create();
    let trap = script()
        .get_of("stable_grow", 0, 1)
        .certify(b"x")
        .print("before")
        .trap("boom");
    let result = world.install(id, &plain(), &trap.0);
    expect_reject(result, CanisterError, CanisterCalledTrap);
    let canister = world.state(id);
    assert!(canister.code.is_none() && canister.certified_data.is_empty());
    assert_eq!((canister.stable.pages(), canister.version), (0, 0));
    assert_eq!(world.log(id)[0], "before");
    assert!(world.log(id)[1].contains("boom"));
    world.install(id, &plain(), &[]).unwrap();
}

#[test]
fn start_function_runs_at_installation_and_before_init() {
    let mut world = World::new();
    let id = world.canister(
        r#"(memory 1) (global $g (mut i64) (i64.const 0))
           (func $begin (global.set $g (i64.const 40))) (start $begin)
           (func (export "canister_init") (global.set $g (i64.add (global.get $g) (i64.const 2))))
           (func (export "canister_query get") (call $reply_number (global.get $g)))"#,
    );
    assert_eq!(number(&world.query(id, "get", b"").unwrap()), 42);
}

#[test]
fn trap_in_the_start_function_fails_the_installation() {
    let mut world = World::new();
    let id = world.create();
    let wasm = module("(memory 1) (func $begin unreachable) (start $begin)");
    expect_reject(
        world.install(id, &wasm, b""),
        CanisterError,
        CanisterTrapped,
    );
    assert!(world.state(id).code.is_none());
}

#[test]
fn data_segment_outside_the_memory_fails_the_installation() {
    let mut world = World::new();
    let id = world.create();
    let wasm = module(r#"(memory 1) (data (i32.const 65535) "two")"#);
    expect_reject(
        world.install(id, &wasm, b""),
        CanisterError,
        CanisterInvalidWasm,
    );
    assert!(world.state(id).code.is_none());
}

#[test]
fn modes_demand_their_state() {
    let mut world = World::new();
    let id = world.create();
    let result = world.upgrade(id, &plain(), b"");
    expect_reject(result, CanisterError, CanisterWasmModuleNotFound);
    world
        .deploy(CanisterInstallMode::Reinstall, id, &plain(), b"")
        .unwrap();
    expect_reject(
        world.install(id, &plain(), b""),
        CanisterError,
        CanisterNonEmpty,
    );
}

#[test]
fn reinstall_clears_everything() {
    let mut world = World::new();
    let (id, _) = full(&mut world, "");
    world
        .deploy(CanisterInstallMode::Reinstall, id, &plain(), b"")
        .unwrap();
    let now = contents(&world, id);
    assert_eq!(
        (now.stable.len(), now.certified.len(), now.timer),
        (0, 0, 0)
    );
    assert_eq!(world.cell(id, 0), 0);
}

#[test]
fn failed_reinstall_leaves_everything_as_it_was() {
    let mut world = World::new();
    let (id, before) = full(&mut world, "");
    let fail = script()
        .get_of("stable_grow", 0, 1)
        .stable_write(0, b"new")
        .certify(b"new")
        .trap("boom");
    let result = world.deploy(CanisterInstallMode::Reinstall, id, &plain(), &fail.0);
    expect_reject(result, CanisterError, CanisterCalledTrap);
    assert_eq!(contents(&world, id), before);
}

#[test]
fn upgrade_keeps_stable_memory_and_certified_data_but_neither_memory_nor_timer() {
    let mut world = World::new();
    let (id, before) = full(&mut world, "");
    world.upgrade(id, &plain(), b"").unwrap();
    let now = contents(&world, id);
    assert_eq!(
        (&now.stable, &now.certified),
        (&before.stable, &before.certified)
    );
    assert_eq!((world.cell(id, 0), now.timer), (0, 0));
    assert_eq!(now.version, before.version + 1);
}

#[test]
fn pre_upgrade_runs_on_the_old_code_and_post_upgrade_on_the_new() {
    let mut world = World::new();
    let id = world.puppet_with(&["canister_pre_upgrade"], "");
    let save = script()
        .stable_write(0, b"saved by old")
        .get_of("timer", 9, 77)
        .add(0, 1);
    let setup = script()
        .get_of("stable_grow", 1, 1)
        .hook("canister_pre_upgrade", save)
        .add(0, 5);
    world.run(id, setup.reply()).unwrap();
    let load = script()
        .get_of("stable_load", 2, 0)
        .get("version", 3)
        .print("post");
    world.upgrade(id, &plain(), &load.0).unwrap();
    assert_eq!(world.cell(id, 2).to_le_bytes(), *b"saved by");
    assert_eq!(world.cell(id, 0), 0);
    assert_eq!(world.cell(id, 3), world.state(id).version);
    assert_eq!(
        world.state(id).global_timer,
        0,
        "the old code's timer is gone"
    );
    assert_eq!(world.log(id), ["post"]);
}

#[test]
fn pre_upgrade_sees_the_timer_that_is_set() {
    let mut world = World::new();
    let id = world.puppet_with(&["canister_pre_upgrade"], "");
    let look = script()
        .get_of("timer", 9, 5)
        .when(9, script().trap("it was set"));
    let setup = script()
        .get_of("timer", 1, u64::MAX - 1)
        .hook("canister_pre_upgrade", look);
    world.run(id, setup.reply()).unwrap();
    let reject = world.upgrade(id, &plain(), b"").unwrap_err();
    assert!(reject.message.ends_with("'it was set'"), "{reject}");
    assert_eq!(world.state(id).global_timer, u64::MAX - 1);
}

#[test]
fn skip_pre_upgrade_skips_it() {
    let mut world = World::new();
    let id = world.puppet_with(&["canister_pre_upgrade"], "");
    let trap = script().hook("canister_pre_upgrade", script().trap("pre"));
    world.run(id, trap.reply()).unwrap();
    let result = world.upgrade(id, &plain(), b"");
    let reject = expect_reject(result, CanisterError, CanisterCalledTrap);
    assert!(reject.message.contains("'pre'"), "{reject}");
    world
        .deploy(upgrade(Some(true), None), id, &plain(), b"")
        .unwrap();
}

#[test]
fn failed_upgrade_leaves_everything_as_it_was() {
    let mut world = World::new();
    let (id, before) = full(&mut world, "");
    let dirty = || {
        let dirty = script()
            .add(0, 1)
            .stable_write(100, b"lost")
            .get_of("stable_grow", 1, 3);
        dirty
            .certify(b"new")
            .get_of("timer", 1, 9)
            .get_of("memory_grow", 1, 2)
    };
    // In the new code:
    let result = world.upgrade(id, &plain(), &dirty().trap("post").0);
    expect_reject(result, CanisterError, CanisterCalledTrap);
    assert_eq!(contents(&world, id), before);
    // In the old code, and in the new code after the old one's changes:
    for (pre, post) in [
        (dirty().trap("pre"), script()),
        (dirty(), script().trap("post")),
    ] {
        world
            .run(id, script().hook("canister_pre_upgrade", pre).reply())
            .unwrap();
        let before = contents(&world, id);
        let result = world.upgrade(id, &plain(), &post.0);
        expect_reject(result, CanisterError, CanisterCalledTrap);
        assert_eq!(contents(&world, id), before);
    }
    // And a module that is none.
    let result = world.upgrade(id, b"\0asm", b"");
    expect_reject(result, CanisterError, CanisterInvalidWasm);
    assert_eq!(world.cell(id, 0), 7);
}

#[test]
fn upgrade_keeps_the_memory_if_asked_and_able_to() {
    let mut world = World::new();
    let keeping = puppet::module(&[], KEEPS);
    let (id, before) = full(&mut world, "");
    let keep = upgrade(None, Some(WasmMemoryPersistence::Keep));
    let result = world.deploy(keep, id, &plain(), b"");
    expect_reject(result, CanisterError, CanisterContractViolation);
    assert_eq!(contents(&world, id), before);
    world
        .run(id, script().get_of("memory_grow", 1, 3).reply())
        .unwrap();
    world.deploy(keep, id, &keeping, b"").unwrap();
    assert_eq!(world.cell(id, 0), 7);
    assert_eq!(world.state(id).wasm_memory_size(), 4 * 65536);
    // Code that keeps its memory can't lose it by an option that was forgotten.
    let result = world.upgrade(id, &keeping, b"");
    expect_reject(result, CanisterError, CanisterContractViolation);
    let replace = upgrade(None, Some(WasmMemoryPersistence::Replace));
    world.deploy(replace, id, &keeping, b"").unwrap();
    assert_eq!(world.cell(id, 0), 0);
}

#[test]
fn response_to_a_call_of_the_old_code_runs_the_new_code_s_callback() {
    let mut world = World::new();
    let (a, b) = (world.puppet(), world.puppet());
    let id = world.submit(
        a,
        script().call(call(b, script().reply()).on_reply(puppet::Callback::Index(0))),
    );
    world.step();
    // In the new module, the function at index 0 replies.
    let new = module(
        r#"(memory 1) (table 1 funcref) (elem (i32.const 0) $done)
           (func $done (param i32) (call $reply_number (i64.const 9)))"#,
    );
    world.upgrade(a, &new, b"").unwrap();
    world.settle();
    assert_eq!(number(&world.answer(id).unwrap().unwrap()), 9);
}

#[test]
fn module_hash_is_the_one_of_the_bytes_as_uploaded() {
    let mut world = World::new();
    let wasm = plain();
    let mut gzipped = Vec::new();
    let mut encoder = flate2::read::GzEncoder::new(&wasm[..], flate2::Compression::fast());
    std::io::Read::read_to_end(&mut encoder, &mut gzipped).unwrap();
    for bytes in [wasm, gzipped] {
        let id = world.create();
        world.install(id, &bytes, b"").unwrap();
        let status = world.command("canister_status", id).unwrap();
        let status: CanisterStatusResult = candid::decode_one(&status).unwrap();
        assert_eq!(status.module_hash, Some(Sha256::digest(&bytes).to_vec()));
        assert_eq!(
            world.run(id, script().append(b"works").reply()),
            Ok(b"works".to_vec())
        );
    }
}

#[test]
fn chunks_make_a_module() {
    let mut world = World::new();
    let (target, store) = (world.create(), world.create());
    let wasm = plain();
    let mut chunk_hashes_list = Vec::new();
    for chunk in wasm.chunks(1000) {
        let args = UploadChunkArgs {
            canister_id: store,
            chunk: chunk.to_vec(),
        };
        let reply = world.manage("upload_chunk", &args).unwrap();
        let hash: ChunkHash = candid::decode_one(&reply).unwrap();
        assert_eq!(hash.hash, Sha256::digest(chunk).to_vec());
        chunk_hashes_list.push(hash);
    }
    let stored = world.command("stored_chunks", store).unwrap();
    let stored: Vec<ChunkHash> = candid::decode_one(&stored).unwrap();
    assert_eq!(stored.len(), chunk_hashes_list.len());
    let right = InstallChunkedCodeArgs {
        mode: CanisterInstallMode::Install,
        target_canister: target,
        store_canister: Some(store),
        chunk_hashes_list,
        wasm_module_hash: Sha256::digest(&wasm).to_vec(),
        arg: script().add(0, 3).0,
        sender_canister_version: None,
    };
    let mut wrong = right.clone();
    wrong.wasm_module_hash[0] ^= 1;
    assert!(world.manage("install_chunked_code", &wrong).is_err());
    let mut missing = right.clone();
    missing.chunk_hashes_list[0].hash[0] ^= 1;
    assert!(world.manage("install_chunked_code", &missing).is_err());
    assert!(world.state(target).code.is_none());
    world.manage("install_chunked_code", &right).unwrap();
    assert_eq!(world.cell(target, 0), 3);
    world.command("clear_chunk_store", store).unwrap();
    let stored = world.command("stored_chunks", store).unwrap();
    assert_eq!(candid::decode_one::<Vec<ChunkHash>>(&stored).unwrap(), []);
}

#[test]
fn chunk_of_more_than_1_mib_is_refused() {
    let mut world = World::new();
    let id = world.create();
    let mut args = UploadChunkArgs {
        canister_id: id,
        chunk: vec![0; 1024 * 1024 + 1],
    };
    assert!(world.manage("upload_chunk", &args).is_err());
    args.chunk.pop();
    world.manage("upload_chunk", &args).unwrap();
}

#[test]
fn canister_version_counts_updates_but_not_queries_and_traps() {
    let mut world = World::new();
    let id = world.puppet();
    let version = world.state(id).version;
    let told = world
        .run(id, script().get("version", 0).reply_cell(0))
        .unwrap();
    assert_eq!(numbers(&told), [version]);
    assert_eq!(world.state(id).version, version + 1);
    world.run(id, script().trap("boom")).unwrap_err();
    world.ask(id, script().reply()).unwrap();
    assert_eq!(world.state(id).version, version + 1);
    world.settings(id, Default::default()).unwrap();
    assert_eq!(world.state(id).version, version + 2);
}
