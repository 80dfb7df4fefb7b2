//! Exploring finds what there is: held against going through every order one by one.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::time::Duration;

use candid::Principal;
use local_replica::explore::{BuiltIn, Explore, Fault, Report};
use local_replica::hold::Delivery;
use local_replica::message::{CallResult, IngressId};
use local_replica::{Config, IngressStatus, Replica};
use proptest::prelude::*;

use crate::harness::{MANAGEMENT, USER, World, config, runner};
use crate::puppet::{Script, call, call_method, script};

/// What a message does.
#[derive(Clone, Debug)]
enum Act {
    Add(i64),
    /// The order in which this and `Add` happen can be seen.
    Copy,
    /// Traps if something was copied.
    TrapIfCopied,
    Timer(u64),
    Reply,
    ReplyCell,
    Reject,
    Trap,
    Call {
        /// One of three canisters, or the management canister.
        to: usize,
        callee: Vec<Act>,
        timeout: Option<u64>,
        one_way: bool,
        on_reply: Vec<Act>,
        on_reject: Vec<Act>,
    },
}

fn act() -> impl Strategy<Value = Act> {
    let leaf = prop_oneof![
        4 => (1..4_i64).prop_map(Act::Add),
        5 => Just(Act::Copy),
        1 => Just(Act::TrapIfCopied),
        1 => (1..3_u64).prop_map(Act::Timer),
        2 => Just(Act::Reply),
        4 => Just(Act::ReplyCell),
        1 => Just(Act::Reject),
        1 => Just(Act::Trap),
    ];
    leaf.prop_recursive(2, 4, 2, |inner| {
        let acts = || prop::collection::vec(inner.clone(), 0..2);
        let timeout = prop::option::weighted(0.3, 1..100_u64);
        let to = prop_oneof![4 => Just(0), 3 => 1..3_usize, 1 => Just(3)];
        let kind = (to, timeout, prop::bool::weighted(0.2));
        (kind, acts(), acts(), acts()).prop_map(
            |((to, timeout, one_way), callee, on_reply, on_reject)| Act::Call {
                to,
                callee,
                timeout,
                one_way,
                on_reply,
                on_reject,
            },
        )
    })
}

fn write(acts: &[Act], ids: &[Principal; 3], now: u64) -> Script {
    acts.iter().fold(script(), |script, act| match act {
        Act::Add(number) => script.add(0, *number),
        Act::Copy => script.copy(0, 1),
        Act::TrapIfCopied => script.when(1, crate::puppet::script().trap("copied")),
        Act::Timer(seconds) => script.get_of("timer", 9, now + seconds * 1_000_000_000),
        Act::Reply => script.reply(),
        Act::ReplyCell => script.reply_cell(0),
        Act::Reject => script.reject("on purpose"),
        Act::Trap => script.trap("boom"),
        Act::Call {
            to,
            callee,
            timeout,
            one_way,
            on_reply,
            on_reject,
        } => {
            let mut made = match ids.get(*to) {
                Some(id) => call(*id, write(callee, ids, now)),
                None => call_method(MANAGEMENT, "raw_rand", b"DIDL\0\0"),
            };
            made = made
                .on_reply(write(on_reply, ids, now))
                .on_reject(write(on_reject, ids, now));
            if *one_way {
                made = made.one_way();
            }
            if let Some(seconds) = timeout {
                made = made.timeout(*seconds);
            }
            script.call(made)
        }
    })
}

/// A small system: what it starts from, and the calls that are made at the same time.
struct System {
    replica: Replica,
    ids: [Principal; 3],
    calls: Vec<(usize, Script)>,
}

/// What is seen at an end: the answers, sorted among calls that are the same, and two cells of each
/// canister.
type Seen = (Vec<Option<CallResult>>, Vec<CallResult>);

fn look() -> Vec<u8> {
    script().append_cell(0).append_cell(1).reply().0
}

impl System {
    fn new(world: &World, ids: [Principal; 3], calls: &[(usize, Vec<Act>)]) -> Self {
        let now = world.replica.time();
        let calls = calls.iter();
        System {
            replica: world.replica.fork(),
            ids,
            calls: calls
                .map(|(to, acts)| (*to, write(acts, &ids, now)))
                .collect(),
        }
    }

