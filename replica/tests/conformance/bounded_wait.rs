//! Canister interface, `ic0.call_with_best_effort_response` and `ic0.msg_deadline`; abstract
//! behaviour, "Call expiry" and "Dropping expired messages".

use local_replica::MessageName;
use local_replica::message::ErrorCode::*;
use local_replica::message::RejectCode::*;
use local_replica::pool::{Policy, Pool};

use crate::harness::{T, World, expect_reject, number, numbers, queue_of, rejected};
use crate::puppet::{call, call_method, script};

const SECOND: u64 = 1_000_000_000;

/// Delivers requests to no canister but those that are not this one.
struct Without(candid::Principal);

impl Policy for Without {
    fn next(&mut self, pool: &Pool) -> Option<MessageName> {
        let mut others = pool.deliverable().filter(|m| m.receiver() != self.0);
        others.next().map(local_replica::message::Message::name)
    }
}

#[test]
fn answer_before_the_deadline_arrives_as_always() {
    let mut world = World::new();
    let (a, b) = (world.puppet(), world.puppet());
    let made = call(b, script().append(b"in time").reply()).timeout(10);
    assert_eq!(world.run(a, script().call(made)), Ok(b"in time".to_vec()));
    world.advance(100);
    world.settle();
    assert_eq!(world.replica.cycles().lost, 0);
}

#[test]
fn callee_is_told_the_deadline_and_other_calls_have_none() {
    let mut world = World::new();
    let (a, b) = (world.puppet(), world.puppet());
    let asked = || call(b, script().get("deadline", 0).reply_cell(0));
    let told = |world: &mut World, call| number(&world.run(a, script().call(call)).unwrap());
    let now = world.replica.time();
    assert_eq!(told(&mut world, asked()), 0);
    assert_eq!(told(&mut world, asked().timeout(10)), now + 10 * SECOND);
    assert_eq!(told(&mut world, asked().timeout(300)), now + 300 * SECOND);
    assert_eq!(
        told(&mut world, asked().timeout(u64::from(u32::MAX))),
        now + 300 * SECOND
    );
    assert_eq!(told(&mut world, asked().timeout(0)), now);
    let reply = world.run(b, script().get("deadline", 0).reply_cell(0));
    assert_eq!(number(&reply.unwrap()), 0, "users set no deadline");
}

#[test]
fn deadline_is_told_to_the_callbacks_of_the_callee_too() {
    let mut world = World::new();
    let (a, b, c) = (world.puppet(), world.puppet(), world.puppet());
    let now = world.replica.time();
    let on_reply = script().get("deadline", 0).reply_cell(0);
    let asked = script().call(call(c, script().reply()).on_reply(on_reply));
    let reply = world.run(a, script().call(call(b, asked).timeout(20)));
    assert_eq!(number(&reply.unwrap()), now + 20 * SECOND);
}

#[test]
fn deadline_before_delivery_ends_in_sys_unknown_and_the_callee_never_runs() {
    let mut world = World::new();
    let (a, b) = (world.puppet(), world.puppet());
    world.replica.set_policy(Box::new(Without(b)));
    let made = call(b, script().add(0, 1).reply()).timeout(10).cycles(T);
    let id = world.submit(a, script().call(made));
    world.settle();
    world.advance(9);
    world.settle();
    assert_eq!(world.answer(id), None);
    world.advance(1);
    world.settle();
    let told = rejected(world.answer(id).unwrap());
    assert_eq!(told, (6, "Call deadline has expired.".to_owned()));
    world
        .replica
        .set_policy(Box::new(local_replica::pool::OldestFirst));
    world.settle();
    assert_eq!(world.cell(b, 0), 0);
}

#[test]
fn deadline_after_delivery_ends_in_sys_unknown_and_the_late_response_is_dropped() {
    let mut world = World::new();
    let (a, b, c) = (world.puppet(), world.puppet(), world.puppet());
    world.replica.set_policy(Box::new(Without(c)));
    let slow = script()
        .add(0, 1)
        .get_of("accept", 1, T as u64)
        .call(call(c, script().reply()).on_reply(script().add(2, 1).reply()));
    let made = call(b, slow)
        .timeout(10)
        .cycles(3 * T)
        .on_reply(script().add(9, 1).reply());
    let id = world.submit(a, script().call(made));
    world.settle();
    world.advance(10);
    world.settle();
    let (code, _) = rejected(world.answer(id).unwrap());
    assert_eq!(code, 6);
    assert!(world.state(a).callbacks.is_empty() && world.state(a).call_contexts.is_empty());
    // The callee knows nothing of it and ends what it began.
    world
        .replica
        .set_policy(Box::new(local_replica::pool::OldestFirst));
    world.settle();
    let cells = [
        world.cell(a, 9),
        world.cell(b, 0),
        world.cell(b, 1),
        world.cell(b, 2),
    ];
    assert_eq!(cells, [0, 1, T as u64, 1]);
    assert_eq!(
        world.replica.cycles().lost,
        2 * T,
        "the refund came too late"
    );
}

