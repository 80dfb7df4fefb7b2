//! Canister interface, "Cycles" and "Cycle cost calculation"; abstract behaviour, "Cycle
//! bookkeeping and resource consumption". The harness adds all cycles up after every step.

use candid::Nat;
use ic_management_canister_types::{
    CanisterIdRecord, CanisterSettings, CreateCanisterArgs, ProvisionalTopUpCanisterArgs,
};
use local_replica::fees;
use local_replica::message::ErrorCode::*;
use local_replica::message::RejectCode::*;

use crate::harness::{MANAGEMENT, T, World, expect_reject, number, numbers, rejected};
use crate::puppet::{call, call_method, script};

/// More than all fees of a test, and less than anything that is attached.
const FEES: u128 = T / 10;

fn about(balance: u128, expected: u128) {
    assert!(
        balance <= expected && expected - balance < FEES,
        "{balance}, not {expected}"
    );
}

#[test]
fn accepted_cycles_move_and_the_others_come_back() {
    let mut world = World::new();
    let (a, b) = (world.puppet(), world.puppet());
    let take = script()
        .get("available", 0)
        .get_of("accept", 1, T as u64)
        .get_of("accept", 2, 2 * T as u64)
        .get("available", 3)
        .append_cell(0)
        .append_cell(1)
        .append_cell(2)
        .append_cell(3)
        .reply();
    let back = script()
        .get("refunded", 0)
        .append_cell(0)
        .op("append_argument")
        .reply();
    let reply = world.run(a, script().call(call(b, take).cycles(5 * T).on_reply(back)));
    let expected = [2, 5, 1, 2, 2].map(|n| n * T as u64);
    assert_eq!(numbers(&reply.unwrap()), expected);
    about(world.state(a).balance, 97 * T);
    about(world.state(b).balance, 103 * T);
}

#[test]
fn no_more_than_what_was_attached_can_be_accepted() {
    let mut world = World::new();
    let (a, b) = (world.puppet(), world.puppet());
    let take = script().get_of("accept", 0, 9 * T as u64).reply_cell(0);
    let reply = world.run(a, script().call(call(b, take.clone()).cycles(4 * T)));
    assert_eq!(u128::from(number(&reply.unwrap())), 4 * T);
    about(world.state(b).balance, 104 * T);
    assert_eq!(
        number(&world.run(b, take).unwrap()),
        0,
        "users attach nothing"
    );
}

#[test]
fn nothing_is_available_after_the_answer() {
    let mut world = World::new();
    let (a, b) = (world.puppet(), world.puppet());
    let late = script()
        .reply()
        .get("available", 0)
        .get_of("accept", 1, T as u64);
    world
        .run(a, script().call(call(b, late).cycles(4 * T)))
        .unwrap();
    assert_eq!((world.cell(b, 0), world.cell(b, 1)), (0, 0));
    about(world.state(a).balance, 100 * T);
}

#[test]
fn cycles_can_be_accepted_in_a_callback() {
    let mut world = World::new();
    let (a, b) = (world.puppet(), world.puppet());
    let take = script().get_of("accept", 0, 2 * T as u64).reply_cell(0);
    let later = script()
        .get_of("accept", 1, T as u64)
        .call(call(b, script().reply()).on_reply(take));
    let reply = world.run(a, script().call(call(b, later).cycles(4 * T)));
    assert_eq!(u128::from(number(&reply.unwrap())), 2 * T);
    about(world.state(a).balance, 97 * T);
}

#[test]
fn cycles_come_back_whatever_goes_wrong() {
    let mut world = World::new();
    let (a, b, empty, stopped) = (
        world.puppet(),
        world.puppet(),
        world.create(),
        world.puppet(),
    );
    world.command("stop_canister", stopped).unwrap();
    let nowhere = candid::Principal::from_slice(&[0, 0, 0, 0, 0, 0, 0, 9, 1, 1]);
    let accept = || script().get_of("accept", 0, 5 * T as u64);
    for made in [
        call(b, script().reject("no")),
        call(b, script()),
        call(b, accept().trap("boom")),
        call_method(b, "nope", b""),
        call(empty, script()),
        call(stopped, script()),
        call(nowhere, script()),
        call_method(MANAGEMENT, "nope", b"DIDL\0\0"),
        call_method(MANAGEMENT, "raw_rand", b"garbage"),
    ] {
        let told = script().get("refunded", 0).reply_cell(0);
        let made = made.cycles(9 * T).on_reject(told.clone()).on_reply(told);
        let reply = world.run(a, script().call(made));
        assert_eq!(u128::from(number(&reply.unwrap())), 9 * T);
        about(world.state(a).balance, 100 * T);
    }
}

