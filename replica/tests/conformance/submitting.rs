//! HTTPS interface, "Request: Call": what is refused before it is executed; the sizes of messages;
//! and how long answers are kept.

use candid::{CandidType, Principal};
use ic_management_canister_types::{
    CanisterIdRecord, CanisterInfoArgs, CanisterInstallMode, CanisterMetadataArgs,
    CanisterSettings, CreateCanisterArgs, InstallChunkedCodeArgs, InstallCodeArgs,
    UpdateSettingsArgs, UploadChunkArgs,
};
use local_replica::message::ErrorCode::*;
use local_replica::message::RejectCode::*;
use local_replica::message::{IngressId, Reject};
use local_replica::{Config, IngressStatus};

use crate::harness::{MANAGEMENT, STRANGER, USER, World, config, expect_reject, module, number};
use crate::puppet::{call, script};

const MIB: usize = 1024 * 1024;

fn encode<A: CandidType>(argument: A) -> Vec<u8> {
    candid::encode_one(argument).unwrap()
}

/// Submits a message that is refused before anything is done with it.
fn refused(world: &mut World, who: Principal, method: &str, argument: &[u8]) -> Reject {
    let events = world.replica.timeline().next_number();
    let reject = world.replica.submit(who, MANAGEMENT, method, argument);
    assert!(world.replica.pool().is_empty(), "{method}");
    assert_eq!(world.replica.timeline().next_number(), events, "{method}");
    reject.expect_err(method)
}

#[test]
fn stranger_s_calls_of_the_management_canister_are_refused_at_submission() {
    let mut world = World::new();
    let id = world.puppet();
    let record = || encode(CanisterIdRecord { canister_id: id });
    let install = InstallCodeArgs {
        mode: CanisterInstallMode::Reinstall,
        canister_id: id,
        wasm_module: Vec::new(),
        arg: Vec::new(),
        sender_canister_version: None,
    };
    let chunked = InstallChunkedCodeArgs {
        mode: CanisterInstallMode::Reinstall,
        target_canister: id,
        store_canister: None,
        chunk_hashes_list: Vec::new(),
        wasm_module_hash: vec![0; 32],
        arg: Vec::new(),
        sender_canister_version: None,
    };
    let settings = UpdateSettingsArgs {
        canister_id: id,
        settings: CanisterSettings::default(),
        sender_canister_version: None,
    };
    let chunk = UploadChunkArgs {
        canister_id: id,
        chunk: vec![1],
    };
    for (method, argument) in [
        ("install_code", encode(install)),
        ("install_chunked_code", encode(chunked)),
        ("update_settings", encode(settings)),
        ("upload_chunk", encode(chunk)),
        ("uninstall_code", record()),
        ("start_canister", record()),
        ("stop_canister", record()),
        ("delete_canister", record()),
        ("clear_chunk_store", record()),
        ("stored_chunks", record()),
    ] {
        let reject = refused(&mut world, STRANGER, method, &argument);
        expect_reject(Err(reject), CanisterError, CanisterInvalidController);
        // An argument of another type is refused too, whoever sends it.
        let reject = refused(&mut world, USER, method, b"no candid");
        expect_reject(Err(reject), CanisterReject, InvalidManagementPayload);
    }
    let nobody = encode(CanisterIdRecord { canister_id: USER });
    let reject = refused(&mut world, USER, "stop_canister", &nobody);
    expect_reject(Err(reject), DestinationInvalid, CanisterNotFound);
    assert!(world.state(id).is_running() && world.state(id).code.is_some());
}

#[test]
fn user_s_calls_of_methods_for_canisters_are_refused_at_submission() {
    let mut world = World::new();
    let id = world.puppet();
    let info = CanisterInfoArgs {
        canister_id: id,
        num_requested_changes: None,
    };
    let metadata = CanisterMetadataArgs {
        canister_id: id,
        name: String::new(),
    };
    for (method, argument) in [
        ("raw_rand", candid::encode_args(()).unwrap()),
        (
            "deposit_cycles",
            encode(CanisterIdRecord { canister_id: id }),
        ),
        ("create_canister", encode(CreateCanisterArgs::default())),
        ("canister_info", encode(info)),
        ("canister_metadata", encode(metadata)),
    ] {
        let reject = refused(&mut world, USER, method, &argument);
        let reject = expect_reject(Err(reject), CanisterReject, CanisterRejectedMessage);
        assert!(reject.message.contains("only by canisters"), "{reject}");
    }
    let reject = refused(&mut world, USER, "no_such_method", b"");
    expect_reject(Err(reject), CanisterError, CanisterMethodNotFound);
}

