//! Canister snapshots: they survive whatever the canister does.

use std::process::Command;

use candid::Principal;
use ic_agent::Agent;
use ic_management_canister_types::{
    CanisterIdRecord, LoadCanisterSnapshotArgs, Snapshot, SnapshotDataOffset,
    TakeCanisterSnapshotArgs, UploadCanisterSnapshotDataArgs, UploadCanisterSnapshotMetadataArgs,
    UploadCanisterSnapshotMetadataResult,
};

use crate::canisters::COUNTER;
use crate::compacting::{STATEFUL, compacted, show};
use crate::harness::{
    Folder, MANAGEMENT, Running, compacting_in, get, install, manage, program_in,
};

async fn list(agent: &Agent, canister_id: Principal) -> Vec<Snapshot> {
    let args = candid::encode_one(CanisterIdRecord { canister_id }).unwrap();
    let call = agent
        .update(&MANAGEMENT, "list_canister_snapshots")
        .with_effective_canister_id(canister_id)
        .with_arg(args);
    candid::decode_one(&call.await.unwrap()).unwrap()
}

async fn load(agent: &Agent, canister_id: Principal, snapshot_id: Vec<u8>) {
    let args = LoadCanisterSnapshotArgs {
        canister_id,
        snapshot_id,
        sender_canister_version: None,
    };
    manage(agent, "load_canister_snapshot", canister_id, args).await;
}

/// Takes a snapshot, and uploads a part of another one; then ends the program and goes on.
async fn snapshots_survive(
    folder: &Folder,
    start: impl Fn(&Folder) -> Command,
    wait: impl AsyncFn(&Folder),
) {
    let program = Running::start(start(folder));
    let agent = program.agent().await;
    let canister = install(&agent, STATEFUL).await;
    agent.update(&canister, "change").await.unwrap();
    let then = show(&agent, canister).await;
    let args = TakeCanisterSnapshotArgs {
        canister_id: canister,
        replace_snapshot: None,
        uninstall_code: None,
        sender_canister_version: None,
    };
    manage(&agent, "take_canister_snapshot", canister, args).await;
    let taken = list(&agent, canister).await;
    load(&agent, canister, taken[0].id.clone()).await;
    agent.update(&canister, "change").await.unwrap();
    let now = show(&agent, canister).await;
    assert!(now != then, "it has more memory");

    let counter = install(&agent, COUNTER).await;
    let wasm = wat::parse_str(COUNTER).unwrap();
    let half = wasm.len() / 2;
    let args = UploadCanisterSnapshotMetadataArgs {
        canister_id: counter,
        replace_snapshot: None,
        wasm_module_size: wasm.len() as u64,
        globals: Vec::new(),
        wasm_memory_size: 65536,
        stable_memory_size: 0,
        certified_data: Vec::new(),
        global_timer: None,
        on_low_wasm_memory_hook_status: None,
    };
    let args = candid::encode_one(args).unwrap();
    let call = agent
        .update(&MANAGEMENT, "upload_canister_snapshot_metadata")
        .with_effective_canister_id(counter)
        .with_arg(args);
    let made: UploadCanisterSnapshotMetadataResult =
        candid::decode_one(&call.await.unwrap()).unwrap();
    let piece = |kind, chunk: &[u8]| UploadCanisterSnapshotDataArgs {
        canister_id: counter,
        snapshot_id: made.snapshot_id.clone(),
        kind,
        chunk: chunk.to_vec(),
    };
    let upload = "upload_canister_snapshot_data";
    let first = piece(SnapshotDataOffset::WasmModule { offset: 0 }, &wasm[..half]);
    manage(&agent, upload, counter, first).await;
    let memory = piece(SnapshotDataOffset::WasmMemory { offset: 0 }, &[42]);
    manage(&agent, upload, counter, memory).await;
    wait(folder).await;
    program.kill();

    let program = Running::start(start(folder));
    let agent = program.agent().await;
    assert_eq!(list(&agent, canister).await, taken);
    assert_eq!(show(&agent, canister).await, now);
    load(&agent, canister, taken[0].id.clone()).await;
    assert_eq!(show(&agent, canister).await, then);
    let offset = half as u64;
    let rest = piece(SnapshotDataOffset::WasmModule { offset }, &wasm[half..]);
    manage(&agent, upload, counter, rest).await;
    load(&agent, counter, made.snapshot_id.clone()).await;
    assert_eq!(get(&agent, counter).await, 42);
    let added: Vec<u8> = agent.update(&counter, "add").await.unwrap();
    assert_eq!(added[0], 43);
}

#[tokio::test]
async fn canister_snapshots_survive_a_kill() {
    let folder = Folder::new("canister-snapshots");
    snapshots_survive(&folder, program_in, async |_| {}).await;
}

#[tokio::test]
async fn canister_snapshots_survive_in_snapshots_of_the_replica() {
    let folder = Folder::new("canister-snapshots-compacted");
    snapshots_survive(&folder, compacting_in, compacted).await;
}
