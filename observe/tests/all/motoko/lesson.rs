//! `observe motoko`, as a whole.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use observe::lessons::motoko::LESSON;

use crate::support::{observe, text, wasm};

/// What it prints, and its exit status.
fn run(arguments: &[&str]) -> (String, Option<i32>) {
    let output = observe(&[&["motoko"], arguments].concat());
    let printed = [text(&output.stdout), text(&output.stderr)].concat();
    (printed, output.status.code())
}

#[test]
fn every_experiment_is_as_predicted_and_answers_its_question() {
    let (printed, status) = run(&["--json"]);
    assert_eq!(status, Some(0), "{printed}");
    let findings: serde_json::Value = serde_json::from_str(&printed).unwrap();
    let findings = findings.as_array().unwrap();
    let experiments = (LESSON.experiments)();
    assert_eq!(findings.len(), experiments.len());
    for (experiment, finding) in experiments.iter().zip(findings) {
        assert_eq!(finding["method"], experiment.method);
        assert_eq!(finding["as_predicted"], true, "{finding}");
        let question = experiment.question.as_ref().unwrap();
        let facts = finding["facts"].as_array().unwrap();
        let asked = facts.iter().find(|fact| fact["what"] == question.fact);
        let observed = asked.unwrap()["observed"].as_str().unwrap();
        assert!(question.choices.iter().any(|choice| choice == observed));
    }
}

#[test]
fn every_experiment_has_a_name_of_its_own() {
    let experiments = (LESSON.experiments)();
    let names: BTreeSet<&str> = experiments.iter().map(|e| e.method).collect();
    assert_eq!(names.len(), experiments.len());
}

#[test]
fn every_method_of_the_interface_that_changes_something_is_observed() {
    let interface = include_str!("../../../../canisters/motoko/canister1.did");
    let experiments = (LESSON.experiments)();
    for line in interface.lines() {
        if let Some((method, _)) = line.trim().split_once(" : (")
            && method.starts_with("increment")
        {
            assert!(experiments.iter().any(|e| e.method == method), "{method}");
        }
    }
}

#[test]
fn a_timeline_is_that_of_the_motoko_pair_alone() {
    let (printed, status) = run(&["increment_then_await_nothing_then_trap", "--timeline"]);
    assert_eq!(status, Some(0), "{printed}");
    assert_eq!(printed.matches(" executes ").count(), 1, "{printed}");
    let (printed, _) = run(&["increment_both_then_trap_with_guard", "--timeline"]);
    assert!(printed.contains("canister1 cleans up: the method's finally is run"));
    let (printed, _) = run(&["increment_both_then_trap_from_rust_to_motoko", "--timeline"]);
    assert!(printed.contains("canister1 cleans up: the method's local variables are dropped"));
}

#[test]
fn without_the_modules_it_says_in_one_line_what_builds_them() {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("no-motoko");
    fs::create_dir_all(&folder).unwrap();
    let (printed, status) = run(&["--motoko", folder.to_str().unwrap()]);
    assert_eq!(status, Some(2), "{printed}");
    assert_eq!(printed.lines().count(), 1, "{printed}");
    assert!(printed.starts_with("error: can't read "), "{printed}");
    assert!(printed.contains("./scripts/observe.sh builds what it runs"));
}

#[cfg(feature = "network")]
#[test]
fn it_says_that_a_pair_deployed_before_is_not_used() {
    let id = "ghzi7-pdon5-3wqzl-smuqq-cai";
    let pair = ["--canister1", id, "--canister2", id];
    let (printed, status) = run(&[&["--network", "http://127.0.0.1:1"], &pair[..]].concat());
    assert_eq!(status, Some(2), "{printed}");
    let expected =
        "error: motoko deploys pairs of its own; leave out --canister1 and --canister2\n";
    assert_eq!(printed, expected);
}

#[test]
fn a_row_that_differs_from_its_prediction_gives_exit_status_1() {
    // The Rust pair in the place of the Motoko pair: it cannot throw.
    let rust = wasm().to_str().unwrap();
    let (printed, status) = run(&["increment_then_throw", "--motoko", rust]);
    assert_eq!(status, Some(1), "{printed}");
    assert!(printed.contains("NOT as predicted"), "{printed}");
}

#[test]
fn the_code_on_the_page_is_that_of_canister1() {
    let page = include_str!("../../../../canisters/motoko/README.md");
    let source = include_str!("../../../../canisters/motoko/canister1.mo");
    let blocks: Vec<&str> = page.split("```motoko\n").skip(1).collect();
    assert_eq!(blocks.len(), 2);
    for block in blocks {
        let (block, _) = block.split_once("```").unwrap();
        let indented: String = block.lines().map(|line| format!("  {line}\n")).collect();
        assert!(source.contains(&indented), "{indented}");
    }
}
