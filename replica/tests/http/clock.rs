//! The replica's clock, when it was moved ahead of the machine's: everything follows it.

use std::time::Duration;

use candid::Principal;
use ic_agent::Identity;
use ic_agent::identity::AnonymousIdentity;
use ic_transport_types::{QueryResponse, ReadStateResponse};

use crate::delegations::deputy;
use crate::harness::{MANAGEMENT, Network, add, counter, get, refused};
use crate::identities::ed25519;
use crate::requests::{call, expiring, expiry_in, query, read, signed};

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// A network whose clock is a day ahead, and where that is.
async fn tomorrow() -> (Network, u64) {
    let network = Network::start().await;
    let time = network.advance(DAY.as_secs()).await;
    assert!(time >= expiry_in(DAY) - 1_000_000_000_000);
    (network, time)
}

#[tokio::test]
async fn certificates_have_the_time_of_the_replica_s_clock() {
    let (network, time) = tomorrow().await;
    let content = read(Principal::anonymous(), vec![vec!["time".into()]]);
    let body = signed(content, &AnonymousIdentity);
    let path = format!("/api/v2/canister/{MANAGEMENT}/read_state");
    let answer: ReadStateResponse = network.post(&path, &body).await.cbor();
    let certificate: ic_agent::Certificate = serde_cbor::from_slice(&answer.certificate).unwrap();
    let mut told = ic_agent::lookup_value(&certificate, [b"time".as_slice()]).unwrap();
    let told = candid::Nat::decode(&mut told).unwrap();
    assert!(told >= time, "{told}");
}

#[tokio::test]
async fn answers_to_queries_are_signed_with_the_time_of_the_replica_s_clock() {
    let (network, time) = tomorrow().await;
    let counter = counter(&network.user().await).await;
    let content = query(Principal::anonymous(), counter, "get", b"");
    let body = signed(content, &AnonymousIdentity);
    let path = format!("/api/v2/canister/{counter}/query");
    let response: QueryResponse = network.post(&path, &body).await.cbor();
    assert!(response.signatures()[0].timestamp >= time);
}

#[tokio::test]
async fn requests_may_live_for_five_minutes_of_the_replica_s_clock() {
    let (network, _) = tomorrow().await;
    let user = ed25519(1);
    let agent = network.user().await;
    let counter = counter(&agent).await;
    let path = format!("/api/v4/canister/{counter}/call");
    let content = || call(user.sender().unwrap(), counter, "add", b"");
    let minutes = |minutes: u64| expiry_in(DAY + Duration::from_secs(60 * minutes));
    let body = signed(expiring(content(), minutes(4)), &user);
    assert_eq!(network.post(&path, &body).await.status, 200);
    let body = signed(expiring(content(), minutes(7)), &user);
    let answer = network.post(&path, &body).await;
    answer.expect(400, "Invalid request expiry");
    assert_eq!(get(&agent, counter).await, 1);
    // Most programs have the machine's clock, and are not shut out.
    assert_eq!(add(&agent, counter).await, 2);
}

#[tokio::test]
async fn delegations_expire_by_the_replica_s_clock() {
    let (network, _) = tomorrow().await;
    let counter = counter(&network.user().await).await;
    let valid_for = |time| {
        network.agent(deputy(move |delegation| {
            delegation.expiration = expiry_in(time);
        }))
    };
    let agent = valid_for(DAY - Duration::from_secs(60)).await;
    let (status, text) = refused(agent.query(&counter, "get").await);
    assert_eq!((status, text.as_str()), (403, "a delegation has expired\n"));
    let agent = valid_for(DAY + Duration::from_secs(600)).await;
    assert_eq!(get(&agent, counter).await, 0);
}
