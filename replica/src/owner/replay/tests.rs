#[path = "../../../tests/support/deploying.rs"]
mod deploying;

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use candid::{Principal, encode_one};
use ic_management_canister_types::{
    CanisterIdRecord, CanisterInstallMode, ProvisionalCreateCanisterWithCyclesArgs,
};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::test_runner::{RngAlgorithm, TestRng, TestRunner};

use crate::cbor::to_saved;
use crate::hold::Delivery;
use crate::message::CallResult;
use crate::owner::node::Node;
use crate::owner::request::{NewRequest, now};
use crate::replica::{Config, IngressStatus, Replica};
use crate::snapshot::Snapshot;
use crate::state_folder::StateFolder;
use crate::system_canisters;
use deploying::{CREATE, MANAGEMENT, created, creation, installation};

/// Does what depends on the clock, on what is under way, and on what queries used.
const MODULE: &str = r#"
(module
  (import "ic0" "msg_reply" (func $reply))
  (import "ic0" "msg_reply_data_append" (func $append (param i32 i32)))
  (import "ic0" "msg_arg_data_size" (func $size (result i32)))
  (import "ic0" "msg_arg_data_copy" (func $copy (param i32 i32 i32)))
  (import "ic0" "canister_self_size" (func $self_size (result i32)))
  (import "ic0" "canister_self_copy" (func $self_copy (param i32 i32 i32)))
  (import "ic0" "time" (func $time (result i64)))
  (import "ic0" "global_timer_set" (func $set_timer (param i64) (result i64)))
  (import "ic0" "call_new" (func $call_new (param i32 i32 i32 i32 i32 i32 i32 i32)))
  (import "ic0" "call_data_append" (func $call_data (param i32 i32)))
  (import "ic0" "call_with_best_effort_response" (func $wait_at_most (param i32)))
  (import "ic0" "call_perform" (func $call_perform (result i32)))
  (memory 1)
  (table 2 funcref)
  (elem (i32.const 0) $pass_on $count)
  (data (i32.const 100) "canister_status")
  (data (i32.const 120) "add")
  (func $increment
    (i64.store (i32.const 0) (i64.add (i64.load (i32.const 0)) (i64.const 1)))
    (i64.store (i32.const 8) (i64.xor (i64.load (i32.const 8)) (call $time))))
  (func $get (call $append (i32.const 0) (i32.const 16)) (call $reply))
  (func $pass_on (param i32)
    (call $copy (i32.const 1000) (i32.const 0) (call $size))
    (call $append (i32.const 1000) (call $size))
    (call $reply))
  (func $count (param i32) (call $increment) (call $reply))
  (func $call_self (param $wait i32)
    (call $self_copy (i32.const 200) (i32.const 0) (call $self_size))
    (call $call_new
      (i32.const 200) (call $self_size) (i32.const 120) (i32.const 3)
      (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 0))
    (if (local.get $wait) (then (call $wait_at_most (local.get $wait))))
    (drop (call $call_perform)))

  (export "canister_query get" (func $get))
  (func (export "canister_update add") (call $increment) (call $get))
  (func (export "canister_update trap") (call $increment) unreachable)
  (func $work (param $left i32)
    (call $increment)
    (loop $again
      (local.set $left (i32.sub (local.get $left) (i32.const 1)))
      (br_if $again (local.get $left))))
  (func (export "canister_update work") (call $work (i32.const 1000)) (call $get))
  (func (export "canister_update work_and_trap") (call $work (i32.const 1000)) unreachable)
  (func (export "canister_update add_later")
    (drop (call $set_timer (i64.add (call $time) (i64.const 60000000000))))
    (call $reply))
  (func (export "canister_update wait") (call $call_self (i32.const 0)))
  (func (export "canister_update wait_a_while") (call $call_self (i32.const 30)))
  ;; The argument names this canister.
  (func (export "canister_update status")
    (call $copy (i32.const 300) (i32.const 0) (call $size))
    (call $call_new
      (i32.const 0) (i32.const 0) (i32.const 100) (i32.const 15)
      (i32.const 0) (i32.const 0) (i32.const 1) (i32.const 0))
    (call $call_data (i32.const 300) (call $size))
    (drop (call $call_perform)))
  (func (export "canister_heartbeat") (call $increment))
  (func (export "canister_global_timer") (call $increment)))
"#;

/// A folder that is gone afterwards.
struct Folder(PathBuf);

