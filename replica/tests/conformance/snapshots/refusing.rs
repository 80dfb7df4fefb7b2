//! What is refused, and to whom.

use ic_management_canister_types::*;
use local_replica::message::ErrorCode::*;
use local_replica::message::RejectCode::*;

use super::calls::*;
use crate::harness::{STRANGER, T, USER, World, expect_reject, module, number};
use crate::puppet::script;

#[test]
fn canister_that_can_not_pay_for_the_instructions_gets_no_snapshot() {
    let mut world = World::new();
    let id = world.create_with(1_000_000_000, CanisterSettings::default());
    let result = upload_metadata(&mut world, &of_module(id, 8)).map(|_| Vec::new());
    let reject = expect_reject(result, SysTransient, CanisterOutOfCycles);
    let start = format!(
        "Canister snapshotting failed with: `Canister {id} is out of cycles: please top up the \
         canister with at least "
    );
    assert!(reject.message.starts_with(&start), "{reject}");
    let end = " additional cycles`\nTry sending more cycles with the request. See documentation: \
               canister-snapshot-not-enough-cycles";
    assert!(reject.message.ends_with(end), "{reject}");
    assert_eq!(list(&mut world, id), []);
}

#[test]
fn snapshot_that_would_freeze_the_canister_is_refused_unless_its_code_goes() {
    let mut world = World::new();
    let id = world.puppet();
    world
        .run(id, script().get_of("stable_grow", 0, 1000).reply())
        .unwrap();
    world.bind(id, 60 * T);
    let result = take(&mut world, id);
    let reject = expect_reject(result, CanisterError, InsufficientCyclesInMemoryGrow);
    let size = world.state(id).size_of_snapshot();
    let start = format!(
        "Canister cannot grow memory by {size} bytes due to insufficient cycles. At least "
    );
    assert!(reject.message.starts_with(&start), "{reject}");
    assert!(
        reject
            .message
            .ends_with("#insufficient-cycles-in-memory-grow-1"),
        "{reject}"
    );
    let args = TakeCanisterSnapshotArgs {
        uninstall_code: Some(true),
        ..taking(id)
    };
    let snapshot = taken(world.manage("take_canister_snapshot", &args));
    assert!(world.state(id).code.is_none());
    assert_eq!(snapshot.total_size, size);
    load(&mut world, id, &snapshot.id).unwrap_err();
    world.top_up(id, 100 * T);
    load(&mut world, id, &snapshot.id).unwrap();
    let pages = script().get("stable_size", 0).append_cell(0).reply();
    assert_eq!(number(&world.ask(id, pages).unwrap()), 1000);
}

#[test]
fn unknown_snapshots_are_told_from_those_of_others() {
    let mut world = World::new();
    let (a, b) = (world.puppet(), world.puppet());
    let snapshot = taken(take(&mut world, a));
    let unknown = [&7u64.to_be_bytes(), a.as_slice()].concat();
    let not_found = format!(
        "Could not find the snapshot ID {a}-7 for canister {a}.\nUse the `list_canister_snapshot` \
         API to see which snapshots are present. See documentation: \
         https://internetcomputer.org/docs/current/references/execution-errors#canister-snapshot-not-found"
    );
    for result in [
        delete(&mut world, a, &unknown),
        load(&mut world, a, &unknown),
        read_data(
            &mut world,
            a,
            &unknown,
            SnapshotDataKind::WasmModule { offset: 0, size: 1 },
        ),
        upload_data(&mut world, a, &unknown, SnapshotDataOffset::WasmChunk, b"x"),
    ] {
        let reject = expect_reject(result, DestinationInvalid, CanisterSnapshotNotFound);
        assert_eq!(reject.message, not_found);
    }
    let replacing = TakeCanisterSnapshotArgs {
        replace_snapshot: Some(snapshot.id.clone()),
        ..taking(b)
    };
    for result in [
        world.manage("take_canister_snapshot", &replacing),
        delete(&mut world, b, &snapshot.id),
    ] {
        let reject = expect_reject(result, CanisterReject, CanisterRejectedMessage);
        let start = format!("The snapshot {a}-0 does not belong to canister {b}.\n");
        assert!(reject.message.starts_with(&start), "{reject}");
    }
    for bytes in [&[][..], &[1; 7], &[1; 38]] {
        let result = delete(&mut world, a, bytes);
        let reject = expect_reject(result, CanisterReject, InvalidManagementPayload);
        assert!(reject.message.contains("snapshot ID"), "{reject}");
    }
    assert_eq!(list(&mut world, a), [snapshot]);
}

