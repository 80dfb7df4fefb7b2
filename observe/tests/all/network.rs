//! `observe` on a network that it did not start: here a local replica, with its own controls and,
//! as any other network, without them.

use std::fs;
use std::path::{Path, PathBuf};

use axum::extract::Request;
use axum::http::StatusCode;
use axum::middleware::{Next, from_fn};
use axum::response::{IntoResponse, Response};
use candid::Principal;
use local_replica::http::Access;
use local_replica::owner::Handle;
use local_replica::{Config, Replica, http};
use observe::deployment::Deployment;
use observe::lessons::rollback::{Counters, LESSON};
use observe::network::{Network, Remote};
use observe::stage::Stage;

use crate::support::{folders, observe, text, wasm};
use tokio::net::TcpListener;
use tokio::runtime::Runtime;

/// A network of its own, until it is dropped.
struct Server {
    url: String,
    _runtime: Runtime,
}

impl Server {
    fn local_replica() -> Self {
        Server::start(|router| router)
    }

    /// A network without the controls that only a local replica has.
    fn another_network() -> Self {
        async fn without_controls(request: Request, next: Next) -> Response {
            if request.uri().path().starts_with("/local-replica/") {
                return StatusCode::NOT_FOUND.into_response();
            }
            next.run(request).await
        }
        Server::start(|router| router.layer(from_fn(without_controls)))
    }

    /// A local replica whose controls need this token.
    fn with_token(token: &str) -> Self {
        let access = Access {
            token: Some(token.to_owned()),
            ..Access::default()
        };
        Server::made(access, |router| router)
    }

    fn start(change: impl FnOnce(axum::Router) -> axum::Router) -> Self {
        Server::made(Access::default(), change)
    }

    fn made(access: Access, change: impl FnOnce(axum::Router) -> axum::Router) -> Self {
        let runtime = Runtime::new().unwrap();
        let owner = Handle::start(Replica::new(Config::default())).unwrap();
        let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        runtime.spawn(http::serve(
            listener,
            change(http::router_with(owner, access)),
        ));
        Server {
            url,
            _runtime: runtime,
        }
    }

    /// What `observe --network` prints, and its exit status.
    fn observe(&self, arguments: &[&str]) -> (String, Option<i32>) {
        let network = ["--network", &self.url];
        let output = observe(&[&network, arguments].concat());
        let printed = [text(&output.stdout), text(&output.stderr)].concat();
        (printed, output.status.code())
    }
}

#[test]
fn all_lessons_show_the_same_over_http_as_inside() {
    let server = Server::local_replica();
    let inside = text(&observe(&[]).stdout).to_owned();
    let (printed, status) = server.observe(&[]);
    for (over_http, inside) in printed.lines().zip(inside.lines()) {
        assert_eq!(over_http, inside);
    }
    assert_eq!((printed.len(), status), (inside.len(), Some(0)));
}

#[test]
fn timelines_and_diagrams_are_the_same_over_http_as_inside() {
    let server = Server::local_replica();
    for arguments in [
        ["rollback", "increment_both_then_trap", "--timeline"],
        ["rollback", "increment_both_then_trap", "--mermaid"],
        ["journal", "transfer", "--timeline"],
    ] {
        let inside = text(&observe(&arguments).stdout).to_owned();
        assert_eq!(server.observe(&arguments), (inside, Some(0)));
    }
}

#[test]
fn a_network_may_be_below_a_path_with_and_without_a_slash_at_the_end() {
    let server = Server::start(|router| axum::Router::new().nest("/instances/0", router));
    for path in ["instances/0", "instances/0/"] {
        let url = format!("{}/{path}", server.url);
        let arguments = ["rollback", "increment_both_then_trap", "--timeline"];
        let output = observe(&[&["--network", &url][..], &arguments].concat());
        assert_eq!(text(&output.stderr), "");
        assert_eq!(text(&output.stdout), text(&observe(&arguments).stdout));
    }
}