#[test]
fn reject_keeps_what_was_accepted() {
    let mut world = World::new();
    let (a, b) = (world.puppet(), world.puppet());
    let keep = script().get_of("accept", 0, T as u64).reject("no");
    rejected(world.run(a, script().call(call(b, keep).cycles(4 * T))));
    about(world.state(a).balance, 99 * T);
    about(world.state(b).balance, 101 * T);
}

#[test]
fn calls_below_the_callee_s_minimum_are_refused() {
    let mut world = World::new();
    let (a, b) = (world.puppet(), world.puppet());
    let settings = CanisterSettings {
        minimum_incoming_canister_call_cycles: Some(Nat::from(T)),
        ..Default::default()
    };
    world.settings(b, settings).unwrap();
    let (code, message) =
        rejected(world.run(a, script().call(call(b, script().reply()).cycles(T - 1))));
    assert_eq!((code, &message[..7]), (5, "IC0520:"), "{message}");
    let result = world.run(
        a,
        script().call(call(b, script().append(b"ok").reply()).cycles(T)),
    );
    assert_eq!(result, Ok(b"ok".to_vec()));
    world.run(b, script().reply()).unwrap();
}

#[test]
fn burned_cycles_are_gone() {
    let mut world = World::new();
    let id = world.puppet();
    let reply = world.run(id, script().get_of("burn", 0, T as u64).reply_cell(0));
    assert_eq!(u128::from(number(&reply.unwrap())), T);
    assert_eq!(world.replica.cycles().burned, T);
    about(world.state(id).balance, 99 * T);
    // No more than can be spent.
    let reply = world.run(id, script().get_of("burn", 0, u64::MAX).reply_cell(0));
    assert!(u128::from(number(&reply.unwrap())) < 99 * T);
    assert!(world.state(id).balance >= world.state(id).freezing_limit());
}

#[test]
fn canister_creates_a_canister_and_pays_for_it() {
    let mut world = World::new();
    let a = world.puppet();
    let argument = candid::encode_one(CreateCanisterArgs::default()).unwrap();
    let create = |cycles| {
        script().call(call_method(MANAGEMENT, "create_canister", &argument).cycles(cycles))
    };
    let (code, message) = rejected(world.run(a, create(fees::CREATE_CANISTER - 1)));
    assert_eq!((code, &message[..7]), (4, "IC0403:"), "{message}");
    about(world.state(a).balance, 100 * T);
    let reply = world.run(a, create(3 * T)).unwrap();
    let record: CanisterIdRecord = candid::decode_one(&reply).unwrap();
    let created = world.state(record.canister_id);
    assert_eq!(created.balance, 3 * T - fees::CREATE_CANISTER);
    assert_eq!(
        created.settings.controllers.iter().collect::<Vec<_>>(),
        [&a]
    );
    about(world.state(a).balance, 97 * T);
}

#[test]
fn deposit_cycles_gives_all_that_was_attached_to_anybody_s_canister() {
    let mut world = World::new();
    let (a, b) = (world.puppet(), world.create());
    let argument = candid::encode_one(CanisterIdRecord { canister_id: b }).unwrap();
    world
        .run(
            a,
            script().call(call_method(MANAGEMENT, "deposit_cycles", &argument).cycles(5 * T)),
        )
        .unwrap();
    assert_eq!(world.state(b).balance, 105 * T);
    about(world.state(a).balance, 95 * T);
}

#[test]
fn provisional_methods_mint() {
    let mut world = World::new();
    let id = world.create_with(7 * T, CanisterSettings::default());
    assert_eq!(
        (world.state(id).balance, world.replica.cycles().minted),
        (7 * T, 7 * T)
    );
    let top_up = |amount| ProvisionalTopUpCanisterArgs {
        canister_id: id,
        amount,
    };
    world
        .manage("provisional_top_up_canister", &top_up(Nat::from(T)))
        .unwrap();
    assert_eq!(
        (world.state(id).balance, world.replica.cycles().minted),
        (8 * T, 8 * T)
    );
    // All together can't be more than one balance can.
    let too_much = top_up(Nat::from(u128::MAX));
    let result = world.manage("provisional_top_up_canister", &too_much);
    expect_reject(result, CanisterReject, InvalidManagementPayload);
    assert_eq!(world.state(id).balance, 8 * T);
}

#[test]
fn canister_without_cycles_takes_no_calls() {
    let mut world = World::new();
    let (a, id) = (world.puppet(), world.puppet());
    world
        .run(id, script().get_of("burn", 0, u64::MAX).reply())
        .unwrap();
    let _ = world.run(id, script().get_of("burn", 0, u64::MAX).reply());
    while world.state(id).liquid_balance() > 0 {
        let liquid = world.state(id).liquid_balance();
        if world
            .run(id, script().get_of("burn", 0, u64::MAX).reply())
            .is_err()
        {
            break;
        }
        assert!(world.state(id).liquid_balance() < liquid);
    }
    expect_reject(
        world.run(id, script().reply()),
        SysTransient,
        CanisterOutOfCycles,
    );
    let (code, message) =
        rejected(world.run(a, script().call(call(id, script().reply()).cycles(T))));
    assert_eq!((code, &message[..7]), (2, "IC0207:"), "{message}");
    about(world.state(a).balance, 100 * T);
    let top_up = ProvisionalTopUpCanisterArgs {
        canister_id: id,
        amount: Nat::from(T),
    };
    world
        .manage("provisional_top_up_canister", &top_up)
        .unwrap();
    world.run(id, script().reply()).unwrap();
}

