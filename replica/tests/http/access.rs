//! Who may ask: the name that a request is sent to, the page that it comes from, and the token.

use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::process::{Command, Stdio};

use local_replica::http::Access;

use crate::harness::Network;
use crate::raw::{Answer, exchange};

/// Asks with these lines of headers.
async fn ask(address: SocketAddr, request: &str, headers: &[(&str, &str)], body: &str) -> Answer {
    let mut text = format!("{request} HTTP/1.1\r\n");
    for (name, value) in headers {
        text.push_str(&format!("{name}: {value}\r\n"));
    }
    let length = body.len();
    text.push_str(&format!(
        "connection: close\r\ncontent-length: {length}\r\n\r\n{body}"
    ));
    Answer::parse(&exchange(address, text.as_bytes()).await)
}

async fn hold(network: &Network, headers: &[(&str, &str)]) -> Answer {
    let request = "POST /local-replica/hold";
    ask(network.address, request, headers, r#"{"hold": false}"#).await
}

#[tokio::test]
async fn controls_are_at_this_machines_names_alone() {
    let access = Access {
        domains: vec!["my-app.test".to_owned()],
        ..Access::default()
    };
    let network = Network::with(access).await;
    for (host, status) in [
        ("localhost", 200),
        ("LOCALHOST:4943", 200),
        ("anything.localhost:4943", 200),
        ("127.0.0.1:4943", 200),
        ("[::1]:4943", 200),
        ("my-app.test", 200),
        // Another site's name, which leads here.
        ("example.com", 403),
        ("localhost.example.com:4943", 403),
        ("127.0.0.1.example.com", 403),
        ("my-app.test.example.com", 403),
        ("10.0.0.1:4943", 403),
        ("", 403),
    ] {
        for request in [
            "GET /local-replica/timeline?since=0",
            "GET /local-replica/messages",
            "POST /local-replica/hold",
            "POST /local-replica/deliver",
            "POST /local-replica/advance_time",
        ] {
            let answer = ask(network.address, request, &[("host", host)], "").await;
            let is_refused = answer.status == 403;
            assert_eq!(
                is_refused,
                status == 403,
                "{request} {host}: {}",
                answer.text()
            );
        }
        assert_eq!(
            hold(&network, &[("host", host)]).await.status,
            status,
            "{host}"
        );
    }
    // The interface of the specification checks signatures, and no names.
    let status = "GET /api/v2/status";
    let answer = ask(network.address, status, &[("host", "example.com")], "").await;
    assert_eq!(answer.status, 200);
}

#[tokio::test]
async fn host_of_a_canister_has_no_controls() {
    let network = Network::start().await;
    let host = "rwlgt-iiaaa-aaaaa-aaaaa-cai.localhost";
    let answer = hold(&network, &[("host", host)]).await;
    answer.expect(404, "There is no canister rwlgt-iiaaa-aaaaa-aaaaa-cai");
    // There, the interface is: pages call canisters through it.
    let answer = ask(network.address, "GET /api/v2/status", &[("host", host)], "").await;
    assert_eq!(answer.status, 200);
}

#[tokio::test]
async fn pages_of_other_sites_cannot_use_the_controls() {
    let network = Network::start().await;
    for (origin, status) in [
        ("https://example.com", 403),
        ("http://localhost.example.com", 403),
        ("null", 403),
        // A canister's page.
        ("http://rwlgt-iiaaa-aaaaa-aaaaa-cai.localhost:4943", 403),
        ("http://frontend.local.localhost:4943", 403),
        ("http://localhost:4943", 200),
        ("http://127.0.0.1:8000", 200),
        ("http://[::1]:8000", 200),
    ] {
        let headers = [("host", "localhost"), ("origin", origin)];
        let answer = hold(&network, &headers).await;
        assert_eq!(answer.status, status, "{origin}: {}", answer.text());
        // A browser asks before, and keeps an answer from the page that does not name it.
        let field = format!("access-control-allow-origin: {origin}");
        assert_eq!(
            answer.head.contains(&field),
            status == 200,
            "{}",
            answer.head
        );
        let preflight = [
            ("host", "localhost"),
            ("origin", origin),
            ("access-control-request-method", "POST"),
            ("access-control-request-headers", "content-type"),
        ];
        let request = "OPTIONS /local-replica/hold";
        let answer = ask(network.address, request, &preflight, "").await;
        assert_eq!(
            answer.head.contains(&field),
            status == 200,
            "{}",
            answer.head
        );
    }
}

#[tokio::test]
async fn pages_of_every_origin_may_use_the_interface_and_read_pages() {
    let network = Network::start().await;
    let everybody = "access-control-allow-origin: *";
    let too_much = "x".repeat(5 * 1024 * 1024 + 1);
    let call = "POST /api/v4/canister/aaaaa-aa/call";
    for (request, body, status) in [
        ("GET /api/v2/status", "", 200),
        // What is refused says so to the page, too.
        (call, "", 400),
        (call, too_much.as_str(), 413),
        ("GET /?canisterId=rwlgt-iiaaa-aaaaa-aaaaa-cai", "", 404),
    ] {
        let headers = [("host", "localhost"), ("origin", "https://example.com")];
        let answer = ask(network.address, request, &headers, body).await;
        assert_eq!(answer.status, status, "{request}: {}", answer.text());
        assert!(
            answer.head.contains(everybody),
            "{request}: {}",
            answer.head
        );
        // A page must not act as whoever is logged in: there is nobody to be.
        assert!(
            !answer.head.contains("allow-credentials"),
            "{}",
            answer.head
        );
    }
    let preflight = [
        ("host", "localhost"),
        ("origin", "https://example.com"),
        ("access-control-request-method", "POST"),
        ("access-control-request-headers", "content-type"),
    ];
    let answer = ask(
        network.address,
        &call.replace("POST", "OPTIONS"),
        &preflight,
        "",
    )
    .await;
    assert_eq!(answer.status, 200);
    for field in [
        everybody,
        "access-control-allow-methods: *",
        "access-control-allow-headers: *",
    ] {
        assert!(answer.head.contains(field), "{}", answer.head);
    }
}

#[tokio::test]
async fn with_a_token_whoever_has_it_may_use_the_controls_and_nobody_else() {
    let access = Access {
        token: Some("secret".to_owned()),
        ..Access::default()
    };
    let network = Network::with(access).await;
    for given in [
        "",
        "secret",
        "Bearer",
        "Bearer ",
        "Bearer secre",
        "Bearer secrets",
        "Basic secret",
    ] {
        let headers = [("host", "localhost"), ("authorization", given)];
        let answer = hold(&network, &headers).await;
        answer.expect(401, "the controls need the token");
    }
    let answer = hold(&network, &[("host", "localhost")]).await;
    answer.expect(401, "authorization: Bearer <token>");
    for host in ["localhost", "10.0.0.1:4943", "build-machine"] {
        let headers = [
            ("host", host),
            ("origin", "http://build-machine:4943"),
            ("authorization", "Bearer secret"),
        ];
        let answer = hold(&network, &headers).await;
        assert_eq!(answer.status, 200, "{}", answer.text());
        let allowed = "access-control-allow-origin: http://build-machine:4943";
        assert!(answer.head.contains(allowed), "{}", answer.head);
    }
    network.check().await;
}

/// Starts the program, and returns what it says up to a line with these words.
fn says(arguments: &[&str], words: &str) -> (std::process::Child, String) {
    let mut child = Command::new(env!("CARGO_BIN_EXE_local-replica"))
        .args(["--port", "0"])
        .args(arguments)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap());
    let mut said = String::new();
    while !said.contains(words) {
        assert_ne!(lines.read_line(&mut said).unwrap(), 0, "it ended: {said}");
    }
    (child, said)
}

