//! A canister that loops keeps nobody waiting but those who want something of it.

use candid::{Principal, encode_one};
use ic_agent::Agent;
use ic_agent::agent::signed::SignedUpdate;
use ic_management_canister_types::CanisterIdRecord;
use ic_transport_types::{RejectResponse, RequestStatusResponse};
use local_replica::Config;
use local_replica::limits::Limits;
use local_replica::owner::Handle;

use crate::harness::{MANAGEMENT, Network, add, counter, get, install, number, replica};

/// Loops until its instructions are used up, or for a while; and counts.
const LOOPING: &str = r#"
(module
  (import "ic0" "msg_reply" (func $reply))
  (import "ic0" "msg_reply_data_append" (func $append (param i32 i32)))
  (import "ic0" "canister_self_size" (func $self_size (result i32)))
  (import "ic0" "canister_self_copy" (func $self_copy (param i32 i32 i32)))
  (import "ic0" "call_new" (func $call_new (param i32 i32 i32 i32 i32 i32 i32 i32)))
  (import "ic0" "call_on_cleanup" (func $on_cleanup (param i32 i32)))
  (import "ic0" "call_perform" (func $call_perform (result i32)))
  (memory 1)
  (table 2 funcref)
  (elem (i32.const 0) $work_and_trap $work)
  (data (i32.const 100) "add")
  (func $loop (loop $again (br $again)))
  (func $work (param i32)
    (local $left i32)
    (local.set $left (i32.const 30000000))
    (call $count)
    (loop $again
      (local.set $left (i32.sub (local.get $left) (i32.const 1)))
      (br_if $again (local.get $left))))
  (func $work_and_trap (param i32) (call $work (i32.const 0)) unreachable)
  (func $count
    (i64.store (i32.const 0) (i64.add (i64.load (i32.const 0)) (i64.const 1))))
  (func $get (call $append (i32.const 0) (i32.const 8)) (call $reply))
  (export "canister_update loop" (func $loop))
  (export "canister_query loop_in_query" (func $loop))
  (export "canister_query get" (func $get))
  (func (export "canister_update add") (call $count) (call $get))
  (func (export "canister_update work") (call $work (i32.const 0)) (call $get))
  ;; The callback traps, and its cleanup works.
  (func (export "canister_update work_in_cleanup")
    (call $self_copy (i32.const 200) (i32.const 0) (call $self_size))
    (call $call_new
      (i32.const 200) (call $self_size) (i32.const 100) (i32.const 3)
      (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0))
    (call $on_cleanup (i32.const 1) (i32.const 0))
    (drop (call $call_perform))))
"#;

/// A network in which updates and queries may run for many seconds.
async fn patient_network() -> Network {
    let limits = Limits {
        message_instructions: 5_000_000_000,
        query_instructions: 5_000_000_000,
        ..Limits::default()
    };
    let config = Config {
        limits,
        ..Config::default()
    };
    let start = |replica| Handle::start(replica).unwrap();
    Network::of(replica(config), start).await
}

/// Sends a call, and does not wait for it.
async fn send(agent: &Agent, canister: Principal, method: &str) -> SignedUpdate {
    let call = agent.update(&canister, method).sign().unwrap();
    let (agent, bytes) = (agent.clone(), call.signed_update.clone());
    tokio::spawn(async move { agent.update_signed(canister, bytes).await });
    call
}

