//! Requests and answers of canisters that nobody thought of: a browser gets an answer to each, and the
//! server lives on. The cases are the same at every run.

use candid::encode_one;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::test_runner::{Config, RngAlgorithm, TestCaseResult, TestRng, TestRunner};
use tokio::runtime::Runtime;

use super::pages::{Page, Pages, page};
use crate::harness::Network;
use crate::raw::{Answer, exchange};

/// How many answers each test gives.
const CASES: u32 = 150;

struct World {
    runtime: Runtime,
    network: Network,
    pages: Pages,
}

impl World {
    fn start() -> Self {
        let runtime = Runtime::new().unwrap();
        let (network, pages) = runtime.block_on(async {
            let network = Network::start().await;
            let pages = Pages::on(&network).await;
            (network, pages)
        });
        World {
            runtime,
            network,
            pages,
        }
    }

    /// Has the canister answer with what is drawn, at both of its hosts.
    fn give<S: Strategy>(&self, answers: &S, bytes: impl Fn(S::Value) -> Vec<u8>) {
        self.draw(answers, |answer| {
            self.runtime.block_on(self.check(&bytes(answer)))
        });
    }

    fn draw<S: Strategy>(&self, values: &S, check: impl Fn(S::Value) -> TestCaseResult) {
        let config = Config {
            cases: CASES,
            failure_persistence: None,
            ..Config::default()
        };
        let rng = TestRng::deterministic_rng(RngAlgorithm::ChaCha);
        let outcome = TestRunner::new_with_rng(config, rng).run(values, check);
        outcome.unwrap();
        self.runtime.block_on(self.network.check());
    }

    async fn check(&self, bytes: &[u8]) -> TestCaseResult {
        self.pages.say_bytes(0, bytes).await;
        let raw = self.pages.raw("/").await;
        prop_assert!((200..600).contains(&raw.status), "{}", raw.head);
        prop_assert!(!raw.head.contains("injected"), "{}", raw.head);
        // Nothing of it is certified.
        let verified = self.pages.verified("/").await;
        prop_assert_eq!(verified.status, 502, "{}", verified.text());
        prop_assert!(verified.text().ends_with('\n'));
        Ok(())
    }
}

#[test]
fn random_answers_kill_nobody() {
    World::start().give(&vec(any::<u8>(), 1..300), |bytes| bytes);
}

#[test]
fn pages_with_other_bytes_kill_nobody() {
    let changes = vec((any::<prop::sample::Index>(), any::<u8>()), 1..6);
    let answer = page(200, &[("content-type", "text/html")], b"<h1>Hello</h1>");
    let right = encode_one(answer).unwrap();
    World::start().give(&changes, |changes| {
        let mut bytes = right.clone();
        for (at, byte) in changes {
            *at.get_mut(&mut bytes) = byte;
        }
        // As it was, it would be a page.
        bytes.push(0);
        bytes
    });
}

/// A header, and often one that means something.
fn header() -> impl Strategy<Value = (String, String)> {
    const NAMES: [&str; 12] = [
        "content-length",
        "content-encoding",
        "content-range",
        "transfer-encoding",
        "ic-certificate",
        "ic-certificateexpression",
        "location",
        "set-cookie",
        "connection",
        "x\r\ninjected",
        "status",
        "",
    ];
    const VALUES: [&str; 9] = [
        "0",
        "99999999999999999999",
        "gzip",
        "deflate",
        "chunked",
        "bytes 0-0/9",
        "1\r\ninjected: 1",
        "certificate=:2dn3omR0cmVlgwFAQA==:, tree=:2dn3gQA=:, version=2, expr_path=:2dn3gA==:",
        "default_certification(ValidationArgs{certification:Certification{}})",
    ];
    let name = prop_oneof![
        3 => prop::sample::select(&NAMES[..]).prop_map(str::to_owned),
        1 => ".{0,12}",
    ];
    let value = prop_oneof![
        3 => prop::sample::select(&VALUES[..]).prop_map(str::to_owned),
        1 => ".{0,30}",
    ];
    (name, value)
}

#[test]
fn pages_with_other_headers_kill_nobody() {
    let status = prop_oneof![any::<u16>(), 200..600u16, Just(206)];
    let pages = (status, vec(header(), 0..6), vec(any::<u8>(), 0..50));
    World::start().give(&pages, |(status, headers, body)| {
        let answer = Page {
            headers,
            ..page(status, &[], &body)
        };
        encode_one(answer).unwrap()
    });
}

/// A piece of a host, a path or a query; `ID` is the canister's id.
fn piece() -> impl Strategy<Value = String> {
    const PIECES: [&str; 16] = [
        "ID",
        "localhost",
        "raw",
        "127.0.0.1",
        "[::1]",
        "canisterId=",
        "canisterId=ID",
        "?",
        "&",
        "=",
        ".",
        ":",
        ":80",
        "/",
        "//",
        "%",
    ];
    prop_oneof![
        4 => prop::sample::select(&PIECES[..]).prop_map(str::to_owned),
        1 => "[!-~]{0,6}",
    ]
}

#[test]
fn requests_with_other_hosts_and_addresses_kill_nobody() {
    let world = World::start();
    let ready = async { world.pages.say(0, page(200, &[], b"page")).await };
    world.runtime.block_on(ready);
    let text = || vec(piece(), 0..6).prop_map(|pieces| pieces.concat());
    let methods = prop::sample::select(&["GET", "HEAD", "POST", "OPTIONS", "BREW"][..]);
    let requests = (methods, text(), text(), text(), text());
    world.draw(&requests, |(method, host, path, referer, more)| {
        let request = format!(
            "{method} /{path} HTTP/1.1\r\nhost: {host}\r\nreferer: http://{referer}\r\n\
             accept-encoding: {more}\r\nrange: {more}\r\nconnection: close\r\n\r\n"
        );
        let request = request.replace("ID", &world.pages.canister.to_text());
        let answer = exchange(world.network.address, request.as_bytes());
        let answer = Answer::parse(&world.runtime.block_on(answer));
        let known = matches!(answer.status, 200 | 400 | 403 | 404 | 405 | 502);
        prop_assert!(known, "{request}{}", answer.head);
        Ok(())
    });
}
