//! Canister interface, "Inter-canister method calls"; abstract behaviour, "Call context creation"
//! to "Call context removal" and "Callback invocation".

use local_replica::Config;
use local_replica::message::ErrorCode::*;
use local_replica::message::RejectCode::*;
use local_replica::timeline::{Ending, Step};

use crate::harness::{
    MANAGEMENT, T, USER, World, config, expect_reject, number, numbers, rejected,
};
use crate::puppet::{Callback, NO_CALLBACK, call, call_method, script};

#[test]
fn call_then_trap_sends_nothing() {
    let mut world = World::new();
    let (a, b) = (world.puppet(), world.puppet());
    let increment = call(b, script().add(0, 1).reply());
    let result = world.run(a, script().call(increment.clone()).trap("boom"));
    expect_reject(result, CanisterError, CanisterCalledTrap);
    assert!(world.replica.pool().is_empty());
    assert_eq!(
        world.last_event().calls.len(),
        1,
        "the timeline shows what was not sent"
    );
    let result = world.run(a, script().call(increment.one_way()).trap("boom"));
    expect_reject(result, CanisterError, CanisterCalledTrap);
    world.settle();
    assert_eq!(world.cell(b, 0), 0);
    assert!(world.state(a).callbacks.is_empty());
}

#[test]
fn state_before_the_call_is_kept_when_the_callback_traps() {
    let mut world = World::new();
    let (a, b) = (world.puppet(), world.puppet());
    let trap = call(b, script().add(0, 1).reply()).on_reply(script().add(0, 10).trap("boom"));
    let result = world.run(a, script().add(0, 1).call(trap));
    expect_reject(result, CanisterError, CanisterCalledTrap);
    assert_eq!((world.cell(a, 0), world.cell(b, 0)), (1, 1));
}

#[test]
fn cleanup_runs_when_a_callback_traps_and_its_effects_stay() {
    let mut world = World::new();
    let (a, b) = (world.puppet(), world.puppet());
    let boom = script().add(0, 10).trap("boom");
    let clean = script().get("reject_code", 2).add(1, 1);
    let reply = call(b, script().reply())
        .on_reply(boom.clone())
        .cleanup(clean.clone());
    let reject = world.run(a, script().add(0, 1).call(reply)).unwrap_err();
    assert_eq!(reject.error_code, CanisterCalledTrap);
    assert!(reject.message.ends_with("with message: 'boom'"), "{reject}");
    assert_eq!(
        (world.cell(a, 0), world.cell(a, 1), world.cell(a, 2)),
        (1, 1, 0)
    );
    let steps: Vec<_> = world.steps(a).into_iter().rev().take(2).collect();
    assert_eq!(steps[0], (Step::Cleanup, true));
    assert!(matches!(steps[1], (Step::Callback { .. }, false)));

    let reject = call(b, script().reject("no"))
        .on_reject(boom)
        .cleanup(clean);
    let result = world.run(a, script().call(reject));
    expect_reject(result, CanisterError, CanisterCalledTrap);
    assert_eq!((world.cell(a, 1), world.cell(a, 2)), (2, 4));
}

#[test]
fn cleanup_does_not_run_when_the_callback_ends_normally() {
    let mut world = World::new();
    let (a, b) = (world.puppet(), world.puppet());
    let calm = |answer| call(b, answer).cleanup(script().add(1, 1));
    world.run(a, script().call(calm(script().reply()))).unwrap();
    world
        .run(a, script().call(calm(script().reject("no"))))
        .unwrap();
    world
        .run(a, script().call(calm(script().trap("boom"))))
        .unwrap();
    let rejecting = calm(script().reply()).on_reply(script().reject("on purpose"));
    world.run(a, script().call(rejecting)).unwrap_err();
    assert_eq!(world.cell(a, 1), 0);
}

#[test]
fn cleanup_does_not_run_when_the_message_that_made_the_call_traps() {
    let mut world = World::new();
    let (a, b) = (world.puppet(), world.puppet());
    let cleaning = call(b, script().reply()).cleanup(script().add(1, 1));
    world
        .run(a, script().call(cleaning).trap("boom"))
        .unwrap_err();
    assert_eq!(world.cell(a, 1), 0);
}

#[test]
fn trap_in_cleanup_is_undone_and_both_messages_are_told() {
    let mut world = World::new();
    let (a, b) = (world.puppet(), world.puppet());
    let both = call(b, script().reply())
        .on_reply(script().trap("first"))
        .cleanup(script().add(1, 1).trap("second"));
    let result = world.run(a, script().add(0, 1).call(both));
    let reject = expect_reject(result, CanisterError, CanisterCalledTrap);
    let (first, second) = reject
        .message
        .split_once("call_on_cleanup also failed:")
        .unwrap();
    assert!(
        first.contains("'first'") && second.contains("'second'"),
        "{reject}"
    );
    assert_eq!((world.cell(a, 0), world.cell(a, 1)), (1, 0));
    assert!(matches!(world.last_event().ending, Ending::Undone(_)));
    assert!(world.state(a).call_contexts.is_empty());
}