impl Folder {
    fn new(test: &str) -> Self {
        let name = format!("local-replica-replay-{}-{test}", std::process::id());
        Folder(std::env::temp_dir().join(name))
    }

    fn open(&self) -> StateFolder {
        StateFolder::open(&self.0, &Config::default()).unwrap()
    }

    fn node(&self) -> Node {
        let mut node = Node::new(replica());
        let mut folder = self.open();
        folder.compact_after(0);
        node.long.patience = 500;
        node.resume(folder).unwrap();
        node
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _gone = fs::remove_dir_all(&self.0);
    }
}

fn replica() -> Replica {
    let mut replica = Replica::new(Config::default());
    system_canisters::add_to(&mut replica);
    replica
}

fn user() -> Principal {
    Principal::anonymous()
}

/// Submits a call that differs from all others.
fn submit(node: &mut Node, receiver: Principal, method: &str, argument: Vec<u8>) {
    let number = node.requests().len() as u64;
    let mut id = [0; 32];
    id[..8].copy_from_slice(&number.to_be_bytes());
    let request = NewRequest {
        id,
        sender: user(),
        effective_canister_id: receiver,
        expiry: now() + 1_000_000_000_000,
        receiver,
        method: method.to_owned(),
        argument,
        size: 500,
    };
    // It may be refused.
    let _answered = node.submit(request);
}

fn last_answer(node: &Node) -> CallResult {
    let ingress = node.requests().last_key_value().unwrap().1.ingress;
    match node.replica.ingress_status(ingress) {
        Some(IngressStatus::Answered(result)) => result.clone(),
        other => panic!("{other:?}"),
    }
}

/// A new canister with this module.
fn install(node: &mut Node, module: &str) -> Principal {
    let args = creation(ProvisionalCreateCanisterWithCyclesArgs::default());
    submit(node, MANAGEMENT, CREATE, args);
    node.run();
    let canister = created(&last_answer(node).unwrap());
    let wasm = wat::parse_str(module).unwrap();
    let args = installation(canister, &wasm, CanisterInstallMode::Install, b"");
    submit(node, MANAGEMENT, "install_code", args);
    node.run();
    last_answer(node).unwrap();
    canister
}

