//! Delegations: keys that act for others, within bounds.

use std::time::Duration;

use candid::Principal;
use ic_agent::Identity;
use ic_agent::identity::{DelegatedIdentity, Delegation, DelegationPermissions, SignedDelegation};
use local_replica::owner::now;

use crate::harness::{MANAGEMENT, Network, add, counter, get, refused};
use crate::identities::{does_everything, ed25519, p256, secp256k1};
use crate::requests::{call, envelope, expiry_in, read, signed, status_path};

fn delegate(
    from: &dyn Identity,
    to: &dyn Identity,
    change: impl FnOnce(&mut Delegation),
) -> SignedDelegation {
    let mut delegation = Delegation {
        pubkey: to.public_key().unwrap(),
        expiration: expiry_in(Duration::from_secs(600)),
        targets: None,
        permissions: None,
    };
    change(&mut delegation);
    let signature = from
        .sign_delegation(&delegation)
        .unwrap()
        .signature
        .unwrap();
    SignedDelegation {
        delegation,
        signature,
    }
}

/// The user of `ed25519(1)`, who signs with another key.
pub fn deputy(change: impl FnOnce(&mut Delegation)) -> DelegatedIdentity {
    let (user, session) = (ed25519(1), ed25519(9));
    let chain = vec![delegate(&user, &session, change)];
    DelegatedIdentity::new(user.public_key().unwrap(), Box::new(session), chain).unwrap()
}

/// The same without any check that it can work.
fn with_chain(chain: Vec<SignedDelegation>, last: impl Identity + 'static) -> DelegatedIdentity {
    let user = ed25519(1).public_key().unwrap();
    DelegatedIdentity::new_unchecked(user, Box::new(last), chain)
}

#[tokio::test]
async fn delegated_key_acts_for_its_user() {
    let network = Network::start().await;
    let deputy = deputy(|_| {});
    assert_eq!(deputy.sender(), ed25519(1).sender());
    does_everything(&network, deputy).await;
}

#[tokio::test]
async fn chain_of_delegations_may_mix_all_kinds_of_keys() {
    let network = Network::start().await;
    let (first, second, third, last) = (p256(1), secp256k1(2), ed25519(3), p256(4));
    let chain = vec![
        delegate(&first, &second, |_| {}),
        delegate(&second, &third, |_| {}),
        delegate(&third, &last, |_| {}),
    ];
    let key = first.public_key().unwrap();
    let deputy = DelegatedIdentity::new(key, Box::new(last), chain).unwrap();
    does_everything(&network, deputy).await;
}

#[tokio::test]
async fn delegation_for_some_canisters_is_no_delegation_for_others() {
    let network = Network::start().await;
    let user = network.user().await;
    let (named, other) = (counter(&user).await, counter(&user).await);
    let agent = network
        .agent(deputy(|d| d.targets = Some(vec![named])))
        .await;
    assert_eq!(add(&agent, named).await, 1);
    assert_eq!(get(&agent, named).await, 1);
    let (status, text) = refused(agent.update(&other, "add").await);
    assert_eq!(
        (status, text.contains("does not extend")),
        (403, true),
        "{text}"
    );
    let (status, _) = refused(agent.query(&other, "get").await);
    assert_eq!(status, 403);
    assert_eq!(get(&user, other).await, 0);
}

#[tokio::test]
async fn canisters_of_a_chain_are_those_that_every_delegation_names() {
    let network = Network::start().await;
    let user = network.user().await;
    let (a, b) = (counter(&user).await, counter(&user).await);
    let (first, second, last) = (ed25519(1), ed25519(2), ed25519(3));
    let chain = vec![
        delegate(&first, &second, |d| d.targets = Some(vec![a, b])),
        delegate(&second, &last, |d| d.targets = Some(vec![b, MANAGEMENT])),
    ];
    let agent = network.agent(with_chain(chain, last)).await;
    assert_eq!(add(&agent, b).await, 1);
    assert_eq!(refused(agent.update(&a, "add").await).0, 403);
    let status = agent.update(&MANAGEMENT, "canister_status");
    assert_eq!(refused(status.with_effective_canister_id(a).await).0, 403);
}

#[tokio::test]
async fn status_of_a_call_is_not_for_a_delegation_to_other_canisters() {
    let network = Network::start().await;
    let user = network.user().await;
    let (named, other) = (counter(&user).await, counter(&user).await);
    let sender = user.get_principal().unwrap();
    let content = call(sender, other, "add", b"");
    let id = content.to_request_id();
    let path = format!("/api/v4/canister/{other}/call");
    let body = signed(content, &ed25519(1));
    assert_eq!(network.post(&path, &body).await.status, 200);
    let path = format!("/api/v3/canister/{other}/read_state");
    let read_by = |targets: Vec<Principal>| {
        let deputy = deputy(|d| d.targets = Some(targets));
        signed(read(sender, vec![status_path(&id)]), &deputy)
    };
    let answer = network.post(&path, &read_by(vec![named])).await;
    answer.expect(403, "does not extend");
    let answer = network.post(&path, &read_by(vec![named, other])).await;
    assert_eq!(answer.status, 200);
}

