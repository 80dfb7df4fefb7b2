//! What only a local replica has: its timeline, and the hand on its clock and its messages.

use local_replica::timeline::Event;
use serde_json::{Value, json};

use crate::harness::{Network, add, counter, get, number};

impl Network {
    async fn json(&self, method: &str, path: &str, body: &[u8]) -> Value {
        let answer = self.send(method, path, body).await;
        assert_eq!(answer.status, 200, "{}", answer.text());
        assert!(
            answer.head.contains("content-type: application/json"),
            "{}",
            answer.head
        );
        serde_json::from_slice(&answer.body).unwrap()
    }

    async fn timeline(&self, since: u64) -> (u64, Vec<Value>) {
        let path = format!("/local-replica/timeline?since={since}");
        let answer = self.json("GET", &path, b"").await;
        let events = answer["events"].as_array().unwrap().clone();
        (answer["next"].as_u64().unwrap(), events)
    }

    async fn hold(&self, hold: bool) {
        let body = json!({ "hold": hold }).to_string();
        let answer = self
            .json("POST", "/local-replica/hold", body.as_bytes())
            .await;
        assert_eq!(answer, json!({ "held": hold }));
    }

    /// The messages that wait.
    async fn waiting(&self) -> Vec<Value> {
        let answer = self.json("GET", "/local-replica/messages", b"").await;
        answer["messages"].as_array().unwrap().clone()
    }

    pub async fn advance(&self, seconds: u64) -> u64 {
        let body = json!({ "seconds": seconds }).to_string();
        let answer = self
            .json("POST", "/local-replica/advance_time", body.as_bytes())
            .await;
        answer["time"].as_u64().unwrap()
    }
}

#[tokio::test]
async fn timeline_tells_what_was_executed() {
    let network = Network::start().await;
    let agent = network.user().await;
    let counter = counter(&agent).await;
    let (before, _) = network.timeline(0).await;
    add(&agent, counter).await;
    agent.update(&counter, "trap").await.unwrap_err();
    let (next, events) = network.timeline(before).await;
    assert_eq!((next, events.len()), (before + 2, 2));
    for (event, (number, method)) in events.iter().zip([(before, "add"), (before + 1, "trap")]) {
        assert_eq!(event["number"], number);
        assert_eq!(event["canister"], counter.to_text());
        assert_eq!(event["caller"], agent.get_principal().unwrap().to_text());
        assert_eq!(event["step"]["method"]["name"], method);
        assert_eq!(event["changed_memory"], true);
    }
    assert_ne!(events[0]["ending"], events[1]["ending"]);
    assert!(events[1]["ending"].to_string().contains("on purpose"));
    assert_eq!(network.timeline(next).await, (next, vec![]));
    assert_eq!(network.timeline(u64::MAX).await, (next, vec![]));
}

#[tokio::test]
async fn timeline_begins_at_0_if_nothing_is_said() {
    let network = Network::start().await;
    let (next, all) = network.timeline(0).await;
    let answer = network.json("GET", "/local-replica/timeline", b"").await;
    assert_eq!(answer, json!({ "next": next, "events": all }));
}

#[tokio::test]
async fn timeline_with_bad_parameters_is_refused() {
    let network = Network::start().await;
    for (query, words) in [
        ("since=", "since is the number of an event"),
        ("since=x", "since is the number of an event, not 'x'"),
        ("since=-1", "since is the number of an event"),
        (
            "since=99999999999999999999",
            "since is the number of an event",
        ),
        ("since=1&since=2", "since is the number of an event"),
        ("until=1", "the only parameter is since"),
        ("", "the only parameter is since"),
    ] {
        let answer = network
            .fetch(&format!("/local-replica/timeline?{query}"))
            .await;
        answer.expect(400, words);
    }
}

#[tokio::test]
async fn clock_is_moved_and_timers_become_due() {
    let network = Network::start().await;
    let agent = network.user().await;
    let counter = counter(&agent).await;
    agent.update(&counter, "add_later").await.unwrap();
    let now = network.advance(0).await;
    assert_eq!(get(&agent, counter).await, 0);
    let later = network.advance(3600).await;
    assert!(later >= now + 3_600_000_000_000);
    assert_eq!(get(&agent, counter).await, 1);
    // The agent, whose clock was not moved, trusts the certificates all the same.
    assert_eq!(add(&agent, counter).await, 2);
    agent
        .read_state_canister_module_hash(counter)
        .await
        .unwrap();
}

