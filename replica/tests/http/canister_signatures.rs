//! Requests that canisters sign for their users, as Internet Identity does (the specification's section
//! "Canister signatures").

use candid::Principal;
use ic_agent::Agent;
use ic_certification::{HashTree, fork, labeled, leaf};
use ic_transport_types::{Delegation, Envelope, EnvelopeContent, SignedDelegation};
use serde::Serialize;
use sha2::{Digest, Sha256};

use crate::harness::{Network, counter, get, install};
use crate::identities::ed25519;
use crate::raw::Answer;
use crate::requests::{call, envelope, expiry_in};

/// Signs what it is told to: its certified data is its argument.
const SIGNER: &str = r#"
(module
  (import "ic0" "msg_reply" (func $reply))
  (import "ic0" "msg_reply_data_append" (func $append (param i32 i32)))
  (import "ic0" "msg_arg_data_size" (func $argument_size (result i32)))
  (import "ic0" "msg_arg_data_copy" (func $argument_copy (param i32 i32 i32)))
  (import "ic0" "certified_data_set" (func $certify (param i32 i32)))
  (import "ic0" "data_certificate_size" (func $certificate_size (result i32)))
  (import "ic0" "data_certificate_copy" (func $certificate_copy (param i32 i32 i32)))
  (memory 1)
  (func (export "canister_update sign")
    (call $argument_copy (i32.const 0) (i32.const 0) (call $argument_size))
    (call $certify (i32.const 0) (call $argument_size))
    (call $reply))
  (func (export "canister_query certificate")
    (call $certificate_copy (i32.const 0) (i32.const 0) (call $certificate_size))
    (call $append (i32.const 0) (call $certificate_size))
    (call $reply)))
"#;

const SEED: &[u8] = b"user 7";

/// A canister's key, DER-encoded.
fn key_of(canister: Principal, seed: &[u8]) -> Vec<u8> {
    let id = canister.as_slice();
    let raw = [&[u8::try_from(id.len()).unwrap()], id, seed].concat();
    let length = u8::try_from(raw.len()).unwrap();
    let algorithm = b"\x30\x0C\x06\x0A\x2B\x06\x01\x04\x01\x83\xB8\x43\x01\x02";
    let bits = [0x03, 1 + length, 0x00];
    [&[0x30, 17 + length], &algorithm[..], &bits, &raw].concat()
}

/// The signature of a canister.
#[derive(Serialize)]
struct Signature {
    #[serde(with = "serde_bytes")]
    certificate: Vec<u8>,
    tree: HashTree,
}

/// Has the signer sign a message for the user of a seed.
async fn sign(agent: &Agent, signer: Principal, seed: &[u8], message: &[u8]) -> Vec<u8> {
    let path = [seed, message].map(|bytes| Sha256::digest(bytes).to_vec());
    let signed = labeled(path[0].clone(), labeled(path[1].clone(), leaf("")));
    // A signer has other certified data beside its signatures.
    let tree = fork(labeled("other", leaf("data")), labeled("sig", signed));
    agent
        .update(&signer, "sign")
        .with_arg(tree.digest())
        .await
        .unwrap();
    let certificate = agent.query(&signer, "certificate").await.unwrap();
    let mut bytes = Vec::new();
    let mut serializer = serde_cbor::Serializer::new(&mut bytes);
    serializer.self_describe().unwrap();
    Signature { certificate, tree }
        .serialize(&mut serializer)
        .unwrap();
    bytes
}

/// What is signed of a request.
fn signable(content: &EnvelopeContent) -> Vec<u8> {
    [b"\x0Aic-request", &content.to_request_id()[..]].concat()
}

struct World {
    network: Network,
    agent: Agent,
    signer: Principal,
    counter: Principal,
}

impl World {
    async fn new() -> Self {
        let network = Network::start().await;
        let agent = network.user().await;
        World {
            signer: install(&agent, SIGNER).await,
            counter: counter(&agent).await,
            network,
            agent,
        }
    }

