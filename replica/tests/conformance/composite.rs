//! Canister interface, "Composite queries"; abstract behaviour, "Query call".

use local_replica::message::ErrorCode::*;
use local_replica::message::RejectCode::*;

use crate::harness::{MANAGEMENT, World, expect_reject, number, numbers, rejected};
use crate::puppet::{Call, Script, call_method, script};

fn ask(callee: candid::Principal, then: Script) -> Call {
    call_method(callee, "ask", &then.0)
}

fn compose(callee: candid::Principal, then: Script) -> Call {
    call_method(callee, "compose", &then.0)
}

#[test]
fn composite_query_calls_queries_of_other_canisters() {
    let mut world = World::new();
    let (a, b, c) = (world.puppet(), world.puppet(), world.puppet());
    world.run(c, script().add(0, 7).reply()).unwrap();
    let inner = script().call(ask(c, script().reply_cell(0)));
    let reply = world.query(a, "compose", &script().call(compose(b, inner)).0);
    assert_eq!(number(&reply.unwrap()), 7);
}

#[test]
fn callees_of_composite_queries_see_the_calling_canister() {
    let mut world = World::new();
    let (a, b) = (world.puppet(), world.puppet());
    let who = script().op("append_caller").reply();
    let reply = world.query(a, "compose", &script().call(ask(b, who)).0);
    assert_eq!(reply, Ok(a.as_slice().to_vec()));
}

#[test]
fn composite_query_can_t_call_updates() {
    let mut world = World::new();
    let (a, b) = (world.puppet(), world.puppet());
    let update = call_method(b, "run", &script().add(0, 1).reply().0);
    let (code, message) = rejected(world.query(a, "compose", &script().call(update).0));
    assert_eq!((code, &message[..7]), (5, "IC0536:"), "{message}");
    let (code, message) =
        rejected(world.query(a, "compose", &script().call(ask(MANAGEMENT, script())).0));
    assert_eq!(code, 5, "{message}");
}

#[test]
fn plain_query_can_call_nobody() {
    let mut world = World::new();
    let (a, b) = (world.puppet(), world.puppet());
    let result = world.ask(a, script().call(ask(b, script().reply())));
    expect_reject(result, CanisterError, CanisterContractViolation);
}

#[test]
fn composite_query_is_no_update_method() {
    let mut world = World::new();
    let a = world.puppet();
    let result = world.call(a, "compose", &script().reply().0);
    expect_reject(result, CanisterError, CompositeQueryCalledInReplicatedMode);
}

#[test]
fn state_is_kept_between_callbacks_and_discarded_after() {
    let mut world = World::new();
    let (a, b) = (world.puppet(), world.puppet());
    world
        .run(a, script().get_of("stable_grow", 9, 1).reply())
        .unwrap();
    let last = script()
        .get_of("stable_load", 5, 8)
        .append_cell(0)
        .append_cell(5)
        .reply();
    let middle = script()
        .add(0, 10)
        .stable_write(8, &2u64.to_le_bytes())
        .call(ask(b, script().reply()).on_reply(last));
    let first = script()
        .add(0, 1)
        .stable_write(8, &1u64.to_le_bytes())
        .call(ask(b, script().reply()).on_reply(middle));
    let reply = world.query(a, "compose", &first.0);
    assert_eq!(numbers(&reply.unwrap()), [11, 2]);
    assert_eq!(world.cell(a, 0), 0);
    let stable = world.ask(a, script().get_of("stable_load", 5, 8).reply_cell(5));
    assert_eq!(number(&stable.unwrap()), 0);
}

#[test]
fn call_back_to_a_canister_under_way_finds_its_committed_state() {
    let mut world = World::new();
    let (a, b) = (world.puppet(), world.puppet());
    let base = script().add(0, 100).get_of("stable_grow", 9, 1);
    world
        .run(a, base.stable_write(0, &7u64.to_le_bytes()).reply())
        .unwrap();
    let look = script()
        .get_of("stable_load", 5, 0)
        .append_cell(0)
        .append_cell(5)
        .reply();
    // a changes itself, calls b, b calls a; then a still has its changes.
    let both = script()
        .get_of("stable_load", 5, 0)
        .append_cell(0)
        .append_cell(5)
        .op("append_argument")
        .reply();
    let change = script().add(0, 1).stable_write(0, &8u64.to_le_bytes());
    for through_b in [false, true] {
        let inner = match through_b {
            true => compose(b, script().call(ask(a, look.clone()))),
            false => ask(a, look.clone()),
        };
        let reply = world.query(
            a,
            "compose",
            &change.clone().call(inner.on_reply(both.clone())).0,
        );
        assert_eq!(numbers(&reply.unwrap()), [101, 8, 100, 7], "{through_b}");
    }
}

