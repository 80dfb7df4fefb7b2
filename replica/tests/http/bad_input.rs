//! Requests that are wrong: each gets the right status and a text, and the next one is served.

use candid::Principal;
use ic_agent::Identity;
use ic_agent::identity::AnonymousIdentity;

use crate::harness::{Network, counter, get, refused};
use crate::identities::ed25519;
use crate::raw::exchange;
use crate::requests::{Label, call, envelope, read, signed};

/// Where requests are posted, for a canister.
fn doors(canister: Principal) -> Vec<String> {
    let kinds = [
        "v2/call",
        "v3/call",
        "v4/call",
        "v2/query",
        "v3/query",
        "v2/read_state",
    ];
    let door = |kind: &str| {
        let (version, kind) = kind.split_once('/').unwrap();
        format!("/api/{version}/canister/{canister}/{kind}")
    };
    kinds.map(door).to_vec()
}

#[tokio::test]
async fn body_that_is_no_envelope_is_refused() {
    let network = Network::start().await;
    let counter = counter(&network.user().await).await;
    let user = ed25519(1);
    let whole = signed(call(user.sender().unwrap(), counter, "add", b""), &user);
    let bodies: [&[u8]; 14] = [
        b"",
        b"\0",
        b"hello",
        b"{\"content\": {}}",
        // A map that isn't there, or does not end.
        b"\xd9\xd9\xf7",
        b"\xa1",
        b"\xbf",
        // Lengths that nobody has sent.
        b"\x9b\xff\xff\xff\xff\xff\xff\xff\xff",
        b"\x5b\x7f\xff\xff\xff\xff\xff\xff\xff",
        b"\xbb\x7f\xff\xff\xff\xff\xff\xff\xff",
        // Nested without end.
        &[0x81; 100_000],
        &[0xd9; 3000],
        // Half of a request, and one with more behind it.
        &whole[..whole.len() / 2],
        &[&whole[..], b"\0"].concat(),
    ];
    for door in doors(counter) {
        for body in bodies {
            network
                .post(&door, body)
                .await
                .expect(400, "the body is no envelope");
        }
    }
    assert_eq!(get(&network.user().await, counter).await, 0);
}

#[tokio::test]
async fn request_nested_deeply_within_a_field_is_refused() {
    let network = Network::start().await;
    let counter = counter(&network.user().await).await;
    let mut body = b"\xa1\x67content\xa2\x6crequest_type\x6aread_state\x65paths".to_vec();
    body.extend_from_slice(&[0x81; 1_000_000]);
    for door in doors(counter) {
        network
            .post(&door, &body)
            .await
            .expect(400, "the body is no envelope");
    }
}

#[tokio::test]
async fn request_of_too_many_values_is_refused() {
    let network = Network::start().await;
    let counter = counter(&network.user().await).await;
    let head = b"\xa1\x67content\xa2\x6crequest_type\x6aread_state\x65paths";
    let list = |length: u32| [&[0x9a], &length.to_be_bytes()[..]].concat();
    for value in [0x00, 0x40, 0x80, 0xa0] {
        let values = vec![value; 5 << 19];
        let list = list(5 << 19);
        for body in [
            [head, &list[..], &values].concat(),
            [head, &b"\x9f"[..], &values, b"\xff"].concat(),
            [b"\xa1\x61x", &list[..], &values].concat(),
        ] {
            for door in doors(counter) {
                let answer = network.post(&door, &body).await;
                answer.expect(400, "more than 150000 values");
            }
        }
    }
}

#[tokio::test]
async fn longest_list_of_paths_is_no_request_of_too_many_values() {
    let network = Network::start().await;
    let user = network.user().await;
    let counter = counter(&user).await;
    let paths = vec![vec![Label::from("x"); 127]; 1000];
    // The paths are read, and lead nowhere.
    assert_eq!(refused(user.read_state_raw(paths, counter).await).0, 404);
}

#[tokio::test]
async fn id_in_pieces_is_refused_with_the_reason() {
    let network = Network::start().await;
    let body = b"\xa1\x67content\xa4\x6crequest_type\x6aread_state\x66sender\x5f\x41\x04\xff\
                 \x6eingress_expiry\x00\x65paths\x80";
    let answer = network.post("/api/v3/canister/aaaaa-aa/read_state", body);
    answer
        .await
        .expect(400, "bytes of indefinite length can't be an id");
}

#[tokio::test]
async fn body_above_five_mib_is_too_large() {
    let network = Network::start().await;
    let user = network.user().await;
    let counter = counter(&user).await;
    let content = call(Principal::anonymous(), counter, "add", &vec![0; 5 << 20]);
    let body = envelope(content, &AnonymousIdentity).encode_bytes();
    for door in doors(counter) {
        network.post(&door, &body).await.expect(413, "5 MiB");
    }
    // Also to a client that writes everything before it reads.
    let larger = user.update(&counter, "add").with_arg(vec![0; 8 << 20]);
    assert_eq!(refused(larger.await).0, 413);
    network.check().await;
}