#[test]
fn caller_in_a_callback_is_the_original_caller() {
    let mut world = World::new();
    let (a, b) = (world.puppet(), world.puppet());
    let who = script().op("append_caller").reply();
    let asked = call(b, script().reply()).on_reply(who.clone());
    assert_eq!(
        world.run(a, script().call(asked)),
        Ok(USER.as_slice().to_vec())
    );
    let asked = call(b, script().reject("no")).on_reject(who);
    assert_eq!(
        world.run(a, script().call(asked)),
        Ok(USER.as_slice().to_vec())
    );
}

#[test]
fn one_way_call_arrives_and_its_missing_callback_harms_nobody() {
    let mut world = World::new();
    let (a, b) = (world.puppet(), world.puppet());
    for answer in [script().add(0, 1).reply(), script().add(0, 1).reject("no")] {
        let result = world.run(
            a,
            script().add(0, 1).call(call(b, answer).one_way()).reply(),
        );
        assert_eq!(result, Ok(vec![]));
        world.settle();
        let Ending::Undone(reject) = world.last_event().ending else {
            panic!("there was no callback");
        };
        assert_eq!(reject.error_code, CanisterFunctionNotFound);
    }
    assert_eq!((world.cell(a, 0), world.cell(b, 0)), (2, 2));
    assert!(world.state(a).call_contexts.is_empty() && world.state(a).callbacks.is_empty());
}

#[test]
fn callback_that_is_no_function_traps_and_cleanup_runs() {
    let mut world = World::new();
    let (a, b) = (world.puppet(), world.puppet());
    // The second is a function, but of another type.
    for index in [100_000, 1] {
        let bad = call(b, script().reply()).on_reply(Callback::Index(index));
        let result = world.run(a, script().call(bad.cleanup(script().add(1, 1))));
        assert_eq!(result.unwrap_err().code, CanisterError);
    }
    assert_eq!(world.cell(a, 1), 2);
    let bad = call(b, script().reply())
        .on_reply(NO_CALLBACK)
        .cleanup(NO_CALLBACK);
    let reject = expect_reject(
        world.run(a, script().call(bad)),
        CanisterError,
        CanisterFunctionNotFound,
    );
    assert!(
        reject.message.contains("call_on_cleanup also failed"),
        "{reject}"
    );
}

#[test]
fn call_perform_without_the_cycles_for_it_returns_2_and_calls_nobody() {
    let mut world = World::new();
    let b = world.puppet();
    let a = world.create_with(10 * T, Default::default());
    world
        .install(a, &crate::puppet::module(&[], ""), &[])
        .unwrap();
    let before = world.state(a).balance;
    let calling = call(b, script().add(0, 1).reply());
    // What is left can be spent, but is less than what is set aside for a response.
    let all_but_little = before - world.state(a).freezing_limit() - T / 1000;
    let attached = script().assemble(calling).attach(all_but_little);
    let reply = world.run(a, attached.get("perform", 2).add(0, 1).reply_cell(2));
    assert_eq!(number(&reply.unwrap()), 2);
    world.settle();
    assert_eq!((world.cell(a, 0), world.cell(b, 0)), (1, 0));
    assert!(
        before - world.state(a).balance < T / 1000,
        "the cycles are back"
    );
}

#[test]
fn full_queue_makes_call_perform_return_2_until_a_response_came() {
    let mut world = World::with(Config {
        queue_capacity: 2,
        ..config()
    });
    let (a, b, c) = (world.puppet(), world.puppet(), world.puppet());
    let to = |id| call(id, script().add(0, 1).reply()).one_way();
    let results = script()
        .call(to(b))
        .copy(254, 1)
        .call(to(b))
        .copy(254, 2)
        .call(to(b))
        .copy(254, 3)
        .call(to(c))
        .copy(254, 4);
    let reply = world.run(
        a,
        results
            .append_cell(1)
            .append_cell(2)
            .append_cell(3)
            .append_cell(4)
            .reply(),
    );
    assert_eq!(numbers(&reply.unwrap()), [0, 0, 2, 0]);
    let again = world.run(a, script().call(to(b)).reply_cell(254));
    assert_eq!(number(&again.unwrap()), 2, "the calls are still open");
    world.settle();
    let again = world.run(a, script().call(to(b)).reply_cell(254));
    assert_eq!(number(&again.unwrap()), 0);
    world.settle();
    assert_eq!((world.cell(b, 0), world.cell(c, 0)), (3, 1));
}

#[test]
fn requests_that_a_trap_discarded_do_not_fill_the_queue() {
    let mut world = World::with(Config {
        queue_capacity: 1,
        ..config()
    });
    let (a, b) = (world.puppet(), world.puppet());
    let one = || call(b, script().reply()).one_way();
    world.run(a, script().call(one()).trap("boom")).unwrap_err();
    let reply = world.run(a, script().call(one()).reply_cell(254));
    assert_eq!(number(&reply.unwrap()), 0);
}

