//! Management canister, "IC method `fetch_canister_logs`"; canister interface, "Debugging aids".

use candid::{Nat, Principal};
use ic_management_canister_types::{
    CanisterInstallMode, CanisterLogFilter, CanisterSettings, FetchCanisterLogsArgs,
    FetchCanisterLogsResult, LogVisibility,
};
use local_replica::message::CallResult;
use local_replica::message::ErrorCode::*;
use local_replica::message::RejectCode::*;

use crate::harness::{MANAGEMENT, STRANGER, USER, World, expect_reject, rejected};
use crate::puppet::{self, call_method, script};

fn args(canister_id: Principal, filter: Option<CanisterLogFilter>) -> Vec<u8> {
    candid::encode_one(FetchCanisterLogsArgs {
        canister_id,
        filter,
    })
    .unwrap()
}

fn fetch(
    world: &mut World,
    who: Principal,
    id: Principal,
    filter: Option<CanisterLogFilter>,
) -> CallResult {
    let method = "fetch_canister_logs";
    world
        .replica
        .query(who, MANAGEMENT, method, &args(id, filter))
}

/// The index and the text of each line.
fn lines(result: CallResult) -> Vec<(u64, String)> {
    let fetched: FetchCanisterLogsResult = candid::decode_one(&result.unwrap()).unwrap();
    let records = fetched.canister_log_records.into_iter();
    records
        .map(|record| (record.idx, String::from_utf8(record.content).unwrap()))
        .collect()
}

fn settings(log_visibility: LogVisibility) -> CanisterSettings {
    CanisterSettings {
        log_visibility: Some(log_visibility),
        ..Default::default()
    }
}

fn limit(bytes: u64) -> CanisterSettings {
    CanisterSettings {
        log_memory_limit: Some(Nat::from(bytes)),
        ..Default::default()
    }
}

#[test]
fn log_has_what_was_printed_and_why_messages_trapped() {
    let mut world = World::new();
    let id = world.puppet();
    world.run(id, script().print("first").reply()).unwrap();
    let trapping = script().print("second").trap("boom");
    world.run(id, trapping).unwrap_err();
    let lines = lines(fetch(&mut world, USER, id, None));
    assert_eq!(
        lines[..2],
        [(0, "first".to_owned()), (1, "second".to_owned())]
    );
    assert!(lines[2].1.contains("boom") && lines.len() == 3);
}

#[test]
fn log_can_be_fetched_by_those_who_may() {
    let mut world = World::new();
    let id = world.puppet();
    let refused = |world: &mut World, who| {
        expect_reject(
            fetch(world, who, id, None),
            CanisterReject,
            CanisterRejectedMessage,
        );
    };
    fetch(&mut world, USER, id, None).unwrap();
    refused(&mut world, STRANGER);
    let viewers = LogVisibility::AllowedViewers(vec![STRANGER]);
    world.settings(id, settings(viewers)).unwrap();
    fetch(&mut world, USER, id, None).unwrap();
    fetch(&mut world, STRANGER, id, None).unwrap();
    refused(&mut world, Principal::anonymous());
    world.settings(id, settings(LogVisibility::Public)).unwrap();
    fetch(&mut world, Principal::anonymous(), id, None).unwrap();
    world
        .settings(id, settings(LogVisibility::Controllers))
        .unwrap();
    refused(&mut world, STRANGER);
}

#[test]
fn log_is_fetched_by_a_query_and_not_by_an_update_call() {
    let mut world = World::new();
    let id = world.puppet();
    let result = world.call(MANAGEMENT, "fetch_canister_logs", &args(id, None));
    let reject = expect_reject(result, CanisterReject, CanisterRejectedMessage);
    assert!(reject.message.contains("only as a query"), "{reject}");
    // Nor by a canister, not even its own one.
    let made = call_method(MANAGEMENT, "fetch_canister_logs", &args(id, None));
    let (code, message) = rejected(world.run(id, script().call(made)));
    assert_eq!(code, 4, "{message}");
    assert!(message.contains("only as a query"), "{message}");
}

#[test]
fn filters_choose_lines_by_index_and_by_time() {
    let mut world = World::new();
    let id = world.puppet();
    let mut times = Vec::new();
    for text in ["a", "b", "c", "d"] {
        times.push(world.replica.time());
        world.run(id, script().print(text).reply()).unwrap();
        world.advance(1);
    }
    let by_index = |start, end| Some(CanisterLogFilter::ByIdx { start, end });
    let by_time = |start, end| Some(CanisterLogFilter::ByTimestampNanos { start, end });
    for (filter, expected) in [
        (None, "abcd"),
        (by_index(1, 3), "bc"),
        (by_index(0, u64::MAX), "abcd"),
        (by_index(3, 1), ""),
        (by_index(4, 9), ""),
        (by_time(times[1], times[3]), "bc"),
        (by_time(times[1] + 1, u64::MAX), "cd"),
        (by_time(0, times[0]), ""),
    ] {
        let found = lines(fetch(&mut world, USER, id, filter.clone()));
        let found: String = found.into_iter().map(|(_, text)| text).collect();
        assert_eq!(found, expected, "{filter:?}");
    }
}