#[test]
fn another_network_shows_the_same_table_and_has_no_timeline() {
    let server = Server::another_network();
    let (printed, status) = server.observe(&["rollback", "increment_both_then_trap"]);
    let inside = observe(&["rollback", "increment_both_then_trap"]);
    assert_eq!((printed.as_str(), status), (text(&inside.stdout), Some(0)));
    for option in ["--timeline", "--mermaid"] {
        let (printed, status) = server.observe(&["rollback", option]);
        assert_eq!(status, Some(2));
        let expected = "error: only this project's local replica has timelines";
        assert!(printed.starts_with(expected), "{printed}");
    }
}

#[test]
fn the_lesson_motoko_deploys_its_pairs_on_any_network() {
    let server = Server::another_network();
    let arguments = ["motoko", "increment_both_then_trap_from_motoko_to_rust"];
    let inside = text(&observe(&arguments).stdout).to_owned();
    assert_eq!(server.observe(&arguments), (inside, Some(0)));
}

#[test]
fn what_only_the_local_replica_can_show_is_said_and_is_no_failure() {
    let server = Server::another_network();
    let (printed, status) = server.observe(&["interleaving"]);
    assert_eq!(status, Some(0), "{printed}");
    assert!(printed.contains("not shown: this needs messages held back"));
    assert!(printed.contains("not shown on this network.\n"));
}

#[test]
fn where_messages_are_held_back_it_is_said_how_to_let_them_go() {
    let server = Server::local_replica();
    let mut network = Remote::at(&server.url, None, None).unwrap();
    network.controls().unwrap().hold(true).unwrap();
    let (printed, status) = server.observe(&["rollback"]);
    assert_eq!(status, Some(2));
    assert!(
        printed.starts_with("error: messages are held back at"),
        "{printed}"
    );
    let command = format!(
        "curl -d '{{\"hold\": false}}' {}/local-replica/hold",
        server.url
    );
    assert!(printed.contains(&command), "{printed}");
}

#[test]
fn controls_that_need_a_token_are_used_with_it_and_said_without() {
    let server = Server::with_token("secret");
    let arguments = ["rollback", "increment_both_then_trap", "--timeline"];
    let inside = text(&observe(&arguments).stdout).to_owned();
    let with = |token: &'static str| {
        let arguments = [&arguments[..], &["--token", token]].concat();
        server.observe(&arguments)
    };
    assert_eq!(with("secret"), (inside, Some(0)));
    for (printed, status) in [with("wrong"), server.observe(&arguments)] {
        assert_eq!(status, Some(2));
        assert!(printed.starts_with("error: the controls of"), "{printed}");
        assert!(printed.contains("--token <TOKEN>"), "{printed}");
        assert_eq!(printed.lines().count(), 1, "{printed}");
    }
}

#[test]
fn a_pair_that_was_deployed_before_can_be_observed() {
    let server = Server::local_replica();
    let mut network = Box::new(Remote::at(&server.url, None, None).unwrap());
    let folders = folders(wasm());
    let pair = Deployment::new(network.as_mut(), LESSON.modules(&folders)).unwrap();
    let ids = [pair.caller.to_text(), pair.callee.to_text()];
    let arguments = ["rollback", "--canister1", &ids[0], "--canister2", &ids[1]];
    let (printed, status) = server.observe(&arguments);
    assert_eq!(status, Some(0), "{printed}");
    let mut stage = Stage::new(network, folders, pair).unwrap();
    let counters = Counters::read(&mut stage).unwrap();
    assert!(counters.canister1 > 0 && counters.canister2 > 0);
    // Other calls of the same pair are in nobody's way: it is the growth that is observed.
    assert_eq!(server.observe(&arguments).1, Some(0));
}

#[test]
fn the_user_is_who_the_identity_file_says() {
    let server = Server::local_replica();
    let files = [
        ("secp256k1", SECP256K1),
        ("prime256v1", PRIME256V1),
        ("ed25519", ED25519),
    ];
    let users = files.map(|(name, pem)| {
        let file = file(name, pem);
        let user = user(&server, Some(&file));
        let file = file.to_str().unwrap();
        let (printed, status) =
            server.observe(&["--identity", file, "rollback", "increment_then_trap"]);
        assert_eq!(status, Some(0), "{printed}");
        user
    });
    assert!(users[0] != users[1] && users[1] != users[2] && users[0] != users[2]);
    assert_ne!(user(&server, None), user(&server, None));
}

