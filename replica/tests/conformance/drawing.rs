//! Orders drawn at random beyond the limit, and the good order beside one that fails.

use candid::Principal;
use local_replica::explore::{Explore, Nearest, Outcome, Seen};
use local_replica::hold::Delivery;
use local_replica::{IngressStatus, Replica};

use crate::harness::{USER, World, numbers};
use crate::puppet::{Script, call, script};

/// How often the first call awaits.
const AWAITS: u64 = 12;

/// So many orders are drawn.
const ORDERS: u64 = 300;

/// A call that awaits again and again, and adds 1 after each await.
fn patient(callee: Principal) -> Script {
    (0..AWAITS).fold(script().reply(), |then, _| {
        let mut next = script().add(0, 1);
        next.0.extend(then.0);
        script().call(call(callee, script().reply()).on_reply(next))
    })
}

/// A patient call, and one that looks how far it has come.
fn calls(world: &mut World) -> [(Principal, Script); 2] {
    let (a, b) = (world.puppet(), world.puppet());
    [(a, patient(b)), (a, script().reply_cell(0))]
}

/// How many orders are drawn uniformly until the second call comes just before the last await is over;
/// nothing if it does in none.
fn uniformly(start: &Replica, calls: &[(Principal, Script); 2]) -> Option<u64> {
    let mut state = 1_u64;
    let mut below = |end: usize| {
        state = state.wrapping_mul(6_364_136_223_846_793_005) + 1;
        (state >> 33) as usize % end
    };
    let mut replica = start.fork();
    (0..ORDERS).find(|_| {
        replica.return_to(start);
        replica.hold_messages(true);
        let sent = calls.each_ref().map(|(canister, script)| {
            let sent = replica.submit(USER, *canister, "run", &script.0);
            sent.unwrap()
        });
        loop {
            let mut waiting = replica.waiting_messages();
            waiting.retain(|message| message.deliverable);
            if waiting.is_empty() {
                break;
            }
            let name = waiting[below(waiting.len())].name;
            replica.deliver_message(name, Delivery::Normally).unwrap();
        }
        match replica.ingress_status(sent[1]) {
            Some(IngressStatus::Answered(Ok(reply))) => numbers(reply) == [AWAITS - 1],
            other => panic!("{other:?}"),
        }
    })
}

#[test]
fn drawn_priorities_find_a_call_that_must_wait_for_long_and_uniform_orders_do_not() {
    let mut world = World::new();
    let calls = calls(&mut world);
    let mut explore = Explore::from(&world.replica);
    for (canister, script) in &calls {
        explore = explore.together(USER, *canister, "run", &script.0);
    }
    let early = |seen: &Seen| match &seen.answers[1] {
        Some(Ok(reply)) => numbers(reply) != [AWAITS - 1],
        _ => true,
    };
    let report = explore
        .at_end("it does not come just before the last", early)
        .limit(1)
        .random(ORDERS, 1)
        .run();
    let random = report.random.expect("the limit was reached");
    assert_eq!((random.orders, random.seed), (ORDERS, 1));
    let [failure] = &report.failures[..] else {
        panic!("it is not found in {ORDERS} orders");
    };
    println!("found in {} of {ORDERS} orders", failure.runs);
    assert_eq!(uniformly(&world.replica, &calls), None);
}

#[test]
fn what_was_found_before_the_limit_stays_when_orders_are_drawn() {
    let mut world = World::new();
    let explore = three(&mut world).limit(3).random(0, 1);
    let first = explore.run();
    let drawn = explore.random(1, 1).run();
    assert_eq!((first.runs, drawn.runs), (1, 2));
    let found = |outcome: &Outcome| outcome.seen.is_like(&first.outcomes[0].seen);
    assert!(drawn.outcomes.iter().any(found));
}

/// Three calls of one canister, the messages 2 to 4 of users, each of which replies with what came before it.
fn three(world: &mut World) -> Explore {
    let canister = world.puppet();
    [1, 10, 100]
        .into_iter()
        .fold(Explore::from(&world.replica), |explore, number| {
            let script = script().add(0, number).reply_cell(0);
            explore.together(USER, canister, "run", &script.0)
        })
}

/// Whether the calls came in the order 2, 3, 1.
fn last_first(seen: &Seen) -> bool {
    let answers = seen.answers.iter().flatten().flatten();
    answers.map(|reply| numbers(reply)).eq([[111], [10], [110]])
}

fn order(nearest: &Nearest) -> String {
    nearest.schedule.to_string()
}

#[test]
fn nearest_good_order_is_found_where_more_than_one_step_must_change() {
    let mut world = World::new();
    let report = three(&mut world)
        .at_end("2, 3, 1", last_first)
        .always("1 comes last", |seen| match &seen.answers[0] {
            Some(Ok(reply)) => numbers(reply) == [111],
            _ => true,
        })
        .run();
    for failure in &report.failures {
        let nearest = failure.nearest.as_ref().expect("there is a good order");
        assert_eq!(nearest.differs_at, 0, "{}", failure.property);
        let expected = "deliver ingress 3\ndeliver ingress 4\ndeliver ingress 2\n";
        assert_eq!(order(nearest), expected, "{}", failure.property);
    }
    assert_eq!(report.failures.len(), 2);
}

#[test]
fn nearest_good_order_goes_with_the_failure_for_as_long_as_it_can() {
    let mut world = World::new();
    let report = three(&mut world)
        .at_end("3 does not come last", |seen| match &seen.answers[2] {
            Some(Ok(reply)) => numbers(reply) != [111],
            _ => true,
        })
        .run();
    let nearest = report.failures[0].nearest.as_ref().unwrap();
    assert_eq!(nearest.differs_at, 1);
    let expected = "deliver ingress 2\ndeliver ingress 4\ndeliver ingress 3\n";
    assert_eq!(order(nearest), expected);
}

#[test]
fn where_every_order_fails_there_is_no_nearest_one() {
    let mut world = World::new();
    let report = three(&mut world).at_end("it never holds", |_| false).run();
    assert!(report.failures[0].nearest.is_none());
}