#[tokio::test]
async fn delegation_for_queries_is_none_for_calls() {
    let network = Network::start().await;
    let counter = counter(&network.user().await).await;
    let permit = |permissions| deputy(move |d| d.permissions = Some(permissions));
    let agent = network.agent(permit(DelegationPermissions::Queries)).await;
    assert_eq!(get(&agent, counter).await, 0);
    agent
        .read_state_canister_controllers(counter)
        .await
        .unwrap();
    let (status, text) = refused(agent.update(&counter, "add").await);
    assert_eq!(
        (status, text.contains("only queries")),
        (403, true),
        "{text}"
    );
    let agent = network.agent(permit(DelegationPermissions::All)).await;
    assert_eq!(add(&agent, counter).await, 1);
}

#[tokio::test]
async fn delegation_with_unknown_permissions_is_refused() {
    let network = Network::start().await;
    let counter = counter(&network.user().await).await;
    let deputy = deputy(|d| d.permissions = Some(DelegationPermissions::Queries));
    let content = call(deputy.sender().unwrap(), counter, "add", b"");
    let mut bytes = signed(content, &deputy);
    let word = bytes
        .windows(7)
        .position(|word| word == b"queries")
        .unwrap();
    bytes[word..word + 7].copy_from_slice(b"updates");
    let path = format!("/api/v4/canister/{counter}/call");
    network.post(&path, &bytes).await.expect(400, "updates");
}

#[tokio::test]
async fn expired_delegation_is_refused() {
    let network = Network::start().await;
    let counter = counter(&network.user().await).await;
    let agent = network.agent(deputy(|d| d.expiration = now() - 1)).await;
    for (status, text) in [
        refused(agent.update(&counter, "add").await),
        refused(agent.query(&counter, "get").await),
        refused(agent.read_state_canister_controllers(counter).await),
    ] {
        assert_eq!(
            (status, text.contains("has expired")),
            (403, true),
            "{text}"
        );
    }
}

#[tokio::test]
async fn forged_or_broken_chain_is_refused() {
    let network = Network::start().await;
    let counter = counter(&network.user().await).await;
    let (user, thief, session) = (ed25519(1), ed25519(2), ed25519(3));
    let mut changed = delegate(&user, &session, |_| {});
    changed.delegation.pubkey = thief.public_key().unwrap();
    let chains = [
        // Signed by somebody else.
        with_chain(vec![delegate(&thief, &session, |_| {})], ed25519(3)),
        // Another key put in.
        with_chain(vec![changed], ed25519(2)),
        // A link is missing.
        with_chain(vec![delegate(&user, &session, |_| {})], ed25519(4)),
        // None at all.
        with_chain(vec![], ed25519(2)),
    ];
    for identity in chains {
        let agent = network.agent(identity).await;
        let (status, text) = refused(agent.update(&counter, "add").await);
        assert_eq!((status, text.contains("not valid")), (403, true), "{text}");
    }
    assert_eq!(get(&network.user().await, counter).await, 0);
}

#[tokio::test]
async fn circles_and_long_chains_of_delegations_are_refused() {
    let network = Network::start().await;
    let counter = counter(&network.user().await).await;
    let (a, b) = (ed25519(1), ed25519(2));
    let there_and_back = vec![delegate(&a, &b, |_| {}), delegate(&b, &a, |_| {})];
    let agent = network.agent(with_chain(there_and_back, ed25519(1))).await;
    let (status, text) = refused(agent.update(&counter, "add").await);
    assert_eq!((status, text.contains("circle")), (400, true), "{text}");

    let link = |i| delegate(&ed25519(i), &ed25519(i + 1), |_| {});
    let agent = network
        .agent(with_chain((1..=21).map(link).collect(), ed25519(22)))
        .await;
    let (status, text) = refused(agent.update(&counter, "add").await);
    assert_eq!(
        (status, text.contains("more than 20")),
        (400, true),
        "{text}"
    );
    let agent = network
        .agent(with_chain((1..=20).map(link).collect(), ed25519(21)))
        .await;
    assert_eq!(add(&agent, counter).await, 1);
}

#[tokio::test]
async fn anonymous_request_with_a_delegation_is_refused() {
    let network = Network::start().await;
    let counter = counter(&network.user().await).await;
    let content = call(Principal::anonymous(), counter, "add", b"");
    let mut request = envelope(content, &ic_agent::identity::AnonymousIdentity);
    request.sender_delegation = Some(vec![delegate(&ed25519(1), &ed25519(2), |_| {})]);
    let path = format!("/api/v4/canister/{counter}/call");
    let answer = network.post(&path, &request.encode_bytes()).await;
    answer.expect(400, "an anonymous request has no key");
}
