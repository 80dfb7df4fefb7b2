//! Stories over HTTP: steps that somebody takes by hand, on a fork of the network.

use std::time::Duration;

use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::harness::Project;
use crate::stream::send;

const TWO: [&str; 2] = [
    "call canister1 withdraw_unguarded (0, 80)",
    "call canister1 withdraw_unguarded (0, 80)",
];

impl Project {
    /// A story of canister1 and canister2.
    fn story(&self, steps: &[&str]) -> Value {
        let (canister1, canister2) = (self.id("canister1"), self.id("canister2"));
        json!({
            "steps": steps,
            "looks": ["canister1 balance (0)", format!("canister2 paid (principal \"{canister1}\", 0)")],
            "names": { "canister1": canister1.to_text(), "canister2": canister2.to_text() },
        })
    }

    /// The head and the body of an answer.
    async fn post(&self, path: &str, body: &Value) -> (String, String) {
        let mut stream = send(self, path, &body.to_string()).await;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        (head.to_owned(), body.to_owned())
    }

    /// What comes of a story.
    async fn tell(&self, from: &Value, story: &Value) -> Value {
        let body = json!({ "from": from, "story": story });
        let (head, body) = self.post("story", &body).await;
        assert!(head.starts_with("HTTP/1.1 200"), "{head}: {body}");
        serde_json::from_str(&body).unwrap()
    }
}

/// The message that waits last, as a step that delivers it.
fn last_waiting(told: &Value) -> String {
    let waiting = told["told"]["waiting"].as_array().unwrap();
    format!(
        "deliver {}",
        waiting.last().unwrap()["step"].as_str().unwrap()
    )
}

/// What the looks answer at the end.
fn end(told: &Value) -> Value {
    told["told"]["steps"].as_array().unwrap().last().unwrap()["looks"].clone()
}

#[tokio::test]
async fn story_shows_what_each_step_did_and_what_caused_it_and_leaves_the_network_as_it_was() {
    let project = Project::bank().await;
    let mut steps = vec![TWO[0].to_owned(), "deliver call 1".to_owned()];
    let mut told = project.tell(&Value::Null, &project.story(&[])).await;
    let from = told["from"].clone();
    assert_eq!(
        told["told"]["looks"],
        json!(["(opt (100 : nat64))", "(0 : nat64)"])
    );
    for _ in 0..3 {
        let texts: Vec<&str> = steps.iter().map(String::as_str).collect();
        told = project.tell(&from, &project.story(&texts)).await;
        assert_eq!(told["told"]["fault"], Value::Null, "{told}");
        if told["told"]["waiting"] != json!([]) {
            steps.push(last_waiting(&told));
        }
    }
    let taken = told["told"]["steps"].as_array().unwrap();
    assert_eq!(taken.len(), 4);
    let event = |step: usize| &taken[step]["events"][0];
    // The call is a message; its execution sends the request; that sends the response; that answers.
    assert_eq!(event(1)["message"], taken[0]["message"]["name"]);
    assert_eq!(event(1)["sent"], json!([event(2)["message"]]));
    assert_eq!(event(2)["sent"], json!([event(3)["message"]]));
    assert_eq!(event(3)["answered"], json!([taken[0]["message"]["name"]]));
    assert_eq!(taken[3]["answers"][0]["text"], "(variant { Ok })");
    assert_eq!(end(&told), json!(["(opt (20 : nat64))", "(80 : nat64)"]));
    let again = project.tell(&Value::Null, &project.story(&[])).await;
    assert_eq!(
        again["told"]["looks"],
        json!(["(opt (100 : nat64))", "(0 : nat64)"])
    );
}

#[tokio::test]
async fn step_back_and_another_order_come_to_another_end() {
    let project = Project::bank().await;
    let from = project.tell(&Value::Null, &project.story(&TWO)).await["from"].clone();
    let mut ends = Vec::new();
    // Both calls before the payments; then back, and the second call when the first is done.
    for begin in [
        &["deliver call 1", "deliver call 2"][..],
        &["deliver call 1"],
    ] {
        let mut steps: Vec<String> = TWO.iter().chain(begin).map(|s| (*s).to_owned()).collect();
        let end = loop {
            let texts: Vec<&str> = steps.iter().map(String::as_str).collect();
            let told = project.tell(&from, &project.story(&texts)).await;
            assert_eq!(told["told"]["fault"], Value::Null, "{told}");
            let waiting = told["told"]["waiting"].as_array().unwrap();
            match waiting.iter().rfind(|waiting| waiting["ways"] != json!([])) {
                None => break end(&told),
                Some(last) => steps.push(format!("deliver {}", last["step"].as_str().unwrap())),
            }
        };
        ends.push(end[1].clone());
    }
    assert_eq!(ends, [json!("(160 : nat64)"), json!("(80 : nat64)")]);
}