async fn is_processing(agent: &Agent, call: &SignedUpdate) -> bool {
    let status = agent.request_status_raw(&call.request_id, call.effective_canister_id);
    match status.await.unwrap().0 {
        RequestStatusResponse::Processing => true,
        RequestStatusResponse::Unknown => false,
        other => panic!("it has ended: {other:?}"),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn queries_status_and_state_are_answered_while_an_update_loops() {
    let network = patient_network().await;
    let agent = network.user().await;
    let counter = counter(&agent).await;
    assert_eq!(add(&agent, counter).await, 1);
    let looping = install(&agent, LOOPING).await;
    let call = send(&agent, looping, "loop").await;
    while !is_processing(&agent, &call).await {}

    assert_eq!(get(&agent, counter).await, 1);
    agent.status().await.unwrap();
    let controllers = agent.read_state_canister_controllers(counter).await;
    assert_eq!(controllers.unwrap(), [agent.get_principal().unwrap()]);
    // Nothing of this had to wait for its end.
    assert!(is_processing(&agent, &call).await);
}

/// The reject with which a call ended, when it has.
async fn rejected(agent: &Agent, call: &SignedUpdate) -> RejectResponse {
    loop {
        let status = agent.request_status_raw(&call.request_id, call.effective_canister_id);
        match status.await.unwrap().0 {
            RequestStatusResponse::Rejected(reject) => return reject,
            RequestStatusResponse::Processing => {}
            other => panic!("{other:?}"),
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn updates_of_others_are_answered_while_an_update_loops() {
    let network = patient_network().await;
    let agent = network.user().await;
    let counter = counter(&agent).await;
    let looping = install(&agent, LOOPING).await;
    let call = send(&agent, looping, "loop").await;
    while !is_processing(&agent, &call).await {}

    for sum in 1..=10 {
        assert_eq!(add(&agent, counter).await, sum);
    }
    let new = install(&agent, LOOPING).await;
    assert_eq!(add(&agent, new).await, 1);
    assert!(is_processing(&agent, &call).await);
    let reject = rejected(&agent, &call).await;
    assert_eq!(reject.error_code.as_deref(), Some("IC0522"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn canister_that_loops_is_given_nothing_else_before_it_ends() {
    let network = patient_network().await;
    let agent = network.user().await;
    let counter = counter(&agent).await;
    let looping = install(&agent, LOOPING).await;
    let call = send(&agent, looping, "loop").await;
    while !is_processing(&agent, &call).await {}

    let later = send(&agent, looping, "add").await;
    while !is_processing(&agent, &later).await {}
    let stop = agent
        .update(&MANAGEMENT, "stop_canister")
        .with_effective_canister_id(looping)
        .with_arg(
            encode_one(CanisterIdRecord {
                canister_id: looping,
            })
            .unwrap(),
        );
    let stop = stop.sign().unwrap();
    let (other, bytes) = (agent.clone(), stop.signed_update.clone());
    tokio::spawn(async move { other.update_signed(looping, bytes).await });
    while !is_processing(&agent, &stop).await {}
    assert_eq!(add(&agent, counter).await, 1);
    assert!(is_processing(&agent, &later).await);
    assert!(is_processing(&agent, &stop).await);

    rejected(&agent, &call).await;
    let (reply, _) = agent.wait(&stop.request_id, looping).await.unwrap();
    assert_eq!(reply, b"DIDL\0\0");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_takes_long_has_all_its_effects() {
    let network = Network::start().await;
    let agent = network.user().await;
    let working = install(&agent, LOOPING).await;
    assert_eq!(add(&agent, working).await, 1);
    let reply = agent.update(&working, "work").await.unwrap();
    assert_eq!(number(&reply), 2);
    assert_eq!(add(&agent, working).await, 3);
    // It adds, the callback does so in vain, and the cleanup does.
    agent.update(&working, "work_in_cleanup").await.unwrap_err();
    assert_eq!(get(&agent, working).await, 5);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn updates_and_queries_are_answered_while_a_query_loops() {
    let network = patient_network().await;
    let agent = network.user().await;
    let counter = counter(&agent).await;
    let looping = install(&agent, LOOPING).await;
    let user = agent.clone();
    let query = tokio::spawn(async move { user.query(&looping, "loop_in_query").call().await });
    assert_eq!(add(&agent, counter).await, 1);
    assert_eq!(get(&agent, counter).await, 1);
    assert!(!query.is_finished());
}
