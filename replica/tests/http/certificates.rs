//! Answers that were tampered with on their way are refused by the agent.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::header::CONTENT_LENGTH;
use axum::middleware::map_response;
use axum::response::Response;
use candid::Principal;
use ic_agent::{Agent, AgentError, Certificate, lookup_value};
use local_replica::certificate::RootKey;
use local_replica::owner::Node;
use serde_cbor::Value;

use crate::harness::{Network, add, counter, get};

/// What is done to answers in CBOR.
type Change = fn(&mut Value);

/// Somebody between the network and the agent.
#[derive(Clone, Default)]
struct Attacker {
    change: Arc<Mutex<Option<Change>>>,
}

impl Attacker {
    fn does(&self, change: Change) {
        *self.change.lock().unwrap() = Some(change);
    }

    fn stand_before(self, router: Router) -> Router {
        router.layer(map_response(move |response| {
            let attacker = self.clone();
            async move { attacker.tamper(response).await }
        }))
    }

    async fn tamper(&self, response: Response) -> Response {
        let Some(change) = *self.change.lock().unwrap() else {
            return response;
        };
        let (mut head, body) = response.into_parts();
        let body = to_bytes(body, usize::MAX).await.unwrap();
        let mut value: Value = serde_cbor::from_slice(&body).unwrap();
        change(&mut value);
        head.headers.remove(CONTENT_LENGTH);
        Response::from_parts(head, Body::from(serde_cbor::to_vec(&value).unwrap()))
    }
}

/// A field of a record.
fn field<'a>(value: &'a mut Value, name: &str) -> Option<&'a mut Value> {
    match value {
        Value::Map(fields) => fields.get_mut(&Value::Text(name.to_owned())),
        _ => None,
    }
}

fn bytes(value: &mut Value) -> &mut Vec<u8> {
    match value {
        Value::Bytes(bytes) => bytes,
        other => panic!("{other:?} is not bytes"),
    }
}

/// Changes the certificate in an answer, if there is one.
fn in_certificate(answer: &mut Value, change: impl FnOnce(&mut Value)) {
    if let Some(certificate) = field(answer, "certificate") {
        let bytes = bytes(certificate);
        let mut inner: Value = serde_cbor::from_slice(bytes).unwrap();
        change(&mut inner);
        *bytes = serde_cbor::to_vec(&inner).unwrap();
    }
}

/// Flips a bit of the value with this label in an answer's certificate.
fn flip_leaf(answer: &mut Value, label: &str) {
    fn flip(tree: &mut Value, label: &[u8]) -> usize {
        let Value::Array(node) = tree else {
            panic!("{tree:?} is not a node");
        };
        match node.as_mut_slice() {
            [Value::Integer(1), left, right] => flip(left, label) + flip(right, label),
            [Value::Integer(2), Value::Bytes(name), below] if name == label => {
                if let Value::Array(leaf) = below
                    && let [Value::Integer(3), Value::Bytes(value)] = leaf.as_mut_slice()
                {
                    value[0] ^= 1;
                    return 1;
                }
                0
            }
            [Value::Integer(2), _, below] => flip(below, label),
            _ => 0,
        }
    }
    in_certificate(answer, |certificate| {
        let flipped = flip(field(certificate, "tree").unwrap(), label.as_bytes());
        assert_eq!(flipped, 1, "{label}");
    });
}

/// A network with an attacker before it, who does nothing yet, and a counter.
async fn world() -> (Network, Attacker, Agent, Principal) {
    let attacker = Attacker::default();
    let before = attacker.clone();
    let network = Network::behind(|router| before.stand_before(router)).await;
    let agent = network.user().await;
    let counter = counter(&agent).await;
    (network, attacker, agent, counter)
}

#[track_caller]
fn expect_refused<T: std::fmt::Debug>(result: Result<T, AgentError>) {
    let expected = AgentError::CertificateVerificationFailed();
    assert_eq!(result.unwrap_err(), expected);
}

#[tokio::test]
async fn changed_certificate_of_a_call_is_refused() {
    let (_network, attacker, agent, counter) = world().await;
    add(&agent, counter).await;
    for change in [
        (|answer| flip_leaf(answer, "reply")) as Change,
        |answer| flip_leaf(answer, "status"),
        |answer| flip_leaf(answer, "time"),
        |answer| {
            in_certificate(answer, |certificate| {
                bytes(field(certificate, "signature").unwrap())[20] ^= 1;
            });
        },
        |answer| {
            in_certificate(answer, |certificate| {
                bytes(field(certificate, "signature").unwrap()).truncate(47);
            });
        },
    ] {
        attacker.does(change);
        expect_refused(agent.update(&counter, "add").await);
    }
}

