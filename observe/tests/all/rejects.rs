//! The lesson `rejects`: what canister1 sees and concludes, and what canister2 kept.

mod support;

use std::collections::BTreeSet;

use observe::lesson::Finding;
use observe::lessons::rejects::LESSON;
use observe::network::timeline::{Event, Step};
use observe::stage::Stage;
use support::{stage, text};

/// Does the experiments with a method, each with the events of its scene.
fn findings(stage: &mut Stage, method: &str) -> Vec<(Finding, Vec<Event>)> {
    let experiments = (LESSON.experiments)().into_iter();
    let experiments = experiments.filter(|experiment| experiment.method == method);
    let findings = experiments.map(|experiment| {
        let finding = experiment.observe(LESSON.name, stage).unwrap();
        (finding, stage.events().cloned().collect())
    });
    findings.collect()
}

fn observed<'a>(finding: &'a Finding, what: &str) -> &'a str {
    let fact = finding.facts.iter().find(|fact| fact.what == what);
    &fact.unwrap_or_else(|| panic!("no fact '{what}'")).observed
}

const GROWN: &str = "how much canister2 grew";

#[test]
fn the_whole_lesson_is_as_predicted() {
    let output = support::observe(&["rejects"]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    assert!(text(&output.stdout).ends_with("\n13 of 13 as predicted.\n"));
}

#[test]
fn every_question_has_the_observed_answer_among_its_choices() {
    let mut stage = stage();
    for experiment in (LESSON.experiments)() {
        let finding = experiment.observe(LESSON.name, &mut stage).unwrap();
        let question = experiment.question.unwrap();
        let answer = observed(&finding, question.fact);
        assert!(question.choices.iter().any(|choice| choice == answer));
    }
}

#[test]
fn a_lost_call_and_a_lost_answer_are_told_in_the_same_words() {
    let mut stage = stage();
    let both = findings(&mut stage, "rejects_call_with_bounded_wait");
    let [(lost_call, call_events), (lost_answer, answer_events)] = &both[..] else {
        panic!("there are two ways to lose it");
    };
    assert_eq!(observed(lost_call, GROWN), "+0");
    assert_eq!(observed(lost_answer, GROWN), "+1");
    let rejects = |events: &[Event]| {
        let rejects = events.iter().filter_map(|event| match &event.step {
            Step::Callback { reject, .. } => reject.clone(),
            _ => None,
        });
        rejects.collect::<Vec<_>>()
    };
    let told = rejects(call_events);
    assert_eq!(told.len(), 1);
    assert_eq!(told[0].error_code.to_string(), "IC0601");
    assert_eq!(told, rejects(answer_events));
}

#[test]
fn after_sys_unknown_the_callee_may_still_be_at_work() {
    let mut stage = stage();
    let late = findings(&mut stage, "rejects_call_slow_callee");
    let [(finding, events)] = &late[..] else {
        panic!("it is one experiment");
    };
    assert_eq!(observed(finding, GROWN), "+1");
    let told = |event: &Event| {
        matches!(
            event.step,
            Step::Callback {
                reject: Some(_),
                ..
            }
        )
    };
    let added = |event: &Event| {
        event.canister == stage.canister2 && matches!(event.step, Step::Callback { .. })
    };
    let told = events.iter().position(told).unwrap();
    let added = events.iter().position(added).unwrap();
    assert!(told < added);
}

#[test]
fn a_stopped_callee_runs_again_after_the_experiment() {
    let mut stage = stage();
    findings(&mut stage, "rejects_call");
    let answer = stage.call(stage.canister2, "increment", ()).unwrap();
    assert!(answer.is_ok());
}

#[test]
fn the_table_has_every_failing_method_of_the_interface() {
    let interface = include_str!("../../candid/canister1.did");
    let methods = interface.lines().filter_map(|line| {
        let (name, _) = line.trim().split_once(" : (")?;
        name.starts_with("rejects_").then_some(name)
    });
    let experiments = (LESSON.experiments)();
    let observed: BTreeSet<&str> = experiments.iter().map(|row| row.method).collect();
    assert_eq!(methods.collect::<BTreeSet<_>>(), observed);
}
