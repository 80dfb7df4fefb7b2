//! The lesson `retries`: both halves under the same treatment, and what the experiment does not show.

use std::time::Duration;

use crate::support::{observe, stage, text};
use candid::CandidType;
use observe::lessons::retries::LESSON;
use observe::stage::Stage;
use serde::Deserialize;

#[derive(CandidType, Clone, Copy)]
struct IncrementId {
    created: u64,
    number: u64,
}

impl IncrementId {
    /// An id chosen now. The local replica's clock stands still, so the last message tells the time.
    fn now(stage: &Stage, number: u64) -> Self {
        let last = stage.events().last().expect("something was executed");
        IncrementId {
            created: last.time,
            number,
        }
    }
}

#[derive(CandidType, Clone, Debug, Deserialize, PartialEq, Eq)]
enum Refusal {
    NoSuchAccount,
    TooOld,
    TooNew,
    Full,
}

#[derive(CandidType, Debug, Deserialize, PartialEq, Eq)]
enum Remembered {
    Done(u64),
    NotDone,
    Forgotten,
}

const SECOND: Duration = Duration::from_secs(1);
const HOUR: Duration = Duration::from_secs(60 * 60);

fn open(stage: &mut Stage) -> u64 {
    stage.reply(stage.callee, "open", ()).unwrap()
}

fn count(stage: &mut Stage, account: u64) -> Option<u64> {
    let count = stage.query(stage.callee, "count", (account,));
    count.unwrap()
}

fn begin(stage: &mut Stage, account: u64) -> u64 {
    let number = stage.reply(stage.caller, "begin", (account,));
    number.unwrap()
}

fn increment_once(stage: &mut Stage, number: u64) -> Result<u64, String> {
    let result = stage.reply(stage.caller, "increment_once", (number,));
    result.unwrap()
}

fn ask(stage: &mut Stage, number: u64) -> Result<Remembered, String> {
    let known = stage.reply(stage.caller, "ask", (number,));
    known.unwrap()
}

/// Calls the callee as somebody who chooses the ids.
fn increment_with(stage: &mut Stage, account: u64, id: IncrementId) -> Result<u64, Refusal> {
    let result = stage.reply(stage.callee, "increment_once", (account, id));
    result.unwrap()
}

