//! Canister interface, `ic0.call_on_cleanup` and "Callbacks"; abstract behaviour, "Callback
//! invocation".

use local_replica::message::ErrorCode::*;
use local_replica::message::RejectCode::*;
use local_replica::timeline::{Ending, Step};

use crate::harness::{USER, World, expect_reject};
use crate::puppet::{Callback, NO_CALLBACK, call, script};

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
    assert!(
        reject.message.contains("with message: 'boom'\n"),
        "{reject}"
    );
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
