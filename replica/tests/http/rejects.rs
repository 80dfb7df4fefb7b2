//! Rejects as they reach the agent: their code, their error code, and their text.

use candid::Principal;
use ic_transport_types::{RejectCode, RejectResponse};

use crate::harness::{MANAGEMENT, Network, add, certified, counter, create, get, uncertified};

#[track_caller]
fn expect(reject: &RejectResponse, code: RejectCode, error_code: &str, words: &str) {
    assert_eq!(reject.reject_code, code, "{reject:?}");
    assert_eq!(reject.error_code.as_deref(), Some(error_code), "{reject:?}");
    assert!(reject.reject_message.contains(words), "{reject:?}");
}

#[tokio::test]
async fn trap_of_a_call_reaches_the_agent_and_leaves_no_trace() {
    let network = Network::start().await;
    let agent = network.user().await;
    let counter = counter(&agent).await;
    let reject = certified(agent.update(&counter, "trap").await);
    expect(&reject, RejectCode::CanisterError, "IC0503", "on purpose");
    let reject = certified(agent.update(&counter, "unreachable").await);
    expect(&reject, RejectCode::CanisterError, "IC0502", "unreachable");
    assert_eq!(get(&agent, counter).await, 0);
}

#[tokio::test]
async fn reject_by_the_canister_reaches_the_agent_word_for_word() {
    let network = Network::start().await;
    let agent = network.user().await;
    let counter = counter(&agent).await;
    let reject = certified(agent.update(&counter, "refuse").await);
    expect(&reject, RejectCode::CanisterReject, "IC0406", "not today");
    assert_eq!(reject.reject_message, "not today");
}

#[tokio::test]
async fn method_that_does_not_reply_is_rejected() {
    let network = Network::start().await;
    let agent = network.user().await;
    let counter = counter(&agent).await;
    let reject = certified(agent.update(&counter, "silent").await);
    expect(
        &reject,
        RejectCode::CanisterError,
        "IC0506",
        "did not reply",
    );
    // It ended without a trap, so what it did is kept.
    assert_eq!(get(&agent, counter).await, 1);
}

#[tokio::test]
async fn missing_method_is_rejected() {
    let network = Network::start().await;
    let agent = network.user().await;
    let counter = counter(&agent).await;
    let reject = uncertified(agent.update(&counter, "absent").await);
    expect(&reject, RejectCode::CanisterError, "IC0536", "'absent'");
    let reject = uncertified(agent.query(&counter, "absent").await);
    expect(
        &reject,
        RejectCode::CanisterError,
        "IC0536",
        "no query method 'absent'",
    );
    // An update is not a query.
    let reject = uncertified(agent.query(&counter, "add").await);
    expect(
        &reject,
        RejectCode::CanisterError,
        "IC0536",
        "no query method 'add'",
    );
}

#[tokio::test]
async fn missing_canister_is_rejected() {
    let network = Network::start().await;
    let agent = network.user().await;
    let nobody = Principal::from_slice(&[0x80, 0, 0, 0, 0, 0x77, 0, 0, 1, 1]);
    let reject = uncertified(agent.update(&nobody, "add").await);
    expect(
        &reject,
        RejectCode::DestinationInvalid,
        "IC0301",
        "not found",
    );
    let reject = uncertified(agent.query(&nobody, "get").await);
    expect(
        &reject,
        RejectCode::DestinationInvalid,
        "IC0301",
        "not found",
    );
}

#[tokio::test]
async fn empty_canister_is_rejected() {
    let network = Network::start().await;
    let agent = network.user().await;
    let empty = create(&agent).await;
    let reject = uncertified(agent.update(&empty, "add").await);
    expect(
        &reject,
        RejectCode::CanisterError,
        "IC0537",
        "no wasm module",
    );
    let reject = uncertified(agent.query(&empty, "get").await);
    expect(
        &reject,
        RejectCode::CanisterError,
        "IC0537",
        "no Wasm module",
    );
}

#[tokio::test]
async fn rejects_of_queries_are_signed_by_the_node() {
    let network = Network::start().await;
    let agent = network.user().await;
    let counter = counter(&agent).await;
    // The agent checks the signature of a reject like that of a reply.
    let reject = uncertified(agent.query(&counter, "refuse_query").await);
    expect(&reject, RejectCode::CanisterReject, "IC0406", "not today");
    let reject = uncertified(agent.query(&counter, "trap_query").await);
    expect(&reject, RejectCode::CanisterError, "IC0503", "on purpose");
}

#[tokio::test]
async fn composite_query_asks_other_canisters() {
    let network = Network::start().await;
    let agent = network.user().await;
    let (asking, asked) = (counter(&agent).await, counter(&agent).await);
    add(&agent, asked).await;
    let query = agent.query(&asking, "get_of").with_arg(asked.as_slice());
    assert_eq!(crate::harness::number(&query.await.unwrap()), 1);
    let query = agent
        .query(&asking, "get_of")
        .with_arg(MANAGEMENT.as_slice());
    let reject = uncertified(query.await);
    expect(&reject, RejectCode::CanisterReject, "IC0406", "not today");
    // It is no update.
    let reject = certified(
        agent
            .update(&asking, "get_of")
            .with_arg(asked.as_slice())
            .await,
    );
    expect(&reject, RejectCode::CanisterError, "IC0527", "get_of");
}

#[tokio::test]
async fn what_the_management_canister_does_not_have_is_said() {
    let network = Network::start().await;
    let agent = network.user().await;
    let canister = create(&agent).await;
    for (method, error_code, words) in [
        (
            "sign_with_ecdsa",
            "IC0407",
            "does not have threshold signatures",
        ),
        ("http_request", "IC0407", "does not have HTTPS outcalls"),
        ("no_such_method", "IC0536", "has no method 'no_such_method'"),
        ("create_canister", "IC0406", "only by canisters"),
    ] {
        let call = agent.update(&MANAGEMENT, method).with_arg(b"DIDL\0\0");
        let reject = uncertified(call.with_effective_canister_id(canister).await);
        assert_eq!(reject.error_code.as_deref(), Some(error_code), "{reject:?}");
        assert!(reject.reject_message.contains(words), "{reject:?}");
    }
}
