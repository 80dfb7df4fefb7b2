//! Messages that are held back: delivered by hand, in a chosen order, and with faults.

use local_replica::hold::{Delivery, Kind, WaitingMessage};
use local_replica::message::IngressId;

use crate::harness::{T, World, expect_reject, rejected};
use crate::puppet::{call, script};
use local_replica::message::ErrorCode::*;
use local_replica::message::RejectCode::*;

/// The only message that waits.
fn waiting(world: &World) -> WaitingMessage {
    let [message] = &world.replica.waiting_messages()[..] else {
        panic!("{:?}", world.replica.waiting_messages());
    };
    message.clone()
}

/// Delivers the only message that waits.
fn deliver(world: &mut World, how: Delivery) {
    let number = waiting(world).name;
    world.replica.deliver_message(number, how).unwrap();
}

/// A call of `a`, which calls `b` with bounded wait, and 1 T cycles; nothing is delivered yet.
fn held_call(world: &mut World) -> (candid::Principal, candid::Principal, IngressId) {
    let (a, b) = (world.puppet(), world.puppet());
    world.replica.hold_messages(true);
    let callee = script().add(0, 1).get_of("accept", 1, T as u64 / 2).reply();
    let made = call(b, callee).timeout(10).cycles(T);
    let id = world.submit(a, script().add(0, 1).call(made));
    (a, b, id)
}

#[test]
fn held_messages_wait_and_are_delivered_one_by_one() {
    let mut world = World::new();
    let (a, b, id) = held_call(&mut world);
    assert!(!world.replica.step());
    let message = waiting(&world);
    assert_eq!((message.kind, message.to), (Kind::Ingress, a));
    deliver(&mut world, Delivery::Normally);
    let message = waiting(&world);
    assert_eq!(
        (message.kind, message.from, message.to),
        (Kind::Request, a, b)
    );
    assert!(message.bounded_wait && message.deliverable);
    deliver(&mut world, Delivery::Normally);
    let message = waiting(&world);
    assert_eq!(
        (message.kind, message.from, message.to),
        (Kind::Response, b, a)
    );
    assert_eq!(world.answer(id), None);
    deliver(&mut world, Delivery::Normally);
    world.answer(id).unwrap().unwrap();
    assert!(world.replica.waiting_messages().is_empty());
}

#[test]
fn released_messages_go_on_as_always() {
    let mut world = World::new();
    let (_, b, id) = held_call(&mut world);
    deliver(&mut world, Delivery::Normally);
    world.replica.hold_messages(false);
    world.settle();
    world.answer(id).unwrap().unwrap();
    assert_eq!(world.cell(b, 0), 1);
}

#[test]
fn message_told_to_trap_is_executed_and_undone() {
    let mut world = World::new();
    let (a, b, id) = held_call(&mut world);
    deliver(&mut world, Delivery::Normally);
    deliver(&mut world, Delivery::Trap);
    assert!(world.last_event().changed_memory);
    deliver(&mut world, Delivery::Normally);
    let (code, message) = rejected(world.answer(id).unwrap());
    assert_eq!(code, 5);
    assert!(
        message.contains("the local replica was told so"),
        "{message}"
    );
    assert_eq!((world.cell(a, 0), world.cell(b, 0)), (1, 0));
}

#[test]
fn method_told_to_trap_sends_nothing() {
    let mut world = World::new();
    let (a, _, id) = held_call(&mut world);
    deliver(&mut world, Delivery::Trap);
    expect_reject(world.answer(id).unwrap(), CanisterError, CanisterCalledTrap);
    assert!(world.replica.waiting_messages().is_empty());
    assert_eq!(world.cell(a, 0), 0);
}

#[test]
fn cleanup_of_a_callback_told_to_trap_runs_to_its_end() {
    let mut world = World::new();
    let (a, b) = (world.puppet(), world.puppet());
    world.replica.hold_messages(true);
    let made = call(b, script().reply())
        .on_reply(script().add(1, 1).reply())
        .cleanup(script().add(2, 1));
    let id = world.submit(a, script().call(made));
    deliver(&mut world, Delivery::Normally);
    deliver(&mut world, Delivery::Normally);
    deliver(&mut world, Delivery::Trap);
    expect_reject(world.answer(id).unwrap(), CanisterError, CanisterCalledTrap);
    assert_eq!((world.cell(a, 1), world.cell(a, 2)), (0, 1));
}

