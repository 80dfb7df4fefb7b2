//! Abstract behaviour, "Invariants": random histories of three canisters, and what is true after
//! every step of all of them.

use std::collections::BTreeMap;

use candid::Principal;
use ic_management_canister_types::CanisterIdRecord;
use local_replica::canister::Status;
use local_replica::message::{
    CallOrigin, CallResult, CallbackId, CanisterId, IngressId, Message, RejectCode,
};
use proptest::prelude::*;

use crate::harness::{MANAGEMENT, T, USER, World, runner};
use crate::interleaving::Random;
use crate::puppet::{self, Script, call, script};

/// What a message does.
#[derive(Clone, Debug)]
enum Act {
    Add,
    Accept,
    Burn,
    GrowStable,
    Call {
        to: usize,
        callee: Vec<Act>,
        cycles: bool,
        timeout: Option<u64>,
        one_way: bool,
        on_reply: Vec<Act>,
        on_reject: Vec<Act>,
        cleanup: Option<Vec<Act>>,
    },
    Reply,
    Reject,
    Trap,
}

/// What happens to the replica.
#[derive(Clone, Debug)]
enum Step {
    Submit(usize, Vec<Act>),
    Deliver(usize),
    Advance(u64),
    Command(&'static str, usize),
    Upgrade(usize),
    Reinstall(usize),
    Query(usize, Vec<Act>),
}

fn act() -> impl Strategy<Value = Act> {
    let leaf = prop_oneof![
        3 => Just(Act::Add),
        2 => Just(Act::Accept),
        1 => Just(Act::Burn),
        1 => Just(Act::GrowStable),
        6 => Just(Act::Reply),
        1 => Just(Act::Reject),
        1 => Just(Act::Trap),
    ];
    leaf.prop_recursive(4, 24, 3, |inner| {
        let acts = || prop::collection::vec(inner.clone(), 0..3);
        let cleanup = prop::option::of(acts());
        let timeout = prop::option::of(0..400u64);
        let kind = (0..3usize, any::<bool>(), timeout, prop::bool::weighted(0.2));
        (kind, acts(), acts(), acts(), cleanup).prop_map(
            |((to, cycles, timeout, one_way), callee, on_reply, on_reject, cleanup)| Act::Call {
                to,
                callee,
                cycles,
                timeout,
                one_way,
                on_reply,
                on_reject,
                cleanup,
            },
        )
    })
}

fn step() -> impl Strategy<Value = Step> {
    let acts = || prop::collection::vec(act(), 0..5);
    let command = prop::sample::select(vec!["stop_canister", "start_canister", "uninstall_code"]);
    prop_oneof![
        8 => (0..3usize, acts()).prop_map(|(id, acts)| Step::Submit(id, acts)),
        6 => (1..8usize).prop_map(Step::Deliver),
        2 => (0..400u64).prop_map(Step::Advance),
        2 => (command, 0..3usize).prop_map(|(command, id)| Step::Command(command, id)),
        1 => (0..3usize).prop_map(Step::Upgrade),
        1 => (0..3usize).prop_map(Step::Reinstall),
        1 => (0..3usize, acts()).prop_map(|(id, acts)| Step::Query(id, acts)),
    ]
}

fn write(acts: &[Act], ids: &[Principal; 3]) -> Script {
    acts.iter().fold(script(), |script, act| match act {
        Act::Add => script.add(0, 1),
        Act::Accept => script.get_of("accept", 1, T as u64 / 2),
        Act::Burn => script.get_of("burn", 1, 1000),
        Act::GrowStable => script.get_of("stable_grow", 1, 1),
        Act::Reply => script.reply(),
        Act::Reject => script.reject("on purpose"),
        Act::Trap => script.trap("boom"),
        Act::Call {
            to,
            callee,
            cycles,
            timeout,
            one_way,
            on_reply,
            on_reject,
            cleanup,
        } => {
            let mut made = call(ids[*to], write(callee, ids))
                .on_reply(write(on_reply, ids))
                .on_reject(write(on_reject, ids));
            if *one_way {
                made = made.one_way();
            }
            if *cycles {
                made = made.cycles(T);
            }
            if let Some(seconds) = timeout {
                made = made.timeout(*seconds);
            }
            if let Some(cleanup) = cleanup {
                made = made.cleanup(write(cleanup, ids));
            }
            script.call(made)
        }
    })
}

/// A history under way.
struct History {
    world: World,
    ids: [Principal; 3],
    wasm: Vec<u8>,
    sent: Vec<IngressId>,
    answers: BTreeMap<IngressId, CallResult>,
}

impl History {
    fn new(seed: u64) -> Self {
        let mut world = World::new();
        let ids = [world.puppet(), world.puppet(), world.puppet()];
        world.replica.set_policy(Box::new(Random(seed)));
        History {
            world,
            ids,
            wasm: puppet::module(&[], ""),
            sent: Vec::new(),
            answers: BTreeMap::new(),
        }
    }

