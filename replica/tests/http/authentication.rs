//! Who sent a request: the specification's section "Authentication", and what is refused.

use std::time::Duration;

use candid::Principal;
use ic_agent::Identity;
use ic_agent::identity::AnonymousIdentity;
use ic_transport_types::{EnvelopeContent, SenderInfo};

use crate::harness::{Network, counter, get};
use crate::identities::{ed25519, p256, secp256k1};
use crate::requests::{call, envelope, expiring, expiry_in, query, read, signed, with_nonce};

/// A network, a counter, and where it is called.
async fn world() -> (Network, Principal, String) {
    let network = Network::start().await;
    let counter = counter(&network.user().await).await;
    let path = format!("/api/v4/canister/{counter}/call");
    (network, counter, path)
}

async fn expect_not_called(network: &Network, counter: Principal) {
    assert_eq!(get(&network.user().await, counter).await, 0);
}

#[tokio::test]
async fn forged_signature_of_every_kind_is_refused() {
    let (network, counter, path) = world().await;
    let identities: [Box<dyn Identity>; 3] = [
        Box::new(ed25519(2)),
        Box::new(secp256k1(2)),
        Box::new(p256(2)),
    ];
    for identity in identities {
        let sender = identity.sender().unwrap();
        let honest = envelope(call(sender, counter, "add", b""), &identity);
        let signature = honest.sender_sig.clone().unwrap();
        let mut flipped = signature.clone();
        flipped[40] ^= 1;
        let forgeries = [
            flipped,
            signature[..63].to_vec(),
            [&signature[..], &[0]].concat(),
            vec![0; 64],
            vec![],
        ];
        for forgery in forgeries {
            let mut forged = honest.clone();
            forged.sender_sig = Some(forgery);
            let answer = network.post(&path, &forged.encode_bytes()).await;
            answer.expect(403, "signature of the request is not valid");
        }
    }
    expect_not_called(&network, counter).await;
}

#[tokio::test]
async fn both_forms_of_a_secp256k1_signature_are_valid() {
    let (network, counter, path) = world().await;
    let user = secp256k1(2);
    let content = call(user.sender().unwrap(), counter, "add", b"");
    let mut request = envelope(content, &user);
    let signature = request.sender_sig.take().unwrap();
    let signature = k256::ecdsa::Signature::from_slice(&signature).unwrap();
    let (r, s) = signature.split_scalars();
    let other = k256::ecdsa::Signature::from_scalars(r, -s).unwrap();
    assert!(
        other.normalize_s().is_some(),
        "this is the form with the high s"
    );
    request.sender_sig = Some(other.to_vec());
    let answer = network.post(&path, &request.encode_bytes()).await;
    assert_eq!(answer.status, 200);
    assert_eq!(get(&network.user().await, counter).await, 1);
}

#[tokio::test]
async fn signature_of_another_request_is_refused() {
    let (network, counter, path) = world().await;
    let user = ed25519(1);
    let sender = user.sender().unwrap();
    let mut request = envelope(call(sender, counter, "add", b""), &user);
    let other = envelope(call(sender, counter, "add", b"other"), &user);
    request.sender_sig = other.sender_sig;
    let answer = network.post(&path, &request.encode_bytes()).await;
    answer.expect(403, "not valid");
    expect_not_called(&network, counter).await;
}

#[tokio::test]
async fn request_in_the_name_of_somebody_else_is_refused() {
    let (network, counter, path) = world().await;
    let victim = ed25519(1).sender().unwrap();
    let body = signed(call(victim, counter, "add", b""), &ed25519(2));
    let answer = network.post(&path, &body).await;
    answer.expect(403, "is not the one that the public key belongs to");
    expect_not_called(&network, counter).await;
}

#[tokio::test]
async fn request_without_signature_or_key_is_refused() {
    let (network, counter, path) = world().await;
    let user = ed25519(1);
    let whole = envelope(call(user.sender().unwrap(), counter, "add", b""), &user);
    let (mut no_key, mut no_signature, mut nothing) = (whole.clone(), whole.clone(), whole);
    (no_key.sender_pubkey, no_signature.sender_sig) = (None, None);
    (nothing.sender_pubkey, nothing.sender_sig) = (None, None);
    for request in [no_key, no_signature, nothing] {
        let answer = network.post(&path, &request.encode_bytes()).await;
        answer.expect(403, "needs sender_pubkey and sender_sig");
    }
    expect_not_called(&network, counter).await;
}

#[tokio::test]
async fn anonymous_request_with_a_signature_is_refused() {
    let (network, counter, path) = world().await;
    let body = signed(
        call(Principal::anonymous(), counter, "add", b""),
        &ed25519(1),
    );
    let answer = network.post(&path, &body).await;
    answer.expect(400, "an anonymous request has no key");
}

#[tokio::test]
async fn key_that_is_no_key_is_refused() {
    let (network, counter, path) = world().await;
    let user = ed25519(1);
    let key = user.public_key().unwrap();
    let keys = [
        vec![],
        b"key".to_vec(),
        key[..key.len() - 1].to_vec(),
        network.root_key.clone(),
    ];
    for key in keys {
        let sender = Principal::self_authenticating(&key);
        let mut request = envelope(call(sender, counter, "add", b""), &user);
        request.sender_pubkey = Some(key);
        let answer = network.post(&path, &request.encode_bytes()).await;
        answer.expect(400, "none that is known here");
    }
}

