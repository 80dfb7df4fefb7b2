//! Abstract behaviour, "Message execution", "Call context starvation" and the ordering guarantees
//! of "Calls and Messages": several calls at a time, in every order that is allowed.

use local_replica::MessageName;
use local_replica::message::ErrorCode::*;
use local_replica::message::Message;
use local_replica::message::RejectCode::*;
use local_replica::pool::{Policy, Pool};

use crate::harness::{World, expect_reject, numbers};
use crate::puppet::{Call, call, call_method, script};

/// Chooses any of the deliverable messages.
pub struct Random(pub u64);

impl Random {
    pub fn draw(&mut self) -> u64 {
        // Marsaglia's xorshift64.
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }
}

impl Policy for Random {
    fn next(&mut self, pool: &Pool) -> Option<MessageName> {
        let choices: Vec<_> = pool.deliverable().map(Message::name).collect();
        match choices.len() {
            0 => None,
            n => Some(choices[(self.draw() % n as u64) as usize]),
        }
    }
}

/// Delivers what came last, if it may go.
struct NewestFirst;

impl Policy for NewestFirst {
    fn next(&mut self, pool: &Pool) -> Option<MessageName> {
        pool.deliverable().map(Message::name).last()
    }
}

/// Writes a number to the log, where the order of events can be read.
fn note(number: u64) -> crate::puppet::Script {
    script().print(&number.to_string())
}

#[test]
fn requests_to_one_canister_arrive_in_the_order_sent_under_every_policy() {
    for seed in 1..20 {
        let mut world = World::new();
        let (a, b, c) = (world.puppet(), world.puppet(), world.puppet());
        world.replica.set_policy(Box::new(Random(seed)));
        let mut calls = script();
        for n in 0..6 {
            calls = calls.call(call(b, note(n).reply()).one_way());
            calls = calls.call(call(c, note(n).reply()).one_way());
        }
        world.run(a, calls.reply()).unwrap();
        world.settle();
        assert_eq!(world.log(b), ["0", "1", "2", "3", "4", "5"]);
        assert_eq!(world.log(c), ["0", "1", "2", "3", "4", "5"]);
    }
}

#[test]
fn responses_can_arrive_in_another_order_than_the_calls_were_made() {
    let mut world = World::new();
    let (a, b) = (world.puppet(), world.puppet());
    world.replica.set_policy(Box::new(NewestFirst));
    let noted = |n| call(b, script().reply()).on_reply(note(n));
    // The first call's response comes first only if the second request waits for it.
    let made = script()
        .call(noted(1))
        .call(noted(2))
        .call(call(a, script().reply()).on_reply(note(3)));
    world.run(a, made.reply()).unwrap();
    world.settle();
    assert_eq!(world.log(a), ["3", "1", "2"]);
}

#[test]
fn other_messages_run_between_a_call_and_its_callback() {
    let mut world = World::new();
    let (a, b) = (world.puppet(), world.puppet());
    let seen = call(b, script().reply()).on_reply(script().reply_cell(0));
    let first = world.submit(a, script().add(0, 1).call(seen));
    let second = world.submit(a, script().add(0, 10).reply());
    world.settle();
    assert_eq!(numbers(&world.answer(first).unwrap().unwrap()), [11]);
    assert!(world.answer(second).unwrap().is_ok());
}

#[test]
fn canister_can_call_itself() {
    let mut world = World::new();
    let a = world.puppet();
    let inner = script().add(0, 1).op("append_caller").reply();
    let reply = world.run(a, script().add(0, 1).call(call(a, inner)));
    assert_eq!(reply, Ok(a.as_slice().to_vec()));
    assert_eq!(world.cell(a, 0), 2);
}

#[test]
fn recursion_through_two_canisters_comes_back() {
    let mut world = World::new();
    let (a, b) = (world.puppet(), world.puppet());
    let mut innermost = script().add(0, 1).append(b"bottom").reply();
    for depth in 0..20 {
        let callee = if depth % 2 == 0 { a } else { b };
        innermost = script().add(0, 1).call(call(callee, innermost));
    }
    assert_eq!(world.run(b, innermost), Ok(b"bottom".to_vec()));
    assert_eq!(world.cell(a, 0) + world.cell(b, 0), 21);
}

#[test]
fn two_calls_at_a_time_are_answered_by_the_callback_that_replies() {
    let mut world = World::new();
    let (a, b, c) = (world.puppet(), world.puppet(), world.puppet());
    let quiet = call(b, script().add(0, 1).reply()).on_reply(script().add(1, 1));
    let telling =
        call(c, script().add(0, 1).reply()).on_reply(script().add(2, 1).append(b"c").reply());
    let reply = world.run(a, script().call(quiet).call(telling));
    assert_eq!(reply, Ok(b"c".to_vec()));
    world.settle();
    let cells = [
        world.cell(a, 1),
        world.cell(a, 2),
        world.cell(b, 0),
        world.cell(c, 0),
    ];
    assert_eq!(cells, [1, 1, 1, 1]);
}

#[test]
fn trap_in_one_callback_leaves_the_answer_to_the_other() {
    for seed in 1..10 {
        let mut world = World::new();
        let (a, b, c) = (world.puppet(), world.puppet(), world.puppet());
        world.replica.set_policy(Box::new(Random(seed)));
        let trapping = call(b, script().reply()).on_reply(script().add(1, 1).trap("boom"));
        let replying = call(c, script().reply()).on_reply(script().append(b"fine").reply());
        let result = world.run(a, script().call(trapping).call(replying));
        assert_eq!(result, Ok(b"fine".to_vec()));
        world.settle();
        assert_eq!(world.cell(a, 1), 0);
        assert!(world.state(a).call_contexts.is_empty());
    }
}