#[test]
fn log_keeps_its_last_lines() {
    let mut world = World::new();
    let id = world.puppet();
    let mut printing = script();
    for line in 0..600 {
        printing = printing.print(&format!("line {line:03}"));
    }
    world.run(id, printing.reply()).unwrap();
    let log = world.log(id);
    assert!(log.len() < 600 && world.state(id).log.size() <= 4096);
    assert_eq!(log.last().unwrap(), "line 599");
}

#[test]
fn empty_lines_take_space_too() {
    let mut world = World::new();
    let id = world.puppet();
    let empty = (0..3000).fold(script(), |printing, _| printing.print(""));
    for _ in 0..3 {
        world.run(id, empty.clone().reply()).unwrap();
        assert!(world.state(id).log.records().count() <= 4096 / 16);
        assert!(world.state(id).log.size() <= 4096);
    }
    let found = lines(fetch(&mut world, USER, id, None));
    assert_eq!(found.last().unwrap().0, 8999);
}

#[test]
fn log_keeps_as_many_lines_of_one_message_as_its_limit_allows() {
    let mut world = World::new();
    let id = world.puppet();
    world.settings(id, limit(100_000)).unwrap();
    world.run(id, script().print("before").reply()).unwrap();
    let many = (0..3000).fold(script(), |printing, n| printing.print(&format!("{n:04}")));
    world.run(id, many.clone().reply()).unwrap();
    assert_eq!(world.log(id).len(), 3001);
    // 20 bytes for each line.
    world.run(id, many.trap("boom")).unwrap_err();
    let log = world.log(id);
    let trap = log.last().unwrap();
    assert!(trap.contains("boom"), "{trap}");
    let size = world.state(id).log.size();
    assert!(100_000 - 20 < size && size <= 100_000);
    assert!(log.len() > 4900 && log[log.len() - 2] == "2999");
    let indexes = lines(fetch(&mut world, USER, id, None));
    assert_eq!(indexes.last().unwrap().0, 6001);
}

#[test]
fn lower_limit_trims_the_log_at_once() {
    let mut world = World::new();
    let id = world.puppet();
    let printing = (0..100).fold(script(), |printing, n| printing.print(&format!("{n:03}")));
    world.run(id, printing.reply()).unwrap();
    let memory = world.state(id).memory_size();
    world.settings(id, limit(60)).unwrap();
    assert_eq!(world.log(id), ["097", "098", "099"]);
    assert!(world.state(id).log.size() <= 60);
    assert!(world.state(id).memory_size() < memory);
    world.settings(id, limit(0)).unwrap();
    assert!(world.log(id).is_empty());
    assert_eq!(world.state(id).log.size(), 0);
    world.run(id, script().print("unheard").reply()).unwrap();
    assert!(world.log(id).is_empty());
    world.settings(id, limit(4096)).unwrap();
    world.run(id, script().print("heard").reply()).unwrap();
    assert_eq!(
        lines(fetch(&mut world, USER, id, None)),
        [(101, "heard".to_owned())]
    );
}

#[test]
fn line_that_is_too_long_is_cut() {
    let mut world = World::new();
    let id = world.puppet();
    world.settings(id, limit(50)).unwrap();
    world
        .run(id, script().print("short").print(&"x".repeat(100)).reply())
        .unwrap();
    assert_eq!(world.log(id), ["x".repeat(34)]);
    assert_eq!(world.state(id).log.size(), 50);
}

#[test]
fn log_that_a_new_installation_forgot_takes_no_space_any_more() {
    let mut world = World::new();
    let id = world.puppet();
    let wasm = puppet::module(&[], "");
    let printing = (0..100).fold(script(), |printing, n| printing.print(&format!("{n:03}")));
    for _ in 0..5 {
        world.run(id, printing.clone().reply()).unwrap();
        let init = script().print("init");
        world
            .deploy(CanisterInstallMode::Reinstall, id, &wasm, &init.0)
            .unwrap();
        assert_eq!(world.log(id), ["init"]);
        assert_eq!(world.state(id).log.size(), 16 + 4);
    }
    world.run(id, printing.reply()).unwrap();
    assert_eq!(world.log(id).len(), 101);
}