#[tokio::test]
async fn expired_call_query_and_read_state_are_refused() {
    let (network, counter, path) = world().await;
    let user = ed25519(1);
    let sender = user.sender().unwrap();
    // 2025-05-01 23:55:18.005285297 UTC
    let past = 1_746_143_718_005_285_297;
    let of_canister = format!("/api/v3/canister/{counter}");
    let requests = [
        (path, call(sender, counter, "add", b"")),
        (
            format!("{of_canister}/query"),
            query(sender, counter, "get", b""),
        ),
        (format!("{of_canister}/read_state"), read(sender, vec![])),
    ];
    for (path, content) in requests {
        let body = signed(expiring(content, past), &user);
        let answer = network.post(&path, &body).await;
        answer.expect(
            400,
            "Invalid request expiry: Specified ingress_expiry not within expected",
        );
        // agent-js sets its clock when a text begins like this.
        let text = answer.text();
        assert!(text.starts_with("Invalid request expiry: "));
        let provided = ", Provided expiry: 2025-05-01 23:55:18.005285297 UTC\n";
        assert!(text.ends_with(provided), "{text}");
    }
    expect_not_called(&network, counter).await;
}

#[tokio::test]
async fn call_that_expires_too_late_is_refused() {
    let (network, counter, path) = world().await;
    let user = ed25519(1);
    let content = call(user.sender().unwrap(), counter, "add", b"");
    for expiry in [expiry_in(Duration::from_secs(6 * 60)), u64::MAX] {
        let body = signed(expiring(content.clone(), expiry), &user);
        let answer = network.post(&path, &body).await;
        answer.expect(400, "Invalid request expiry: ");
    }
    expect_not_called(&network, counter).await;
}

#[tokio::test]
async fn anonymous_queries_and_reads_may_have_any_expiry_and_anonymous_calls_not() {
    let (network, counter, path) = world().await;
    let sender = Principal::anonymous();
    let of_canister = format!("/api/v3/canister/{counter}");
    for expiry in [0, u64::MAX] {
        let body = signed(
            expiring(query(sender, counter, "get", b""), expiry),
            &AnonymousIdentity,
        );
        let answer = network.post(&format!("{of_canister}/query"), &body).await;
        assert_eq!(answer.status, 200);
        let body = signed(expiring(read(sender, vec![]), expiry), &AnonymousIdentity);
        let answer = network
            .post(&format!("{of_canister}/read_state"), &body)
            .await;
        assert_eq!(answer.status, 200);
        let body = signed(
            expiring(call(sender, counter, "add", b""), expiry),
            &AnonymousIdentity,
        );
        assert_eq!(network.post(&path, &body).await.status, 400);
    }
    expect_not_called(&network, counter).await;
}

#[tokio::test]
async fn nonce_has_at_most_32_bytes() {
    let (network, counter, path) = world().await;
    let user = ed25519(1);
    let content = call(user.sender().unwrap(), counter, "add", b"");
    for length in [0, 32] {
        let body = signed(with_nonce(content.clone(), &vec![9; length]), &user);
        assert_eq!(network.post(&path, &body).await.status, 200);
    }
    let body = signed(with_nonce(content, &[9; 33]), &user);
    network
        .post(&path, &body)
        .await
        .expect(400, "nonce is longer than 32");
    assert_eq!(get(&network.user().await, counter).await, 2);
}

#[tokio::test]
async fn sender_info_is_refused() {
    let (network, counter, path) = world().await;
    let user = ed25519(1);
    let mut content = call(user.sender().unwrap(), counter, "add", b"");
    if let EnvelopeContent::Call { sender_info, .. } = &mut content {
        *sender_info = Some(SenderInfo {
            info: vec![1],
            signer: counter.as_slice().to_vec(),
            sig: vec![2],
        });
    }
    let answer = network.post(&path, &signed(content, &user)).await;
    answer.expect(400, "does not know sender_info");
    expect_not_called(&network, counter).await;
}

/// Both `s` and its negative make a valid signature; many libraries don't care which they make.
#[tokio::test]
async fn signature_by_secp256k1_with_a_high_s_is_accepted() {
    let (network, counter, path) = world().await;
    let user = secp256k1(1);
    let content = call(user.sender().unwrap(), counter, "add", b"");
    let mut envelope = envelope(content, &user);
    let signature = envelope.sender_sig.as_ref().unwrap();
    let low = k256::ecdsa::Signature::from_slice(signature).unwrap();
    let (r, s) = low.split_scalars();
    let high = k256::ecdsa::Signature::from_scalars(*r, -*s).unwrap();
    assert_ne!(low, high);
    envelope.sender_sig = Some(high.to_bytes().to_vec());
    let answer = network.post(&path, &envelope.encode_bytes()).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    // Any other is refused.
    let wrong = k256::ecdsa::Signature::from_scalars(*s, *r).unwrap();
    envelope.sender_sig = Some(wrong.to_bytes().to_vec());
    let answer = network.post(&path, &envelope.encode_bytes()).await;
    answer.expect(403, "not valid");
}
