//! Management canister, "IC method `stop_canister`" to "IC method `delete_canister`" and
//! `uninstall_code`; abstract behaviour, the transitions of these names.

use ic_management_canister_types::{
    CanisterIdRecord, CanisterInstallMode, CanisterSettings, CanisterStatusResult,
    CanisterStatusType, InstallCodeArgs, UpdateSettingsArgs,
};
use local_replica::message::ErrorCode::*;
use local_replica::message::IngressId;
use local_replica::message::RejectCode::*;
use local_replica::timeline::Step;

use crate::harness::{MANAGEMENT, STRANGER, T, USER, World, expect_reject, numbers, rejected};
use crate::puppet::{self, call, call_method, script};

/// A replica on which a waits for b, and b's answer has to wait for [`answer`].
fn waiting() -> (World, candid::Principal, candid::Principal, IngressId) {
    let mut world = World::new();
    let (a, b) = (world.puppet(), world.puppet());
    world.replica.set_policy(Box::new(Hold(b)));
    let made = call(b, script().add(0, 1).reply()).on_reply(script().add(1, 1).reply());
    let id = world.submit(a, script().add(0, 1).call(made));
    world.settle();
    (world, a, b, id)
}

/// Delivers nothing to one canister.
struct Hold(candid::Principal);

impl local_replica::pool::Policy for Hold {
    fn next(&mut self, pool: &local_replica::pool::Pool) -> Option<local_replica::MessageName> {
        let mut others = pool.deliverable().filter(|m| m.receiver() != self.0);
        others.next().map(local_replica::message::Message::name)
    }
}

fn answer(world: &mut World) {
    world
        .replica
        .set_policy(Box::new(local_replica::pool::OldestFirst));
    world.settle();
}

fn stop(world: &mut World, canister_id: candid::Principal) -> IngressId {
    let argument = candid::encode_one(CanisterIdRecord { canister_id }).unwrap();
    let id = world
        .replica
        .submit(USER, MANAGEMENT, "stop_canister", &argument);
    world.settle();
    id.unwrap()
}

fn status(world: &mut World, id: candid::Principal) -> CanisterStatusResult {
    candid::decode_one(&world.command("canister_status", id).unwrap()).unwrap()
}

#[test]
fn stopped_canister_refuses_calls_of_users_canisters_and_queries() {
    let mut world = World::new();
    let (a, b) = (world.puppet(), world.puppet());
    world.command("stop_canister", b).unwrap();
    assert_eq!(status(&mut world, b).status, CanisterStatusType::Stopped);
    expect_reject(
        world.run(b, script().add(0, 1).reply()),
        CanisterError,
        CanisterStopped,
    );
    expect_reject(
        world.ask(b, script().reply()),
        CanisterError,
        CanisterStopped,
    );
    let told = rejected(world.run(a, script().call(call(b, script().reply()))));
    assert_eq!(told, (5, format!("Canister {b} is stopped")));
    world.command("start_canister", b).unwrap();
    assert_eq!(world.cell(b, 0), 0);
}

#[test]
fn stopping_canister_waits_for_its_open_calls_and_refuses_new_ones() {
    let (mut world, a, _, id) = waiting();
    let stopping = stop(&mut world, a);
    assert_eq!(world.answer(stopping), None);
    assert_eq!(status(&mut world, a).status, CanisterStatusType::Stopping);
    expect_reject(
        world.run(a, script().reply()),
        CanisterError,
        CanisterStopping,
    );
    expect_reject(
        world.ask(a, script().reply()),
        CanisterError,
        CanisterStopping,
    );
    answer(&mut world);
    assert_eq!(
        world.answer(id),
        Some(Ok(vec![])),
        "the callback ran while stopping"
    );
    assert!(world.answer(stopping).unwrap().is_ok());
    assert_eq!(status(&mut world, a).status, CanisterStatusType::Stopped);
    world.command("start_canister", a).unwrap();
    assert_eq!(world.cell(a, 1), 1);
}

#[test]
fn stopping_waits_for_callbacks_of_calls_that_were_answered() {
    let mut world = World::new();
    let (a, b) = (world.puppet(), world.puppet());
    world.replica.set_policy(Box::new(Hold(b)));
    let made = call(b, script().reply()).on_reply(script().add(1, 1));
    world.run(a, script().call(made).reply()).unwrap();
    let stopping = stop(&mut world, a);
    assert_eq!(world.answer(stopping), None);
    answer(&mut world);
    assert!(world.answer(stopping).unwrap().is_ok());
    world.command("start_canister", a).unwrap();
    assert_eq!(world.cell(a, 1), 1);
}

#[test]
fn all_calls_of_stop_canister_are_answered_at_once() {
    let (mut world, a, _, _) = waiting();
    let stops = [stop(&mut world, a), stop(&mut world, a)];
    assert!(stops.iter().all(|id| world.answer(*id).is_none()));
    answer(&mut world);
    assert!(stops.iter().all(|id| world.answer(*id).unwrap().is_ok()));
}

