//! Calls: once each, at the right place, and only those that the canister takes in.

use candid::{Principal, encode_one};
use ic_agent::Identity;
use ic_agent::hash_tree::HashTree;
use ic_management_canister_types::CanisterIdRecord;
use ic_transport_types::{EnvelopeContent, TransportCallResponse};

use crate::canisters::PICKY;
use crate::harness::{
    MANAGEMENT, Network, add, certified, counter, create, get, install, number, refused,
    uncertified,
};
use crate::identities::ed25519;
use crate::requests::{Label, call, query, read, signed, with_nonce};

/// The certificate of a synchronous call.
fn certificate(answer: TransportCallResponse) -> ic_agent::Certificate {
    match answer {
        TransportCallResponse::Replied { certificate } => {
            serde_cbor::from_slice(&certificate).unwrap()
        }
        other => panic!("expected a certificate, got {other:?}"),
    }
}

fn paths(tree: &HashTree<Vec<u8>>) -> Vec<Vec<Label>> {
    let mut paths = tree.list_paths();
    paths.sort();
    paths
}

#[tokio::test]
async fn repeated_request_is_answered_and_not_executed_again() {
    let network = Network::start().await;
    let agent = network.user().await;
    let counter = counter(&agent).await;
    let request = agent.update(&counter, "add").sign().unwrap();
    for version in ["v4", "v3", "v4"] {
        let path = format!("/api/{version}/canister/{counter}/call");
        let answer = network.post(&path, &request.signed_update).await;
        let certificate = certificate(answer.cbor());
        agent.verify(&certificate, counter).unwrap();
        let reply: [&[u8]; 3] = [b"request_status", request.request_id.as_slice(), b"reply"];
        assert_eq!(
            number(ic_agent::lookup_value(&certificate, reply).unwrap()),
            1
        );
    }
    let path = format!("/api/v2/canister/{counter}/call");
    assert_eq!(
        network.post(&path, &request.signed_update).await.status,
        202
    );
    assert_eq!(get(&agent, counter).await, 1);
}

#[tokio::test]
async fn request_repeated_many_times_at_once_is_executed_once() {
    let network = Network::start().await;
    let agent = network.user().await;
    let counter = counter(&agent).await;
    let request = agent.update(&counter, "add").sign().unwrap();
    let path = format!("/api/v4/canister/{counter}/call");
    let send = || network.post(&path, &request.signed_update);
    let (a, b, c, d) = tokio::join!(send(), send(), send(), send());
    for answer in [a, b, c, d] {
        certificate(answer.cbor());
    }
    assert_eq!(get(&agent, counter).await, 1);
}

#[tokio::test]
async fn nonce_makes_equal_requests_different() {
    let network = Network::start().await;
    let agent = network.user().await;
    let counter = counter(&agent).await;
    let content = call(agent.get_principal().unwrap(), counter, "add", b"");
    let path = format!("/api/v4/canister/{counter}/call");
    for nonce in [b"a", b"b", b"a", b"b"] {
        let body = signed(with_nonce(content.clone(), nonce), &ed25519(1));
        certificate(network.post(&path, &body).await.cbor());
    }
    assert_eq!(get(&agent, counter).await, 2);
}

#[tokio::test]
async fn certificate_of_a_call_tells_of_this_call_alone() {
    let network = Network::start().await;
    let agent = network.user().await;
    let counter = counter(&agent).await;
    add(&agent, counter).await;
    let request = agent.update(&counter, "add").sign().unwrap();
    let path = format!("/api/v4/canister/{counter}/call");
    let answer = network.post(&path, &request.signed_update).await;
    let label = |text: &str| Label::from(text);
    let status = || vec![label("request_status"), request.request_id.to_vec().into()];
    assert_eq!(
        paths(&certificate(answer.cbor()).tree),
        [
            [status(), vec![label("reply")]].concat(),
            [status(), vec![label("status")]].concat(),
            vec![label("time")],
        ]
    );
}

#[tokio::test]
async fn request_at_another_canister_s_path_is_refused() {
    let network = Network::start().await;
    let agent = network.user().await;
    let (here, there) = (counter(&agent).await, counter(&agent).await);
    let update = agent.update(&here, "add").with_effective_canister_id(there);
    let (status, text) = refused(update.await);
    assert_eq!(
        (status, text.contains("the path names the canister")),
        (400, true),
        "{text}"
    );
    let query = agent.query(&here, "get").with_effective_canister_id(there);
    assert_eq!(refused(query.await).0, 400);
    let arg = encode_one(CanisterIdRecord { canister_id: here }).unwrap();
    let stop = agent.update(&MANAGEMENT, "stop_canister").with_arg(arg);
    assert_eq!(refused(stop.with_effective_canister_id(there).await).0, 400);
    assert_eq!(get(&agent, here).await, 0);
}

