//! Reading snapshots, and uploading them (the specification's sections "IC method
//! `read_canister_snapshot_metadata`" and so on).

use std::sync::Arc;

use candid::{CandidType, Deserialize, Nat, Principal, Reserved};
use ic_management_canister_types::{
    CanisterTimer, ChunkHash, OnLowWasmMemoryHookStatus, ReadCanisterSnapshotDataArgs,
    ReadCanisterSnapshotDataResult, ReadCanisterSnapshotMetadataArgs,
    ReadCanisterSnapshotMetadataResult, SnapshotDataKind, SnapshotDataOffset,
    SnapshotMetadataGlobal, SnapshotSource, UploadCanisterSnapshotMetadataArgs,
    UploadCanisterSnapshotMetadataResult,
};
use sha2::{Digest, Sha256};

use super::call::Call;
use super::canisters::controlled;
use super::chunks::check_chunk;
use super::install::charge;
use super::snapshots::{add, check, globals, id_of, of, readable, room};
use crate::canister::CHUNK_SIZE;
use crate::canister_snapshot::{CanisterSnapshot, LowMemoryHook, SnapshotId};
use crate::encoding::{decode, empty_reply, encode};
use crate::fees;
use crate::message::{CallResult, CanisterId, ErrorCode, Reject};
use crate::module::{MAX_GLOBALS, MAX_MODULE_SIZE};
use crate::rejects::{chunk_store, invalid_argument};
use crate::replica::Replica;
use crate::stable_memory::StableMemory;
use crate::storage::GLOBAL_SIZE;
use crate::wasm::{Number, PAGE_SIZE, State};

/// The most bytes of a snapshot that are read by one call.
const MAX_SLICE: u64 = 2_000_000;

/// The most bytes of certified data.
const MAX_CERTIFIED_DATA: usize = 32;

/// What `upload_canister_snapshot_data` is called with. The published type reads a chunk byte after
/// byte.
#[derive(CandidType, Deserialize)]
struct UploadData {
    canister_id: CanisterId,
    #[serde(with = "serde_bytes")]
    snapshot_id: Vec<u8>,
    kind: SnapshotDataOffset,
    #[serde(with = "serde_bytes")]
    chunk: Vec<u8>,
}

pub(super) fn read_metadata(
    replica: &mut Replica,
    caller: Principal,
    argument: &[u8],
) -> CallResult {
    let args: ReadCanisterSnapshotMetadataArgs = decode(argument)?;
    let id = id_of(&args.snapshot_id)?;
    let snapshot = Arc::clone(of(readable(replica, args.canister_id, caller)?, id)?);
    let globals = globals(replica, args.canister_id, &snapshot)?;
    let source = match snapshot.uploaded {
        None => SnapshotSource::TakenFromCanister(Reserved),
        Some(_) => SnapshotSource::MetadataUpload(Reserved),
    };
    let chunks = snapshot.chunks.keys();
    encode(&ReadCanisterSnapshotMetadataResult {
        source: Some(source),
        taken_at_timestamp: snapshot.taken_at,
        wasm_module_size: snapshot.module.len() as u64,
        globals: globals
            .into_iter()
            .map(|value| value.map(told_global))
            .collect(),
        wasm_memory_size: snapshot.state.memory_size(),
        stable_memory_size: snapshot.stable.pages() * PAGE_SIZE,
        wasm_chunk_store: chunks
            .map(|hash| ChunkHash {
                hash: hash.to_vec(),
            })
            .collect(),
        canister_version: snapshot.version,
        certified_data: snapshot.certified_data.clone(),
        global_timer: snapshot.global_timer.map(|time| match time {
            0 => CanisterTimer::Inactive,
            time => CanisterTimer::Active(time),
        }),
        on_low_wasm_memory_hook_status: snapshot.low_memory.map(|hook| match hook {
            LowMemoryHook::NotDue => OnLowWasmMemoryHookStatus::ConditionNotSatisfied,
            LowMemoryHook::Ready => OnLowWasmMemoryHookStatus::Ready,
            LowMemoryHook::Executed => OnLowWasmMemoryHookStatus::Executed,
        }),
    })
}

