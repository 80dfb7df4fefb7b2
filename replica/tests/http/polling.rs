//! Calls that are answered later: 202, and then the status of the request.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use axum::middleware::map_response;
use axum::response::Response;
use ic_agent::Agent;
use ic_agent::agent::CallResponse;
use ic_agent::agent::signed::SignedUpdate;
use ic_agent::export::Principal;
use ic_transport_types::{RequestStatusResponse, TransportCallResponse};
use serde_cbor::Value;
use tokio::task::JoinHandle;

use crate::canisters::PICKY;
use crate::harness::{Network, certified, counter, get, install, number};
use crate::requests::status_path;

async fn status(agent: &Agent, request: &SignedUpdate) -> RequestStatusResponse {
    let canister = request.canister_id;
    let answer = agent.request_status_raw(&request.request_id, canister);
    answer.await.unwrap().0
}

#[tokio::test]
async fn asynchronous_call_is_accepted_and_its_answer_polled_for() {
    let network = Network::start().await;
    let agent = network.user().await;
    let counter = counter(&agent).await;
    let request = agent.update(&counter, "add").sign().unwrap();
    assert_eq!(
        status(&agent, &request).await,
        RequestStatusResponse::Unknown
    );

    network.hold_messages().await;
    let path = format!("/api/v2/canister/{counter}/call");
    let answer = network.post(&path, &request.signed_update).await;
    assert_eq!((answer.status, answer.body), (202, vec![]));
    assert_eq!(
        status(&agent, &request).await,
        RequestStatusResponse::Processing
    );
    assert_eq!(get(&agent, counter).await, 0);

    network.release_messages().await;
    let (reply, certificate) = agent.wait(&request.request_id, counter).await.unwrap();
    assert_eq!(number(&reply), 1);
    agent.verify(&certificate, counter).unwrap();
    let RequestStatusResponse::Replied(again) = status(&agent, &request).await else {
        panic!("it was replied to");
    };
    assert_eq!(again.arg, reply);
}

#[tokio::test]
async fn agent_that_polls_before_the_answer_is_there_gets_it() {
    let answers = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&answers);
    let counted = map_response(move |response: Response| {
        count.fetch_add(1, Ordering::SeqCst);
        std::future::ready(response)
    });
    let network = Network::behind(|router| router.layer(counted)).await;
    let agent = network.user().await;
    let counter = counter(&agent).await;
    network.hold_messages().await;
    let request = agent.update(&counter, "add").sign().unwrap();
    let path = format!("/api/v2/canister/{counter}/call");
    network.post(&path, &request.signed_update).await;
    let before = answers.load(Ordering::SeqCst);
    let release = async {
        while answers.load(Ordering::SeqCst) == before {
            tokio::task::yield_now().await;
        }
        network.release_messages().await;
    };
    let (reply, ()) = tokio::join!(agent.wait(&request.request_id, counter), release);
    assert_eq!(number(&reply.unwrap().0), 1);
    assert!(answers.load(Ordering::SeqCst) >= before + 2);
}

#[tokio::test]
async fn reject_is_polled_for_like_a_reply() {
    let network = Network::start().await;
    let agent = network.user().await;
    let counter = counter(&agent).await;
    let request = agent.update(&counter, "trap").sign().unwrap();
    let path = format!("/api/v2/canister/{counter}/call");
    assert_eq!(
        network.post(&path, &request.signed_update).await.status,
        202
    );
    let reject = certified(agent.wait(&request.request_id, counter).await);
    assert_eq!(reject.error_code.as_deref(), Some("IC0503"));
}

#[tokio::test]
async fn signed_request_for_the_status_is_answered_at_any_time() {
    let network = Network::start().await;
    let agent = network.user().await;
    let counter = counter(&agent).await;
    let request = agent.update(&counter, "add").sign().unwrap();
    let id = request.request_id;
    let poll = agent.sign_request_status(counter, id).unwrap();
    let ask = || agent.request_status_signed(&id, counter, poll.signed_request_status.clone());
    assert_eq!(ask().await.unwrap().0, RequestStatusResponse::Unknown);
    let answer = agent
        .update_signed(counter, request.signed_update)
        .await
        .unwrap();
    assert!(matches!(answer, CallResponse::Response(_)));
    assert!(matches!(
        ask().await.unwrap().0,
        RequestStatusResponse::Replied(_)
    ));
}