/// What can be done with a node.
#[derive(Clone, Debug)]
enum Deed {
    Call(&'static str),
    Manage(&'static str),
    Query,
    Run,
    /// What takes long is executed.
    Work,
    Tick,
    Advance(u64),
    Hold(bool),
    Deliver(usize, Delivery),
    Save,
    /// The state is written to a snapshot.
    Compact,
    /// The program ends before the snapshot is complete.
    CompactHalf,
    Restart,
}

fn deed() -> impl Strategy<Value = Deed> {
    let methods = [
        "add",
        "work",
        "work_and_trap",
        "trap",
        "add_later",
        "wait",
        "wait_a_while",
        "status",
        "no_such",
    ];
    let ways = [
        Delivery::Normally,
        Delivery::Trap,
        Delivery::Reject,
        Delivery::Lose,
    ];
    prop_oneof![
        6 => prop::sample::select(methods.to_vec()).prop_map(Deed::Call),
        1 => prop::sample::select(&["stop_canister", "start_canister"][..]).prop_map(Deed::Manage),
        2 => Just(Deed::Query),
        4 => Just(Deed::Run),
        4 => Just(Deed::Work),
        2 => Just(Deed::Tick),
        2 => (0..200u64).prop_map(Deed::Advance),
        2 => any::<bool>().prop_map(Deed::Hold),
        3 => (0..4usize, prop::sample::select(ways.to_vec())).prop_map(|(n, how)| Deed::Deliver(n, how)),
        2 => Just(Deed::Save),
        2 => Just(Deed::Compact),
        1 => Just(Deed::CompactHalf),
        1 => Just(Deed::Restart),
    ]
}

fn perform(node: &mut Node, folder: &Folder, canister: Principal, deed: &Deed) {
    let named = encode_one(CanisterIdRecord {
        canister_id: canister,
    })
    .unwrap();
    match deed {
        Deed::Call(method) => submit(node, canister, method, named),
        Deed::Manage(method) => submit(node, MANAGEMENT, method, named),
        Deed::Query => drop(node.replica.query(user(), canister, "get", b"")),
        Deed::Run => {
            node.renew_base();
            node.run();
        }
        Deed::Work => {
            node.execute_long().unwrap();
            node.long.wait();
            node.end_long();
        }
        Deed::Tick => drop(node.tick()),
        Deed::Advance(seconds) => node.advance_clock(Duration::from_secs(*seconds)),
        Deed::Hold(hold) => node.hold(*hold),
        Deed::Deliver(which, how) => {
            let waiting = node.replica.waiting_messages();
            if let Some(message) = waiting.get(*which) {
                // It may not be possible in this way.
                let _refused = node.deliver(message.name, *how);
            }
        }
        Deed::Save => node.save().unwrap(),
        Deed::Compact => {
            node.save().unwrap();
            node.compact().unwrap();
        }
        Deed::CompactHalf => {
            node.save().unwrap();
            node.begin_journal().unwrap();
        }
        Deed::Restart => {
            // This is recorded, with whatever had no need to be recorded until now.
            node.hold(node.replica.holds_messages());
            node.save().unwrap();
            *node = Node::new(replica());
            *node = folder.node();
        }
    }
}

/// Everything that can be seen of a node.
fn sight(node: &mut Node, canister: Principal) -> impl PartialEq + std::fmt::Debug + use<> {
    let everything = to_saved(&Snapshot::of(node.replica.fork()));
    let requests = node.requests().clone();
    let answers = requests.values().map(|request| {
        let status = node.replica.ingress_status(request.ingress);
        (request.ingress, status.cloned())
    });
    let answers: Vec<_> = answers.collect();
    let timeline = node.replica.timeline().since(0);
    let timeline = serde_json::to_string(&timeline.collect::<Vec<_>>()).unwrap();
    let waiting = node.replica.waiting_messages();
    let memory = node.replica.query(user(), canister, "get", b"");
    let found = node.replica.canister(&canister).unwrap();
    let figures = (
        found.balance,
        found.version,
        found.global_timer,
        found.status.number(),
    );
    let held = node.replica.holds_messages();
    let clock = (node.clock.ahead(), held, node.replica.cycles());
    let everything = crc32fast::hash(&everything);
    (
        everything, answers, timeline, waiting, memory, figures, clock,
    )
}

#[test]
fn whatever_is_done_is_the_same_after_a_restart() {
    let config = ProptestConfig {
        cases: 100,
        failure_persistence: None,
        ..ProptestConfig::default()
    };
    // The cases are the same at every run.
    let random = TestRng::deterministic_rng(RngAlgorithm::ChaCha);
    let mut runner = TestRunner::new_with_rng(config, random);
    let outcome = runner.run(&vec(deed(), 1..80), |deeds| {
        let folder = Folder::new("anything");
        let mut node = folder.node();
        let canister = install(&mut node, MODULE);
        for deed in &deeds {
            perform(&mut node, &folder, canister, deed);
        }
        // This is recorded, with whatever had no need to be recorded until now.
        node.hold(true);
        node.save().unwrap();
        let before = sight(&mut node, canister);
        drop(node);
        let mut again = folder.node();
        prop_assert_eq!(sight(&mut again, canister), before);
        Ok(())
    });
    outcome.unwrap_or_else(|failure| panic!("{failure}"));
}

#[test]
fn idle_ticks_and_queries_record_nothing() {
    let folder = Folder::new("idle");
    let mut node = folder.node();
    let canister = install(
        &mut node,
        r#"(module (func (export "canister_query get")))"#,
    );
    node.save().unwrap();
    for _ in 0..10 {
        node.tick();
        assert_eq!(node.run(), 0);
        let query = node.replica.query(user(), canister, "get", b"");
        query.expect_err("it gives no answer");
        assert!(node.is_saved());
    }
}

#[test]
fn journal_that_leads_elsewhere_is_refused_and_not_changed() {
    let folder = Folder::new("elsewhere");
    let mut node = folder.node();
    install(&mut node, MODULE);
    node.save().unwrap();
    drop(node);
    let file = folder.0.join("local-replica.0.journal");
    let before = fs::read(&file).unwrap();
    // Another build: its canisters have other ids.
    let mut other = replica();
    other.next_canister += 1;
    let refusal = Node::new(other).resume(folder.open()).unwrap_err();
    assert!(refusal.contains("leads to another state now"), "{refusal}");
    assert_eq!(refusal.lines().count(), 1);
    assert_eq!(fs::read(&file).unwrap(), before);
}