pub(super) fn read_data(replica: &mut Replica, call: &mut Call<'_>) -> CallResult {
    let args: ReadCanisterSnapshotDataArgs = call.decode()?;
    let id = id_of(&args.snapshot_id)?;
    let canister = readable(replica, args.canister_id, call.caller)?;
    let snapshot = Arc::clone(of(canister, id)?);
    let asked = match args.kind {
        SnapshotDataKind::WasmModule { size, .. }
        | SnapshotDataKind::WasmMemory { size, .. }
        | SnapshotDataKind::StableMemory { size, .. } => size,
        SnapshotDataKind::WasmChunk { .. } => CHUNK_SIZE as u64,
    };
    if asked > MAX_SLICE {
        return Err(invalid_argument(format!(
            "Requested slice too large: {asked} > {MAX_SLICE}"
        )));
    }
    let fee = fees::read_snapshot(asked);
    let stored = canister.memory_size();
    check(canister, canister.balance, call.caller, (fee, stored))?;
    charge(replica, args.canister_id, fee);
    let chunk = match args.kind {
        SnapshotDataKind::WasmModule { offset, size } => {
            check_slice(offset, size, snapshot.module.len() as u64)?;
            let start = offset as usize;
            snapshot.module[start..start + size as usize].to_vec()
        }
        SnapshotDataKind::WasmMemory { offset, size } => {
            check_slice(offset, size, snapshot.state.memory_size())?;
            let mut bytes = vec![0; size as usize];
            snapshot.state.read_memory(offset, &mut bytes);
            bytes
        }
        SnapshotDataKind::StableMemory { offset, size } => {
            let mut bytes = vec![0; size as usize];
            let read = snapshot.stable.read(offset, &mut bytes);
            read.map_err(|_| outside(offset, size))?;
            bytes
        }
        SnapshotDataKind::WasmChunk { hash } => {
            let found = <[u8; 32]>::try_from(hash.as_slice());
            let found = found.map_err(|_| {
                chunk_store(&format!("Bytes {hash:02x?} are not a valid WasmChunkHash."))
            })?;
            let chunk = snapshot.chunks.get(&found);
            let chunk =
                chunk.ok_or_else(|| chunk_store(&format!("WasmChunkHash {hash:02x?} not found.")));
            chunk?.to_vec()
        }
    };
    encode(&ReadCanisterSnapshotDataResult { chunk })
}

pub(super) fn upload_metadata(replica: &mut Replica, call: &mut Call<'_>) -> CallResult {
    let args: UploadCanisterSnapshotMetadataArgs = call.decode()?;
    let replaced = args.replace_snapshot.as_deref().map(id_of).transpose()?;
    let id = args.canister_id;
    let memory64 = controlled(replica, id, call.caller)?.memory64();
    let stable = check_metadata(replica, memory64, &args)?;
    let time = replica.environment.time;
    let canister = controlled(replica, id, call.caller)?;
    let replaced_size = room(canister, replaced)?;
    let size = args.wasm_module_size
        + args.wasm_memory_size
        + args.stable_memory_size
        + args.certified_data.len() as u64
        + GLOBAL_SIZE * args.globals.len() as u64;
    let stored = canister.memory_size() + size - replaced_size;
    let fee = fees::make_snapshot(size);
    check(canister, canister.balance, call.caller, (fee, stored))?;
    let snapshot = CanisterSnapshot {
        taken_at: time,
        version: canister.version,
        size,
        module: vec![0; args.wasm_module_size as usize].into(),
        state: State::with_zeros(args.wasm_memory_size),
        stable,
        chunks: Default::default(),
        certified_data: args.certified_data,
        global_timer: args.global_timer.map(|timer| match timer {
            CanisterTimer::Inactive => 0,
            CanisterTimer::Active(time) => time,
        }),
        low_memory: args.on_low_wasm_memory_hook_status.map(|hook| match hook {
            OnLowWasmMemoryHookStatus::ConditionNotSatisfied => LowMemoryHook::NotDue,
            OnLowWasmMemoryHookStatus::Ready => LowMemoryHook::Ready,
            OnLowWasmMemoryHookStatus::Executed => LowMemoryHook::Executed,
        }),
        uploaded: Some(
            args.globals
                .iter()
                .map(global_of)
                .collect::<Result<_, _>>()?,
        ),
    };
    let number = add(canister, replaced, snapshot);
    charge(replica, id, fee);
    let made = SnapshotId {
        canister: id,
        number,
    };
    encode(&UploadCanisterSnapshotMetadataResult {
        snapshot_id: made.to_bytes(),
    })
}

pub(super) fn upload_data(replica: &mut Replica, call: &mut Call<'_>) -> CallResult {
    let args: UploadData = call.decode()?;
    let snapshot_id = id_of(&args.snapshot_id)?;
    let id = args.canister_id;
    let canister = controlled(replica, id, call.caller)?;
    if of(canister, snapshot_id)?.uploaded.is_none() {
        return Err(Reject::new(
            ErrorCode::CanisterSnapshotImmutable,
            "Only canister snapshots created by metadata upload can be mutated.",
        ));
    }
    let size = args.chunk.len() as u64;
    let fee = fees::write_snapshot(match args.kind {
        SnapshotDataOffset::WasmChunk => CHUNK_SIZE as u64,
        _ => size,
    });
    let stored = canister.memory_size();
    check(canister, canister.balance, call.caller, (fee, stored))?;
    charge(replica, id, fee);

    let canister = controlled(replica, id, call.caller)?;
    if let SnapshotDataOffset::WasmChunk = args.kind {
        let hash: [u8; 32] = Sha256::digest(&args.chunk).into();
        let chunks = &of(canister, snapshot_id)?.chunks;
        if !check_chunk(chunks, &hash, &args.chunk)? {
            return Ok(empty_reply());
        }
        let stored = stored + CHUNK_SIZE as u64;
        check(canister, canister.balance, call.caller, (0, stored))?;
        if let Some(snapshot) = canister.snapshots.get_mut(snapshot_id.number) {
            snapshot.chunks.insert(hash, Arc::new(args.chunk));
            snapshot.size += CHUNK_SIZE as u64;
        }
        return Ok(empty_reply());
    }
    if let Some(snapshot) = canister.snapshots.get_mut(snapshot_id.number) {
        write(snapshot, &args.kind, &args.chunk)?;
    }
    Ok(empty_reply())
}