#[test]
fn cost_call_is_what_a_call_takes_from_the_balance() {
    let mut world = World::new();
    let (a, b) = (world.puppet(), world.puppet());
    let reply = world.run(
        a,
        script()
            .cost_call(0, 3, 0)
            .get("balance", 1)
            .call(call(b, script()).one_way())
            .get("balance", 2)
            .append_cell(0)
            .append_cell(1)
            .append_cell(2)
            .reply(),
    );
    let [cost, before, after] = numbers(&reply.unwrap())[..] else {
        panic!("three numbers");
    };
    assert_eq!(before - after, cost);
    world.settle();
}

#[test]
fn message_that_traps_is_paid_for() {
    let mut world = World::new();
    let id = world.puppet();
    let before = world.replica.cycles().consumed;
    world
        .run(id, script().spin(100_000).trap("boom"))
        .unwrap_err();
    assert!(world.replica.cycles().consumed - before > 100_000);
}

#[test]
fn costs_of_other_things_are_told_too() {
    let mut world = World::new();
    let id = world.canister(
        r#"(memory 1) (data (i32.const 100) "key_1")
           (func (export "canister_query costs")
             (call $cost_create_canister (i32.const 0))
             (call $cost_http_request (i64.const 10) (i64.const 20) (i32.const 16))
             (i64.store (i32.const 32) (i64.extend_i32_u
               (call $cost_sign_with_ecdsa (i32.const 100) (i32.const 5) (i32.const 0) (i32.const 200))))
             (i64.store (i32.const 40) (i64.extend_i32_u
               (call $cost_sign_with_schnorr (i32.const 100) (i32.const 5) (i32.const 9) (i32.const 200))))
             (call $msg_reply_data_append (i32.const 0) (i32.const 48)) (call $msg_reply))"#,
    );
    let http = fees::http_request(10, 20) as u64;
    // A local replica has no key of any name (2), and nobody has the algorithm 9 (1).
    let expected = [fees::CREATE_CANISTER as u64, 0, http, 0, 2, 1];
    assert_eq!(numbers(&world.query(id, "costs", b"").unwrap()), expected);
}

#[derive(candid::CandidType)]
struct Outcall {
    request_bytes: u64,
    http_roundtrip_time_ms: u64,
    raw_response_bytes: u64,
    transformed_response_bytes: u64,
    transform_instructions: u64,
}

#[test]
fn cost_of_an_outcall_by_its_use_is_told() {
    let mut world = World::new();
    let id = world.canister(
        r#"(memory 1)
           (func (export "canister_query cost")
             (call $msg_arg_data_copy (i32.const 100) (i32.const 0) (call $msg_arg_data_size))
             (call $cost_http_request_v2
               (i32.const 100) (call $msg_arg_data_size) (i32.const 0))
             (call $msg_reply_data_append (i32.const 0) (i32.const 16)) (call $msg_reply))"#,
    );
    let outcall = Outcall {
        request_bytes: 100,
        http_roundtrip_time_ms: 2_000,
        raw_response_bytes: 1_000,
        transformed_response_bytes: 2_000,
        transform_instructions: 26,
    };
    let argument = candid::encode_one(outcall).unwrap();
    // As a subnet of 13 nodes of the network says.
    let expected = 38_482_600 + 13 * 650_002 + 27_415_557;
    assert_eq!(
        numbers(&world.query(id, "cost", &argument).unwrap()),
        [expected, 0]
    );
    let result = world.query(id, "cost", b"no candid");
    let reject = expect_reject(result, CanisterError, CanisterContractViolation);
    assert!(reject.message.contains("failed to decode"), "{reject}");
}

#[test]
fn no_canister_but_the_cycles_minting_canister_mints_cycles() {
    let mut world = World::new();
    let id = world.canister(
        r#"(memory 1)
           (func (export "canister_update mint")
             (call $mint_cycles128 (i64.const 0) (i64.const 7) (i32.const 0)) (call $msg_reply))"#,
    );
    let result = world.call(id, "mint", b"");
    let reject = expect_reject(result, CanisterError, CanisterContractViolation);
    assert!(
        reject.message.contains(&format!(
            "ic0.mint_cycles128 cannot be executed on non Cycles Minting Canister: {id} != \
             rkp4c-7iaaa-aaaaa-aaaca-cai.\n"
        )),
        "{reject}"
    );
}
