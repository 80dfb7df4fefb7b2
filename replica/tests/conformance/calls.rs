//! Canister interface, "Inter-canister method calls"; abstract behaviour, "Call context creation"
//! to "Call context removal" and "Callback invocation".

use local_replica::fees;
use local_replica::message::ErrorCode::*;
use local_replica::message::RejectCode::*;

use crate::harness::{MANAGEMENT, T, World, expect_reject, number, numbers, queue_of, rejected};
use crate::puppet::{NO_CALLBACK, call, call_method, script};

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
    let message = fees::reserved_for_execution(false);
    let all_but_little = before - world.state(a).freezing_limit() - message - T / 1000;
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
    let mut world = World::with(queue_of(2));
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
    let mut world = World::with(queue_of(1));
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
    assert_eq!(
        told(nowhere, "run"),
        (3, format!("Canister {nowhere} not found"))
    );
    let (code, message) = told(b, "nope");
    assert_eq!((code, &message[..7]), (5, "IC0536:"), "{message}");
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
            .contains("Canister has no query method 'run'."),
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
