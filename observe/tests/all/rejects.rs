//! The lesson `rejects`: what the caller sees and concludes, and what the callee kept.

use std::collections::BTreeSet;
use std::time::Duration;

use crate::support::{observe, stage, text};
use observe::lesson::Finding;
use observe::lessons::rejects::LESSON;
use observe::network::timeline::{Event, Step};
use observe::stage::Stage;

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

const GROWN: &str = "callee grew by";

#[test]
fn the_whole_lesson_is_as_predicted() {
    let output = observe(&["rejects"]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    assert!(text(&output.stdout).ends_with("\n15 of 15 as predicted.\n"));
}

#[test]
fn every_question_has_the_observed_answer_among_its_choices() {
    let mut stage = stage(&LESSON);
    for experiment in (LESSON.experiments)() {
        let finding = experiment.observe(LESSON.name, &mut stage).unwrap();
        let question = experiment.question.unwrap();
        let answer = observed(&finding, question.fact);
        assert!(question.choices.iter().any(|choice| choice == answer));
    }
}

#[test]
fn a_lost_call_and_a_lost_answer_are_told_in_the_same_words() {
    let mut stage = stage(&LESSON);
    let both = findings(&mut stage, "call_with_bounded_wait");
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
    let mut stage = stage(&LESSON);
    let late = findings(&mut stage, "call_slow_callee");
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
        event.canister == stage.callee && matches!(event.step, Step::Callback { .. })
    };
    let told = events.iter().position(told).unwrap();
    let added = events.iter().position(added).unwrap();
    assert!(told < added);
}

#[test]
fn a_stopped_callee_runs_again_after_the_experiment() {
    let mut stage = stage(&LESSON);
    findings(&mut stage, "call_increment");
    let answer = stage.call(stage.callee, "increment", ()).unwrap();
    assert!(answer.is_ok());
}

#[test]
fn the_table_has_every_failing_method_of_the_interface() {
    let interface = include_str!("../../../lessons/02-rejects/caller.did");
    let methods = interface.lines();
    let methods = methods.filter_map(|line| Some(line.trim().split_once(" : (")?.0));
    let experiments = (LESSON.experiments)();
    let observed: BTreeSet<&str> = experiments.iter().map(|row| row.method).collect();
    assert_eq!(methods.collect::<BTreeSet<_>>(), observed);
}

#[test]
fn not_even_codes_1_to_3_of_the_management_canister_let_conclude_that_nothing_happened() {
    let mut stage = stage(&LESSON);
    let all = findings(&mut stage, "call_management_canister");
    let [(finding, _)] = &all[..] else {
        panic!("it is one experiment");
    };
    assert_eq!(observed(finding, "saw"), "reject 2");
    assert_eq!(observed(finding, "may conclude"), "unknown");
    assert_eq!(observed(finding, "clean"), "yes", "so says ic-cdk");
}

#[test]
fn after_code_5_a_timer_of_the_callee_may_still_do_the_rest() {
    let mut stage = stage(&LESSON);
    let counter =
        |stage: &mut Stage| -> candid::Nat { stage.query(stage.callee, "get", ()).unwrap() };
    let method = "call_callee_with_timer";
    stage.call(stage.caller, method, ()).unwrap().unwrap();
    assert_eq!(counter(&mut stage), 0u8);
    stage.hold().unwrap();
    stage.advance_time(Duration::from_secs(1)).unwrap();
    stage.release().unwrap();
    assert_eq!(counter(&mut stage), 1u8);
}

#[test]
fn a_thousand_calls_of_strangers_change_nothing_of_what_a_user_sees() {
    let mut stage = stage(&LESSON);
    let interface = include_str!("../../../lessons/02-rejects/caller.did");
    let methods: Vec<&str> = interface
        .lines()
        .filter_map(|line| Some(line.trim().split_once(" : (")?.0))
        .collect();
    for number in 0..1000 {
        stage.become_user(1 + number % 10).unwrap();
        let method = methods[number % methods.len()];
        stage.call(stage.caller, method, ()).unwrap().unwrap();
    }
    // The timers that they had set are over.
    stage.hold().unwrap();
    stage.advance_time(Duration::from_secs(1)).unwrap();
    stage.release().unwrap();
    stage.become_user(0).unwrap();
    for experiment in (LESSON.experiments)() {
        let finding = experiment.observe(LESSON.name, &mut stage).unwrap();
        assert_eq!(finding.as_predicted, Some(true), "{}", finding.what);
    }
}
