//! What only a local replica has: its timeline, and the hand on its clock.

use serde_json::{Value, json};

use crate::harness::{Network, add, counter, get};

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

    async fn advance(&self, seconds: u64) -> u64 {
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