#[tokio::test]
async fn request_of_another_type_than_its_path_is_refused() {
    let network = Network::start().await;
    let user = ed25519(1);
    let counter = counter(&network.user().await).await;
    let sender = user.sender().unwrap();
    let requests: [(&str, EnvelopeContent); 3] = [
        ("call", call(sender, counter, "add", b"")),
        ("query", query(sender, counter, "get", b"")),
        ("read_state", read(sender, vec![])),
    ];
    for (own, content) in requests {
        let body = signed(content, &user);
        for path in [
            "v2/call",
            "v3/call",
            "v4/call",
            "v2/query",
            "v3/query",
            "v3/read_state",
        ] {
            let (version, kind) = path.split_once('/').unwrap();
            let path = format!("/api/{version}/canister/{counter}/{kind}");
            let answer = network.post(&path, &body).await;
            match own == kind {
                true => assert!(matches!(answer.status, 200 | 202), "{}", answer.text()),
                false => answer.expect(400, "this is not a"),
            }
        }
    }
    // The call's three paths took in one call.
    assert_eq!(get(&network.user().await, counter).await, 1);
}

#[tokio::test]
async fn inspect_message_refuses_before_anything_is_executed() {
    let network = Network::start().await;
    let agent = network.user().await;
    let picky = install(&agent, PICKY).await;
    agent.update(&picky, "add").await.unwrap();
    let reject = uncertified(agent.update(&picky, "reset").await);
    assert_eq!(reject.reject_code as u64, 4);
    assert_eq!(reject.error_code.as_deref(), Some("IC0406"));
    let expected = format!("Canister {picky} rejected the message");
    assert_eq!(reject.reject_message, expected);

    // A call that was not taken in has no status.
    let request = agent.update(&picky, "reset").sign().unwrap();
    let path = format!("/api/v4/canister/{picky}/call");
    let answer: TransportCallResponse = network.post(&path, &request.signed_update).await.cbor();
    let TransportCallResponse::NonReplicatedRejection(reject) = answer else {
        panic!("expected a rejection, got {answer:?}");
    };
    assert_eq!(reject.reject_message, expected);
    let (status, _) = agent
        .request_status_raw(&request.request_id, picky)
        .await
        .unwrap();
    assert_eq!(status, ic_transport_types::RequestStatusResponse::Unknown);
}

#[tokio::test]
async fn query_method_can_be_called_for_a_certified_answer() {
    let network = Network::start().await;
    let agent = network.user().await;
    let counter = counter(&agent).await;
    add(&agent, counter).await;
    assert_eq!(number(&agent.update(&counter, "get").await.unwrap()), 1);
}

#[tokio::test]
async fn management_calls_are_for_controllers() {
    let network = Network::start().await;
    let canister = create(&network.user().await).await;
    let stranger = network.agent(ed25519(2)).await;
    let arg = encode_one(CanisterIdRecord {
        canister_id: canister,
    })
    .unwrap();
    let call = |method| {
        let call = stranger.update(&MANAGEMENT, method).with_arg(arg.clone());
        call.with_effective_canister_id(canister)
    };
    for method in [
        "stop_canister",
        "uninstall_code",
        "delete_canister",
        "stored_chunks",
    ] {
        let reject = uncertified(call(method).await);
        assert_eq!(reject.error_code.as_deref(), Some("IC0512"), "{method}");
    }
    let reject = certified(call("canister_status").await);
    assert_eq!(reject.error_code.as_deref(), Some("IC0512"));
}

#[tokio::test]
async fn argument_above_two_mib_is_not_taken_in() {
    let network = Network::start().await;
    let agent = network.user().await;
    let counter = counter(&agent).await;
    let largest = agent
        .update(&counter, "add")
        .with_arg(vec![0; 2 * 1024 * 1024]);
    largest.await.unwrap();
    let larger = agent
        .update(&counter, "add")
        .with_arg(vec![0; 2 * 1024 * 1024 + 1]);
    let reject = uncertified(larger.await);
    assert!(
        reject
            .reject_message
            .contains("an ingress message can carry")
    );
    assert_eq!(get(&agent, counter).await, 1);
}

#[tokio::test]
async fn principal_in_the_path_that_is_none_is_refused() {
    let network = Network::start().await;
    let sender = Principal::anonymous();
    let body = signed(read(sender, vec![]), &ic_agent::identity::AnonymousIdentity);
    for text in ["nobody", "aaaaa-ab", "%20", "AAAAA%2Daa-"] {
        let answer = network
            .post(&format!("/api/v3/canister/{text}/read_state"), &body)
            .await;
        answer.expect(400, "in the path is no id");
    }
}