#[tokio::test]
async fn asynchronous_call_that_is_not_taken_in_says_so_at_once() {
    let network = Network::start().await;
    let agent = network.user().await;
    let picky = install(&agent, PICKY).await;
    let request = agent.update(&picky, "reset").sign().unwrap();
    let path = format!("/api/v2/canister/{picky}/call");
    let answer = network.post(&path, &request.signed_update).await;
    let Value::Map(fields) = answer.cbor() else {
        panic!("it is a record");
    };
    let field = |name: &str| fields.get(&Value::Text(name.to_owned()));
    assert_eq!(field("reject_code"), Some(&Value::Integer(4)));
    assert_eq!(field("error_code"), Some(&Value::Text("IC0406".to_owned())));
    assert!(field("reject_message").is_some());
    assert!(field("status").is_none());
}

/// Sends a call that waits for its answer, and returns when it has arrived: no message is delivered
/// until they are released.
async fn held_call(
    network: &Network,
    counter: Principal,
    request: &SignedUpdate,
) -> JoinHandle<Vec<u8>> {
    network.hold_messages().await;
    let (address, id) = (network.address, *request.request_id);
    let path = format!("/api/v4/canister/{counter}/call");
    let bytes = crate::raw::request("POST", &path, &request.signed_update);
    let call = tokio::spawn(async move { crate::raw::exchange(address, &bytes).await });
    let arrived = move |node: &mut local_replica::owner::Node| node.request(&id).is_some();
    while !network.owner.with(arrived).await.unwrap() {
        tokio::task::yield_now().await;
    }
    call
}

/// The clock of the runtime is moved, and nobody waits.
#[tokio::test(flavor = "current_thread")]
async fn synchronous_call_is_accepted_when_its_answer_takes_long() {
    let network = Network::start().await;
    let agent = network.user().await;
    let counter = counter(&agent).await;
    let request = agent.update(&counter, "add").sign().unwrap();
    let call = held_call(&network, counter, &request).await;
    assert!(!call.is_finished());
    tokio::time::pause();
    while !call.is_finished() {
        tokio::time::advance(Duration::from_secs(1)).await;
    }
    tokio::time::resume();
    let answer = String::from_utf8(call.await.unwrap()).unwrap();
    assert!(answer.starts_with("HTTP/1.1 202 "), "{answer}");
    assert!(answer.ends_with("\r\n\r\n"), "{answer}");

    // The call goes on, and is answered later.
    assert_eq!(
        status(&agent, &request).await,
        RequestStatusResponse::Processing
    );
    network.release_messages().await;
    let (reply, _) = agent.wait(&request.request_id, counter).await.unwrap();
    assert_eq!(number(&reply), 1);
}

#[tokio::test]
async fn client_that_goes_away_loses_its_answer_and_nothing_else() {
    let network = Network::start().await;
    let agent = network.user().await;
    let counter = counter(&agent).await;
    let request = agent.update(&counter, "add").sign().unwrap();
    let call = held_call(&network, counter, &request).await;
    call.abort();
    call.await.unwrap_err();
    network.release_messages().await;
    assert_eq!(
        number(&agent.wait(&request.request_id, counter).await.unwrap().0),
        1
    );

    // It may also ask again with the same request.
    let path = format!("/api/v4/canister/{counter}/call");
    let answer = network.post(&path, &request.signed_update).await;
    assert!(matches!(
        answer.cbor(),
        TransportCallResponse::Replied { .. }
    ));
    assert_eq!(get(&agent, counter).await, 1);
}

#[tokio::test]
async fn status_is_read_together_with_other_paths() {
    let network = Network::start().await;
    let agent = network.user().await;
    let counter = counter(&agent).await;
    let request = agent.update(&counter, "add").sign().unwrap();
    agent
        .update_signed(counter, request.signed_update)
        .await
        .unwrap();
    let paths = vec![status_path(&request.request_id), vec!["time".into()]];
    let certificate = agent.read_state_raw(paths, counter).await.unwrap();
    let status: [&[u8]; 3] = [b"request_status", request.request_id.as_slice(), b"status"];
    assert_eq!(
        ic_agent::lookup_value(&certificate, status).unwrap(),
        b"replied"
    );
}