#[test]
fn callback_of_a_composite_query_that_traps_ends_the_query() {
    let mut world = World::new();
    let (a, b) = (world.puppet(), world.puppet());
    let trapping = || ask(b, script().reply()).on_reply(script().trap("boom"));
    let replying = ask(b, script().reply()).on_reply(script().reply());
    for cleanup in [script().add(1, 1), script().add(1, 1).trap("too")] {
        let calls = script()
            .call(trapping().cleanup(cleanup))
            .call(ask(b, script().reply()).on_reply(script().reply()));
        let result = world.query(a, "compose", &calls.0);
        expect_reject(result, CanisterError, CanisterCalledTrap);
        assert_eq!((world.cell(a, 0), world.cell(a, 1)), (0, 0));
    }
    // An answer that was given before stays.
    let calls = script().call(replying).call(trapping());
    world.query(a, "compose", &calls.0).unwrap();
}

#[test]
fn composite_query_that_never_replies_is_told_so() {
    let mut world = World::new();
    let (a, b) = (world.puppet(), world.puppet());
    let silent = ask(b, script().reply()).on_reply(script());
    let result = world.query(a, "compose", &script().call(silent).0);
    expect_reject(result, CanisterError, CanisterDidNotReply);
}

#[test]
fn composite_queries_call_each_other_6_deep_and_not_7() {
    let mut world = World::new();
    let (a, b) = (world.puppet(), world.puppet());
    for callee in [a, b] {
        let mut nested = script().append(b"bottom").reply();
        for _ in 0..6 {
            nested = script().call(compose(callee, nested));
        }
        assert_eq!(world.query(a, "compose", &nested.0), Ok(b"bottom".to_vec()));
        nested = script().call(compose(callee, nested));
        let (code, message) = rejected(world.query(a, "compose", &nested.0));
        assert_eq!((code, &message[..7]), (5, "IC0525:"), "{message}");
    }
}

#[test]
fn performance_counter_of_a_call_counts_only_the_canister_s_own_instructions() {
    let mut world = World::new();
    let (a, b) = (world.puppet(), world.puppet());
    const MANY: u64 = 100_000;
    let told = script()
        .get_of("counter", 0, 0)
        .get_of("counter", 1, 1)
        .append_cell(0)
        .append_cell(1)
        .reply();
    for (own, others) in [(1, MANY), (MANY, 1)] {
        let spin = script().spin(others).reply();
        let made = ask(b, spin).on_reply(told.clone());
        let asked = script().spin(own).call(made);
        let reply = world.query(a, "compose", &asked.0).unwrap();
        let [callback, all] = numbers(&reply)[..] else {
            panic!("{reply:?}");
        };
        assert!(callback < MANY && callback < all, "{callback} of {all}");
        assert_eq!(all > MANY, own == MANY, "{all}");
    }
}

#[test]
fn instruction_limit_is_shared_by_all_that_a_query_calls() {
    let mut world = World::new();
    let (a, b) = (world.puppet(), world.puppet());
    // Half of the limit each: one is within it, three are not.
    let half = || script().spin(500_000).reply();
    let one = script().call(ask(b, half()));
    world.query(a, "compose", &one.0).unwrap();
    let again = |then| script().call(ask(b, half()).on_reply(then));
    let three = again(again(again(script().reply())));
    let result = world.query(a, "compose", &three.0);
    assert!(
        matches!(&result, Ok(told) if told[0] == 5) || result.is_err(),
        "{result:?}"
    );
    world.query(a, "compose", &one.0).unwrap();
}

#[test]
fn calls_of_composite_queries_to_what_is_missing_are_rejected() {
    let mut world = World::new();
    let (a, stopped) = (world.puppet(), world.puppet());
    world.command("stop_canister", stopped).unwrap();
    let nowhere = candid::Principal::from_slice(&[0, 0, 0, 0, 0, 0, 0, 9, 1, 1]);
    for (callee, code) in [(nowhere, 3), (stopped, 5)] {
        let made = script().call(ask(callee, script().reply()));
        assert_eq!(rejected(world.query(a, "compose", &made.0)).0, code);
    }
}
