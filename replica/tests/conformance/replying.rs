//! Canister interface, "Responding"; abstract behaviour, "Message execution" and "Call context
//! starvation".

use local_replica::message::ErrorCode::*;
use local_replica::message::RejectCode::*;
use local_replica::timeline::Ending;

use crate::harness::{STRANGER, World, expect_reject, number, rejected};
use crate::puppet::{call, script};

#[test]
fn reply_is_what_was_appended_in_order() {
    let mut world = World::new();
    let id = world.puppet();
    let reply = world.run(
        id,
        script().append(b"one ").append(b"").append(b"two").reply(),
    );
    assert_eq!(reply, Ok(b"one two".to_vec()));
}

#[test]
fn second_reply_traps_and_undoes_the_message() {
    let mut world = World::new();
    let id = world.puppet();
    for twice in [
        script().add(0, 1).reply().reply(),
        script().add(0, 1).reply().reject("no"),
        script().add(0, 1).reject("no").reply(),
        script().add(0, 1).reject("no").reject("no"),
        script().add(0, 1).reply().append(b"x"),
    ] {
        let reject = expect_reject(
            world.run(id, twice),
            CanisterError,
            CanisterContractViolation,
        );
        assert!(
            reject.message.contains("the call is already replied."),
            "{reject}"
        );
        assert_eq!(world.cell(id, 0), 0);
    }
}

#[test]
fn reply_in_a_callback_after_a_reply_before_the_call_traps() {
    let mut world = World::new();
    let (a, b) = (world.puppet(), world.puppet());
    let late = call(b, script().reply()).on_reply(script().add(0, 1).reply());
    let reply = world.run(a, script().call(late).append(b"early").reply());
    assert_eq!(reply, Ok(b"early".to_vec()));
    world.settle();
    let Ending::Undone(reject) = world.last_event().ending else {
        panic!("the callback was kept");
    };
    assert_eq!(reject.error_code, CanisterContractViolation);
    assert_eq!(world.cell(a, 0), 0);
}

#[test]
fn message_without_reply_is_rejected_and_kept() {
    let mut world = World::new();
    let id = world.puppet();
    let result = world.run(id, script().add(0, 1));
    let reject = expect_reject(result, CanisterError, CanisterDidNotReply);
    assert!(
        reject.message.contains("did not reply to the call"),
        "{reject}"
    );
    assert_eq!(world.cell(id, 0), 1);
    assert_eq!(world.last_event().ending, Ending::Committed);
}

#[test]
fn trap_after_a_reply_undoes_the_reply() {
    let mut world = World::new();
    let id = world.puppet();
    let result = world.run(id, script().add(0, 1).append(b"x").reply().trap("boom"));
    let reject = expect_reject(result, CanisterError, CanisterCalledTrap);
    assert!(reject.message.contains("with message: 'boom'"), "{reject}");
    assert_eq!(world.cell(id, 0), 0);
}

#[test]
fn explicit_reject_keeps_the_state_and_passes_on_the_text() {
    let mut world = World::new();
    let id = world.puppet();
    let result = world.run(id, script().add(0, 1).reject("not today"));
    let reject = expect_reject(result, CanisterReject, CanisterRejectedMessage);
    assert_eq!(reject.message, "not today");
    assert_eq!(world.cell(id, 0), 1);
}

#[test]
fn reject_drops_the_reply_data_appended_before_it() {
    let mut world = World::new();
    let id = world.puppet();
    let result = world.run(id, script().append(b"data").reject("no"));
    assert_eq!(result.unwrap_err().message, "no");
}

#[test]
fn reply_data_of_one_message_is_no_part_of_the_next_one_s_reply() {
    let mut world = World::new();
    let (a, b) = (world.puppet(), world.puppet());
    let then = call(b, script().reply()).on_reply(script().append(b"second").reply());
    let reply = world.run(a, script().append(b"first").call(then));
    assert_eq!(reply, Ok(b"second".to_vec()));
}

#[test]
fn reject_that_is_not_utf_8_traps() {
    let mut world = World::new();
    let id = world.puppet();
    let result = world.run(id, script().add(0, 1).reject([0xff, 0xfe]));
    expect_reject(result, CanisterError, CanisterContractViolation);
    assert_eq!(world.cell(id, 0), 0);
}

#[test]
fn reply_of_2_mib_is_the_largest() {
    const LIMIT: u64 = 2 * 1024 * 1024;
    let mut world = World::new();
    let id = world.puppet();
    let reply = world.run(id, script().append_zeros(LIMIT).reply()).unwrap();
    assert_eq!(reply.len() as u64, LIMIT);
    let result = world.run(
        id,
        script().add(0, 1).append_zeros(LIMIT).append(b"x").reply(),
    );
    expect_reject(result, CanisterError, CanisterContractViolation);
    assert_eq!(world.cell(id, 0), 0);
}

#[test]
fn caller_of_a_callee_that_does_not_reply_gets_a_reject() {
    let mut world = World::new();
    let (a, b) = (world.puppet(), world.puppet());
    let told = rejected(world.run(a, script().call(call(b, script().add(0, 1)))));
    assert_eq!(told, (5, "No response".to_owned()));
    assert_eq!(world.cell(b, 0), 1);
}

#[test]
fn reject_of_a_callee_has_no_error_code_in_front_and_a_trap_has() {
    let mut world = World::new();
    let (a, b) = (world.puppet(), world.puppet());
    let told = rejected(world.run(a, script().call(call(b, script().reject("no")))));
    assert_eq!(told, (4, "no".to_owned()));
    let (code, told) = rejected(world.run(a, script().call(call(b, script().trap("boom")))));
    let begin =
        format!("IC0503: Error from Canister {b}: Canister called `ic0.trap` with message: 'boom'");
    assert!(code == 5 && told.starts_with(&begin), "{told}");
}

#[test]
fn update_call_of_a_query_method_changes_nothing() {
    let mut world = World::new();
    let id = world.puppet();
    let version = world.state(id).version;
    let write = script()
        .add(0, 1)
        .get_of("stable_grow", 1, 1)
        .get("replicated", 2);
    let reply = world.call(id, "ask", &write.append_cell(0).append_cell(2).reply().0);
    assert_eq!(crate::harness::numbers(&reply.unwrap()), [1, 1]);
    assert_eq!(world.cell(id, 0), 0);
    assert_eq!(world.state(id).stable.pages(), 0);
    assert_eq!(world.state(id).version, version + 1, "its cycles changed");
}

#[test]
fn caller_is_who_called() {
    let mut world = World::new();
    let (a, b) = (world.puppet(), world.puppet());
    let who = script().op("append_caller").reply();
    assert_eq!(
        world.call_as(STRANGER, a, "run", &who.0),
        Ok(STRANGER.as_slice().to_vec())
    );
    assert_eq!(
        world.run(a, script().call(call(b, who))),
        Ok(a.as_slice().to_vec())
    );
}

#[test]
fn argument_comes_as_it_was_sent() {
    let mut world = World::new();
    let id = world.puppet();
    let echo = script().op("append_argument").reply();
    assert_eq!(world.run(id, echo.clone()), Ok(echo.0));
    assert_eq!(
        number(&world.run(id, script().add(3, 7).reply_cell(3)).unwrap()),
        7
    );
}
