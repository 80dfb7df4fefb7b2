//! Canister interface, "Canister initialization"; management canister, "IC method `install_code`" and "IC method `install_chunked_code`".

use candid::Principal;
use ic_management_canister_types::{
    CanisterInstallMode, CanisterStatusResult, ChunkHash, InstallChunkedCodeArgs, UploadChunkArgs,
};
use local_replica::message::ErrorCode::*;
use local_replica::message::RejectCode::*;
use sha2::{Digest, Sha256};

use crate::harness::{World, expect_reject, module, number, numbers};
use crate::puppet::{self, script};

pub fn plain() -> Vec<u8> {
    puppet::module(&[], "")
}

/// A puppet with something in everything that an upgrade can change, and what it had.
pub fn full(world: &mut World, more: &str) -> (Principal, Contents) {
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
pub struct Contents {
    pub memory: Vec<u8>,
    pub stable: Vec<u8>,
    pub certified: Vec<u8>,
    pub timer: u64,
    pub hash: [u8; 32],
    pub version: u64,
}

pub fn contents(world: &World, id: Principal) -> Contents {
    let canister = world.state(id);
    let code = canister.code.as_ref().unwrap();
    let mut stable = vec![0; (canister.stable.pages() * 65536) as usize];
    canister.stable.read(0, &mut stable).unwrap();
    Contents {
        memory: code.state.memory(),
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
        .ask_controller(2, crate::harness::USER);
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
fn module_of_more_than_100_chunks_is_refused() {
    let mut world = World::new();
    let id = world.create();
    let wasm = plain();
    // The same chunk may be named more than once, and an empty one adds nothing.
    let [module, empty] = [&wasm[..], b""].map(|chunk| {
        let args = UploadChunkArgs {
            canister_id: id,
            chunk: chunk.to_vec(),
        };
        let reply = world.manage("upload_chunk", &args).unwrap();
        candid::decode_one::<ChunkHash>(&reply).unwrap()
    });
    let mut args = InstallChunkedCodeArgs {
        mode: CanisterInstallMode::Install,
        target_canister: id,
        store_canister: None,
        chunk_hashes_list: vec![empty; 100],
        wasm_module_hash: Sha256::digest(&wasm).to_vec(),
        arg: Vec::new(),
        sender_canister_version: None,
    };
    args.chunk_hashes_list.push(module);
    let result = world.manage("install_chunked_code", &args);
    expect_reject(result, CanisterError, CanisterContractViolation);
    assert!(world.state(id).code.is_none());
    args.chunk_hashes_list.remove(0);
    world.manage("install_chunked_code", &args).unwrap();
    assert!(world.state(id).code.is_some());
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
