//! The chunk store: large modules, piece by piece.

use std::collections::BTreeMap;
use std::sync::Arc;

use candid::Principal;
use ic_management_canister_types::{ChunkHash, UploadChunkArgs};
use sha2::{Digest, Sha256};

use super::call::Call;
use super::canisters::{controlled, find};
use crate::canister::{CHUNK_SIZE, Canister, MAX_CHUNKS};
use crate::encoding::{empty_reply, encode};
use crate::fees;
use crate::message::{CallResult, CanisterId, Reject};
use crate::rejects::chunk_store;
use crate::replica::Replica;

/// The canister whose chunk store `caller` may use: one that it controls, or itself.
pub(super) fn store(
    replica: &mut Replica,
    id: CanisterId,
    caller: Principal,
) -> Result<&mut Canister, Reject> {
    match caller == id {
        true => find(replica, id),
        false => controlled(replica, id, caller),
    }
}

pub(super) fn upload_chunk(replica: &mut Replica, call: &mut Call<'_>) -> CallResult {
    let args: UploadChunkArgs = call.decode()?;
    let canister = store(replica, args.canister_id, call.caller)?;
    let hash: [u8; 32] = Sha256::digest(&args.chunk).into();
    if check_chunk(&canister.chunks, &hash, &args.chunk)? {
        let fee = fees::upload_chunk(canister.memory64());
        canister.check_affordable(fee, &call.caller)?;
        canister.balance -= fee;
        canister.consumed.instructions += fee;
        canister.chunks.insert(hash, Arc::new(args.chunk));
        replica.environment.consumed += fee;
    }
    encode(&ChunkHash {
        hash: hash.to_vec(),
    })
}

/// Whether a chunk with this hash is new. One that is too large, or for which there is no room, is
/// refused.
pub(super) fn check_chunk(
    chunks: &BTreeMap<[u8; 32], Arc<Vec<u8>>>,
    hash: &[u8; 32],
    chunk: &[u8],
) -> Result<bool, Reject> {
    let size = chunk.len();
    if size > CHUNK_SIZE {
        return Err(chunk_store(&format!(
            "Wasm chunk size {size} exceeds the maximum chunk size of {CHUNK_SIZE}"
        )));
    }
    if chunks.contains_key(hash) {
        return Ok(false);
    }
    match chunks.len() < MAX_CHUNKS {
        true => Ok(true),
        false => Err(chunk_store(&format!(
            "Wasm chunk store has reached its maximum of {MAX_CHUNKS} chunks"
        ))),
    }
}

pub(super) fn clear_chunk_store(replica: &mut Replica, call: &mut Call<'_>) -> CallResult {
    let id = call.canister_id()?;
    store(replica, id, call.caller)?.chunks.clear();
    Ok(empty_reply())
}

pub(super) fn stored_chunks(replica: &mut Replica, call: &mut Call<'_>) -> CallResult {
    let id = call.canister_id()?;
    let hashes = store(replica, id, call.caller)?.chunks.keys();
    let hashes: Vec<ChunkHash> = hashes
        .map(|hash| ChunkHash {
            hash: hash.to_vec(),
        })
        .collect();
    encode(&hashes)
}
