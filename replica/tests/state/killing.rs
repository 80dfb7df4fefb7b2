//! `kill -9` at random moments under load.

use std::collections::BTreeSet;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use candid::Principal;
use ic_agent::Agent;
use ic_agent::agent::signed::SignedUpdate;
use ic_transport_types::RequestStatusResponse;
use tokio::sync::Notify;
use tokio::task::JoinSet;

use crate::canisters::COUNTER;
use crate::harness::{Folder, Running, add, compacting_in, get, install, number, program_in, send};

const ROUNDS: u64 = 5;
const CALLERS: u64 = 4;

/// Counts its heartbeats, and calls itself with each: there is always something under way.
const RESTLESS: &str = r#"
(module
  (import "ic0" "msg_reply" (func $reply))
  (import "ic0" "msg_reply_data_append" (func $append (param i32 i32)))
  (import "ic0" "canister_self_size" (func $self_size (result i32)))
  (import "ic0" "canister_self_copy" (func $self_copy (param i32 i32 i32)))
  (import "ic0" "call_new" (func $call_new (param i32 i32 i32 i32 i32 i32 i32 i32)))
  (import "ic0" "call_perform" (func $call_perform (result i32)))
  (memory 1)
  (table 1 funcref)
  (elem (i32.const 0) $count)
  (data (i32.const 100) "echo")
  (func $count (param i32)
    (i64.store (i32.const 0) (i64.add (i64.load (i32.const 0)) (i64.const 1))))
  (func (export "canister_heartbeat")
    (call $self_copy (i32.const 200) (i32.const 0) (call $self_size))
    (call $call_new
      (i32.const 200) (call $self_size) (i32.const 100) (i32.const 4)
      (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0))
    (drop (call $call_perform)))
  (func (export "canister_update echo") (call $reply))
  (func (export "canister_query get")
    (call $append (i32.const 0) (i32.const 8)) (call $reply)))
"#;

/// Random numbers that follow from a seed (the generator "xorshift64").
struct Random(u64);

impl Random {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % limit
    }
}

/// A call that was sent, and its reply, if that came.
type Sent = (SignedUpdate, Option<u64>);

/// Calls `add` until the program is gone. Tells of each reply.
async fn call_on(
    agent: Agent,
    counter: Principal,
    replies: Arc<AtomicU64>,
    replied: Arc<Notify>,
) -> Vec<Sent> {
    let mut sent = Vec::new();
    loop {
        let call = agent.update(&counter, "add").sign().unwrap();
        let reply = send(&agent, &call).await.map(|reply| number(&reply));
        sent.push((call, reply));
        if reply.is_none() {
            return sent;
        }
        replies.fetch_add(1, Ordering::SeqCst);
        replied.notify_one();
    }
}

