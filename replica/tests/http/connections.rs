//! Connections that are slow, broken, idle or many: the others are served.

use std::process::Command;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::harness::{Network, add, counter, get};
use crate::program::Program;
use crate::raw::{exchange, request};

#[tokio::test]
async fn half_sent_requests_keep_nobody_waiting() {
    let network = Network::start().await;
    let agent = network.user().await;
    let counter = counter(&agent).await;
    let whole = agent.update(&counter, "add").sign().unwrap().signed_update;
    let bytes = request("POST", &format!("/api/v4/canister/{counter}/call"), &whole);
    let mut slow = Vec::new();
    for sent in [0, 1, 20, bytes.len() - whole.len(), bytes.len() - 1] {
        let mut stream = TcpStream::connect(network.address).await.unwrap();
        stream.write_all(&bytes[..sent]).await.unwrap();
        slow.push((stream, sent));
    }
    assert_eq!(add(&agent, counter).await, 1);
    // Those who go on are served as well. It is one request, however often it comes.
    for (stream, sent) in &mut slow {
        stream.write_all(&bytes[*sent..]).await.unwrap();
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).await.unwrap();
        assert!(answer.starts_with(b"HTTP/1.1 200 "));
    }
    assert_eq!(get(&agent, counter).await, 2);
}

#[tokio::test]
async fn request_that_breaks_off_is_not_executed() {
    let network = Network::start().await;
    let agent = network.user().await;
    let counter = counter(&agent).await;
    let body = agent.update(&counter, "add").sign().unwrap().signed_update;
    let bytes = request("POST", &format!("/api/v4/canister/{counter}/call"), &body);
    for sent in [1, 30, bytes.len() - 1] {
        let mut stream = TcpStream::connect(network.address).await.unwrap();
        stream.write_all(&bytes[..sent]).await.unwrap();
        stream.shutdown().await.unwrap();
        let mut answer = Vec::new();
        // An answer or none: the connection ends.
        let _reset = stream.read_to_end(&mut answer).await;
        assert!(!answer.starts_with(b"HTTP/1.1 2"));
    }
    assert_eq!(get(&agent, counter).await, 0);
}

#[tokio::test]
async fn one_connection_carries_many_requests() {
    let network = Network::start().await;
    let mut stream = TcpStream::connect(network.address).await.unwrap();
    let ask = b"GET /api/v2/status HTTP/1.1\r\nhost: localhost\r\n\r\n";
    let last = request("GET", "/api/v2/status", b"");
    for _ in 0..9 {
        stream.write_all(ask).await.unwrap();
    }
    stream.write_all(&last).await.unwrap();
    let mut answers = Vec::new();
    stream.read_to_end(&mut answers).await.unwrap();
    let answers = String::from_utf8_lossy(&answers);
    assert_eq!(answers.matches("HTTP/1.1 200 OK").count(), 10);
}

#[tokio::test]
async fn refused_request_does_not_end_the_connection() {
    let network = Network::start().await;
    let mut stream = TcpStream::connect(network.address).await.unwrap();
    let bad = "POST /api/v4/canister/aaaaa-aa/call HTTP/1.1\r\nhost: localhost\r\n\
               content-length: 3\r\n\r\nbad";
    stream.write_all(bad.as_bytes()).await.unwrap();
    stream
        .write_all(&request("GET", "/api/v2/status", b""))
        .await
        .unwrap();
    let mut answers = Vec::new();
    stream.read_to_end(&mut answers).await.unwrap();
    let answers = String::from_utf8_lossy(&answers);
    assert!(answers.contains("HTTP/1.1 400 ") && answers.contains("HTTP/1.1 200 "));
}

/// Moves the clock of the runtime.
pub async fn pass(seconds: u64) {
    tokio::time::pause();
    tokio::time::advance(Duration::from_secs(seconds)).await;
    tokio::time::resume();
}

/// Agents keep idle connections for 90 seconds, and lose a request if the server does not.
#[tokio::test(flavor = "current_thread")]
async fn connection_that_was_idle_for_90_seconds_serves_the_next_request() {
    let network = Network::start().await;
    let mut stream = TcpStream::connect(network.address).await.unwrap();
    let ask = b"GET /api/v2/status HTTP/1.1\r\nhost: localhost\r\n\r\n";
    for _ in 0..3 {
        stream.write_all(ask).await.unwrap();
        let mut answer = [0; 1000];
        assert!(stream.read(&mut answer).await.unwrap() > 0);
        assert!(answer.starts_with(b"HTTP/1.1 200 "));
        pass(90).await;
        tokio::task::yield_now().await;
    }
}