#[tokio::test]
async fn clock_with_bad_parameters_is_refused() {
    let network = Network::start().await;
    for body in [
        "",
        "3600",
        "{}",
        r#"{"seconds": -1}"#,
        r#"{"seconds": 1.5}"#,
        r#"{"seconds": "1"}"#,
        r#"{"seconds": 1"#,
        "\u{0}",
    ] {
        let answer = network
            .post("/local-replica/advance_time", body.as_bytes())
            .await;
        answer.expect(400, "expected {\"seconds\": N}");
    }
    for seconds in [315_360_001, u64::MAX] {
        let body = json!({ "seconds": seconds }).to_string();
        let answer = network
            .post("/local-replica/advance_time", body.as_bytes())
            .await;
        answer.expect(400, "at most 315360000 seconds");
    }
    network.check().await;
}

#[tokio::test]
async fn clock_at_the_end_of_time_stops_nothing() {
    let network = Network::start().await;
    let agent = network.user().await;
    let counter = counter(&agent).await;
    for _ in 0..60 {
        network.advance(315_360_000).await;
    }
    assert_eq!(add(&agent, counter).await, 1);
    assert_eq!(get(&agent, counter).await, 1);
}

#[tokio::test]
async fn held_call_is_accepted_at_once_and_executed_when_it_is_delivered() {
    let network = Network::start().await;
    let agent = network.user().await;
    let counter = counter(&agent).await;
    network.hold(true).await;
    let mut sent = Vec::new();
    for _ in 0..2 {
        let call = agent.update(&counter, "add").call().await.unwrap();
        let ic_agent::agent::CallResponse::Poll(id) = call else {
            panic!("it was answered");
        };
        sent.push(id);
    }
    assert_eq!(get(&agent, counter).await, 0);
    let waiting = network.waiting().await;
    assert_eq!(waiting.len(), 2);
    assert_eq!(waiting[0]["kind"], "ingress");
    assert_eq!(waiting[0]["to"], counter.to_text());
    assert_eq!(waiting[0]["method"], "add");

    // The second first.
    let body = json!({ "message": waiting[1]["name"] }).to_string();
    let delivered = network
        .json("POST", "/local-replica/deliver", body.as_bytes())
        .await;
    assert_eq!(delivered["events"].as_array().unwrap().len(), 1);
    let (reply, _) = agent.wait(&sent[1], counter).await.unwrap();
    assert_eq!(number(&reply), 1);
    network.hold(false).await;
    let (reply, _) = agent.wait(&sent[0], counter).await.unwrap();
    assert_eq!(number(&reply), 2);
}

#[tokio::test]
async fn message_can_be_delivered_with_a_fault() {
    let network = Network::start().await;
    let agent = network.user().await;
    let counter = counter(&agent).await;
    network.hold(true).await;
    agent.update(&counter, "add").call().await.unwrap();
    let waiting = network.waiting().await;
    let body = json!({ "message": waiting[0]["name"], "how": "trap" }).to_string();
    let delivered = network
        .json("POST", "/local-replica/deliver", body.as_bytes())
        .await;
    let ending = delivered["events"][0]["ending"].to_string();
    assert!(ending.contains("the local replica was told so"), "{ending}");
    assert_eq!(get(&agent, counter).await, 0);
}

#[tokio::test]
async fn messages_that_cannot_be_delivered_are_refused() {
    let network = Network::start().await;
    for (body, status, words) in [
        (
            r#"{"message": "ingress 7"}"#,
            409,
            "'ingress 7' can't go next",
        ),
        (r#"{"message": "the first"}"#, 400, "names no message"),
        (
            r#"{"message": "ingress 7", "how": "slowly"}"#,
            400,
            "unknown variant",
        ),
        (r#"{"how": "trap"}"#, 400, "expected {\"message\": N"),
        ("", 400, "expected {\"message\": N"),
    ] {
        let answer = network
            .post("/local-replica/deliver", body.as_bytes())
            .await;
        answer.expect(status, words);
    }
    for body in ["", "true", r#"{"hold": 1}"#] {
        let answer = network.post("/local-replica/hold", body.as_bytes()).await;
        answer.expect(400, "expected {\"hold\": true}");
    }
    network.check().await;
}

#[tokio::test]
async fn timeline_can_be_read_back_as_events() {
    let network = Network::start().await;
    let agent = network.user().await;
    let counter = counter(&agent).await;
    agent.update(&counter, "trap").await.unwrap_err();
    agent.update(&counter, "refuse").await.unwrap_err();
    let (_, events) = network.timeline(0).await;
    for json in events {
        let event: Event = serde_json::from_value(json.clone()).unwrap();
        assert_eq!(serde_json::to_value(event).unwrap(), json);
    }
}