    /// The principal of the user whom the signer knows by the seed.
    fn user(&self) -> Principal {
        Principal::self_authenticating(key_of(self.signer, SEED))
    }

    async fn post(&self, request: Envelope<'_>) -> Answer {
        let path = format!("/api/v4/canister/{}/call", self.counter);
        self.network.post(&path, &request.encode_bytes()).await
    }
}

#[tokio::test]
async fn request_that_a_canister_signed_is_its_user_s() {
    let world = World::new().await;
    let content = call(world.user(), world.counter, "add", b"");
    let signature = sign(&world.agent, world.signer, SEED, &signable(&content)).await;
    let request = Envelope {
        content: std::borrow::Cow::Owned(content),
        sender_pubkey: Some(key_of(world.signer, SEED)),
        sender_sig: Some(signature),
        sender_delegation: None,
    };
    assert_eq!(world.post(request).await.status, 200);
    assert_eq!(get(&world.agent, world.counter).await, 1);
}

#[tokio::test]
async fn delegation_that_a_canister_signed_lets_a_session_act_for_its_user() {
    let world = World::new().await;
    let session = ed25519(9);
    let delegation = Delegation {
        pubkey: ic_agent::Identity::public_key(&session).unwrap(),
        expiration: expiry_in(std::time::Duration::from_secs(600)),
        targets: None,
        permissions: None,
    };
    let signature = sign(&world.agent, world.signer, SEED, &delegation.signable()).await;
    let content = call(world.user(), world.counter, "add", b"");
    let mut request = envelope(content, &session);
    request.sender_pubkey = Some(key_of(world.signer, SEED));
    request.sender_delegation = Some(vec![SignedDelegation {
        delegation,
        signature,
    }]);
    assert_eq!(world.post(request).await.status, 200);
    assert_eq!(get(&world.agent, world.counter).await, 1);
}

#[tokio::test]
async fn forged_signature_of_a_canister_is_refused() {
    let world = World::new().await;
    let content = call(world.user(), world.counter, "add", b"");
    let message = signable(&content);
    let good = sign(&world.agent, world.signer, SEED, &message).await;
    let mut flipped = good.clone();
    let end = flipped.len() - 1;
    flipped[end] ^= 1;
    let another_user = sign(&world.agent, world.signer, b"user 8", &message).await;
    let another_message = sign(&world.agent, world.signer, SEED, b"nothing").await;
    // Another network's canister has the same id.
    let elsewhere = Network::start_with_seed(b"another").await;
    let their_agent = elsewhere.user().await;
    let their_signer = install(&their_agent, SIGNER).await;
    assert_eq!(their_signer, world.signer);
    let theirs = sign(&their_agent, their_signer, SEED, &message).await;
    for forged in [
        flipped,
        another_user,
        another_message,
        theirs,
        vec![],
        good[..40].to_vec(),
    ] {
        let request = Envelope {
            content: std::borrow::Cow::Borrowed(&content),
            sender_pubkey: Some(key_of(world.signer, SEED)),
            sender_sig: Some(forged),
            sender_delegation: None,
        };
        let answer = world.post(request).await;
        answer.expect(403, "signature of the request is not valid");
    }
    assert_eq!(get(&world.agent, world.counter).await, 0);
}

#[tokio::test]
async fn key_of_a_canister_that_is_cut_is_refused() {
    let world = World::new().await;
    let whole = key_of(world.signer, SEED);
    for length in 0..whole.len() - SEED.len() {
        let key = whole[..length].to_vec();
        let sender = Principal::self_authenticating(&key);
        let request = Envelope {
            content: std::borrow::Cow::Owned(call(sender, world.counter, "add", b"")),
            sender_pubkey: Some(key),
            sender_sig: Some(vec![1, 2, 3]),
            sender_delegation: None,
        };
        let status = world.post(request).await.status;
        assert!(status == 400 || status == 403, "{length}: {status}");
    }
    assert_eq!(get(&world.agent, world.counter).await, 0);
}