#[test]
fn call_that_is_not_performed_is_discarded_and_its_cycles_return() {
    let mut world = World::new();
    let (a, b) = (world.puppet(), world.puppet());
    let costly = call(b, script().add(0, 1).reply()).cycles(20 * T);
    let measured = script()
        .get("balance", 1)
        .assemble(costly.clone())
        .get("balance", 2)
        .assemble(call(b, script().reply()))
        .get("balance", 3);
    let reply = world.run(
        a,
        measured
            .append_cell(1)
            .append_cell(2)
            .append_cell(3)
            .reply(),
    );
    let balances = numbers(&reply.unwrap());
    assert_eq!(balances[0] - balances[1], 20 * T as u64);
    assert_eq!(balances[2], balances[0]);
    let before = world.state(a).balance;
    world.run(a, script().assemble(costly).reply()).unwrap();
    world.settle();
    assert!(before - world.state(a).balance < T / 1000);
    assert_eq!(world.cell(b, 0), 0);
}

#[test]
fn functions_that_assemble_a_call_trap_outside_of_one() {
    let mut world = World::new();
    let (a, b) = (world.puppet(), world.puppet());
    let performed = || script().add(0, 1).call(call(b, script().reply()));
    for outside in [
        script().attach(0),
        script().timeout(1),
        script().cleanup(&NO_CALLBACK),
        script().get("perform", 0),
        performed().attach(0),
        performed().get("perform", 0),
        performed().timeout(1),
        // At most once:
        script().assemble(call(b, script()).timeout(1)).timeout(2),
        script()
            .assemble(call(b, script()).cleanup(script()))
            .cleanup(&NO_CALLBACK),
    ] {
        expect_reject(
            world.run(a, outside),
            CanisterError,
            CanisterContractViolation,
        );
        assert_eq!(world.cell(a, 0), 0);
    }
}

#[test]
fn attaching_more_cycles_than_there_are_traps() {
    let mut world = World::new();
    let (a, b) = (world.puppet(), world.puppet());
    for cycles in [101 * T, u128::MAX] {
        let result = world.run(a, script().add(0, 1).call(call(b, script()).cycles(cycles)));
        assert!(result.is_err());
        assert_eq!(world.cell(a, 0), 0);
    }
}

#[test]
fn calls_to_what_does_not_exist_are_rejected_by_the_system() {
    let mut world = World::new();
    let (a, b, empty) = (world.puppet(), world.puppet(), world.create());
    let nowhere = candid::Principal::from_slice(&[0, 0, 0, 0, 0, 0, 0, 9, 1, 1]);
    let mut told = |callee, method| {
        let made = script().add(0, 1).call(call_method(callee, method, b""));
        rejected(world.run(a, made))
    };
    let (code, message) = told(nowhere, "run");
    assert_eq!((code, &message[..7]), (3, "IC0301:"), "{message}");
    let (code, message) = told(b, "nope");
    assert_eq!(code, 5);
    assert_eq!(
        message,
        format!("IC0536: Error from Canister {b}: Canister has no update method 'nope'.")
    );
    let (code, message) = told(empty, "run");
    assert_eq!((code, &message[..7]), (5, "IC0537:"), "{message}");
    let (code, message) = told(b, "compose");
    assert_eq!((code, &message[..7]), (5, "IC0527:"), "{message}");
    assert_eq!(world.cell(a, 0), 4);
}

#[test]
fn users_are_told_what_does_not_exist() {
    let mut world = World::new();
    let (a, empty) = (world.puppet(), world.create());
    let nowhere = candid::Principal::from_slice(&[0, 0, 0, 0, 0, 0, 0, 9, 1, 1]);
    expect_reject(
        world.call(nowhere, "run", b""),
        DestinationInvalid,
        CanisterNotFound,
    );
    expect_reject(
        world.call(a, "nope", b""),
        CanisterError,
        CanisterMethodNotFound,
    );
    expect_reject(
        world.call(empty, "run", b""),
        CanisterError,
        CanisterWasmModuleNotFound,
    );
    expect_reject(
        world.query(nowhere, "ask", b""),
        DestinationInvalid,
        CanisterNotFound,
    );
    let reject = world.query(a, "run", b"");
    let reject = expect_reject(reject, CanisterError, CanisterMethodNotFound);
    assert!(
        reject
            .message
            .ends_with("Canister has no query method 'run'."),
        "{reject}"
    );
    expect_reject(
        world.query(empty, "ask", b""),
        CanisterError,
        CanisterWasmModuleNotFound,
    );
    let result = world.call(MANAGEMENT, "nope", b"DIDL\0\0");
    expect_reject(result, CanisterError, CanisterMethodNotFound);
}