#[test]
fn start_cancels_a_stop() {
    let (mut world, a, _, id) = waiting();
    let stopping = stop(&mut world, a);
    world.command("start_canister", a).unwrap();
    let result = world.answer(stopping).unwrap();
    expect_reject(result, CanisterError, CanisterStoppingCancelled);
    world.run(a, script().reply()).unwrap();
    answer(&mut world);
    assert!(world.answer(id).unwrap().is_ok());
    assert_eq!(status(&mut world, a).status, CanisterStatusType::Running);
}

#[test]
fn stop_gives_up_after_five_minutes_and_the_canister_goes_on_stopping() {
    let (mut world, a, _, _) = waiting();
    let stopping = stop(&mut world, a);
    world.advance(299);
    assert_eq!(world.answer(stopping), None);
    world.advance(1);
    let result = world.answer(stopping).unwrap();
    expect_reject(result, SysTransient, StopCanisterRequestTimeout);
    assert_eq!(status(&mut world, a).status, CanisterStatusType::Stopping);
    answer(&mut world);
    assert_eq!(status(&mut world, a).status, CanisterStatusType::Stopped);
}

#[test]
fn end_of_a_stop_that_waits_is_what_becomes_due_next() {
    let (mut world, a, _, _) = waiting();
    assert_eq!(world.replica.next_due(), None);
    let since = world.replica.time();
    stop(&mut world, a);
    let due = since + 300_000_000_000;
    assert_eq!(world.replica.next_due(), Some(due));
    world.advance(300);
    assert_eq!(world.replica.next_due(), None);
}

#[test]
fn canister_knows_that_it_is_stopping() {
    let mut world = World::new();
    let (a, b) = (world.puppet(), world.puppet());
    world.replica.set_policy(Box::new(Hold(b)));
    let on_reply = script()
        .get("status", 3)
        .append_cell(2)
        .append_cell(3)
        .reply();
    let made = call(b, script().reply()).on_reply(on_reply);
    let id = world.submit(a, script().get("status", 2).call(made));
    world.settle();
    stop(&mut world, a);
    answer(&mut world);
    assert_eq!(numbers(&world.answer(id).unwrap().unwrap()), [1, 2]);
}

#[test]
fn canister_can_stop_another_one_that_it_controls() {
    let mut world = World::new();
    let (a, b) = (world.puppet(), world.puppet());
    let argument = candid::encode_one(CanisterIdRecord { canister_id: b }).unwrap();
    let stop = || script().call(call_method(MANAGEMENT, "stop_canister", &argument).cycles(T));
    let (code, message) = rejected(world.run(a, stop()));
    assert_eq!((code, &message[..7]), (5, "IC0512:"), "{message}");
    let controllers = Some(vec![a]);
    let settings = CanisterSettings {
        controllers,
        ..Default::default()
    };
    world.settings(b, settings).unwrap();
    world.run(a, stop()).unwrap();
    assert!(!world.state(b).is_running());
    assert!(world.state(a).balance > 99 * T, "the cycles came back");
}

#[test]
fn every_start_and_stop_counts_as_a_new_version() {
    let mut world = World::new();
    let id = world.puppet();
    let mut version = world.state(id).version;
    // Two for a running canister: it is stopping, and then it has stopped.
    for (method, changes) in [
        ("start_canister", 1),
        ("stop_canister", 2),
        ("stop_canister", 1),
        ("start_canister", 1),
    ] {
        world.command(method, id).unwrap();
        assert_eq!(world.state(id).version, version + changes, "{method}");
        version += changes;
    }
}

#[test]
fn only_a_stopped_canister_can_be_deleted() {
    let mut world = World::new();
    let (a, b) = (world.puppet(), world.puppet());
    expect_reject(
        world.command("delete_canister", b),
        CanisterError,
        CanisterNotStopped,
    );
    world.command("stop_canister", b).unwrap();
    let before = world.replica.cycles();
    let balance = world.state(b).balance;
    world.command("delete_canister", b).unwrap();
    // Taking the call in was paid for, and the rest went with the canister.
    let after = world.replica.cycles();
    let gone = after.burned - before.burned + after.consumed - before.consumed;
    assert_eq!(gone, balance);
    expect_reject(
        world.run(b, script().reply()),
        DestinationInvalid,
        CanisterNotFound,
    );
    expect_reject(
        world.command("start_canister", b),
        DestinationInvalid,
        CanisterNotFound,
    );
    let made = call(b, script().reply()).cycles(T);
    let told = rejected(world.run(a, script().call(made)));
    assert_eq!(told, (3, format!("Canister {b} not found")));
    assert!(world.state(a).balance > 99 * T, "the cycles came back");
}