#[test]
fn caller_hears_of_a_trap_only_when_no_callback_can_answer_any_more() {
    let mut world = World::new();
    let (a, b) = (world.puppet(), world.puppet());
    let trapping = |text: &str| call(b, script().reply()).on_reply(script().trap(text));
    let id = world.submit(a, script().call(trapping("first")).call(trapping("last")));
    while world.state(a).callbacks.len() != 1 {
        assert!(world.answer(id).is_none());
        assert!(world.step());
    }
    assert!(
        world.answer(id).is_none(),
        "the second callback could still reply"
    );
    world.settle();
    let reject = expect_reject(world.answer(id).unwrap(), CanisterError, CanisterCalledTrap);
    assert!(reject.message.contains("'last'"), "{reject}");
}

#[test]
fn context_without_answer_ends_in_ic0506_when_its_last_callback_is_done() {
    let mut world = World::new();
    let (a, b) = (world.puppet(), world.puppet());
    let silent = || call(b, script().reply()).on_reply(script().add(0, 1));
    let result = world.run(a, script().call(silent()).call(silent()));
    expect_reject(result, CanisterError, CanisterDidNotReply);
    assert_eq!(world.cell(a, 0), 2);
}

#[test]
fn callbacks_can_make_further_calls_in_the_same_context() {
    let mut world = World::new();
    let (a, b) = (world.puppet(), world.puppet());
    let again =
        |next: Call| call(b, script().add(0, 1).reply()).on_reply(script().add(0, 1).call(next));
    let last = call(b, script().add(0, 1).append(b"end").reply());
    let reply = world.run(a, script().call(again(again(last))));
    assert_eq!(reply, Ok(b"end".to_vec()));
    assert_eq!((world.cell(a, 0), world.cell(b, 0)), (2, 3));
    let contexts: std::collections::BTreeSet<_> = world
        .replica
        .timeline()
        .since(0)
        .filter(|event| event.canister == a)
        .filter_map(|event| event.call_context)
        .collect();
    assert_eq!(contexts.len(), 1);
}

#[test]
fn calls_of_a_callback_that_traps_are_not_sent() {
    let mut world = World::new();
    let (a, b) = (world.puppet(), world.puppet());
    let never = call(b, script().add(1, 1).reply());
    let trapping = call(b, script().reply()).on_reply(script().call(never).trap("boom"));
    world.run(a, script().call(trapping)).unwrap_err();
    world.settle();
    assert_eq!(world.cell(b, 1), 0);
}

#[test]
fn reply_before_the_callback_ends_the_call_and_the_callback_still_runs() {
    let mut world = World::new();
    let (a, b) = (world.puppet(), world.puppet());
    let later = call(b, script().reply()).on_reply(script().add(0, 1));
    let id = world.submit(a, script().call(later).append(b"early").reply());
    world.step();
    assert_eq!(world.answer(id), Some(Ok(b"early".to_vec())));
    assert_eq!(world.cell(a, 0), 0);
    world.settle();
    assert_eq!(world.cell(a, 0), 1);
}

#[test]
fn query_method_can_be_called_by_an_update() {
    let mut world = World::new();
    let (a, b) = (world.puppet(), world.puppet());
    let mode = script().get("replicated", 0).reply_cell(0);
    let reply = world.run(a, script().call(call_method(b, "ask", &mode.0)));
    assert_eq!(numbers(&reply.unwrap()), [1]);
    assert_eq!(world.cell(b, 0), 0);
}

#[test]
fn policy_that_chooses_nothing_lets_all_messages_wait() {
    struct Patient;
    impl Policy for Patient {
        fn next(&mut self, pool: &Pool) -> Option<MessageName> {
            let mut updates = pool
                .deliverable()
                .filter(|m| !matches!(m, Message::Request(_)));
            updates.next().map(Message::name)
        }
    }
    let mut world = World::new();
    let (a, b) = (world.puppet(), world.puppet());
    world.replica.set_policy(Box::new(Patient));
    let id = world.submit(a, script().call(call(b, script().reply())));
    world.settle();
    assert_eq!((world.answer(id), world.replica.pool().len()), (None, 1));
    world
        .replica
        .set_policy(Box::new(local_replica::pool::OldestFirst));
    world.settle();
    assert_eq!(world.answer(id), Some(Ok(vec![])));
}

#[test]
fn policy_that_chooses_what_may_not_go_delivers_nothing() {
    struct Chosen(MessageName);
    impl Policy for Chosen {
        fn next(&mut self, _: &Pool) -> Option<MessageName> {
            Some(self.0)
        }
    }
    let mut world = World::new();
    let (a, b) = (world.puppet(), world.puppet());
    let noted = |n| call(b, note(n).reply()).one_way();
    world
        .run(a, script().call(noted(1)).call(noted(2)).reply())
        .unwrap();
    let [first, second] = world
        .replica
        .pool()
        .iter()
        .map(Message::name)
        .collect::<Vec<_>>()[..]
    else {
        panic!("two requests are on their way");
    };
    let events = world.replica.timeline().next_number();
    let unknown = MessageName::Ingress(local_replica::message::IngressId(u64::MAX));
    for name in [second, unknown] {
        world.replica.set_policy(Box::new(Chosen(name)));
        assert!(!world.step());
        assert_eq!(world.replica.pool().len(), 2);
    }
    assert_eq!(world.replica.timeline().next_number(), events);
    for name in [first, second] {
        world.replica.set_policy(Box::new(Chosen(name)));
        assert!(world.step());
    }
    assert_eq!(world.log(b), ["1", "2"]);
}