/// The reply to a call that was sent before a restart. A call that did not get through is sent
/// again.
async fn ask_again(agent: &Agent, call: &SignedUpdate) -> u64 {
    let status = agent.request_status_raw(&call.request_id, call.effective_canister_id);
    match status.await.unwrap().0 {
        RequestStatusResponse::Replied(reply) => number(&reply.arg),
        // Sent again, it is executed or waited for, as the case may be.
        RequestStatusResponse::Unknown | RequestStatusResponse::Processing => {
            number(&send(agent, call).await.unwrap())
        }
        other => panic!("{other:?}"),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_under_load_every_call_is_executed_exactly_once() {
    killed_again_and_again(&Folder::new("killed"), program_in).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_while_the_state_is_compacted_every_call_is_executed_exactly_once() {
    killed_again_and_again(&Folder::new("killed-compacting"), compacting_in).await;
}

async fn killed_again_and_again(folder: &Folder, start: impl Fn(&Folder) -> Command) {
    let clock = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    let seed = match std::env::var("SEED") {
        Ok(seed) => seed.parse().expect("SEED is a number"),
        Err(_) => clock.as_nanos() as u64 | 1,
    };
    println!("SEED={seed}");
    let mut random = Random(seed);
    let mut program = Running::start(start(folder));
    let agent = program.agent().await;
    let counter = install(&agent, COUNTER).await;
    let restless = install(&agent, RESTLESS).await;
    let mut sums = BTreeSet::new();
    let mut lost = 0;
    for round in 1..=ROUNDS {
        let (replies, replied) = (Arc::new(AtomicU64::new(0)), Arc::new(Notify::new()));
        let mut callers = JoinSet::new();
        for _ in 0..CALLERS {
            let agent = program.agent().await;
            let (replies, replied) = (Arc::clone(&replies), Arc::clone(&replied));
            callers.spawn(call_on(agent, counter, replies, replied));
        }
        let enough = 1 + random.below(25);
        while replies.load(Ordering::SeqCst) < enough {
            replied.notified().await;
        }
        let agent = program.agent().await;
        let seen = (get(&agent, counter).await, get(&agent, restless).await);
        tokio::time::sleep(Duration::from_micros(random.below(20_000))).await;
        program.kill();
        let sent = callers.join_all().await.concat();

        program = Running::start(start(folder));
        let agent = program.agent().await;
        let counted = get(&agent, counter).await;
        let acknowledged = sent.iter().filter_map(|(_, reply)| *reply).max().unwrap();
        let before = sums.len() as u64;
        println!(
            "round {round}: {} files, {} calls sent, the highest sum acknowledged {acknowledged}, \
             {counted} after the restart; {}",
            folder.files().len(),
            sent.len(),
            program.greeting.lines().nth(1).unwrap()
        );
        assert!(counted >= acknowledged, "an acknowledged call is undone");
        assert!(counted >= seen.0, "a sum that a query saw is undone");
        assert!(get(&agent, restless).await >= seen.1);
        assert!(
            counted <= before + sent.len() as u64,
            "a call was executed twice"
        );
        for (call, reply) in &sent {
            let again = ask_again(&agent, call).await;
            assert_eq!(reply.unwrap_or(again), again, "the reply is another now");
            assert!(sums.insert(again), "two calls have the sum {again}");
            lost += u64::from(reply.is_none());
        }
        let all = sums.len() as u64;
        assert_eq!(get(&agent, counter).await, all);
        // A repeated call is answered, not executed.
        let (call, _) = &sent[random.below(sent.len() as u64) as usize];
        assert!(number(&send(&agent, call).await.unwrap()) <= all);
        assert_eq!(get(&agent, counter).await, all);
    }
    let all = sums.len() as u64;
    assert_eq!(sums, (1..=all).collect());
    assert_eq!(add(&program.agent().await, counter).await, all + 1);
    println!("{all} calls, each executed once; the answers of {lost} were lost on the way");
}

/// Adds one, and works for long.
const WORKING: &str = r#"
(module
  (import "ic0" "msg_reply" (func $reply))
  (import "ic0" "msg_reply_data_append" (func $append (param i32 i32)))
  (memory 1)
  (func $get (call $append (i32.const 0) (i32.const 8)) (call $reply))
  (func (export "canister_update work")
    (local $left i32)
    (local.set $left (i32.const 150000000))
    (i64.store (i32.const 0) (i64.add (i64.load (i32.const 0)) (i64.const 1)))
    (loop $again
      (local.set $left (i32.sub (local.get $left) (i32.const 1)))
      (br_if $again (local.get $left)))
    (call $get))
  (export "canister_query get" (func $get)))
"#;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_while_a_message_takes_long_it_is_executed_once() {
    let folder = Folder::new("killed-at-work");
    let program = Running::in_folder(&folder);
    let agent = program.agent().await;
    let counter = install(&agent, COUNTER).await;
    let working = install(&agent, WORKING).await;
    let call = agent.update(&working, "work").sign().unwrap();
    let path = format!("/api/v2/canister/{working}/call");
    let answer = program.request("POST", &path, &call.signed_update).unwrap();
    assert!(answer.starts_with("HTTP/1.1 202"), "{answer}");
    // This came later, so the work has begun.
    assert_eq!(add(&agent, counter).await, 1);
    assert_eq!(get(&agent, working).await, 0);
    program.kill();

    let program = Running::in_folder(&folder);
    let agent = program.agent().await;
    assert_eq!(ask_again(&agent, &call).await, 1);
    assert_eq!(get(&agent, working).await, 1);
    program.kill();

    let program = Running::in_folder(&folder);
    let agent = program.agent().await;
    assert_eq!(get(&agent, working).await, 1);
    assert_eq!(ask_again(&agent, &call).await, 1);
    assert_eq!(get(&agent, counter).await, 1);
}
