//! What is addressed to the subnet instead of a canister: creation, and what the subnet is and does.

use candid::{Principal, decode_one, encode_one};
use ic_agent::agent::signed::SignedUpdate;
use ic_agent::agent::{CallResponse, EffectiveId};
use ic_agent::hash_tree::LookupResult;
use ic_agent::{Agent, Identity};
use ic_management_canister_types::{CanisterIdRecord, ProvisionalCreateCanisterWithCyclesArgs};

use crate::harness::{MANAGEMENT, Network, add, counter, create, refused, uncertified};
use crate::identities::ed25519;
use crate::requests::Label;

fn creation(agent: &Agent) -> SignedUpdate {
    agent
        .update(&MANAGEMENT, "provisional_create_canister_with_cycles")
        .with_arg(encode_one(ProvisionalCreateCanisterWithCyclesArgs::default()).unwrap())
        .sign()
        .unwrap()
}

fn at(subnet: Principal) -> EffectiveId {
    EffectiveId::Subnet(subnet)
}

#[tokio::test]
async fn canister_is_created_at_the_path_of_its_subnet() {
    let network = Network::start().await;
    let user = network.user().await;
    let request = creation(&user).signed_update;
    let created = user.update_signed(at(network.subnet), request).await;
    let CallResponse::Response(reply) = created.unwrap() else {
        panic!("it is answered at once");
    };
    let created: CanisterIdRecord = decode_one(&reply).unwrap();
    let controllers = user
        .read_state_canister_controllers(created.canister_id)
        .await;
    assert_eq!(controllers.unwrap(), [ed25519(1).sender().unwrap()]);
}

#[tokio::test]
async fn status_of_a_request_to_the_subnet_is_read_at_its_path() {
    let network = Network::start().await;
    let user = network.user().await;
    let canister = create(&user).await;
    let request = creation(&user);
    let subnet = at(network.subnet);
    let created = user.update_signed(subnet, request.signed_update);
    created.await.unwrap();
    let id = request.request_id;
    user.wait(&id, subnet).await.unwrap();
    let elsewhere = user.request_status_raw(&id, canister).await;
    let (status, text) = refused(elsewhere);
    assert_eq!((status, text.contains("only for its sender")), (403, true));

    // And that of a request to a canister's path is not read at the subnet's.
    let request = creation(&user);
    let door = format!("/api/v3/canister/{canister}/call");
    let answer = network.post(&door, &request.signed_update).await;
    assert_eq!(answer.status, 200);
    let elsewhere = user.request_status_raw(&request.request_id, subnet).await;
    assert_eq!(refused(elsewhere).0, 403);
}

#[tokio::test]
async fn only_creation_and_the_list_of_canisters_are_addressed_to_the_subnet() {
    let network = Network::start().await;
    let user = network.user().await;
    let counter = counter(&user).await;
    let subnet = at(network.subnet);
    for (receiver, method) in [(counter, "add"), (MANAGEMENT, "canister_status")] {
        let arg = encode_one(CanisterIdRecord {
            canister_id: counter,
        });
        let arg = arg.unwrap();
        let call = user.update(&receiver, method).with_arg(arg.clone());
        let call = call.sign().unwrap().signed_update;
        let (status, text) = refused(user.update_signed(subnet, call).await);
        assert_eq!(status, 400);
        assert!(text.contains("create_canister"), "{text}");
        let query = user.query(&receiver, method).with_arg(arg);
        let query = query.sign().unwrap().signed_query;
        let (status, text) = refused(user.query_signed(subnet, query).await);
        assert_eq!(status, 400);
        assert!(text.contains("list_canisters"), "{text}");
    }
    assert_eq!(add(&user, counter).await, 1);
}

#[tokio::test]
async fn list_of_canisters_is_rejected_with_the_nodes_signature() {
    let network = Network::start().await;
    let user = network.user().await;
    let query = user.query(&MANAGEMENT, "list_canisters").sign().unwrap();
    let answer = user.query_signed(at(network.subnet), query.signed_query);
    let reject = uncertified(answer.await);
    assert!(
        reject.reject_message.contains("is not available"),
        "{reject:?}"
    );
}

#[tokio::test]
async fn another_subnet_is_not_here() {
    let network = Network::start().await;
    let user = network.user().await;
    let other = ed25519(5).sender().unwrap();
    let query = user.query(&MANAGEMENT, "list_canisters").sign().unwrap();
    let requests = [
        ("v4", "call", creation(&user).signed_update),
        ("v3", "query", query.signed_query),
    ];
    for (version, kind, body) in requests {
        let door = format!("/api/{version}/subnet/{other}/{kind}");
        network
            .post(&door, &body)
            .await
            .expect(400, "there is no subnet");
    }
}

#[tokio::test]
async fn metrics_count_canisters_and_what_they_did() {
    let network = Network::start().await;
    let user = network.user().await;
    let metrics = || user.read_state_subnet_metrics(network.subnet);
    let empty = metrics().await.unwrap();
    assert_eq!((empty.num_canisters, empty.canister_state_bytes), (0, 0));
    let counter = counter(&user).await;
    let installed = metrics().await.unwrap();
    assert_eq!(installed.num_canisters, 1);
    // A page of memory, and the module.
    assert!(installed.canister_state_bytes > 65_536, "{installed:?}");
    add(&user, counter).await;
    let called = metrics().await.unwrap();
    let grown = called.update_transactions_total - installed.update_transactions_total;
    assert_eq!(grown, 1);
    assert!(called.consumed_cycles_total > installed.consumed_cycles_total);
}

#[tokio::test]
async fn metrics_are_read_only_at_the_path_of_the_subnet() {
    let network = Network::start().await;
    let user = network.user().await;
    let counter = counter(&user).await;
    let label = |bytes: &[u8]| Label::from_bytes(bytes);
    let subnet = vec![label(b"subnet"), label(network.subnet.as_slice())];
    let metrics = [&subnet[..], &[label(b"metrics")]].concat();
    let (status, text) = refused(user.read_state_raw(vec![metrics.clone()], counter).await);
    assert_eq!((status, text.contains("only at its own path")), (400, true));
    for (effective, found) in [
        (EffectiveId::Canister(counter), false),
        (at(network.subnet), true),
    ] {
        let certificate = user.read_state_raw(vec![subnet.clone()], effective).await;
        let tree = certificate.unwrap().tree;
        let here = matches!(tree.lookup_path(&metrics), LookupResult::Found(_));
        assert_eq!(here, found, "{effective:?}");
    }
}