    fn explore(&self, faults: &[Fault], most: usize) -> Explore {
        let mut explore = Explore::from(&self.replica).most_waits(2);
        for (to, script) in &self.calls {
            explore = explore.together(USER, self.ids[*to], "run", &script.0);
        }
        for id in self.ids {
            explore = explore.look(USER, id, "ask", &look());
        }
        explore.faults(faults.iter().copied(), most)
    }

    fn see(&self, replica: &mut Replica, sent: &[IngressId]) -> Seen {
        let mut answers: Vec<_> = sent
            .iter()
            .map(|id| match replica.ingress_status(*id) {
                Some(IngressStatus::Answered(result)) => Some(result.clone()),
                _ => None,
            })
            .collect();
        let mut groups: BTreeMap<_, Vec<usize>> = BTreeMap::new();
        for (place, (to, script)) in self.calls.iter().enumerate() {
            groups.entry((to, &script.0)).or_default().push(place);
        }
        for places in groups.values() {
            let mut group: Vec<_> = places.iter().map(|place| answers[*place].clone()).collect();
            group.sort_by_key(|answer| format!("{answer:?}"));
            for (place, answer) in places.iter().zip(group) {
                answers[*place] = answer;
            }
        }
        let looks = self.ids.map(|id| replica.query(USER, id, "ask", &look()));
        (answers, looks.to_vec())
    }

    /// All outcomes, each with the number of orders that lead to it; nothing if there are too many
    /// orders.
    fn one_by_one(&self, faults: &[Fault], most: usize) -> Option<BTreeMap<String, u128>> {
        let mut start = self.replica.fork();
        let sent: Vec<IngressId> = self
            .calls
            .iter()
            .map(|(to, script)| {
                let id = self.ids[*to];
                start.submit(USER, id, "run", &script.0).unwrap()
            })
            .collect();
        start.hold_messages(true);
        let mut outcomes = BTreeMap::new();
        let mut left = 150;
        let mut open = vec![(start, 0, 0)];
        // Canisters run in one replica, which goes from state to state.
        let mut state = self.replica.fork();
        while let Some((next, faulty, waits)) = open.pop() {
            state.return_to(&next);
            state.step();
            let waiting = state.waiting_messages();
            let deliverable: Vec<_> = waiting.iter().filter(|m| m.deliverable).collect();
            let due = state.next_due().map(|due| due - state.time());
            if deliverable.is_empty() {
                match due {
                    Some(due) if waits < 2 => {
                        state.advance_time(Duration::from_nanos(due));
                        open.push((state.fork(), faulty, waits + 1));
                    }
                    Some(_) => *outcomes.entry("cut".to_owned()).or_insert(0) += 1,
                    None => {
                        let seen = self.see(&mut state, &sent);
                        *outcomes.entry(format!("{seen:?}")).or_insert(0) += 1;
                    }
                }
                left -= 1;
                if left == 0 {
                    return None;
                }
                continue;
            }
            let before = state.fork();
            if let Some(due) = due.filter(|_| faulty < most && faults.contains(&Fault::Late)) {
                state.advance_time(Duration::from_nanos(due));
                open.push((state.fork(), faulty + 1, waits));
                state.return_to(&before);
            }
            for message in deliverable {
                let faults = faults.iter().filter(|_| faulty < most);
                let ways = faults.filter_map(|fault| match fault {
                    Fault::Trap => Some((1, Delivery::Trap)),
                    Fault::Reject => Some((1, Delivery::Reject)),
                    Fault::Lose => Some((1, Delivery::Lose)),
                    _ => None,
                });
                for (fault, how) in ways.chain([(0, Delivery::Normally)]) {
                    if state.deliver_message(message.name, how).is_ok() {
                        open.push((state.fork(), faulty + fault, waits));
                        state.return_to(&before);
                    }
                }
            }
        }
        Some(outcomes)
    }
}

fn outcomes(report: &Report) -> BTreeMap<String, u128> {
    let outcomes = report.outcomes.iter().map(|outcome| {
        assert!(!outcome.orders.more);
        let seen = (&outcome.seen.answers, &outcome.seen.looks);
        (format!("{seen:?}"), outcome.orders.number)
    });
    outcomes.collect()
}

