//! Taking, loading, listing and deleting snapshots.

use candid::{Nat, Principal};
use ic_management_canister_types::*;
use local_replica::fees;
use local_replica::message::ErrorCode::*;
use local_replica::message::RejectCode::*;

use super::calls::*;
use crate::harness::{MANAGEMENT, STRANGER, USER, World, expect_reject, module};
use crate::puppet::{self, call_method, script};

/// A puppet with something in both of its memories, with certified data and with a chunk.
fn full(world: &mut World) -> Principal {
    let id = world.puppet();
    let before = script()
        .get_of("set", 0, 7)
        .get_of("stable_grow", 1, 2)
        .stable_write(70_000, b"stable!!")
        .certify(b"certified")
        .reply();
    world.run(id, before).unwrap();
    store_chunk(world, id, b"a chunk");
    id
}

fn change(world: &mut World, id: Principal) {
    let after = script()
        .get_of("set", 0, 8)
        .stable_write(70_000, b"changed!")
        .certify(b"other")
        .append_zeros(200_000)
        .reply();
    world.run(id, after).unwrap();
    world.command("clear_chunk_store", id).unwrap();
    store_chunk(world, id, b"other");
}

#[track_caller]
fn expect_as_before(world: &mut World, id: Principal) {
    assert_eq!(world.cell(id, 0), 7);
    let stable = script()
        .get_of("stable_load", 0, 70_000)
        .append_cell(0)
        .reply();
    assert_eq!(world.ask(id, stable).unwrap(), b"stable!!");
    let state = world.state(id);
    assert_eq!(state.certified_data, b"certified");
    let chunks: Vec<&[u8]> = state.chunks.values().map(|c| c.as_slice()).collect();
    assert_eq!(chunks, [b"a chunk"]);
}

#[test]
fn loading_a_snapshot_brings_back_memories_certified_data_chunks_and_module() {
    let mut world = World::new();
    let id = full(&mut world);
    let size = world.state(id).wasm_memory_size();
    let snapshot = taken(take(&mut world, id));
    change(&mut world, id);
    let other = module("(memory 1)");
    world.upgrade(id, &other, b"").unwrap();
    load(&mut world, id, &snapshot.id).unwrap();
    assert_eq!(world.state(id).wasm_memory_size(), size);
    expect_as_before(&mut world, id);
    // It is there still, and can be loaded again.
    change(&mut world, id);
    load(&mut world, id, &snapshot.id).unwrap();
    expect_as_before(&mut world, id);
}

#[test]
fn what_is_no_part_of_a_snapshot_stays_as_it_is() {
    let mut world = World::new();
    let id = world.puppet();
    let now = world.replica.time();
    world
        .run(id, script().get_of("timer", 0, now + 1_000_000_000).reply())
        .unwrap();
    let snapshot = taken(take(&mut world, id));
    let later = now + 9_000_000_000_000;
    world
        .run(id, script().get_of("timer", 0, later).reply())
        .unwrap();
    world.command("stop_canister", id).unwrap();
    let before = (world.state(id).balance, world.state(id).version);
    load(&mut world, id, &snapshot.id).unwrap();
    let state = world.state(id);
    assert!(!state.is_running());
    assert_eq!(state.global_timer, later);
    assert!(state.balance < before.0);
    assert_eq!(state.version, before.1 + 1);
}

#[test]
fn snapshots_are_listed_in_order_with_ids_of_a_number_and_the_canister() {
    let mut world = World::new();
    let id = world.puppet();
    assert_eq!(list(&mut world, id), []);
    let first = taken(take(&mut world, id));
    world.advance(5);
    let second = taken(take(&mut world, id));
    let expected_id = |number: u64| [&number.to_be_bytes(), id.as_slice()].concat();
    assert_eq!(first.id, expected_id(0));
    assert_eq!(second.id, expected_id(1));
    assert_eq!(second.taken_at_timestamp, world.replica.time());
    assert_eq!(list(&mut world, id), [first.clone(), second.clone()]);
    delete(&mut world, id, &first.id).unwrap();
    assert_eq!(list(&mut world, id), [second]);
    // No number is used again.
    let third = taken(take(&mut world, id));
    delete(&mut world, id, &third.id).unwrap();
    assert_eq!(taken(take(&mut world, id)).id, expected_id(3));
}

#[test]
fn snapshot_counts_as_what_it_holds_and_so_does_the_status() {
    let mut world = World::new();
    let id = full(&mut world);
    let before = status(&mut world, id);
    let metrics = before.memory_metrics;
    let snapshot = taken(take(&mut world, id));
    let parts = [
        metrics.wasm_memory_size,
        metrics.stable_memory_size,
        metrics.global_memory_size,
        metrics.wasm_binary_size,
        metrics.wasm_chunk_store_size,
    ];
    let sum = parts.into_iter().fold(Nat::from(0u8), |a, b| a + b) + b"certified".len() as u64;
    assert_eq!(Nat::from(snapshot.total_size), sum);
    let after = status(&mut world, id);
    assert_eq!(after.memory_metrics.snapshots_size, sum);
    assert_eq!(after.memory_size, before.memory_size + sum);
    delete(&mut world, id, &snapshot.id).unwrap();
    let deleted = status(&mut world, id).memory_metrics.snapshots_size;
    assert_eq!(deleted, Nat::from(0u8));
}