#[test]
fn empty_canister_gives_no_snapshot() {
    let mut world = World::new();
    let id = world.create();
    let reject = expect_reject(
        take(&mut world, id),
        CanisterReject,
        CanisterRejectedMessage,
    );
    assert_eq!(
        reject.message,
        format!("Failed to create snapshot for empty canister {id}:")
    );
}

#[test]
fn snapshots_are_the_controllers_own_but_for_whom_they_let_read() {
    let mut world = World::new();
    let id = world.puppet();
    let snapshot = taken(take(&mut world, id));
    let record = CanisterIdRecord { canister_id: id };
    let reading = ReadCanisterSnapshotMetadataArgs {
        canister_id: id,
        snapshot_id: snapshot.id.clone(),
    };
    let data = ReadCanisterSnapshotDataArgs {
        canister_id: id,
        snapshot_id: snapshot.id.clone(),
        kind: SnapshotDataKind::WasmModule { offset: 0, size: 4 },
    };
    let read_all = |world: &mut World| {
        [
            world.manage_as(STRANGER, "list_canister_snapshots", &record),
            world.manage_as(STRANGER, "read_canister_snapshot_metadata", &reading),
            world.manage_as(STRANGER, "read_canister_snapshot_data", &data),
        ]
    };
    let change_all = |world: &mut World| {
        [
            world.manage_as(STRANGER, "take_canister_snapshot", &taking(id)),
            world.manage_as(
                STRANGER,
                "load_canister_snapshot",
                &loading(id, &snapshot.id),
            ),
            world.manage_as(
                STRANGER,
                "delete_canister_snapshot",
                &DeleteCanisterSnapshotArgs {
                    canister_id: id,
                    snapshot_id: snapshot.id.clone(),
                },
            ),
            world.manage_as(
                STRANGER,
                "upload_canister_snapshot_metadata",
                &of_module(id, 8),
            ),
        ]
    };
    for (visibility, may_read) in [
        (SnapshotVisibility::Controllers, false),
        (SnapshotVisibility::AllowedViewers(vec![USER]), false),
        (SnapshotVisibility::AllowedViewers(vec![STRANGER]), true),
        (SnapshotVisibility::Public, true),
    ] {
        let settings = CanisterSettings {
            snapshot_visibility: Some(visibility),
            ..Default::default()
        };
        world.settings(id, settings).unwrap();
        for result in read_all(&mut world) {
            match may_read {
                true => drop(result.unwrap()),
                false => drop(expect_reject(
                    result,
                    CanisterError,
                    CanisterInvalidController,
                )),
            }
        }
        for result in change_all(&mut world) {
            expect_reject(result, CanisterError, CanisterInvalidController);
        }
    }
    assert_eq!(list(&mut world, id), [snapshot]);
}