#[tokio::test]
async fn body_that_is_announced_as_too_large_is_not_waited_for() {
    let network = Network::start().await;
    let head = "POST /api/v4/canister/aaaaa-aa/call HTTP/1.1\r\nhost: localhost\r\n\
                connection: close\r\ncontent-length: 9999999999\r\n\r\n";
    let answer = exchange_head(&network, head.as_bytes()).await;
    assert!(answer.starts_with("HTTP/1.1 413 "), "{answer}");
    assert!(answer.ends_with("5 MiB\n"), "{answer}");
}

#[tokio::test]
async fn body_that_is_not_announced_is_read_to_the_limit() {
    let network = Network::start().await;
    let chunk = format!("100000\r\n{}\r\n", "x".repeat(1 << 20));
    let chunked = format!(
        "POST /local-replica/advance_time HTTP/1.1\r\nhost: localhost\r\n\
         connection: close\r\ntransfer-encoding: chunked\r\n\r\n{}0\r\n\r\n",
        chunk.repeat(6)
    );
    let answer = exchange(network.address, chunked.as_bytes()).await;
    assert!(answer.starts_with(b"HTTP/1.1 413 "));
    network.check().await;
}

async fn exchange_head(network: &Network, head: &[u8]) -> String {
    String::from_utf8(exchange(network.address, head).await).unwrap()
}

#[tokio::test]
async fn path_that_is_not_there_is_not_found() {
    let network = Network::start().await;
    for path in [
        "/",
        "/index.html",
        "/api",
        "/api/v2",
        "/api/v1/status",
        "/api/v2/status/",
        "/api/v5/canister/aaaaa-aa/call",
        "/api/v2/canister/aaaaa-aa",
        "/%00",
        "/../../etc/passwd",
    ] {
        for method in ["GET", "POST"] {
            let answer = network.send(method, path, b"").await;
            assert_eq!(answer.status, 404, "{method} {path}");
            assert!(
                answer.text().contains("/api/v2/status"),
                "{}",
                answer.text()
            );
        }
    }
}

#[tokio::test]
async fn wrong_http_method_is_refused() {
    let network = Network::start().await;
    for door in doors(Principal::management_canister()) {
        for method in ["GET", "PUT", "DELETE", "PATCH"] {
            let answer = network.send(method, &door, b"").await;
            assert_eq!(answer.status, 405, "{method} {door}");
            assert!(answer.head.contains("allow: post"), "{}", answer.head);
        }
    }
    for path in ["/api/v2/status", "/local-replica/timeline"] {
        assert_eq!(network.post(path, b"").await.status, 405, "{path}");
    }
    assert_eq!(
        network.fetch("/local-replica/advance_time").await.status,
        405
    );
}

#[tokio::test]
async fn path_that_is_no_text_is_refused() {
    let network = Network::start().await;
    let body = envelope(read(Principal::anonymous(), vec![]), &AnonymousIdentity).encode_bytes();
    let answer = network
        .post("/api/v3/canister/%ff%fe/read_state", &body)
        .await;
    assert_eq!(answer.status, 400, "{}", answer.text());
}

#[tokio::test]
async fn what_is_not_http_is_refused() {
    let network = Network::start().await;
    let garbage: [&[u8]; 7] = [
        b"hello, is anybody there?\r\n\r\n",
        b"\x16\x03\x01\x02\0\x01\0\x01\xfc\x03\x03",
        b"\0\0\0\0\0\0\0\0\0\0\0\0\r\n\r\n",
        b"GET\r\n\r\n",
        b"GET /api/v2/status HTTP/9.9\r\n\r\n",
        b"POST / HTTP/1.1\r\ncontent-length: -1\r\n\r\n",
        b"POST / HTTP/1.1\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\n",
    ];
    for bytes in garbage {
        let answer = exchange_and_close(&network, bytes).await;
        let refused = answer.starts_with("HTTP/1.1 400 ") || answer.is_empty();
        assert!(refused, "{bytes:?}: {answer}");
        network.check().await;
    }
}

#[tokio::test]
async fn head_that_is_too_large_is_refused() {
    let network = Network::start().await;
    let head = format!(
        "GET /api/v2/status HTTP/1.1\r\nx: {}\r\n\r\n",
        "x".repeat(1 << 20)
    );
    let answer = exchange_and_close(&network, head.as_bytes()).await;
    assert!(answer.starts_with("HTTP/1.1 431 "), "{answer}");
    let many = "x: y\r\n".repeat(1000);
    let head = format!("GET /api/v2/status HTTP/1.1\r\n{many}\r\n");
    let answer = exchange_and_close(&network, head.as_bytes()).await;
    assert!(answer.starts_with("HTTP/1.1 431 "), "{answer}");
    network.check().await;
}

/// Sends bytes, says that no more will come, and reads what comes back.
async fn exchange_and_close(network: &Network, bytes: &[u8]) -> String {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let mut stream = tokio::net::TcpStream::connect(network.address)
        .await
        .unwrap();
    let _closed = stream.write_all(bytes).await;
    let _closed = stream.shutdown().await;
    let mut answer = Vec::new();
    // Who refuses may close before everything is read, and then the end is an error.
    let _reset = stream.read_to_end(&mut answer).await;
    String::from_utf8_lossy(&answer).into_owned()
}