#[test]
fn rejected_request_never_reaches_the_callee_and_its_cycles_come_back() {
    let mut world = World::new();
    let (_, b, id) = held_call(&mut world);
    deliver(&mut world, Delivery::Normally);
    deliver(&mut world, Delivery::Reject);
    deliver(&mut world, Delivery::Normally);
    let told = rejected(world.answer(id).unwrap());
    assert_eq!(told, (2, format!("Canister {b} input queue is full")));
    assert_eq!(world.cell(b, 0), 0);
    assert_eq!(world.replica.cycles().lost, 0);
}

#[test]
fn lost_request_ends_in_sys_unknown_and_its_cycles_are_lost() {
    let mut world = World::new();
    let (_, b, id) = held_call(&mut world);
    deliver(&mut world, Delivery::Normally);
    deliver(&mut world, Delivery::Lose);
    assert!(world.replica.waiting_messages().is_empty());
    assert_eq!(world.answer(id), None);
    world.advance(10);
    deliver(&mut world, Delivery::Normally);
    let (code, _) = rejected(world.answer(id).unwrap());
    assert_eq!(code, 6);
    assert_eq!(world.cell(b, 0), 0);
    assert_eq!(world.replica.cycles().lost, T);
}

#[test]
fn lost_response_ends_in_sys_unknown_though_the_callee_did_its_part() {
    let mut world = World::new();
    let (_, b, id) = held_call(&mut world);
    deliver(&mut world, Delivery::Normally);
    deliver(&mut world, Delivery::Normally);
    deliver(&mut world, Delivery::Lose);
    world.advance(10);
    deliver(&mut world, Delivery::Normally);
    let (code, _) = rejected(world.answer(id).unwrap());
    assert_eq!(code, 6);
    assert_eq!(world.cell(b, 0), 1);
    assert_eq!(world.replica.cycles().lost, T / 2);
}

#[test]
fn answer_that_waits_when_the_deadline_passes_can_t_get_lost() {
    // The callee's, which was there in time, and the system's.
    for executed in [true, false] {
        let mut world = World::new();
        let (_, _, id) = held_call(&mut world);
        deliver(&mut world, Delivery::Normally);
        match executed {
            true => deliver(&mut world, Delivery::Normally),
            false => deliver(&mut world, Delivery::Lose),
        }
        world.advance(10);
        let waiting = world.replica.waiting_messages();
        let why = world
            .replica
            .deliver_message(waiting[0].name, Delivery::Lose);
        assert!(why.unwrap_err().contains("the deadline has passed"));
        deliver(&mut world, Delivery::Normally);
        assert!(world.answer(id).is_some());
    }
}

#[test]
fn faults_that_make_no_sense_are_refused_and_the_message_waits_on() {
    let mut world = World::new();
    let (a, b) = (world.puppet(), world.puppet());
    world.replica.hold_messages(true);
    let patient = call(b, script().reply());
    world.submit(a, script().call(patient));
    let refused = |world: &mut World, how, words: &str| {
        let before = world.replica.waiting_messages();
        let why = world.replica.deliver_message(before[0].name, how);
        assert!(why.unwrap_err().contains(words));
        assert_eq!(world.replica.waiting_messages(), before);
    };
    refused(&mut world, Delivery::Reject, "only a request");
    refused(&mut world, Delivery::Lose, "only a bounded-wait call");
    deliver(&mut world, Delivery::Normally);
    refused(&mut world, Delivery::Lose, "only a bounded-wait call");
    let name = "ingress 777".parse().unwrap();
    let why = world.replica.deliver_message(name, Delivery::Normally);
    assert!(why.unwrap_err().contains("'ingress 777' can't go next"));
}

#[test]
fn requests_keep_their_order_also_by_hand() {
    let mut world = World::new();
    let (a, b) = (world.puppet(), world.puppet());
    world.replica.hold_messages(true);
    let twice = script()
        .call(call(b, script().reply()))
        .call(call(b, script().reply()));
    world.submit(a, twice);
    deliver(&mut world, Delivery::Normally);
    let [first, second] = &world.replica.waiting_messages()[..] else {
        panic!("two requests wait");
    };
    assert_eq!((first.deliverable, second.deliverable), (true, false));
    let refused = world
        .replica
        .deliver_message(second.name, Delivery::Normally);
    assert!(
        refused
            .unwrap_err()
            .contains("a request before it must go first")
    );
}
