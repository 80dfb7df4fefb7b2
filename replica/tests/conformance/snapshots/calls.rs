//! The calls, each with its arguments and its answer.

use candid::Principal;
use ic_management_canister_types::*;
use local_replica::message::{CallResult, Cycles};

use crate::harness::World;

pub fn take(world: &mut World, canister_id: Principal) -> CallResult {
    world.manage("take_canister_snapshot", &taking(canister_id))
}

pub fn taking(canister_id: Principal) -> TakeCanisterSnapshotArgs {
    TakeCanisterSnapshotArgs {
        canister_id,
        replace_snapshot: None,
        uninstall_code: None,
        sender_canister_version: None,
    }
}

#[track_caller]
pub fn taken(result: CallResult) -> Snapshot {
    candid::decode_one(&result.unwrap()).unwrap()
}

pub fn load(world: &mut World, canister_id: Principal, snapshot_id: &[u8]) -> CallResult {
    world.manage("load_canister_snapshot", &loading(canister_id, snapshot_id))
}

pub fn loading(canister_id: Principal, snapshot_id: &[u8]) -> LoadCanisterSnapshotArgs {
    LoadCanisterSnapshotArgs {
        canister_id,
        snapshot_id: snapshot_id.to_vec(),
        sender_canister_version: None,
    }
}

pub fn delete(world: &mut World, canister_id: Principal, snapshot_id: &[u8]) -> CallResult {
    let args = DeleteCanisterSnapshotArgs {
        canister_id,
        snapshot_id: snapshot_id.to_vec(),
    };
    world.manage("delete_canister_snapshot", &args)
}

pub fn list(world: &mut World, canister_id: Principal) -> Vec<Snapshot> {
    let listed = world.command("list_canister_snapshots", canister_id);
    candid::decode_one(&listed.unwrap()).unwrap()
}

pub fn read_metadata(
    world: &mut World,
    canister_id: Principal,
    snapshot_id: &[u8],
) -> ReadCanisterSnapshotMetadataResult {
    let args = ReadCanisterSnapshotMetadataArgs {
        canister_id,
        snapshot_id: snapshot_id.to_vec(),
    };
    let read = world.manage("read_canister_snapshot_metadata", &args);
    candid::decode_one(&read.unwrap()).unwrap()
}

pub fn read_data(
    world: &mut World,
    canister_id: Principal,
    snapshot_id: &[u8],
    kind: SnapshotDataKind,
) -> CallResult {
    let args = ReadCanisterSnapshotDataArgs {
        canister_id,
        snapshot_id: snapshot_id.to_vec(),
        kind,
    };
    world.manage("read_canister_snapshot_data", &args)
}

#[track_caller]
pub fn data(result: CallResult) -> Vec<u8> {
    let read: ReadCanisterSnapshotDataResult = candid::decode_one(&result.unwrap()).unwrap();
    read.chunk
}

pub fn upload_metadata(
    world: &mut World,
    args: &UploadCanisterSnapshotMetadataArgs,
) -> Result<Vec<u8>, local_replica::message::Reject> {
    let made = world.manage("upload_canister_snapshot_metadata", args)?;
    let made: UploadCanisterSnapshotMetadataResult = candid::decode_one(&made).unwrap();
    Ok(made.snapshot_id)
}

/// Metadata of a snapshot of a module of so many bytes, and of nothing else.
pub fn of_module(
    canister_id: Principal,
    wasm_module_size: u64,
) -> UploadCanisterSnapshotMetadataArgs {
    UploadCanisterSnapshotMetadataArgs {
        canister_id,
        replace_snapshot: None,
        wasm_module_size,
        globals: Vec::new(),
        wasm_memory_size: 0,
        stable_memory_size: 0,
        certified_data: Vec::new(),
        global_timer: None,
        on_low_wasm_memory_hook_status: None,
    }
}

pub fn upload_data(
    world: &mut World,
    canister_id: Principal,
    snapshot_id: &[u8],
    kind: SnapshotDataOffset,
    chunk: &[u8],
) -> CallResult {
    let args = UploadCanisterSnapshotDataArgs {
        canister_id,
        snapshot_id: snapshot_id.to_vec(),
        kind,
        chunk: chunk.to_vec(),
    };
    world.manage("upload_canister_snapshot_data", &args)
}

pub fn store_chunk(world: &mut World, canister_id: Principal, chunk: &[u8]) {
    let args = UploadChunkArgs {
        canister_id,
        chunk: chunk.to_vec(),
    };
    world.manage("upload_chunk", &args).unwrap();
}

pub fn status(world: &mut World, id: Principal) -> CanisterStatusResult {
    let status = world.command("canister_status", id).unwrap();
    candid::decode_one(&status).unwrap()
}

/// What a call of the management canister costs a canister, beyond taking it in.
pub fn cost_of(
    world: &mut World,
    id: Principal,
    call: impl FnOnce(&mut World) -> CallResult,
) -> (CallResult, Cycles) {
    let spent = |world: &World| world.state(id).consumed.instructions;
    let before = spent(world);
    let result = call(world);
    (result, spent(world) - before)
}
