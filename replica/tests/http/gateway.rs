//! The gateway to canisters' pages: where they are, how they are asked for, and what comes of answers
//! that no page should give.

use std::fs;
use std::net::SocketAddr;

use candid::{CandidType, Deserialize, Func, Principal, decode_one, encode_args, encode_one};
use ic_agent::Agent;
use local_replica::http::Access;
use serde_bytes::ByteBuf;

use crate::canisters::PAGES;
use crate::harness::{Network, install};
use crate::raw::{Answer, exchange};

/// An answer of a canister that serves pages.
#[derive(CandidType, Clone)]
pub struct Page {
    pub status_code: u16,
    pub headers: Vec<(String, String)>,
    pub body: ByteBuf,
    pub upgrade: Option<bool>,
    pub streaming_strategy: Option<Strategy>,
}

#[derive(CandidType, Clone)]
pub enum Strategy {
    Callback { callback: Next, token: u8 },
}

candid::define_function!(pub Next : (u8) -> (Chunk) query);

#[derive(CandidType, Clone)]
struct Chunk {
    body: ByteBuf,
    token: Option<u8>,
}

/// What a canister is asked.
#[derive(CandidType, Deserialize)]
struct Asked {
    method: String,
    url: String,
    headers: Vec<(String, String)>,
    body: ByteBuf,
}

pub fn page(status: u16, headers: &[(&str, &str)], body: &[u8]) -> Page {
    let headers = headers.iter();
    Page {
        status_code: status,
        headers: headers
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect(),
        body: ByteBuf::from(body),
        upgrade: None,
        streaming_strategy: None,
    }
}

/// A canister that answers as it is told.
pub struct Pages {
    pub agent: Agent,
    pub canister: Principal,
    address: SocketAddr,
}

impl Pages {
    pub async fn on(network: &Network) -> Self {
        let agent = network.user().await;
        let canister = install(&agent, PAGES).await;
        Pages {
            agent,
            canister,
            address: network.address,
        }
    }

    /// Has it answer with these bytes. Number 0 is the answer to requests, 1 to those by update; the
    /// others are those to a callback's token, and to requests for a range that begins there.
    pub async fn say_bytes(&self, number: u8, bytes: &[u8]) {
        let argument = [&[number][..], bytes].concat();
        let say = self.agent.update(&self.canister, "say").with_arg(argument);
        say.await.unwrap();
    }

    pub async fn say(&self, number: u8, answer: impl CandidType) {
        self.say_bytes(number, &encode_one(answer).unwrap()).await;
    }

    fn with_next(&self, mut page: Page, token: u8) -> Page {
        page.streaming_strategy = Some(Strategy::Callback {
            callback: Next(Func {
                principal: self.canister,
                method: "next".to_owned(),
            }),
            token,
        });
        page
    }

    /// What the gateway says at the canister's raw host, where no certificates are needed.
    pub async fn raw(&self, path: &str) -> Answer {
        let host = format!("{}.raw.localhost", self.canister);
        get(self.address, &host, path, "").await
    }

    pub async fn verified(&self, path: &str) -> Answer {
        let host = format!("{}.localhost", self.canister);
        get(self.address, &host, path, "").await
    }
}

/// Asks at a host, with further lines of headers.
async fn get(address: SocketAddr, host: &str, path: &str, headers: &str) -> Answer {
    let request =
        format!("GET {path} HTTP/1.1\r\nhost: {host}\r\n{headers}connection: close\r\n\r\n");
    Answer::parse(&exchange(address, request.as_bytes()).await)
}