/// The first user of a network, who is the same each time if a file says who that is.
fn user(server: &Server, identity: Option<&Path>) -> Principal {
    let user = || Remote::at(&server.url, identity, None)?.user(0);
    let first = user().unwrap();
    assert_eq!(first == user().unwrap(), identity.is_some());
    first
}

#[test]
fn what_is_wrong_with_the_network_or_the_identity_is_said_in_one_line() {
    let server = Server::local_replica();
    let broken = file("broken", "-----BEGIN PRIVATE KEY-----\nnot a key\n");
    let refused = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let nobody = format!("http://{}", refused.local_addr().unwrap());
    drop(refused);
    let url = server.url.as_str();
    let canister = "rwlgt-iiaaa-aaaaa-aaaaa-cai";
    for (arguments, expected) in [
        (vec!["--network", &nobody], "no network answers at"),
        (vec!["--network", "local"], "'local' is no URL of a network"),
        (
            vec!["--network", "127.0.0.1:4943"],
            "is no URL of a network",
        ),
        (
            vec!["--network", url, "--identity", "/no/such/file"],
            "can't read /no/such/file",
        ),
        (
            vec!["--network", url, "--identity", broken.to_str().unwrap()],
            "has no key that can be used",
        ),
        (
            vec!["--network", url, "--canister1", canister],
            "required arguments were not provided: --canister2",
        ),
        (
            vec![
                "--network",
                url,
                "--canister1",
                "x",
                "--canister2",
                canister,
            ],
            "invalid value 'x' for '--canister1 <ID>'",
        ),
        (
            vec!["--identity", broken.to_str().unwrap()],
            "required arguments were not provided: --network",
        ),
        (
            vec![
                "--network",
                url,
                "--canister1",
                canister,
                "--canister2",
                canister,
            ],
            "get: Canister rwlgt-iiaaa-aaaaa-aaaaa-cai not found",
        ),
    ] {
        let output = observe(&[&["rollback"], &arguments[..]].concat());
        let error = text(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{error}");
        assert!(
            error.starts_with("error: ") && error.contains(expected),
            "{error}"
        );
        assert_eq!(error.lines().count(), 1, "{error}");
    }
}

fn file(name: &str, content: &str) -> PathBuf {
    let file = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("{name}.pem"));
    fs::write(&file, content).unwrap();
    file
}

// Keys of nobody, made for this test.

/// As `dfx identity export` writes it.
const SECP256K1: &str = "-----BEGIN EC PARAMETERS-----
BgUrgQQACg==
-----END EC PARAMETERS-----
-----BEGIN EC PRIVATE KEY-----
MHQCAQEEIEF+kehlmwjMa8hfTJyAGScye5rV5uUxacuCtqDOoHDRoAcGBSuBBAAK
oUQDQgAEJiL/xifTFHndUsqqIAW2K7YcK5VlyaYMZddSanb4j+lYOKcSU30KergZ
4vi7v+c4J2+tHWZ+CFFCJBOtUu3VJg==
-----END EC PRIVATE KEY-----
";

const PRIME256V1: &str = "-----BEGIN PRIVATE KEY-----
MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgcnonNwgaNwCaE7DF
mAfADbfQBNoAZj7SELfiGqL1j4ihRANCAASiQSWyKxyFeFuIMy95fwkQy3RLVVKQ
4sRDDRQPRNCRzoY5BIt88LWO01t/2cJODX0KAzMR1GfjjwoETLGxpHbY
-----END PRIVATE KEY-----
";

const ED25519: &str = "-----BEGIN PRIVATE KEY-----
MC4CAQAwBQYDK2VwBCIEIEGfcd+AJQemGsB+QBkkYv7bboLMOwlhgjYfVYqpoKXY
-----END PRIVATE KEY-----
";