#[test]
fn uploads_that_do_not_fit_are_refused() {
    let mut world = World::new();
    let id = world.puppet();
    for (args, fault) in [
        (of_module(id, 0), "WasmModuleEmpty"),
        (of_module(id, 100 * 1024 * 1024 + 1), "WasmModuleTooLarge"),
        (
            UploadCanisterSnapshotMetadataArgs {
                wasm_memory_size: 65537,
                ..of_module(id, 8)
            },
            "WasmMemoryNotPageAligned",
        ),
        (
            UploadCanisterSnapshotMetadataArgs {
                wasm_memory_size: (4 << 30) + 65536,
                ..of_module(id, 8)
            },
            "WasmMemoryTooLarge",
        ),
        (
            UploadCanisterSnapshotMetadataArgs {
                stable_memory_size: 1,
                ..of_module(id, 8)
            },
            "StableMemoryNotPageAligned",
        ),
        (
            UploadCanisterSnapshotMetadataArgs {
                stable_memory_size: (500 << 30) + 65536,
                ..of_module(id, 8)
            },
            "StableMemoryTooLarge",
        ),
        (
            UploadCanisterSnapshotMetadataArgs {
                globals: (0..1001).map(SnapshotMetadataGlobal::I32).collect(),
                ..of_module(id, 8)
            },
            "ExportedGlobalsTooLarge",
        ),
        (
            UploadCanisterSnapshotMetadataArgs {
                certified_data: vec![0; 33],
                ..of_module(id, 8)
            },
            "CertifiedDataTooLarge",
        ),
    ] {
        let reject = upload_metadata(&mut world, &args).unwrap_err();
        assert_eq!(reject.error_code, InvalidManagementPayload);
        let expected = format!("Snapshot Metadata contains invalid data: {fault}");
        assert_eq!(reject.message, expected);
    }
    let taken = taken(take(&mut world, id));
    let kind = SnapshotDataOffset::WasmModule { offset: 0 };
    let result = upload_data(&mut world, id, &taken.id, kind, b"x");
    expect_reject(result, CanisterReject, CanisterSnapshotImmutable);

    let args = UploadCanisterSnapshotMetadataArgs {
        wasm_memory_size: 65536,
        stable_memory_size: 65536,
        ..of_module(id, 8)
    };
    let made = upload_metadata(&mut world, &args).unwrap();
    for (kind, offset) in [
        (SnapshotDataOffset::WasmModule { offset: 7 }, 7),
        (SnapshotDataOffset::WasmMemory { offset: 65535 }, 65535),
        (
            SnapshotDataOffset::StableMemory { offset: u64::MAX },
            u64::MAX,
        ),
    ] {
        let result = upload_data(&mut world, id, &made, kind, b"xy");
        let reject = expect_reject(result, CanisterReject, InvalidManagementPayload);
        let expected = format!(
            "Invalid subslice into wasm module / main memory / stable memory: offset: {offset}, \
             size: 2"
        );
        assert_eq!(reject.message, expected);
    }
    let kind = SnapshotDataKind::WasmMemory {
        offset: 0,
        size: 2_000_001,
    };
    let reject = expect_reject(
        read_data(&mut world, id, &made, kind),
        CanisterReject,
        InvalidManagementPayload,
    );
    assert_eq!(
        reject.message,
        "Requested slice too large: 2000001 > 2000000"
    );
    for kind in [
        SnapshotDataKind::WasmModule { offset: 8, size: 1 },
        SnapshotDataKind::WasmMemory {
            offset: 65536,
            size: 1,
        },
        SnapshotDataKind::StableMemory {
            offset: u64::MAX,
            size: 2,
        },
    ] {
        let result = read_data(&mut world, id, &made, kind);
        expect_reject(result, CanisterReject, InvalidManagementPayload);
    }
    for hash in [vec![1, 2], vec![0; 32]] {
        let kind = SnapshotDataKind::WasmChunk { hash };
        let result = read_data(&mut world, id, &made, kind);
        expect_reject(result, CanisterError, CanisterContractViolation);
    }
    let chunk = vec![0; 1024 * 1024 + 1];
    let result = upload_data(&mut world, id, &made, SnapshotDataOffset::WasmChunk, &chunk);
    expect_reject(result, CanisterError, CanisterContractViolation);
}

#[test]
fn uploaded_snapshot_that_is_not_whole_is_not_loaded_and_costs_nothing() {
    let mut world = World::new();
    let id = world.puppet();
    world.run(id, script().get_of("set", 0, 7).reply()).unwrap();
    let wasm = module("(memory 1 2) (global (mut i32) (i32.const 0))");
    let sizes =
        |globals: Vec<SnapshotMetadataGlobal>, pages: u64| UploadCanisterSnapshotMetadataArgs {
            globals,
            wasm_memory_size: pages * 65536,
            ..of_module(id, wasm.len() as u64)
        };
    let one = || vec![SnapshotMetadataGlobal::I32(5)];
    for (args, uploads, error) in [
        (sizes(one(), 1), false, CanisterInvalidWasm),
        (sizes(Vec::new(), 1), true, InvalidManagementPayload),
        (
            sizes(vec![SnapshotMetadataGlobal::I64(5)], 1),
            true,
            InvalidManagementPayload,
        ),
        (sizes(one(), 3), true, CanisterInvalidWasm),
    ] {
        let made = upload_metadata(&mut world, &args).unwrap();
        if uploads {
            let kind = SnapshotDataOffset::WasmModule { offset: 0 };
            upload_data(&mut world, id, &made, kind, &wasm).unwrap();
        }
        let (result, cost) = cost_of(&mut world, id, |world| load(world, id, &made));
        assert_eq!(result.unwrap_err().error_code, error);
        assert_eq!(cost, 0);
    }
    assert_eq!(world.cell(id, 0), 7);
    // A memory that is smaller than the module's has that much at least.
    let made = upload_metadata(&mut world, &sizes(one(), 0)).unwrap();
    let kind = SnapshotDataOffset::WasmModule { offset: 0 };
    upload_data(&mut world, id, &made, kind, &wasm).unwrap();
    load(&mut world, id, &made).unwrap();
    assert_eq!(world.state(id).wasm_memory_size(), 65536);
}