    fn submit<A: candid::CandidType>(&mut self, method: &str, argument: &A) {
        let argument = candid::encode_one(argument).unwrap();
        let id = self
            .world
            .replica
            .submit(USER, MANAGEMENT, method, &argument);
        self.sent.push(id.unwrap());
    }

    fn deploy(&mut self, mode: ic_management_canister_types::CanisterInstallMode, id: Principal) {
        let args = ic_management_canister_types::InstallCodeArgs {
            mode,
            canister_id: id,
            wasm_module: self.wasm.clone(),
            arg: Vec::new(),
            sender_canister_version: None,
        };
        self.submit("install_code", &args);
    }

    fn happen(&mut self, step: &Step) {
        use ic_management_canister_types::CanisterInstallMode::{Reinstall, Upgrade};
        match step {
            Step::Submit(to, acts) => {
                let argument = write(acts, &self.ids).0;
                let submitted = self
                    .world
                    .replica
                    .submit(USER, self.ids[*to], "run", &argument);
                self.sent.extend(submitted.ok());
            }
            Step::Deliver(count) => {
                for _ in 0..*count {
                    self.world.step();
                    self.check();
                }
            }
            Step::Advance(seconds) => self.world.advance(*seconds),
            Step::Command(method, to) => {
                let canister_id = self.ids[*to];
                self.submit(method, &CanisterIdRecord { canister_id });
            }
            Step::Upgrade(to) => self.deploy(Upgrade(None), self.ids[*to]),
            Step::Reinstall(to) => self.deploy(Reinstall, self.ids[*to]),
            Step::Query(to, acts) => {
                let argument = write(acts, &self.ids).0;
                let _ = self.world.query(self.ids[*to], "compose", &argument);
            }
        }
        self.check();
    }

    /// Every open call context has a reason, and every callback waits for exactly one thing.
    fn check(&mut self) {
        for id in &self.sent {
            if let Some(answer) = self.world.answer(*id) {
                let first = self.answers.entry(*id).or_insert_with(|| answer.clone());
                assert_eq!(*first, answer, "an answer changed");
            }
        }
        let replica = &self.world.replica;
        let mut underway: BTreeMap<(CanisterId, CallbackId), usize> = BTreeMap::new();
        let mut responses = underway.clone();
        let mut count = |origin: &CallOrigin| {
            if let CallOrigin::Canister {
                sender, callback, ..
            } = origin
            {
                *underway.entry((*sender, *callback)).or_default() += 1;
            }
        };
        for canister in replica.canisters() {
            for context in canister.call_contexts.values() {
                assert!(
                    context.outstanding_callbacks > 0,
                    "an open call context without a reason"
                );
                if !context.responded {
                    count(&context.origin);
                }
            }
            if let Status::Stopping { waiting } = &canister.status {
                assert!(!canister.call_contexts.is_empty(), "it should have stopped");
                waiting.iter().for_each(|stop| count(&stop.origin));
            }
        }
        for message in replica.pool().iter() {
            match message {
                Message::Request(r) => {
                    *underway.entry((r.sender, r.callback)).or_default() += 1;
                }
                Message::Response(r) => {
                    *responses.entry((r.receiver, r.callback)).or_default() += 1;
                }
                Message::Ingress(_) | Message::Task(..) => {}
            }
        }
        for canister in replica.canisters() {
            let mut outstanding = BTreeMap::new();
            for (id, callback) in &canister.callbacks {
                *outstanding.entry(callback.call_context).or_insert(0) += 1;
                let key = (canister.id, *id);
                let answers = responses.get(&key).copied().unwrap_or(0);
                let open = underway.get(&key).copied().unwrap_or(0);
                assert!(answers <= 1 && open <= 1, "a doubled response");
                assert!(answers + open >= 1, "a lost response");
            }
            let contexts = canister.call_contexts.iter();
            let counted = contexts.map(|(id, context)| (*id, context.outstanding_callbacks));
            assert_eq!(counted.collect::<BTreeMap<_, _>>(), outstanding);
        }
    }