/// A connection lasts for ten minutes.
#[tokio::test(flavor = "current_thread")]
async fn request_at_the_end_of_a_connection_is_answered() {
    let network = Network::start().await;
    let agent = network.user().await;
    let counter = counter(&agent).await;
    let mut stream = TcpStream::connect(network.address).await.unwrap();
    let ask = b"GET /api/v2/status HTTP/1.1\r\nhost: localhost\r\n\r\n";
    for _ in 0..59 {
        stream.write_all(ask).await.unwrap();
        assert!(stream.read(&mut [0; 1000]).await.unwrap() > 0);
        pass(10).await;
    }
    network.hold_messages().await;
    let request = agent.update(&counter, "add").sign().unwrap();
    let path = format!("/api/v4/canister/{counter}/call");
    let head = format!(
        "POST {path} HTTP/1.1\r\nhost: localhost\r\ncontent-length: {}\r\n\r\n",
        request.signed_update.len()
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    stream.write_all(&request.signed_update).await.unwrap();
    let id = *request.request_id;
    let arrived = move |node: &mut local_replica::owner::Node| node.request(&id).is_some();
    while !network.owner.with(arrived).await.unwrap() {
        tokio::task::yield_now().await;
    }
    for _ in 0..12 {
        pass(1).await;
        tokio::task::yield_now().await;
    }
    network.release_messages().await;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.unwrap();
    let answer = String::from_utf8_lossy(&answer);
    let answered = answer.starts_with("HTTP/1.1 200 ") || answer.starts_with("HTTP/1.1 202 ");
    assert!(answered, "{answer}");
    assert_eq!(get(&agent, counter).await, 1);
}

/// In a process of its own, so that both ends don't count as this one's open files.
#[tokio::test]
async fn five_hundred_idle_connections_keep_nobody_waiting() {
    let program = Program::start(&[]);
    let mut idle = Vec::new();
    for _ in 0..500 {
        idle.push(TcpStream::connect(program.address).await.unwrap());
    }
    let ask = request("GET", "/api/v2/status", b"");
    let answer = exchange(program.address, &ask).await;
    assert!(answer.starts_with(b"HTTP/1.1 200 "));
    // The idle ones are served when they wake up.
    for stream in idle.iter_mut().step_by(100) {
        stream.write_all(&ask).await.unwrap();
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).await.unwrap();
        assert!(answer.starts_with(b"HTTP/1.1 200 "));
    }
    let agent = program.agent().await;
    let counter = counter(&agent).await;
    assert_eq!(add(&agent, counter).await, 1);
    assert_eq!(get(&agent, counter).await, 1);
}

#[tokio::test]
async fn program_stops_when_it_is_told_to_though_connections_are_open() {
    for signal in ["-TERM", "-INT"] {
        let mut program = Program::start(&[]);
        let _idle = TcpStream::connect(program.address).await.unwrap();
        exchange(program.address, &request("GET", "/api/v2/status", b"")).await;
        let id = program.child.id().to_string();
        assert!(
            Command::new("kill")
                .args([signal, &id])
                .status()
                .unwrap()
                .success()
        );
        assert!(program.child.wait().unwrap().success());
    }
}

#[tokio::test]
async fn requests_with_too_many_bytes_together_are_refused_and_small_ones_served() {
    let network = Network::start().await;
    let agent = network.user().await;
    let counter = counter(&agent).await;
    let head = format!(
        "POST /api/v4/canister/{counter}/call HTTP/1.1\r\nhost: localhost\r\n\
         content-length: {}\r\n\r\n",
        5 * 1024 * 1024
    );
    // Each says that much will come, and sends nothing of it.
    let mut waiting = Vec::new();
    loop {
        let mut stream = TcpStream::connect(network.address).await.unwrap();
        stream.write_all(head.as_bytes()).await.unwrap();
        let mut answer = [0; 12];
        let read = stream.read_exact(&mut answer);
        match tokio::time::timeout(Duration::from_millis(100), read).await {
            Ok(read) => {
                read.unwrap();
                assert_eq!(&answer, b"HTTP/1.1 429");
                break;
            }
            Err(_) => waiting.push(stream),
        }
    }
    // That is 256 MiB.
    assert_eq!(waiting.len(), 51);
    assert_eq!(add(&agent, counter).await, 1);
    drop(waiting);
}
