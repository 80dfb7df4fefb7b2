//! Reading snapshots and uploading them.

use candid::{Nat, Principal};
use ic_management_canister_types::*;
use local_replica::message::ErrorCode::*;
use local_replica::message::RejectCode::*;

use super::calls::*;
use crate::harness::{World, expect_reject};
use crate::puppet::script;

/// Has globals of all types, exported and not, that can change and that can't.
const GLOBALS: &str = r#"
  (memory 2 9)
  (global $hidden (mut i32) (i32.const 1))
  (global $shown (export "shown") (mut i64) (i64.const 2))
  (global $fixed (export "fixed") f32 (f32.const 3))
  (global $secret f64 (f64.const 4))
  (global $vector (mut v128) (v128.const i64x2 5 6))
  (global $float (mut f64) (f64.const 7))
  (func (export "canister_update change")
    (global.set $hidden (i32.const -1))
    (global.set $shown (i64.const -2))
    (global.set $float (f64.const 0.5))
    (global.set $vector (v128.const i64x2 7 8))
    (i64.store (i32.const 100000) (i64.const 77))
    (drop (memory.grow (i32.const 1)))
    (drop (call $stable64_grow (i64.const 2)))
    (i64.store (i32.const 0) (i64.const 88))
    (call $stable64_write (i64.const 66000) (i64.const 0) (i64.const 8))
    (call $certified_data_set (i32.const 0) (i32.const 8))
    (call $msg_reply))
  (func (export "canister_query show")
    (i32.store (i32.const 200) (global.get $hidden))
    (i64.store (i32.const 204) (global.get $shown))
    (f64.store (i32.const 212) (global.get $float))
    (v128.store (i32.const 220) (global.get $vector))
    (i32.store (i32.const 236) (memory.size))
    (i64.store (i32.const 240) (i64.load (i32.const 100000)))
    (call $stable64_read (i64.const 248) (i64.const 66000) (i64.const 8))
    (call $msg_reply_data_append (i32.const 200) (i32.const 56))
    (call $msg_reply))"#;

/// Reads all of a snapshot, and uploads it as one of another canister.
fn copy(world: &mut World, from: Principal, snapshot_id: &[u8], to: Principal) -> Vec<u8> {
    let told = read_metadata(world, from, snapshot_id);
    let made = upload_metadata(
        world,
        &UploadCanisterSnapshotMetadataArgs {
            canister_id: to,
            replace_snapshot: None,
            wasm_module_size: told.wasm_module_size,
            globals: told.globals.into_iter().flatten().collect(),
            wasm_memory_size: told.wasm_memory_size,
            stable_memory_size: told.stable_memory_size,
            certified_data: told.certified_data,
            global_timer: told.global_timer,
            on_low_wasm_memory_hook_status: told.on_low_wasm_memory_hook_status,
        },
    );
    let made = made.unwrap();
    // In pieces that end in the middle of a page.
    const PIECE: u64 = 150_001;
    let pieces = |total: u64| {
        (0..total)
            .step_by(PIECE as usize)
            .map(move |offset| (offset, PIECE.min(total - offset)))
    };
    for (offset, size) in pieces(told.wasm_module_size) {
        let kind = SnapshotDataKind::WasmModule { offset, size };
        let piece = data(read_data(world, from, snapshot_id, kind));
        let kind = SnapshotDataOffset::WasmModule { offset };
        upload_data(world, to, &made, kind, &piece).unwrap();
    }
    for (offset, size) in pieces(told.wasm_memory_size) {
        let kind = SnapshotDataKind::WasmMemory { offset, size };
        let piece = data(read_data(world, from, snapshot_id, kind));
        let kind = SnapshotDataOffset::WasmMemory { offset };
        upload_data(world, to, &made, kind, &piece).unwrap();
    }
    for (offset, size) in pieces(told.stable_memory_size) {
        let kind = SnapshotDataKind::StableMemory { offset, size };
        let piece = data(read_data(world, from, snapshot_id, kind));
        let kind = SnapshotDataOffset::StableMemory { offset };
        upload_data(world, to, &made, kind, &piece).unwrap();
    }
    for ChunkHash { hash } in told.wasm_chunk_store {
        let kind = SnapshotDataKind::WasmChunk { hash };
        let chunk = data(read_data(world, from, snapshot_id, kind));
        upload_data(world, to, &made, SnapshotDataOffset::WasmChunk, &chunk).unwrap();
    }
    made
}