/// Its methods send and answer as many bytes as the argument's number says.
const SENDER: &str = r#"
  (memory 200) (data (i32.const 100) "take") (table 2 funcref) (elem (i32.const 0) $done $done)
  (func $done (param i32) (call $reply_number (i64.const 1)))
  (func $size (result i32)
    (call $msg_arg_data_copy (i32.const 0) (i32.const 0) (i32.const 8))
    (i64.store (i32.const 5000) (i64.const 1))
    (i32.wrap_i64 (i64.load (i32.const 0))))
  (func (export "canister_update send") (local $n i32)
    (local.set $n (call $size))
    (call $canister_self_copy (i32.const 200) (i32.const 0) (call $canister_self_size))
    (call $call_new (i32.const 200) (call $canister_self_size) (i32.const 100) (i32.const 4)
      (i32.const 0) (i32.const 0) (i32.const 1) (i32.const 0))
    (call $call_data_append (i32.const 8192) (local.get $n))
    (drop (call $call_perform)))
  (func (export "canister_update take") (call $reply_number (i64.const 0)))
  (func (export "canister_update reply")
    (call $msg_reply_data_append (i32.const 8192) (call $size)) (call $msg_reply))
  (func (export "canister_query ask")
    (call $msg_reply_data_append (i32.const 8192) (call $size)) (call $msg_reply))
  (func (export "canister_update reject") (call $msg_reject (i32.const 8192) (call $size)))
  (func (export "canister_query changed") (call $reply_number (i64.load (i32.const 5000))))
"#;

/// Holds that a method can send so many bytes and not one more.
fn expect_limit(world: &mut World, id: Principal, method: &str, limit: usize) {
    world
        .deploy(CanisterInstallMode::Reinstall, id, &module(SENDER), b"")
        .unwrap();
    let result = world.call(id, method, &(limit as u64 + 1).to_le_bytes());
    let reject = expect_reject(result, CanisterError, CanisterContractViolation);
    assert!(reject.message.contains(&limit.to_string()), "{reject}");
    let changed = world.query(id, "changed", b"").unwrap();
    assert_eq!(number(&changed), 0, "{method} is undone");
    match world.call(id, method, &(limit as u64).to_le_bytes()) {
        Ok(_) => assert_ne!(method, "reject"),
        Err(reject) => assert_eq!(reject.message.len(), limit, "{method}"),
    }
}

fn with(change: impl FnOnce(&mut local_replica::limits::Limits)) -> World {
    let mut limits = config().limits;
    limits.message_instructions = 100_000_000;
    change(&mut limits);
    World::with(Config { limits, ..config() })
}

#[test]
fn calls_carry_10_mib_and_answers_2_mib() {
    let mut world = with(|_| {});
    let id = world.canister(SENDER);
    expect_limit(&mut world, id, "send", 10 * MIB);
    expect_limit(&mut world, id, "reply", 2 * MIB);
    expect_limit(&mut world, id, "reject", 2 * MIB);
}

#[test]
fn query_by_a_user_is_answered_with_3_mib_and_one_called_like_an_update_with_2() {
    let mut world = with(|_| {});
    let id = world.canister(SENDER);
    let ask =
        |world: &mut World, bytes: usize| world.query(id, "ask", &(bytes as u64).to_le_bytes());
    assert_eq!(ask(&mut world, 3 * MIB).unwrap().len(), 3 * MIB);
    let result = ask(&mut world, 3 * MIB + 1);
    expect_reject(result, CanisterError, CanisterContractViolation);
    let called =
        |world: &mut World, bytes: usize| world.call(id, "ask", &(bytes as u64).to_le_bytes());
    assert_eq!(called(&mut world, 2 * MIB).unwrap().len(), 2 * MIB);
    let result = called(&mut world, 2 * MIB + 1);
    expect_reject(result, CanisterError, CanisterContractViolation);
}

#[test]
fn query_may_take_5_billion_instructions() {
    let limits = local_replica::limits::Limits::default();
    assert_eq!(limits.query_instructions, 5_000_000_000);
    // Called like an update, it has the limit of a query too.
    let mut world = with(|limits| limits.query_instructions = 200_000);
    let id = world.puppet();
    let spin = script().spin(100_000).reply();
    let result = world.call(id, "ask", &spin.0);
    expect_reject(result, CanisterError, CanisterInstructionLimitExceeded);
    world.run(id, spin).unwrap();
}