/// Holds exploring against going through every order, in so many random systems of so many calls.
fn compare(systems: u32, number: usize, faults: &[Fault], most: usize) {
    // Exploring does not find out where messages trap.
    let mut world = World::with(Config {
        backtraces: false,
        ..config()
    });
    let hook = script().hook("canister_global_timer", script().add(0, 5).copy(0, 1));
    let ids = [(); 3].map(|()| world.puppet_with(&["canister_global_timer"], ""));
    for id in ids {
        world.run(id, hook.clone().reply()).unwrap();
    }
    let to = prop_oneof![3 => Just(0), 2 => 1..3_usize];
    // Three calls that do more have too many orders to go through one by one.
    let acts = prop::collection::vec(act(), 1..if number > 2 { 2 } else { 3 });
    let calls = prop::collection::vec((to, acts), number);
    let [compared, reduced, many] = [(); 3].map(|()| Cell::new(0));
    let count = |counter: &Cell<u32>, if_so: bool| counter.set(counter.get() + u32::from(if_so));
    runner(systems)
        .run(&calls, |calls| {
            let system = System::new(&world, ids, &calls);
            let Some(expected) = system.one_by_one(faults, most) else {
                return Ok(());
            };
            let report = system.explore(faults, most).run();
            let cut = expected.get("cut").copied().unwrap_or(0);
            let mut expected = expected;
            expected.remove("cut");
            let found = outcomes(&report);
            let differs = |key: &&String| found.get(*key) != expected.get(*key);
            let keys = found.keys().chain(expected.keys());
            let differences: Vec<_> = keys
                .filter(differs)
                .map(|key| (key, found.get(key), expected.get(key)))
                .collect();
            prop_assert!(differences.is_empty(), "{:#?}", differences);
            let all: u128 = expected.values().sum::<u128>() + cut;
            prop_assert_eq!(report.orders.number, all);
            prop_assert_eq!(report.is_exhaustive(), cut == 0);
            count(&compared, true);
            count(&reduced, u128::from(report.runs) < all);
            count(&many, expected.len() > 1);
            Ok(())
        })
        .unwrap();
    // What is compared must be worth it.
    let counts = [compared.get(), reduced.get(), many.get()];
    assert!(
        counts.iter().all(|count| *count > systems / 40),
        "{counts:?}"
    );
}

#[test]
fn every_outcome_of_two_calls_is_found_in_as_many_orders_as_there_are() {
    compare(1_500, 2, &[], 0);
}

#[test]
fn every_outcome_of_three_calls_is_found_in_as_many_orders_as_there_are() {
    compare(200, 3, &[], 0);
}

#[test]
fn every_outcome_with_a_fault_is_found() {
    let faults = [Fault::Trap, Fault::Reject, Fault::Lose, Fault::Late];
    compare(300, 2, &faults, 1);
}

#[test]
fn every_outcome_with_two_faults_is_found() {
    compare(150, 2, &[Fault::Lose, Fault::Late, Fault::Trap], 2);
}

#[test]
fn what_is_called_afterwards_is_seen_at_the_end_and_is_in_no_schedule() {
    let mut world = World::new();
    let canister = world.puppet();
    let add = script().add(0, 1).reply().0;
    let copy = script().copy(0, 1).reply().0;
    let report = Explore::from(&world.replica)
        .together(USER, canister, "run", &add)
        .together(USER, canister, "run", &add)
        .afterwards(USER, canister, "run", &copy)
        .look(USER, canister, "ask", &look())
        .at_end("both were added, and copied", |seen| {
            let cells = seen.looks[0].as_ref().unwrap();
            cells[..8] == 2_u64.to_le_bytes() && cells[8..] == 2_u64.to_le_bytes()
        })
        .faults([Fault::Trap], 1)
        .run();
    assert!(report.is_exhaustive());
    let failure = &report.failures[0];
    assert_eq!(failure.schedule.0.len(), 2);
    let one = 1_u64.to_le_bytes();
    assert_eq!(failure.seen.looks, [Ok([one, one].concat())]);
    // A fault hits one of the two, but never what is called afterwards.
    assert_eq!((report.orders.number, failure.orders.number), (6, 4));
}

