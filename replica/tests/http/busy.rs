//! A canister that loops keeps nobody waiting who only looks.

use candid::Principal;
use ic_agent::Agent;
use ic_agent::agent::signed::SignedUpdate;
use ic_transport_types::RequestStatusResponse;
use local_replica::Config;
use local_replica::limits::Limits;
use local_replica::owner::Handle;

use crate::harness::{Network, add, counter, get, install, replica};

/// Loops until its instructions are used up.
const LOOPING: &str = r#"
(module
  (func $loop (loop $again (br $again)))
  (export "canister_update loop" (func $loop))
  (export "canister_query loop_in_query" (func $loop)))
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