#[test]
fn request_to_a_canister_that_is_deleted_meanwhile_is_rejected() {
    let (mut world, a, b, _) = waiting();
    world.command("stop_canister", b).unwrap();
    world.command("delete_canister", b).unwrap();
    let id = world.submit(a, script().reply());
    answer(&mut world);
    assert!(world.answer(id).unwrap().is_ok());
    assert!(world.state(a).call_contexts.is_empty());
}

#[test]
fn uninstall_rejects_open_calls_and_later_responses_are_not_processed() {
    let (mut world, a, b, id) = waiting();
    world.command("uninstall_code", a).unwrap();
    let reject = expect_reject(
        world.answer(id).unwrap(),
        CanisterReject,
        CanisterRejectedMessage,
    );
    assert!(reject.message.contains("uninstalled"), "{reject}");
    expect_reject(
        world.run(a, script().reply()),
        CanisterError,
        CanisterWasmModuleNotFound,
    );
    // Not even by code that was installed since.
    world.install(a, &puppet::module(&[], ""), &[]).unwrap();
    answer(&mut world);
    assert_eq!(
        (world.cell(a, 0), world.cell(a, 1), world.cell(b, 0)),
        (0, 0, 1)
    );
    let ran = |(step, _): &(Step, bool)| matches!(step, Step::Callback { .. });
    assert!(!world.steps(a).iter().any(ran));
    assert!(world.state(a).callbacks.is_empty() && world.state(a).call_contexts.is_empty());
}

#[test]
fn uninstall_drops_code_state_and_log_but_not_cycles_and_controllers() {
    let mut world = World::new();
    let id = world.puppet();
    let write = script()
        .print("hello")
        .certify(b"data")
        .get_of("stable_grow", 0, 2);
    world
        .run(id, write.get_of("timer", 0, u64::MAX).reply())
        .unwrap();
    world.command("uninstall_code", id).unwrap();
    let canister = world.state(id);
    assert!(canister.code.is_none() && canister.certified_data.is_empty());
    assert_eq!((canister.stable.pages(), canister.global_timer), (0, 0));
    assert_eq!(canister.log.records().count(), 0);
    assert!(canister.balance > 99 * T && canister.settings.controllers.contains(&USER));
    assert_eq!(status(&mut world, id).module_hash, None);
}

#[test]
fn uninstall_gives_back_the_cycles_of_open_calls() {
    let mut world = World::new();
    let (a, b, c) = (world.puppet(), world.puppet(), world.puppet());
    world.replica.set_policy(Box::new(Hold(c)));
    let held = script().call(call(c, script().reply()));
    let id = world.submit(a, script().call(call(b, held).cycles(7 * T)));
    world.settle();
    world.command("uninstall_code", b).unwrap();
    world.settle();
    assert_eq!(rejected(world.answer(id).unwrap()).0, 4);
    assert!(world.state(a).balance > 99 * T);
    answer(&mut world);
}

#[test]
fn only_controllers_control() {
    let mut world = World::new();
    let id = world.puppet();
    for method in [
        "start_canister",
        "stop_canister",
        "delete_canister",
        "uninstall_code",
        "canister_status",
        "clear_chunk_store",
        "stored_chunks",
    ] {
        let result = world.manage_as(STRANGER, method, &CanisterIdRecord { canister_id: id });
        let reject = expect_reject(result, CanisterError, CanisterInvalidController);
        assert!(reject.message.contains(&id.to_text()), "{method}: {reject}");
    }
    let install = InstallCodeArgs {
        mode: CanisterInstallMode::Reinstall,
        canister_id: id,
        wasm_module: puppet::module(&[], ""),
        arg: Vec::new(),
        sender_canister_version: None,
    };
    let result = world.manage_as(STRANGER, "install_code", &install);
    expect_reject(result, CanisterError, CanisterInvalidController);
    let update = UpdateSettingsArgs {
        canister_id: id,
        settings: CanisterSettings::default(),
        sender_canister_version: None,
    };
    let result = world.manage_as(STRANGER, "update_settings", &update);
    expect_reject(result, CanisterError, CanisterInvalidController);
    assert!(world.state(id).is_running() && world.state(id).code.is_some());
}

#[test]
fn id_of_a_deleted_canister_is_never_given_again() {
    use ic_management_canister_types::ProvisionalCreateCanisterWithCyclesArgs as Create;
    let mut world = World::new();
    let first = world.create();
    // The id that would be the next one.
    let mut bytes = first.as_slice().to_vec();
    bytes[7] += 1;
    let next = candid::Principal::from_slice(&bytes);
    let specified = Create {
        specified_id: Some(next),
        ..Default::default()
    };
    world
        .manage("provisional_create_canister_with_cycles", &specified)
        .unwrap();
    world.command("stop_canister", next).unwrap();
    world.command("delete_canister", next).unwrap();
    assert_ne!(world.create(), next);
    let again = world.manage("provisional_create_canister_with_cycles", &specified);
    expect_reject(again, SysTransient, CanisterIdAlreadyExists);
}