#[test]
fn the_whole_lesson_is_as_predicted() {
    let output = observe(&["retries"]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    assert!(text(&output.stdout).ends_with("\n9 of 9 as predicted.\n"));
}

#[test]
fn every_question_has_the_observed_answer_among_its_choices() {
    let mut stage = stage(&LESSON);
    for experiment in (LESSON.experiments)() {
        let finding = experiment.observe(LESSON.name, &mut stage).unwrap();
        let question = experiment.question.unwrap();
        let asked = |fact: &&observe::lesson::Fact| fact.what == question.fact;
        let answer = &finding.facts.iter().find(asked).unwrap().observed;
        assert!(question.choices.contains(answer), "{answer}");
    }
}

#[test]
fn however_often_it_is_called_an_increment_is_done_once() {
    let mut stage = stage(&LESSON);
    let account = open(&mut stage);
    let number = begin(&mut stage, account);
    for _ in 0..3 {
        assert_eq!(increment_once(&mut stage, number), Ok(1));
    }
    assert_eq!(count(&mut stage, account), Some(1));
    // Another increment is another one.
    let number = begin(&mut stage, account);
    assert_eq!(increment_once(&mut stage, number), Ok(2));
    assert_eq!(count(&mut stage, account), Some(2));
}

#[test]
fn two_calls_at_the_same_time_do_it_once() {
    let mut stage = stage(&LESSON);
    let account = open(&mut stage);
    let number = begin(&mut stage, account);
    stage.hold().unwrap();
    let caller = stage.caller;
    let calls = [(); 2].map(|()| {
        let sent = stage.send(caller, "increment_once", (number,));
        sent.unwrap()
    });
    // Both have sent their requests before the first is answered.
    let requests = |stage: &mut Stage| {
        let waiting = stage.waiting().unwrap();
        let to_callee = waiting.iter().filter(|m| m.to == stage.callee);
        to_callee.count()
    };
    while requests(&mut stage) < 2 {
        stage.deliver_call("increment_once").unwrap();
    }
    stage.release().unwrap();
    for sent in calls {
        let answer = stage.answer(&sent).unwrap().unwrap();
        let result: Result<u64, String> = candid::decode_one(&answer).unwrap();
        assert_eq!(result, Ok(1));
    }
    assert_eq!(count(&mut stage, account), Some(1));
}

#[test]
fn ids_and_results_survive_an_upgrade_of_both_canisters() {
    let mut stage = stage(&LESSON);
    let account = open(&mut stage);
    let (done, begun) = (begin(&mut stage, account), begin(&mut stage, account));
    let own = IncrementId::now(&stage, 7);
    assert_eq!(increment_once(&mut stage, done), Ok(1));
    assert_eq!(increment_with(&mut stage, account, own), Ok(2));
    for canister in [stage.caller, stage.callee] {
        stage.upgrade(canister).unwrap().unwrap();
    }
    assert_eq!(increment_once(&mut stage, done), Ok(1));
    assert_eq!(ask(&mut stage, done), Ok(Remembered::Done(1)));
    assert_eq!(ask(&mut stage, begun), Ok(Remembered::NotDone));
    assert_eq!(increment_with(&mut stage, account, own), Ok(2));
    assert_eq!(increment_once(&mut stage, begun), Ok(3));
    assert_eq!(count(&mut stage, account), Some(3));
}

#[test]
fn an_id_that_arrives_after_the_window_is_refused_and_not_done() {
    let mut stage = stage(&LESSON);
    let account = open(&mut stage);
    let id = IncrementId::now(&stage, 0);
    stage.advance_time(HOUR).unwrap();
    assert_eq!(increment_with(&mut stage, account, id), Ok(1));
    assert_eq!(increment_with(&mut stage, account, id), Ok(1));
    stage.advance_time(HOUR + SECOND).unwrap();
    let refused = increment_with(&mut stage, account, id);
    assert_eq!(refused, Err(Refusal::TooOld));
    let never_seen = IncrementId { number: 1, ..id };
    let refused = increment_with(&mut stage, account, never_seen);
    assert_eq!(refused, Err(Refusal::TooOld));
    assert_eq!(count(&mut stage, account), Some(1));
}

#[test]
fn callers_cannot_use_up_the_ids_of_each_other() {
    let mut stage = stage(&LESSON);
    let account = open(&mut stage);
    let id = IncrementId::now(&stage, 0);
    stage.become_user(1).unwrap();
    assert_eq!(increment_with(&mut stage, account, id), Ok(1));
    stage.become_user(0).unwrap();
    assert_eq!(increment_with(&mut stage, account, id), Ok(2));
    let other_account = open(&mut stage);
    assert_eq!(increment_with(&mut stage, other_account, id), Ok(1));
}

#[test]
fn what_cannot_be_done_gets_an_error_that_says_why() {
    let mut stage = stage(&LESSON);
    let expected = "there is no increment 99; `begin` begins one".to_owned();
    assert_eq!(increment_once(&mut stage, 99), Err(expected.clone()));
    assert_eq!(ask(&mut stage, 99), Err(expected));
    let number = begin(&mut stage, 99);
    let error = increment_once(&mut stage, number).unwrap_err();
    assert_eq!(
        error,
        "the callee has no such account; its `open` opens one"
    );
    let error: Result<u64, String> = stage
        .reply(stage.caller, "increment_without_id", (99u64,))
        .unwrap();
    assert!(error.unwrap_err().contains("`open`"));
    let future = IncrementId {
        created: u64::MAX,
        number: 0,
    };
    let account = open(&mut stage);
    let refused = increment_with(&mut stage, account, future);
    assert_eq!(refused, Err(Refusal::TooNew));
}