#[test]
fn canister_has_at_most_ten_snapshots_and_one_can_be_replaced() {
    let mut world = World::new();
    let id = world.puppet();
    let mut all: Vec<Snapshot> = (0..10).map(|_| taken(take(&mut world, id))).collect();
    let result = take(&mut world, id);
    let reject = expect_reject(result, CanisterReject, CanisterRejectedMessage);
    assert_eq!(
        reject.message,
        format!(
            "Canister {id} has reached the maximum number of snapshots allowed: 10.\nConsider \
             deleting an unnecessary snapshot of the specified canister before creating a new one. \
             See documentation: canister-snapshot-limit-exceeded"
        )
    );
    let result = upload_metadata(&mut world, &of_module(id, 8));
    expect_reject(result, CanisterReject, CanisterRejectedMessage);
    let replacing = |replaced: &Snapshot| TakeCanisterSnapshotArgs {
        replace_snapshot: Some(replaced.id.clone()),
        ..taking(id)
    };
    let new = taken(world.manage("take_canister_snapshot", &replacing(&all[3])));
    all.remove(3);
    all.push(new);
    assert_eq!(list(&mut world, id), all);
    let uploaded = upload_metadata(
        &mut world,
        &UploadCanisterSnapshotMetadataArgs {
            replace_snapshot: Some(all[0].id.clone()),
            ..of_module(id, 8)
        },
    );
    let listed = list(&mut world, id);
    assert_eq!(listed[..9], all[1..]);
    assert_eq!(listed[9].id, uploaded.unwrap());
}

#[test]
fn taking_and_loading_costs_two_billion_instructions_and_one_for_each_byte() {
    let mut world = World::new();
    let id = full(&mut world);
    let (result, cost) = cost_of(&mut world, id, |world| take(world, id));
    let snapshot = taken(result);
    let size = u128::from(snapshot.total_size);
    assert_eq!(cost, 5_000_000 + 2_000_000_000 + size);
    let code = &world.state(id).code.as_ref().unwrap().module;
    let compilation = u128::from(fees::compilation(code.code_instructions));
    let (result, cost) = cost_of(&mut world, id, |world| load(world, id, &snapshot.id));
    result.unwrap();
    assert_eq!(
        cost,
        (5_000_000 + 2_000_000_000) + (5_000_000 + compilation + size)
    );
    let (_, cost) = cost_of(&mut world, id, |world| {
        world.command("list_canister_snapshots", id)
    });
    assert_eq!(cost, 0);
    let (result, cost) = cost_of(&mut world, id, |world| {
        let kind = SnapshotDataKind::WasmModule {
            offset: 0,
            size: 100,
        };
        read_data(world, id, &snapshot.id, kind)
    });
    result.unwrap();
    assert_eq!(cost, 5_000_000 + 5_000_000 + 100);
    let (made, cost) = cost_of(&mut world, id, |world| {
        upload_metadata(world, &of_module(id, 1000))
    });
    let made = made.unwrap();
    assert_eq!(cost, 5_000_000 + 2_000_000_000 + 1000);
    for (kind, bytes) in [
        (SnapshotDataOffset::WasmModule { offset: 900 }, 100),
        (SnapshotDataOffset::WasmChunk, 1024 * 1024),
        // Of what is refused, the writing is paid for too.
        (SnapshotDataOffset::WasmMemory { offset: 0 }, 100),
    ] {
        let (_, cost) = cost_of(&mut world, id, |world| {
            upload_data(world, id, &made, kind, &[7; 100])
        });
        assert_eq!(cost, 5_000_000 + bytes);
    }
    let (result, cost) = cost_of(&mut world, id, |world| delete(world, id, &made));
    result.unwrap();
    assert_eq!(cost, 0);
}

#[test]
fn calls_that_are_open_are_answered_when_the_code_goes() {
    let mut world = World::new();
    let a = world.puppet();
    let b = world.puppet();
    world.replica.hold_messages(true);
    let silent = script().call(call_method(b, "run", &script().reply().0));
    let open = world.submit(a, silent);
    world.step();
    world.replica.hold_messages(false);
    let args = TakeCanisterSnapshotArgs {
        uninstall_code: Some(true),
        ..taking(a)
    };
    world.manage("take_canister_snapshot", &args).unwrap();
    world.settle();
    assert!(world.answer(open).is_some());
}