#[test]
fn ingress_message_of_more_than_2_mib_is_refused_at_submission() {
    let mut world = World::new();
    let id = world.puppet();
    let balance = world.state(id).balance;
    for receiver in [id, MANAGEMENT] {
        let result = world
            .replica
            .submit(USER, receiver, "run", &vec![0; 2 * MIB + 1]);
        let reject = result.unwrap_err();
        expect_reject(Err(reject), CanisterReject, InvalidManagementPayload);
        assert!(world.replica.pool().is_empty());
    }
    assert_eq!(world.state(id).balance, balance);
}

#[test]
fn sizes_of_messages_can_be_configured() {
    let mut world = with(|limits| {
        limits.call_size = 3000;
        limits.response_size = 2000;
        limits.ingress_size = 100_000;
    });
    let id = world.canister(SENDER);
    expect_limit(&mut world, id, "send", 3000);
    expect_limit(&mut world, id, "reply", 2000);
    expect_limit(&mut world, id, "reject", 2000);
    world.call(id, "take", &vec![0; 100_000]).unwrap();
    let reject = world.call(id, "take", &vec![0; 100_001]).unwrap_err();
    assert!(reject.message.contains("100001 bytes"), "{reject}");
}

#[test]
fn memories_instructions_and_queues_can_be_configured() {
    let mut world = with(|limits| {
        limits.stable_memory = 3 * 65536;
        limits.wasm_memory = 4 * 65536;
        limits.wasm_memory64 = 2 * 65536;
        limits.message_instructions = 300_000;
        limits.query_instructions = 200_000;
        limits.queue_capacity = 1;
    });
    let id = world.puppet();
    for (memory, right, wrong) in [
        ("stable_grow", 3, u64::MAX),
        ("memory_grow", 3, 0xffff_ffff),
    ] {
        let grow = |pages| script().get_of(memory, 0, pages).reply_cell(0);
        let told = |world: &mut World, pages| number(&world.ask(id, grow(pages)).unwrap()) & wrong;
        assert_eq!(told(&mut world, right + 1), wrong, "{memory}");
        assert_ne!(told(&mut world, right), wrong, "{memory}");
    }
    let spin = |rounds| script().spin(rounds).reply();
    for (rounds, as_update, as_query) in [(10, true, true), (10_000_000, false, false)] {
        assert_eq!(world.run(id, spin(rounds)).is_ok(), as_update);
        assert_eq!(world.ask(id, spin(rounds)).is_ok(), as_query);
    }
    let other = world.puppet();
    let made = || call(other, script().reply()).one_way();
    let both = script().call(made()).copy(254, 0).call(made()).copy(254, 1);
    world.run(id, both.reply()).unwrap();
    assert_eq!((world.cell(id, 0), world.cell(id, 1)), (0, 2));

    let memory64 = |pages: u64| {
        let text = format!(
            r#"(module (import "ic0" "msg_reply" (func $reply)) (memory i64 {pages})
                 (func (export "canister_update go") (call $reply)))"#
        );
        wat::parse_str(text).unwrap()
    };
    let wide = world.create();
    let result = world.install(wide, &memory64(3), b"");
    expect_reject(result, CanisterError, CanisterInvalidWasm);
    world.install(wide, &memory64(2), b"").unwrap();
    world.call(wide, "go", b"").unwrap();
}

#[test]
fn old_answers_give_way_when_64_mib_are_kept() {
    let mut world = World::new();
    let id = world.puppet();
    let asked = script().append_zeros(2 * MIB as u64).reply().0;
    let ids: Vec<IngressId> = (0..40)
        .map(|_| {
            let sent = world.replica.submit(USER, id, "ask", &asked).unwrap();
            world.settle();
            assert!(world.answer(sent).unwrap().is_ok(), "the newest is kept");
            sent
        })
        .collect();
    for (number, id) in ids.iter().enumerate() {
        let status = world.replica.ingress_status(*id);
        match number < 8 {
            true => assert_eq!(status, None, "{number}"),
            false => assert!(
                matches!(status, Some(IngressStatus::Answered(Ok(_)))),
                "{number}"
            ),
        }
    }
}
