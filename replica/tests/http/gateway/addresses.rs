//! Where pages are, and how canisters are asked for them.

use std::fs;

use candid::{CandidType, Deserialize, decode_one};
use local_replica::http::Access;
use serde_bytes::ByteBuf;

use super::pages::{Pages, get, page};
use crate::harness::Network;
use crate::raw::{Answer, exchange};

/// What a canister is asked.
#[derive(CandidType, Deserialize)]
struct Asked {
    method: String,
    url: String,
    headers: Vec<(String, String)>,
    body: ByteBuf,
}

#[tokio::test]
async fn page_is_shown_at_its_host_and_by_canister_id() {
    let network = Network::start().await;
    let pages = Pages::on(&network).await;
    let html = [("content-type", "text/html"), ("X-Own", "1")];
    pages.say(0, page(200, &html, b"<h1>Hello</h1>")).await;
    let answer = pages.raw("/index.html?a=b").await;
    assert_eq!(
        (answer.status, answer.text().as_str()),
        (200, "<h1>Hello</h1>")
    );
    assert!(
        answer.head.contains("content-type: text/html"),
        "{}",
        answer.head
    );
    assert!(answer.head.contains("x-own: 1"), "{}", answer.head);

    // Where certificates are needed, it has none.
    let id = pages.canister;
    for (host, path, headers) in [
        (format!("{id}.localhost"), "/".to_owned(), String::new()),
        (
            format!("{id}.LOCALHOST:8000"),
            "/".to_owned(),
            String::new(),
        ),
        (
            "localhost".to_owned(),
            format!("/?canisterId={id}"),
            String::new(),
        ),
        (
            "127.0.0.1:1".to_owned(),
            format!("/a?b=c&canisterId={id}&d"),
            String::new(),
        ),
        // What a page opened like this loads.
        (
            "127.0.0.1:1".to_owned(),
            "/index.js".to_owned(),
            format!("referer: http://127.0.0.1:1/?canisterId={id}\r\n"),
        ),
    ] {
        let answer = get(network.address, &host, &path, &headers).await;
        answer.expect(502, "The canister's answer is not certified");
    }
}

#[tokio::test]
async fn canister_is_asked_what_the_client_asks() {
    let network = Network::start().await;
    let pages = Pages::on(&network).await;
    let mut again = page(200, &[], b"");
    again.upgrade = Some(true);
    pages.say(0, again).await;
    pages.say(1, page(201, &[], b"changed")).await;
    let request = format!(
        "PUT /a/b%20c?d=e HTTP/1.1\r\nhost: {}.localhost\r\naccept-encoding: gzip\r\nx-own: 7\r\n\
         content-length: 4\r\nconnection: close\r\n\r\nbody",
        pages.canister
    );
    let answer = Answer::parse(&exchange(network.address, request.as_bytes()).await);
    // It changed the state, so it needs no certificate.
    assert_eq!((answer.status, answer.text().as_str()), (201, "changed"));
    let asked = pages.agent.query(&pages.canister, "asked").await.unwrap();
    let asked: Asked = decode_one(&asked).unwrap();
    assert_eq!(
        (asked.method.as_str(), asked.url.as_str()),
        ("PUT", "/a/b%20c?d=e")
    );
    assert_eq!(asked.body, b"body");
    for field in [("x-own", "7"), ("accept-encoding", "gzip, identity")] {
        let field = (field.0.to_owned(), field.1.to_owned());
        assert!(asked.headers.contains(&field), "{:?}", asked.headers);
    }
}

#[tokio::test]
async fn canister_without_pages_and_one_that_is_not_there_are_told_apart() {
    let network = Network::start().await;
    let agent = network.user().await;
    let counter = crate::harness::counter(&agent).await;
    let at = |host: String| async move { get(network.address, &host, "/", "").await };
    let answer = at(format!("{counter}.localhost")).await;
    answer.expect(404, "serves no pages: it has no http_request");
    let answer = at("rdmx6-jaaaa-aaaaa-aaadq-cai.localhost".to_owned()).await;
    answer.expect(
        404,
        "There is no canister rdmx6-jaaaa-aaaaa-aaadq-cai on this network",
    );
    let answer = at("frontend.local.localhost".to_owned()).await;
    answer.expect(
        404,
        "No canister of this network has the name frontend.local.localhost",
    );
    let answer = at("localhost".to_owned()).await;
    answer.expect(404, "there is nothing at /");
}

#[tokio::test]
async fn canister_id_that_is_none_is_refused() {
    let network = Network::start().await;
    for id in ["", "x", "aaaaa-ab", "%3Cscript%3E"] {
        let path = format!("/?canisterId={id}");
        let answer = get(network.address, "localhost", &path, "accept: text/html\r\n").await;
        assert_eq!(answer.status, 400, "{}", answer.text());
        assert!(
            answer.text().contains("is no canister id"),
            "{}",
            answer.text()
        );
        assert!(
            answer.head.contains("content-type: text/html"),
            "{}",
            answer.head
        );
    }
}

#[tokio::test]
async fn names_that_icp_writes_are_hosts() {
    let folder = std::env::temp_dir().join(format!("local-replica-names-{}", std::process::id()));
    fs::create_dir_all(&folder).unwrap();
    let names = folder.join("custom-domains.txt");
    let access = Access {
        domains: vec!["my-app.test".to_owned()],
        names: Some(names.clone()),
        token: None,
    };
    let network = Network::with(access).await;
    let pages = Pages::on(&network).await;
    let mut again = page(200, &[], b"");
    again.upgrade = Some(true);
    pages.say(0, again).await;
    pages.say(1, page(200, &[], b"mine")).await;
    let at = |host: &str| {
        let host = host.to_owned();
        async move { get(network.address, &host, "/", "").await }
    };
    let name = "pages.local.localhost:8000";
    at(name)
        .await
        .expect(404, "No canister of this network has the name");
    let id = pages.canister;
    fs::write(
        &names,
        format!("other:x\n\npages.local.localhost:{id}\nown.test:{id}\n"),
    )
    .unwrap();
    assert_eq!(at(name).await.text(), "mine");
    assert_eq!(at("own.test").await.text(), "mine");
    assert_eq!(at(&format!("{id}.my-app.test")).await.text(), "mine");
    at("other").await.expect(404, "there is nothing at /");
    at("my-app.test").await.expect(404, "there is nothing at /");
    fs::remove_dir_all(folder).unwrap();
}
