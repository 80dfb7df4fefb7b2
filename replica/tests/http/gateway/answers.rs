//! Answers that are no pages, and what is said instead.

use candid::{Principal, encode_args, encode_one};

use super::pages::{Pages, get, page};
use crate::connections::pass;
use crate::harness::Network;

#[tokio::test]
async fn failures_of_a_canister_are_told() {
    let network = Network::start().await;
    let pages = Pages::on(&network).await;
    pages
        .raw("/")
        .await
        .expect(502, "http_request of the canister");
    pages.raw("/").await.expect(502, "IC0503");
    let mut again = page(200, &[], b"");
    again.upgrade = Some(true);
    pages.say(0, again).await;
    pages
        .raw("/")
        .await
        .expect(502, "http_request_update of the canister");
    // What a canister says is text in a page.
    let host = format!("{}.raw.localhost", pages.canister);
    pages.say_bytes(0, b"DIDL\x00\x01\x71\x05<b>no").await;
    let answer = get(network.address, &host, "/", "accept: text/html\r\n").await;
    assert_eq!(answer.status, 502);
    assert!(
        answer
            .head
            .contains("content-security-policy: default-src 'none'")
    );
    assert!(!answer.text().contains("<b>"), "{}", answer.text());
    let stop = encode_one(ic_management_canister_types::CanisterIdRecord {
        canister_id: pages.canister,
    });
    let management = Principal::management_canister();
    let stop = pages
        .agent
        .update(&management, "stop_canister")
        .with_arg(stop.unwrap());
    stop.with_effective_canister_id(pages.canister)
        .await
        .unwrap();
    pages.raw("/").await.expect(503, "is stopped");
}

#[tokio::test(flavor = "current_thread")]
async fn update_that_is_not_answered_within_a_minute_is_given_up() {
    let network = Network::start().await;
    let pages = Pages::on(&network).await;
    let mut again = page(200, &[], b"");
    again.upgrade = Some(true);
    pages.say(0, again).await;
    pages.say(1, page(200, &[], b"late")).await;
    network.hold_messages().await;
    let answer = tokio::join!(pages.raw("/"), async {
        let waits = |node: &mut local_replica::owner::Node| node.replica.pool().len() == 1;
        while !network.owner.with(waits).await.unwrap() {
            tokio::task::yield_now().await;
        }
        for _ in 0..90 {
            pass(1).await;
            tokio::task::yield_now().await;
        }
    });
    answer.0.expect(504, "has not answered within 60 seconds");
    network.release_messages().await;
    assert_eq!(pages.raw("/").await.text(), "late");
}

#[tokio::test]
async fn answers_that_http_does_not_have_are_refused() {
    let network = Network::start().await;
    let pages = Pages::on(&network).await;
    for code in [0, 99, 100, 101, 199, 600, 1000, 65_535] {
        pages.say(0, page(code, &[], b"")).await;
        pages
            .raw("/")
            .await
            .expect(502, &format!("its status code is {code}"));
    }
    for (name, value) in [
        ("a b", "1"),
        ("", "1"),
        ("x", "1\r\nset-cookie: a=b"),
        ("x\r\nset-cookie", "a=b"),
        ("x", "\u{0}"),
    ] {
        pages.say(0, page(200, &[(name, value)], b"")).await;
        let answer = pages.raw("/").await;
        answer.expect(502, "has a name or a value that HTTP does not have");
        assert!(!answer.head.contains("set-cookie"), "{}", answer.head);
    }
    let many: Vec<(&str, &str)> = vec![("x", "1"); 101];
    pages.say(0, page(200, &many, b"")).await;
    pages.raw("/").await.expect(502, "it has 101 headers");
    let long = "x".repeat(128 * 1024);
    pages.say(0, page(200, &[("x", &long)], b"")).await;
    pages
        .raw("/")
        .await
        .expect(502, "it has 1 headers with 131073 bytes");
}

#[tokio::test]
async fn headers_of_the_connection_stay_with_the_server() {
    let network = Network::start().await;
    let pages = Pages::on(&network).await;
    let headers = [
        ("Content-Length", "3"),
        ("Transfer-Encoding", "chunked"),
        ("Connection", "upgrade"),
        ("Upgrade", "websocket"),
        ("Keep-Alive", "timeout=99"),
        ("set-cookie", "a=1"),
        ("set-cookie", "b=2"),
    ];
    pages.say(0, page(200, &headers, b"longer than 3")).await;
    let answer = pages.raw("/").await;
    assert_eq!(answer.text(), "longer than 3");
    assert!(
        answer.head.contains("content-length: 13"),
        "{}",
        answer.head
    );
    for absent in ["chunked", "websocket", "timeout=99"] {
        assert!(!answer.head.contains(absent), "{}", answer.head);
    }
    assert!(answer.head.contains("set-cookie: a=1"), "{}", answer.head);
    assert!(answer.head.contains("set-cookie: b=2"), "{}", answer.head);
}

#[tokio::test]
async fn other_answers_than_pages_are_refused() {
    let network = Network::start().await;
    let pages = Pages::on(&network).await;
    let words = "not what http_request of the HTTP gateway protocol answers";
    for bytes in [
        b"".to_vec(),
        b"<html>".to_vec(),
        encode_one("text").unwrap(),
    ] {
        pages.say_bytes(0, &bytes).await;
        let answer = pages.raw("/").await;
        let text = answer.text();
        // No bytes are no answer of the canister's.
        assert!(text.contains(words) || bytes.is_empty(), "{text}");
        assert_eq!(answer.status, 502, "{text}");
    }
    // A page, and two million nothings.
    let nothings = vec![(); 2_000_000];
    let bytes = encode_args((page(200, &[], b"page"), nothings)).unwrap();
    pages.say_bytes(0, &bytes).await;
    let answer = pages.raw("/").await;
    assert_eq!(answer.status, 502, "{}", answer.text());
}