#[test]
fn response_that_was_sent_before_the_deadline_counts() {
    let mut world = World::new();
    let (a, b) = (world.puppet(), world.puppet());
    let made = call(b, script().append(b"sent").reply()).timeout(10);
    let id = world.submit(a, script().call(made));
    world.step();
    world.step();
    assert_eq!(world.answer(id), None);
    world.advance(1000);
    world.settle();
    assert_eq!(world.answer(id), Some(Ok(b"sent".to_vec())));
}

#[test]
fn late_response_is_dropped_under_every_policy() {
    // The response is chosen before the reject of the system whenever the policy can.
    struct NewestFirst;
    impl Policy for NewestFirst {
        fn next(&mut self, pool: &Pool) -> Option<MessageName> {
            pool.deliverable()
                .map(local_replica::message::Message::name)
                .last()
        }
    }
    let mut world = World::new();
    let (a, b, c) = (world.puppet(), world.puppet(), world.puppet());
    world.replica.set_policy(Box::new(Without(c)));
    let slow = script().call(call(c, script().reply()));
    let id = world.submit(a, script().call(call(b, slow).timeout(10)));
    world.settle();
    // c answers, and the time is over before b knows.
    world.replica.set_policy(Box::new(Without(b)));
    world.settle();
    world.advance(10);
    world.replica.set_policy(Box::new(Without(a)));
    world.settle();
    world.replica.set_policy(Box::new(NewestFirst));
    world.settle();
    assert_eq!(rejected(world.answer(id).unwrap()).0, 6);
}

#[test]
fn cleanup_runs_when_the_callback_of_an_expired_call_traps() {
    let mut world = World::new();
    let (a, b) = (world.puppet(), world.puppet());
    world.replica.set_policy(Box::new(Without(b)));
    let made = call(b, script().reply())
        .timeout(1)
        .on_reject(script().trap("boom"))
        .cleanup(script().get("reject_code", 1));
    let id = world.submit(a, script().call(made));
    world.settle();
    world.advance(1);
    world.settle();
    expect_reject(world.answer(id).unwrap(), CanisterError, CanisterCalledTrap);
    assert_eq!(world.cell(a, 1), 6);
}

#[test]
fn unbounded_wait_call_never_ends_by_the_clock() {
    let mut world = World::new();
    let (a, b) = (world.puppet(), world.puppet());
    world.replica.set_policy(Box::new(Without(b)));
    let id = world.submit(a, script().call(call(b, script().reply())));
    world.settle();
    world.advance(1_000_000);
    world.settle();
    assert_eq!(world.answer(id), None);
}

#[test]
fn expired_call_frees_its_place_in_the_queue() {
    let mut world = World::with(queue_of(1));
    let (a, b) = (world.puppet(), world.puppet());
    world.replica.set_policy(Box::new(Without(b)));
    let made = || call(b, script().reply()).one_way().timeout(5);
    let reply = world.run(
        a,
        script()
            .call(made())
            .copy(254, 1)
            .call(made())
            .append_cell(1)
            .append_cell(254)
            .reply(),
    );
    assert_eq!(numbers(&reply.unwrap()), [0, 2]);
    world.advance(5);
    world.settle();
    let reply = world.run(a, script().call(made()).reply_cell(254));
    assert_eq!(number(&reply.unwrap()), 0);
}

#[test]
fn query_method_is_told_no_deadline() {
    let mut world = World::new();
    let (a, b) = (world.puppet(), world.puppet());
    let asked = script().get("deadline", 0).reply_cell(0);
    let made = call_method(b, "ask", &asked.0).timeout(10);
    assert_eq!(number(&world.run(a, script().call(made)).unwrap()), 0);
}