/// Writes a piece of the module or of a memory, where it has this place.
fn write(
    snapshot: &mut CanisterSnapshot,
    kind: &SnapshotDataOffset,
    chunk: &[u8],
) -> Result<(), Reject> {
    let size = chunk.len() as u64;
    match *kind {
        SnapshotDataOffset::WasmModule { offset } => {
            check_slice(offset, size, snapshot.module.len() as u64)?;
            let start = offset as usize;
            Arc::make_mut(&mut snapshot.module)[start..start + chunk.len()].copy_from_slice(chunk);
        }
        SnapshotDataOffset::WasmMemory { offset } => {
            check_slice(offset, size, snapshot.state.memory_size())?;
            snapshot.state.write_memory(offset, chunk);
        }
        SnapshotDataOffset::StableMemory { offset } => {
            let written = snapshot.stable.write(offset, chunk);
            written.map_err(|_| outside(offset, size))?;
        }
        SnapshotDataOffset::WasmChunk => {}
    }
    Ok(())
}

/// Refuses metadata that no snapshot can have. Returns a stable memory of the size that they name.
fn check_metadata(
    replica: &Replica,
    memory64: bool,
    args: &UploadCanisterSnapshotMetadataArgs,
) -> Result<StableMemory, Reject> {
    let limits = &replica.environment.limits;
    let max_memory = match memory64 {
        true => limits.wasm_memory64,
        false => limits.wasm_memory,
    };
    let mut stable = StableMemory::default();
    let fault = if args.wasm_module_size == 0 {
        "WasmModuleEmpty"
    } else if args.wasm_module_size > MAX_MODULE_SIZE as u64 {
        "WasmModuleTooLarge"
    } else if !args.wasm_memory_size.is_multiple_of(PAGE_SIZE) {
        "WasmMemoryNotPageAligned"
    } else if args.wasm_memory_size > max_memory {
        "WasmMemoryTooLarge"
    } else if !args.stable_memory_size.is_multiple_of(PAGE_SIZE) {
        "StableMemoryNotPageAligned"
    } else if stable
        .grow(
            args.stable_memory_size / PAGE_SIZE,
            limits.stable_memory / PAGE_SIZE,
        )
        .is_none()
    {
        "StableMemoryTooLarge"
    } else if args.globals.len() > MAX_GLOBALS as usize {
        "ExportedGlobalsTooLarge"
    } else if args.certified_data.len() > MAX_CERTIFIED_DATA {
        "CertifiedDataTooLarge"
    } else {
        return Ok(stable);
    };
    Err(invalid_argument(format!(
        "Snapshot Metadata contains invalid data: {fault}"
    )))
}

fn check_slice(offset: u64, size: u64, length: u64) -> Result<(), Reject> {
    match offset.checked_add(size) {
        Some(end) if end <= length => Ok(()),
        _ => Err(outside(offset, size)),
    }
}

fn outside(offset: u64, size: u64) -> Reject {
    invalid_argument(format!(
        "Invalid subslice into wasm module / main memory / stable memory: offset: {offset}, size: \
         {size}"
    ))
}

fn told_global(value: Number) -> SnapshotMetadataGlobal {
    match value {
        Number::I32(value) => SnapshotMetadataGlobal::I32(value),
        Number::I64(value) => SnapshotMetadataGlobal::I64(value),
        Number::F32(bits) => SnapshotMetadataGlobal::F32(f32::from_bits(bits)),
        Number::F64(bits) => SnapshotMetadataGlobal::F64(f64::from_bits(bits)),
        Number::V128(bits) => SnapshotMetadataGlobal::V128(Nat::from(bits)),
    }
}

fn global_of(told: &SnapshotMetadataGlobal) -> Result<Number, Reject> {
    Ok(match told {
        SnapshotMetadataGlobal::I32(value) => Number::I32(*value),
        SnapshotMetadataGlobal::I64(value) => Number::I64(*value),
        SnapshotMetadataGlobal::F32(value) => Number::F32(value.to_bits()),
        SnapshotMetadataGlobal::F64(value) => Number::F64(value.to_bits()),
        SnapshotMetadataGlobal::V128(value) => {
            let bits = u128::try_from(value.0.clone());
            let too_large = |_| invalid_argument("the value of a v128 global is below 2^128");
            Number::V128(bits.map_err(too_large)?)
        }
    })
}