#[tokio::test]
async fn changed_certificate_of_the_state_is_refused() {
    let (_network, attacker, agent, counter) = world().await;
    attacker.does(|answer| flip_leaf(answer, "controllers"));
    expect_refused(agent.read_state_canister_controllers(counter).await);
    attacker.does(|answer| flip_leaf(answer, "module_hash"));
    expect_refused(agent.read_state_canister_module_hash(counter).await);
    attacker.does(|_| {});
    agent
        .read_state_canister_module_hash(counter)
        .await
        .unwrap();
}

#[tokio::test]
async fn changed_answer_to_a_query_is_refused() {
    let (_network, attacker, agent, counter) = world().await;
    get(&agent, counter).await;
    attacker.does(|answer| {
        if let Some(reply) = field(answer, "reply") {
            bytes(field(reply, "arg").unwrap())[0] ^= 1;
        }
    });
    let error = agent.query(&counter, "get").await.unwrap_err();
    assert_eq!(error, AgentError::QuerySignatureVerificationFailed);
    attacker.does(|answer| {
        if let Some(message) = field(answer, "reject_message") {
            *message = Value::Text("another message".to_owned());
        }
    });
    let error = agent.query(&counter, "refuse_query").await.unwrap_err();
    assert_eq!(error, AgentError::QuerySignatureVerificationFailed);
    attacker.does(|answer| {
        if let Some(signatures) = field(answer, "signatures") {
            *signatures = Value::Array(vec![]);
        }
    });
    let error = agent.query(&counter, "get").await.unwrap_err();
    assert_eq!(error, AgentError::MissingSignature);
}

#[tokio::test]
async fn changed_node_key_is_refused_at_the_first_query() {
    let (_network, attacker, agent, counter) = world().await;
    attacker.does(|answer| {
        if field(answer, "certificate").is_some() {
            // There are two: the subnet's and the node's.
            in_certificate(answer, |certificate| {
                let tree = field(certificate, "tree").unwrap();
                let mut encoded = serde_cbor::to_vec(tree).unwrap();
                let last = encoded
                    .windows(4)
                    .rposition(|four| four == b"\x2b\x65\x70\x03");
                encoded[last.unwrap() + 10] ^= 1;
                *tree = serde_cbor::from_slice(&encoded).unwrap();
            });
        }
    });
    expect_refused(agent.query(&counter, "get").await);
}

#[tokio::test]
async fn certificate_under_another_root_key_is_refused() {
    let (network, _, agent, counter) = world().await;
    agent.set_root_key(RootKey::from_seed(b"another network").der().to_vec());
    expect_refused(agent.update(&counter, "add").await);
    expect_refused(agent.read_state_canister_controllers(counter).await);
    expect_refused(agent.query(&counter, "get").await);
    // The call was made all the same: only its answer can't be trusted.
    assert_eq!(get(&network.user().await, counter).await, 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn calls_that_are_answered_together_share_signatures_and_see_only_their_own_answers() {
    const CALLS: usize = 30;
    let network = Arc::new(Network::start().await);
    let agent = network.user().await;
    let counter = counter(&agent).await;
    network.hold_messages().await;
    let sign = || agent.update(&counter, "add").sign().unwrap();
    let calls: Vec<_> = (0..CALLS).map(|_| sign()).collect();
    let mut answers = Vec::new();
    for call in &calls {
        let (network, body) = (Arc::clone(&network), call.signed_update.clone());
        let path = format!("/api/v4/canister/{counter}/call");
        answers.push(tokio::spawn(async move {
            network.post(&path, &body).await.cbor::<Value>()
        }));
    }
    let waiting = |node: &mut Node| node.replica.pool().len();
    while network.owner.with(waiting).await.unwrap() < CALLS {}
    network.release_messages().await;

    let mut signatures = BTreeSet::new();
    for (call, answer) in calls.iter().zip(answers) {
        let mut answer = answer.await.unwrap();
        let certificate = bytes(field(&mut answer, "certificate").unwrap());
        let certificate: Certificate = serde_cbor::from_slice(certificate).unwrap();
        agent.verify(&certificate, counter).unwrap();
        for other in &calls {
            let id = other.request_id;
            let path = [b"request_status".as_slice(), id.as_slice(), b"reply"];
            let reply = lookup_value(&certificate, path);
            assert_eq!(reply.is_ok(), id == call.request_id, "{reply:?}");
        }
        signatures.insert(certificate.signature.clone());
    }
    assert!(signatures.len() < CALLS, "{}", signatures.len());
}
