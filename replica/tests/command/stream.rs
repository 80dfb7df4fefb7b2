//! Explorations over HTTP: lines of JSON, for whoever has no command line.

use candid::Principal;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::harness::Project;

/// Sends a case, and leaves the answer to be read.
pub async fn send(project: &Project, path: &str, body: &str) -> TcpStream {
    let address = project.url.strip_prefix("http://").unwrap();
    let mut stream = TcpStream::connect(address).await.unwrap();
    let request = format!(
        "POST /local-replica/{path} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n\
         content-length: {}\r\n\r\n{body}",
        body.len()
    );
    stream.write_all(request.as_bytes()).await.unwrap();
    stream
}

/// The whole answer to a case, as it is sent.
pub async fn ask(project: &Project, body: &Value) -> String {
    let mut stream = send(project, "explore", &body.to_string()).await;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    answer
}

/// A case that takes longer than any test.
pub fn endless(canister: Principal) -> Value {
    let call = |amount: u64| {
        json!({
            "canister": canister.to_text(),
            "method": "withdraw_unguarded",
            "argument": format!("(0, {amount})"),
        })
    };
    let calls: Vec<Value> = (1..=12).map(call).collect();
    json!({ "together": calls, "limit": 1_000_000_000 })
}

#[tokio::test]
async fn case_in_json_is_answered_by_a_report_in_json() {
    let project = Project::bank().await;
    let call = json!({
        "user": "anonymous",
        "canister": project.id("canister1").to_text(),
        "method": "withdraw_unguarded",
        "argument": "(0, 80)",
    });
    let body = json!({ "together": [call, call] });
    let answer = ask(&project, &body).await;
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    assert!(
        answer.contains("content-type: application/x-ndjson"),
        "{answer}"
    );
    let line = answer.lines().find(|line| line.starts_with("{\"report\""));
    let line: Value = serde_json::from_str(line.unwrap()).unwrap();
    let report = &line["report"];
    assert_eq!(report["exhaustive"], true);
    assert_eq!(report["distinct_outcomes"], 2, "{report}");
}

#[tokio::test]
async fn what_is_no_case_is_refused_with_what_would_be_one() {
    let project = Project::bank().await;
    for (body, words) in [
        ("", "expected {\"together\": "),
        ("{}", "missing field `together`"),
        ("{\"together\": []}", "there is no call to be explored"),
        ("{\"together\": [], \"x\": 1}", "unknown field `x`"),
        (
            "{\"together\": [{\"canister\": \"x\", \"method\": \"y\"}]}",
            "expected {\"together\": ",
        ),
    ] {
        let mut stream = send(&project, "explore", body).await;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        assert!(answer.starts_with("HTTP/1.1 400"), "{answer}");
        assert!(answer.contains(words), "{body}: {answer}");
    }
}