    /// Lets everything come to its end.
    fn end(&mut self) {
        for id in self.ids {
            self.submit("start_canister", &CanisterIdRecord { canister_id: id });
        }
        for _ in 0..10 {
            while self.world.step() {
                self.check();
            }
            self.world.advance(301);
        }
        assert!(self.world.replica.pool().is_empty());
        for canister in self.world.replica.canisters() {
            assert!(canister.call_contexts.is_empty() && canister.callbacks.is_empty());
            assert!(canister.open_calls.is_empty());
        }
        self.check();
        assert_eq!(
            self.answers.len(),
            self.sent.len(),
            "every message is answered"
        );
        let cycles = self.world.replica.cycles();
        assert_eq!(cycles.in_flight, 0);
        // No call without a deadline ends in an outcome that nobody knows.
        for answer in self.answers.values() {
            assert!(!matches!(answer, Err(reject) if reject.code == RejectCode::SysUnknown));
        }
    }
}

fn history(length: usize) -> impl Strategy<Value = (u64, Vec<Step>)> {
    (1..u64::MAX, prop::collection::vec(step(), 1..length))
}

#[test]
fn no_history_loses_or_doubles_a_response_or_a_cycle() {
    let test = |(seed, steps): (u64, Vec<Step>)| {
        let mut history = History::new(seed);
        for step in &steps {
            history.happen(step);
        }
        history.end();
        Ok(())
    };
    if let Err(error) = runner(150).run(&history(40), test) {
        panic!("{error}");
    }
}

#[test]
fn same_history_gives_the_same_ids_timeline_and_memory() {
    let run = |seed, steps: &[Step]| {
        let mut history = History::new(seed);
        for step in steps {
            history.happen(step);
        }
        history.end();
        let replica = &history.world.replica;
        let timeline: Vec<String> = replica
            .timeline()
            .since(0)
            .map(|e| format!("{e:?}"))
            .collect();
        let memory = |id| {
            let code = history.world.state(id).code.as_ref();
            code.map(|code| code.state.memory())
        };
        let memories = history.ids.map(memory);
        (
            history.ids,
            timeline,
            memories,
            replica.cycles(),
            history.answers.clone(),
        )
    };
    let test = |(seed, steps): (u64, Vec<Step>)| {
        let (first, second) = (run(seed, &steps), run(seed, &steps));
        prop_assert!(first == second, "two runs differ");
        Ok(())
    };
    if let Err(error) = runner(20).run(&history(40), test) {
        panic!("{error}");
    }
}

#[test]
fn histories_of_these_tests_reach_all_kinds_of_endings() {
    // Otherwise the tests above would say little.
    let mut seen = BTreeMap::<String, usize>::new();
    let seen_cell = std::cell::RefCell::new(&mut seen);
    let test = |(seed, steps): (u64, Vec<Step>)| {
        let mut history = History::new(seed);
        for step in &steps {
            history.happen(step);
        }
        history.end();
        let mut seen = seen_cell.borrow_mut();
        for event in history.world.replica.timeline().since(0) {
            use local_replica::timeline::{Ending, Step};
            let kind = match (&event.step, &event.ending) {
                (
                    Step::Callback {
                        reject: Some(r), ..
                    },
                    _,
                ) => format!("reject {}", r.error_code),
                (Step::Callback { .. }, Ending::Undone(_)) => "callback undone".to_owned(),
                (Step::Callback { .. }, _) => "callback".to_owned(),
                (Step::Cleanup, _) => "cleanup".to_owned(),
                _ => continue,
            };
            *seen.entry(kind).or_default() += 1;
        }
        *seen.entry("lost".to_owned()).or_default() +=
            usize::from(history.world.replica.cycles().lost > 0);
        Ok(())
    };
    runner(60).run(&history(40), test).unwrap();
    for kind in [
        "reject IC0406",
        "reject IC0503",
        "reject IC0506",
        "reject IC0508",
        "reject IC0509",
        "reject IC0601",
        "callback",
        "callback undone",
        "cleanup",
        "lost",
    ] {
        assert!(
            seen.get(kind).is_some_and(|count| *count > 0),
            "never {kind}: {seen:?}"
        );
    }
}
