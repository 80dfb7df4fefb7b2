//! The program's options for limits.

use std::process::Command;

use local_replica::limits::Limits;

use crate::harness::{certified, counter, uncertified};
use crate::program::Program;

/// The name of each limit as an option, and its default.
fn limits() -> Vec<(String, u64)> {
    let limits = serde_json::to_value(Limits::default()).unwrap();
    let limits = limits.as_object().unwrap();
    let options = limits.iter().map(|(name, value)| {
        let option = format!("--{}", name.replace('_', "-"));
        (option, value.as_u64().unwrap())
    });
    options.collect()
}

fn program(options: &[&str]) -> (bool, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_local-replica"))
        .args(options)
        .output()
        .unwrap();
    let text = [output.stdout, output.stderr].concat();
    (output.status.success(), String::from_utf8(text).unwrap())
}

#[test]
fn every_limit_is_an_option_and_the_help_tells_its_default() {
    let (_, help) = program(&["--help"]);
    assert_eq!(limits().len(), 14);
    for (option, default) in limits() {
        let (_, after) = help.split_once(&format!("{option} <")).unwrap();
        let next = after.split_once("--").map_or(after, |(before, _)| before);
        assert!(next.contains(&format!("[default: {default}]")), "{option}");
    }
}

#[test]
fn limit_that_is_no_number_or_too_large_is_refused_with_its_name() {
    for (option, value) in [
        ("--query-instructions", "many"),
        ("--queue-capacity", "-1"),
        ("--ingress-size", "4194305"),
    ] {
        let (success, text) = program(&[&format!("{option}={value}")]);
        assert!(!success && text.contains(option), "{text}");
    }
}

#[tokio::test]
async fn limits_are_those_that_the_options_say() {
    let options = [
        "--query-instructions=5",
        "--message-instructions=7",
        "--ingress-size=1000000",
    ];
    let program = Program::start(&options);
    let agent = program.agent().await;
    let counter = counter(&agent).await;
    let reject = uncertified(agent.query(&counter, "get").await);
    assert!(
        reject.reject_message.contains("limit of 5 instr"),
        "{reject:?}"
    );
    let reject = certified(agent.update(&counter, "add").await);
    assert!(
        reject.reject_message.contains("limit of 7 instr"),
        "{reject:?}"
    );
    let large = agent.update(&counter, "add").with_arg(vec![0; 1_000_001]);
    let reject = uncertified(large.await);
    assert!(reject.reject_message.contains("1000000"), "{reject:?}");
}