#[test]
fn snapshot_can_be_loaded_onto_another_canister_by_who_controls_both() {
    let mut world = World::new();
    let a = full(&mut world);
    let snapshot = taken(take(&mut world, a));
    let version = world.state(a).version;
    let b = world.create();
    load(&mut world, b, &snapshot.id).unwrap();
    expect_as_before(&mut world, b);
    let history = world.state(b).history.changes();
    let last = history.back().unwrap();
    assert_eq!(last.canister_version, 1);
    assert_eq!(
        last.details,
        Some(ChangeDetails::LoadSnapshot(LoadSnapshotRecord {
            from_canister_id: Some(a),
            snapshot_id: snapshot.id.clone(),
            canister_version: version,
            taken_at_timestamp: snapshot.taken_at_timestamp,
            source: SnapshotSource::TakenFromCanister(candid::Reserved),
        }))
    );
    load(&mut world, a, &snapshot.id).unwrap();
    let history = world.state(a).history.changes();
    let Some(ChangeDetails::LoadSnapshot(record)) = &history.back().unwrap().details else {
        panic!("{history:?}");
    };
    assert_eq!(record.from_canister_id, None);
    // Somebody who controls only the other one may not have it.
    let settings = CanisterSettings {
        controllers: Some(vec![USER, STRANGER]),
        ..Default::default()
    };
    world.settings(b, settings).unwrap();
    let args = loading(b, &snapshot.id);
    let result = world.manage_as(STRANGER, "load_canister_snapshot", &args);
    let reject = expect_reject(result, CanisterReject, CanisterRejectedMessage);
    let start = format!(
        "Only a controller of the canister that snapshot {a}-0 belongs to can load it on canister \
         {b}. Sender: {STRANGER}."
    );
    assert!(reject.message.starts_with(&start), "{reject}");
}

#[test]
fn canister_can_take_and_load_snapshots_of_one_that_it_controls() {
    let mut world = World::new();
    let (manager, managed) = (world.puppet(), world.puppet());
    let settings = CanisterSettings {
        controllers: Some(vec![USER, manager]),
        ..Default::default()
    };
    world.settings(managed, settings).unwrap();
    world
        .run(managed, script().get_of("set", 0, 7).reply())
        .unwrap();
    let args = candid::encode_one(taking(managed)).unwrap();
    let taking = script().call(call_method(MANAGEMENT, "take_canister_snapshot", &args));
    let snapshot = taken(world.run(manager, taking));
    world
        .run(managed, script().get_of("set", 0, 8).reply())
        .unwrap();
    let args = candid::encode_one(loading(managed, &snapshot.id)).unwrap();
    let loading = script().call(call_method(MANAGEMENT, "load_canister_snapshot", &args));
    world.run(manager, loading).unwrap();
    assert_eq!(world.cell(managed, 0), 7);
    let history = world.state(managed).history.changes();
    let ChangeOrigin::FromCanister(origin) = &history.back().unwrap().origin else {
        panic!("{history:?}");
    };
    assert_eq!(origin.canister_id, manager);
}

#[test]
fn snapshots_go_with_the_canister_and_when_its_cycles_run_out() {
    let mut world = World::new();
    let id = world.puppet();
    let snapshot = taken(take(&mut world, id));
    world.command("uninstall_code", id).unwrap();
    assert_eq!(list(&mut world, id), std::slice::from_ref(&snapshot));
    let settings = CanisterSettings {
        compute_allocation: Some(Nat::from(100u8)),
        freezing_threshold: Some(Nat::from(0u8)),
        ..Default::default()
    };
    world.settings(id, settings).unwrap();
    world.advance(100 * 24 * 60 * 60);
    assert_eq!(world.state(id).balance, 0);
    assert_eq!(world.state(id).snapshots.count(), 0);
    let other = world.puppet();
    let of_other = taken(take(&mut world, other));
    world.command("stop_canister", other).unwrap();
    world.command("delete_canister", other).unwrap();
    let onto = world.create();
    let result = load(&mut world, onto, &of_other.id);
    expect_reject(result, DestinationInvalid, CanisterSnapshotNotFound);
}

#[test]
fn fork_has_the_snapshots_and_loads_them_by_itself() {
    let mut world = World::new();
    let id = world.puppet();
    world.run(id, script().get_of("set", 0, 7).reply()).unwrap();
    let snapshot = taken(take(&mut world, id));
    world.run(id, script().get_of("set", 0, 8).reply()).unwrap();
    let mut fork = World {
        replica: world.replica.fork(),
    };
    load(&mut fork, id, &snapshot.id).unwrap();
    delete(&mut fork, id, &snapshot.id).unwrap();
    assert_eq!((fork.cell(id, 0), world.cell(id, 0)), (7, 8));
    assert_eq!(list(&mut world, id), [snapshot]);
}

#[test]
fn callback_that_is_open_runs_in_the_state_that_was_loaded() {
    let mut world = World::new();
    let (a, b) = (world.puppet(), world.puppet());
    world.run(a, script().get_of("set", 0, 7).reply()).unwrap();
    let snapshot = taken(take(&mut world, a));
    world.run(a, script().get_of("set", 0, 8).reply()).unwrap();
    let after = puppet::call(b, script().reply()).on_reply(script().append_cell(0).reply());
    let open = world.submit(a, script().call(after));
    world.step();
    // The callback's script is in memory that the snapshot does not have.
    let loaded = world.manage("load_canister_snapshot", &loading(a, &snapshot.id));
    loaded.unwrap();
    world.settle();
    assert!(world.answer(open).is_some());
    assert_eq!(world.cell(a, 0), 7);
}