/// Three systems' worth of calls: more than one thread begins with.
fn large() -> System {
    let mut world = World::new();
    let ids = [(); 3].map(|()| world.puppet());
    let call = |to| Act::Call {
        to,
        callee: vec![Act::Add(1), Act::ReplyCell],
        timeout: None,
        one_way: false,
        on_reply: vec![Act::Copy, Act::ReplyCell],
        on_reject: vec![],
    };
    let calls = [
        (0, vec![call(1)]),
        (0, vec![Act::Add(1), call(1)]),
        (0, vec![Act::Copy, call(2)]),
        (2, vec![Act::Add(2), call(0)]),
    ];
    System::new(&world, ids, &calls)
}

#[test]
fn report_is_the_same_on_any_number_of_threads() {
    let system = large();
    let [one, two, three] = [1, 2, 3].map(|threads| {
        let report = system.explore(&[Fault::Trap], 1).threads(threads).run();
        assert!(report.is_exhaustive());
        let schedules = report.outcomes.iter().map(|o| o.schedule.to_string());
        (
            outcomes(&report),
            report.orders,
            report.runs,
            schedules.collect::<Vec<_>>(),
        )
    });
    assert!(one.1.number > 10_000, "{:?}", one.1);
    assert_eq!((&one.0, one.1, one.2), (&two.0, two.1, two.2));
    assert_eq!(two, three);
}

#[test]
fn limit_is_told_and_beyond_it_orders_are_drawn_with_the_seed() {
    let system = large();
    let explore = || system.explore(&[Fault::Trap], 1).limit(3_000);
    let report = explore().random(50, 7).run();
    assert!(!report.is_exhaustive());
    assert!(report.deliveries <= 3_000);
    assert!(report.beyond.is_some());
    let random = report.random.expect("the limit was reached");
    assert_eq!((random.orders, random.seed), (50, 7));
    let again = explore().random(50, 7).run();
    let schedules = |report: &Report| {
        let schedules = report.outcomes.iter().map(|o| o.schedule.to_string());
        schedules.collect::<Vec<_>>()
    };
    assert_eq!(schedules(&report), schedules(&again));
}

#[test]
fn exploring_ends_when_who_watches_has_seen_enough() {
    let system = large();
    for threads in [1, 2] {
        let mut told = 0;
        let report = system
            .explore(&[Fault::Trap], 1)
            .threads(threads)
            .run_watched(&mut |_| {
                told += 1;
                told < 3
            });
        assert!(!report.is_exhaustive());
    }
}

#[test]
fn schedules_of_all_outcomes_lead_to_them_when_they_are_followed_from_the_beginning() {
    let system = large();
    let explore = system.explore(&[Fault::Trap], 1);
    for outcome in explore.run().outcomes {
        let text = outcome.schedule.to_string();
        let mut replayed = explore.replay(&text.parse().unwrap()).unwrap();
        let looks = system
            .ids
            .map(|id| replayed.query(USER, id, "ask", &look()));
        assert_eq!(looks.to_vec(), outcome.seen.looks, "{text}");
        assert!(replayed.timeline().since(0).count() > 0);
    }
}

#[test]
fn schedule_that_does_not_fit_is_refused_with_its_step() {
    let system = large();
    let explore = system.explore(&[], 0);
    let fault = |text: &str| explore.replay(&text.parse().unwrap()).err().unwrap();
    assert!(fault("wait").starts_with("step 1 ('wait'): nobody waits"));
    assert!(fault("deliver ingress 99").starts_with("step 1 ('deliver ingress 99'): the message"));
    assert!(fault("late").starts_with("step 1 ('late'): nothing is due"));
}

#[test]
fn cycles_get_lost_with_an_answer_that_gets_lost_and_not_otherwise() {
    let mut world = World::new();
    let (a, b) = (world.puppet(), world.puppet());
    let pay = |timeout: Option<u64>| {
        let call = call(b, script().reply()).cycles(1_000_000);
        let call = timeout.into_iter().fold(call, |call, s| call.timeout(s));
        script().call(call.on_reply(script().reply()))
    };
    for (timeout, fails) in [(Some(10), true), (None, false)] {
        let report = Explore::from(&world.replica)
            .together(USER, a, "run", &pay(timeout).0)
            .faults([Fault::Lose], 1)
            .built_in(BuiltIn::CyclesConserved)
            .run();
        assert!(report.is_exhaustive());
        assert_eq!(report.failures.len(), usize::from(fails), "{timeout:?}");
    }
}
