//! Identities of every kind that users have, each a well-known key; and each kind at work.

use candid::Principal;
use ic_agent::Identity;
use ic_agent::identity::{AnonymousIdentity, BasicIdentity, Prime256v1Identity, Secp256k1Identity};

use crate::harness::{Network, add, caller, counter, get};

pub fn ed25519(seed: u8) -> BasicIdentity {
    BasicIdentity::from_raw_key(&[seed; 32])
}

pub fn secp256k1(seed: u8) -> Secp256k1Identity {
    Secp256k1Identity::from_private_key(k256::SecretKey::from_slice(&[seed; 32]).unwrap())
}

pub fn p256(seed: u8) -> Prime256v1Identity {
    Prime256v1Identity::from_private_key(p256::SecretKey::from_slice(&[seed; 32]).unwrap())
}

/// The user of an identity installs a canister, calls and queries it, and reads the state.
pub async fn does_everything(network: &Network, identity: impl Identity + 'static) {
    let user = identity.sender().unwrap();
    let agent = network.agent(identity).await;
    let counter = counter(&agent).await;
    assert_eq!(add(&agent, counter).await, 1);
    assert_eq!(get(&agent, counter).await, 1);
    assert_eq!(caller(&agent.update(&counter, "who").await.unwrap()), user);
    assert_eq!(
        caller(&agent.query(&counter, "who_query").await.unwrap()),
        user
    );
    let controllers = agent
        .read_state_canister_controllers(counter)
        .await
        .unwrap();
    assert_eq!(controllers, [user]);
}

#[tokio::test]
async fn anonymous_user_calls_queries_and_reads() {
    let network = Network::start().await;
    does_everything(&network, AnonymousIdentity).await;
}

#[tokio::test]
async fn user_with_ed25519_calls_queries_and_reads() {
    let network = Network::start().await;
    does_everything(&network, ed25519(7)).await;
}

#[tokio::test]
async fn user_with_secp256k1_calls_queries_and_reads() {
    let network = Network::start().await;
    does_everything(&network, secp256k1(7)).await;
}

#[tokio::test]
async fn user_with_p256_calls_queries_and_reads() {
    let network = Network::start().await;
    does_everything(&network, p256(7)).await;
}

#[tokio::test]
async fn users_with_the_same_secret_number_on_different_curves_are_different() {
    let users: [Principal; 3] = [
        ed25519(7).sender().unwrap(),
        secp256k1(7).sender().unwrap(),
        p256(7).sender().unwrap(),
    ];
    assert!(users[0] != users[1] && users[1] != users[2] && users[0] != users[2]);
}