#[tokio::test]
async fn program_that_others_can_reach_makes_up_a_token_and_prints_it() {
    let (mut child, said) = says(&["--bind", "0.0.0.0"], "In a browser");
    let (_, token) = said.split_once("The controls need this token: ").unwrap();
    let token = token.lines().next().unwrap();
    assert_eq!(token.len(), 32, "{said}");
    let (_, port) = said.split_once("http://0.0.0.0:").unwrap();
    let port: String = port.chars().take_while(char::is_ascii_digit).collect();
    let address = SocketAddr::from(([127, 0, 0, 1], port.parse().unwrap()));
    let request = "GET /local-replica/messages";
    let answer = ask(address, request, &[("host", "localhost")], "").await;
    assert_eq!(answer.status, 401);
    let bearer = format!("Bearer {token}");
    let headers = [("host", "localhost"), ("authorization", bearer.as_str())];
    assert_eq!(ask(address, request, &headers, "").await.status, 200);
    child.kill().unwrap();
    child.wait().unwrap();
}

#[test]
fn program_without_need_of_a_token_prints_none() {
    for arguments in [&[][..], &["--token", "secret"]] {
        let (mut child, said) = says(arguments, "In a browser");
        child.kill().unwrap();
        child.wait().unwrap();
        assert!(!said.contains("token"), "{said}");
    }
}

#[test]
fn tokens_and_domains_that_no_request_could_carry_are_refused() {
    for (option, value) in [
        ("--token", ""),
        ("--token", "two words"),
        ("--domain", ""),
        ("--domain", "http://example.com"),
        ("--domain", "a b"),
    ] {
        let output = Command::new(env!("CARGO_BIN_EXE_local-replica"))
            .args([option, value])
            .output()
            .unwrap();
        assert_eq!(output.status.code(), Some(2), "{option} {value}");
        let error = String::from_utf8(output.stderr).unwrap();
        assert!(error.contains(option), "{error}");
    }
}