impl Answer {
    /// The body that was sent in chunks.
    fn unchunked(&self) -> Vec<u8> {
        assert!(
            self.head.contains("transfer-encoding: chunked"),
            "{}",
            self.head
        );
        let (mut rest, mut body) = (self.body.as_slice(), Vec::new());
        while let Some(end) = rest.windows(2).position(|two| two == b"\r\n") {
            let size = std::str::from_utf8(&rest[..end]).unwrap();
            let size = usize::from_str_radix(size, 16).unwrap();
            body.extend_from_slice(&rest[end + 2..end + 2 + size]);
            rest = &rest[end + 2 + size + 2..];
            if size == 0 {
                assert_eq!(rest, b"");
                return body;
            }
        }
        panic!("it breaks off after {} bytes", body.len());
    }
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
async fn certificate_of_nobody_is_refused() {
    let network = Network::start().await;
    let pages = Pages::on(&network).await;
    let deep = [&[0xd9, 0xd9, 0xf7][..], &[0x81; 20_000]].concat();
    // 2^63 entries, of which there are none.
    let huge = [0xbb, 0x80, 0, 0, 0, 0, 0, 0, 0];
    // A number that is no whole one, over and over: whoever skips it looks one item further.
    let skipped = [0x81, 0xf9, 0, 0].repeat(5_000);
    let tags = vec![0xc6; 20_000];
    let base64 = |bytes: &[u8]| {
        use base64::Engine;
        base64::prelude::BASE64_STANDARD.encode(bytes)
    };
    for bytes in [&b""[..], b"x", &deep, &huge, &skipped, &tags] {
        let field = base64(bytes);
        let certificate =
            format!("certificate=:{field}:, tree=:{field}:, version=2, expr_path=:{field}:");
        let fields = [
            ("IC-Certificate", certificate.as_str()),
            (
                "IC-CertificateExpression",
                "default_certification(ValidationArgs{no_certification:Empty{}})",
            ),
        ];
        pages.say(0, page(200, &fields, b"unsafe")).await;
        pages.verified("/").await.expect(502, "is not certified");
    }
    network.check().await;
}

#[tokio::test]
async fn expression_nested_without_end_and_body_packed_too_well_are_refused() {
    let network = Network::start().await;
    let pages = Pages::on(&network).await;
    let deep = "[".repeat(100_000);
    pages
        .say(0, page(200, &[("ic-certificateexpression", &deep)], b""))
        .await;
    pages
        .verified("/")
        .await
        .expect(502, "nested deeper than 32");
    let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    std::io::copy(
        &mut std::io::Read::take(std::io::repeat(0), 65 << 20),
        &mut packed,
    )
    .unwrap();
    let packed = packed.finish().unwrap();
    pages
        .say(0, page(200, &[("content-encoding", "gzip")], &packed))
        .await;
    pages.verified("/").await.expect(502, "bytes unpacked");
}

#[tokio::test]
async fn body_comes_in_pieces_by_callback() {
    let network = Network::start().await;
    let pages = Pages::on(&network).await;
    let chunk = |body: &[u8], token| Chunk {
        body: ByteBuf::from(body),
        token,
    };
    pages
        .say(0, pages.with_next(page(200, &[], b"one "), 2))
        .await;
    pages.say(2, chunk(b"two ", Some(3))).await;
    // As the specification writes it.
    pages.say(3, Some(chunk(b"three", None))).await;
    let answer = pages.raw("/").await;
    assert_eq!(
        (answer.status, answer.text().as_str()),
        (200, "one two three")
    );

    // More pieces than are collected are passed on as they come.
    for number in 2..9 {
        let token = (number < 8).then_some(number + 1);
        pages.say(number, chunk(&[b'0' + number], token)).await;
    }
    let answer = pages.raw("/").await;
    assert_eq!(
        (answer.status, answer.unchunked()),
        (200, b"one 2345678".to_vec())
    );
}

#[tokio::test]
async fn body_without_end_breaks_off() {
    let network = Network::start().await;
    let pages = Pages::on(&network).await;
    pages.say(0, pages.with_next(page(200, &[], b""), 2)).await;
    let again = Chunk {
        body: ByteBuf::from(b"more".to_vec()),
        token: Some(2),
    };
    pages.say(2, again).await;
    let answer = pages.raw("/").await;
    let text = answer.text();
    let pieces = text.matches("more").count();
    // The last that were sent may be lost when the connection breaks.
    assert!((500..=1000).contains(&pieces), "{pieces}");
    assert!(!text.ends_with("0\r\n\r\n"), "it must not look complete");
    network.check().await;
}

#[tokio::test]
async fn callback_that_fails_is_told_while_nothing_was_sent() {
    let network = Network::start().await;
    let pages = Pages::on(&network).await;
    pages
        .say(0, pages.with_next(page(200, &[], b"one"), 2))
        .await;
    pages.raw("/").await.expect(502, "next of the canister");
    pages.say(2, "no chunk").await;
    pages
        .raw("/")
        .await
        .expect(502, "not what next of the HTTP gateway protocol answers");
    // Of another canister, which is not there.
    let nobody = Func {
        principal: Principal::from_slice(&[1, 1]),
        method: "next".to_owned(),
    };
    let mut elsewhere = page(200, &[], b"one");
    elsewhere.streaming_strategy = Some(Strategy::Callback {
        callback: Next(nobody),
        token: 2,
    });
    pages.say(0, elsewhere).await;
    pages.raw("/").await.expect(404, "There is no canister");
}

#[tokio::test]
async fn body_comes_in_ranges_that_nobody_asked_for() {
    let network = Network::start().await;
    let pages = Pages::on(&network).await;
    let part = |range: &str, body: &[u8]| page(206, &[("Content-Range", range)], body);
    pages.say(0, part("bytes 0-1/6", b"ab")).await;
    pages.say(2, part("bytes 2-3/6", b"cd")).await;
    // One that begins too early is cut.
    pages.say(4, part("bytes 3-5/6", b"def")).await;
    let answer = pages.raw("/").await;
    assert_eq!((answer.status, answer.text().as_str()), (200, "abcdef"));
    assert!(answer.head.contains("content-length: 6"), "{}", answer.head);
    assert!(!answer.head.contains("content-range"), "{}", answer.head);

    // Who asks for a range gets what there is.
    let host = format!("{}.raw.localhost", pages.canister);
    let answer = get(network.address, &host, "/", "range: bytes=2-3\r\n").await;
    assert_eq!((answer.status, answer.text().as_str()), (206, "cd"));
    assert!(
        answer.head.contains("content-range: bytes 2-3/6"),
        "{}",
        answer.head
    );

    for (range, body) in [
        ("", &b"ab"[..]),
        ("bytes 0-1/*", b"ab"),
        ("bytes 1-0/6", b"ab"),
        ("bytes 0-6/6", b"ab"),
        ("bytes 1-2/6", b"ab"),
        ("bytes 0-1/6", b"a"),
        ("bytes 0-18446744073709551615/18446744073709551615", b"ab"),
    ] {
        pages.say(0, part(range, body)).await;
        let answer = pages.raw("/").await;
        assert_eq!(answer.status, 502, "{range}: {}", answer.text());
    }
    // A range that does not go on breaks the answer off.
    pages.say(0, part("bytes 0-1/6", b"ab")).await;
    pages.say(2, part("bytes 0-1/6", b"ab")).await;
    assert_eq!(pages.raw("/").await.text(), "ab");
    network.check().await;
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