#[test]
fn snapshot_that_was_read_and_uploaded_again_is_the_same() {
    let mut world = World::new();
    let from = world.canister(GLOBALS);
    world.call(from, "change", b"").unwrap();
    store_chunk(&mut world, from, b"one");
    store_chunk(&mut world, from, b"two");
    let snapshot = taken(take(&mut world, from));
    let to = world.create();
    let copied = copy(&mut world, from, &snapshot.id, to);
    // The network's counter of instructions is counted only where it is.
    let [listed] = &list(&mut world, to)[..] else {
        panic!("one was uploaded");
    };
    assert_eq!(listed.total_size, snapshot.total_size - 32);
    load(&mut world, to, &copied).unwrap();
    let shown = world.query(from, "show", b"").unwrap();
    assert_eq!(world.query(to, "show", b"").unwrap(), shown);
    let (from, to) = (world.state(from), world.state(to));
    assert_eq!(from.certified_data, to.certified_data);
    assert_eq!(from.chunks, to.chunks);
    assert_eq!(from.wasm_memory_size(), to.wasm_memory_size());
    let Some(ChangeDetails::LoadSnapshot(record)) = &to.history.changes().back().unwrap().details
    else {
        panic!("{:?}", to.history.changes());
    };
    assert_eq!(
        record.source,
        SnapshotSource::MetadataUpload(candid::Reserved)
    );
}

#[test]
fn metadata_has_exported_globals_first_and_then_the_others_that_can_change() {
    let mut world = World::new();
    let id = world.canister(GLOBALS);
    world.call(id, "change", b"").unwrap();
    let snapshot = taken(take(&mut world, id));
    let told = read_metadata(&mut world, id, &snapshot.id);
    let globals: Vec<String> = told.globals.iter().map(|g| format!("{g:?}")).collect();
    let vector = 7u128 + (8u128 << 64);
    assert_eq!(
        globals,
        [
            "Some(I64(-2))".to_owned(),
            "Some(F32(3.0))".to_owned(),
            "Some(I32(-1))".to_owned(),
            format!("Some(V128({:?}))", Nat::from(vector)),
            "Some(F64(0.5))".to_owned(),
        ]
    );
    assert!(matches!(
        told.source,
        Some(SnapshotSource::TakenFromCanister(_))
    ));
    assert_eq!(told.canister_version, world.state(id).version);
    assert_eq!(told.wasm_memory_size, 3 * 65536);
    assert_eq!(told.stable_memory_size, 2 * 65536);
    assert!(matches!(told.global_timer, Some(CanisterTimer::Inactive)));
}

#[test]
fn uploaded_snapshot_sets_the_timer_and_the_hook_for_low_memory() {
    let mut world = World::new();
    let hooks = &["canister_on_low_wasm_memory", "canister_global_timer"];
    let scarce = || CanisterSettings {
        wasm_memory_limit: Some(Nat::from(4u32 * 65536)),
        wasm_memory_threshold: Some(Nat::from(4u32 * 65536)),
        ..Default::default()
    };
    let from = world.puppet_with(hooks, "");
    let due = world.replica.time() + 3_600_000_000_000;
    let timer = script()
        .get_of("timer", 0, due)
        .hook("canister_on_low_wasm_memory", script().add(5, 1));
    world.run(from, timer.reply()).unwrap();
    world.settings(from, scarce()).unwrap();
    world.settle();
    assert_eq!(world.cell(from, 5), 1);
    let snapshot = taken(take(&mut world, from));
    let told = read_metadata(&mut world, from, &snapshot.id);
    assert!(matches!(told.global_timer, Some(CanisterTimer::Active(time)) if time == due));
    assert!(matches!(
        told.on_low_wasm_memory_hook_status,
        Some(OnLowWasmMemoryHookStatus::Executed)
    ));
    let to = world.create();
    let copied = copy(&mut world, from, &snapshot.id, to);
    // There is plenty of memory in the one, and it was scarce in the other.
    let result = load(&mut world, to, &copied);
    let reject = expect_reject(result, CanisterReject, InvalidManagementPayload);
    assert!(reject.message.contains("inconsistent"), "{reject}");
    assert!(world.state(to).code.is_none());
    world.settings(to, scarce()).unwrap();
    load(&mut world, to, &copied).unwrap();
    world.settle();
    assert_eq!(world.cell(to, 5), 1, "it was executed before");
    assert_eq!(world.state(to).global_timer, due);
}