#[tokio::test]
async fn what_a_story_explores_is_found_as_stories_that_can_be_told() {
    let project = Project::bank().await;
    let story = project.story(&TWO);
    let told = project.tell(&Value::Null, &story).await;
    let paid = format!(
        "at-end canister2 paid (principal \"{}\", 0) <= 80",
        project.id("canister1")
    );
    let wanted = json!({ "properties": [paid], "faults": [] });
    let body = json!({ "from": told["from"], "story": story, "wanted": wanted });
    let (_, lines) = project.post("story/explore", &body).await;
    let found = lines.lines().find(|line| line.starts_with("{\"found\""));
    let found: Value = serde_json::from_str(found.expect(&lines)).unwrap();
    let found = &found["found"];
    assert_eq!(found["report"]["exhaustive"], true);
    let sentence = found["sentences"][0].as_str().unwrap();
    assert!(
        sentence.contains("comes to canister1 while call 1 awaits canister2 pay"),
        "{sentence}"
    );
    let whole = |steps: &Value| -> Vec<String> {
        let steps = steps.as_array().unwrap().iter();
        steps
            .map(|step| step.as_str().unwrap().to_owned())
            .collect()
    };
    for (steps, paid) in [
        (&found["stories"]["failures"][0], "(160 : nat64)"),
        (&found["stories"]["nearest"][0], "(80 : nat64)"),
    ] {
        let steps = whole(steps);
        assert_eq!(steps[..2], TWO);
        let steps: Vec<&str> = steps.iter().map(String::as_str).collect();
        let told = project.tell(&told["from"], &project.story(&steps)).await;
        assert_eq!(told["told"]["fault"], Value::Null);
        assert_eq!(end(&told)[1], paid);
    }
    let body = json!({ "from": told["from"], "story": project.story(&[]), "wanted": wanted });
    let (_, lines) = project.post("story/explore", &body).await;
    assert!(
        lines.contains("a story that is explored ends with the calls"),
        "{lines}"
    );
}

#[tokio::test]
async fn step_that_cannot_be_taken_ends_the_story_and_says_why() {
    let project = Project::bank().await;
    for (step, words) in [
        ("deliver call 2", "there is no call 2"),
        ("deliver response canister1 1", "can't go next"),
        ("lose call 1", "only a bounded-wait call"),
        (
            "reject call 1",
            "only a request of a canister can be rejected",
        ),
        ("eat call 1", "'eat' is no fault"),
        ("wait", "nobody waits"),
        ("clock -1", "the clock moves by a number of seconds"),
        (
            "call canister3 open ()",
            "no canister is called 'canister3'",
        ),
        ("call canister1 open (1)", "canister1 open takes ()"),
        ("call canister1 close ()", "has no method 'close'"),
        ("call canister1", "is no call"),
        ("", "is no step"),
    ] {
        let story = project.story(&[TWO[0], step, "deliver call 1"]);
        let told = project.tell(&Value::Null, &story).await;
        let fault = told["told"]["fault"].as_str().unwrap_or_default();
        assert!(fault.starts_with(&format!("'{step}': ")), "{step}: {fault}");
        let id = project.id("canister1").to_text();
        assert!(
            fault.replace(&id, "canister1").contains(words),
            "{step}: {fault}"
        );
        assert_eq!(fault.lines().count(), 1);
        assert_eq!(told["told"]["steps"].as_array().unwrap().len(), 1);
    }
}

#[tokio::test]
async fn beginning_that_is_not_kept_any_more_is_gone() {
    let project = Project::bank().await;
    let story = project.story(&[]);
    let first = project.tell(&Value::Null, &story).await;
    for _ in 0..8 {
        project.tell(&Value::Null, &story).await;
    }
    let body = json!({ "from": first["from"], "story": story });
    let (head, body) = project.post("story", &body).await;
    assert!(head.starts_with("HTTP/1.1 410"), "{head}");
    assert_eq!(body, "the state 1 is not kept any more; begin anew\n");
}

#[tokio::test]
async fn what_can_be_called_has_arguments_that_are_taken() {
    let project = Project::bank().await;
    let address = project.url.strip_prefix("http://").unwrap().to_owned();
    let mut stream = TcpStream::connect(&address).await.unwrap();
    let request = format!(
        "GET /local-replica/interfaces HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n\r\n"
    );
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    let (_, body) = answer.split_once("\r\n\r\n").unwrap();
    let canisters: Value = serde_json::from_str(body).unwrap();
    let id = project.id("canister1").to_text();
    let canisters = canisters.as_array().unwrap();
    let canister = canisters.iter().find(|c| c["id"] == id.as_str()).unwrap();
    assert_eq!(canister["described"], true);
    let methods = canister["methods"].as_array().unwrap();
    let withdraw = methods.iter().find(|m| m["name"] == "withdraw").unwrap();
    assert_eq!(withdraw["takes"], "(nat64, nat64)");
    assert_eq!(withdraw["argument"], "(0 : nat64, 0 : nat64)");
    assert_eq!(withdraw["kind"], "update");
    for method in methods {
        let (name, argument) = (&method["name"], &method["argument"]);
        let call = format!(
            "call canister1 {} {}",
            name.as_str().unwrap(),
            argument.as_str().unwrap()
        );
        let told = project.tell(&Value::Null, &project.story(&[&call])).await;
        assert_eq!(told["told"]["fault"], Value::Null, "{call}");
    }
}

#[tokio::test]
async fn events_come_by_themselves_when_somebody_calls() {
    let project = Project::bank().await;
    let address = project.url.strip_prefix("http://").unwrap().to_owned();
    let mut stream = TcpStream::connect(&address).await.unwrap();
    let request = format!("GET /local-replica/events HTTP/1.1\r\nhost: {address}\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut lines = BufReader::new(stream).lines();
    let next = async |lines: &mut tokio::io::Lines<BufReader<TcpStream>>| -> Value {
        loop {
            let line = timeout(Duration::from_secs(60), lines.next_line()).await;
            let line = line.expect("it comes by itself").unwrap().unwrap();
            if line.starts_with("{\"next\"") {
                return serde_json::from_str(&line).unwrap();
            }
        }
    };
    let now = next(&mut lines).await;
    assert!(now["events"].as_array().unwrap().len() > 4, "{now}");
    assert_eq!(now["waiting"], json!([]));
    let nothing = candid::encode_args(()).unwrap();
    let open = project.agent.update(&project.id("canister1"), "open");
    open.with_arg(nothing).await.unwrap();
    let news = next(&mut lines).await;
    assert_eq!(news["events"][0]["number"], now["next"]);
    assert_eq!(news["events"][0]["step"]["method"]["name"], "open");
}
