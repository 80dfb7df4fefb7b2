//! The lesson `retries`: both halves under the same treatment, and what the experiment does not show.

use std::time::Duration;

use crate::support::{observe, stage, text};
use candid::{CandidType, Principal};
use observe::lessons::retries::LESSON;
use observe::network::{Delivery, Kind};
use observe::stage::Stage;
use serde::Deserialize;

#[derive(CandidType, Clone, Copy)]
struct PointId {
    created: u64,
    number: u64,
}

impl PointId {
    /// An id chosen now. The local replica's clock stands still, so the last message tells the time.
    fn now(stage: &Stage, number: u64) -> Self {
        let last = stage.events().last().expect("something was executed");
        PointId {
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

/// An account of the user, to which the caller may add points.
fn open(stage: &mut Stage) -> u64 {
    open_for(stage, stage.caller)
}

/// An account of the user, to which this caller may add points.
fn open_for(stage: &mut Stage, caller: Principal) -> u64 {
    let opened: Result<u64, String> = stage.reply(stage.callee, "open", (caller,)).unwrap();
    opened.unwrap()
}

/// An account of the user, to which nobody but the user itself may add points.
fn open_for_user(stage: &mut Stage) -> u64 {
    open_for(stage, stage.user())
}

fn points(stage: &mut Stage, account: u64) -> Option<u64> {
    let points = stage.query(stage.callee, "points", (account,));
    points.unwrap()
}

fn begin(stage: &mut Stage, account: u64) -> u64 {
    let begun: Result<u64, String> = stage.reply(stage.caller, "begin", (account,)).unwrap();
    begun.unwrap()
}

fn add_point_once(stage: &mut Stage, number: u64) -> Result<u64, String> {
    let result = stage.reply(stage.caller, "add_point_once", (number,));
    result.unwrap()
}

fn ask(stage: &mut Stage, number: u64) -> Result<Remembered, String> {
    let known = stage.reply(stage.caller, "ask", (number,));
    known.unwrap()
}

/// Calls the callee as somebody who chooses the ids, for an account to which the user may add points.
fn add_point_with(stage: &mut Stage, account: u64, id: PointId) -> Result<u64, Refusal> {
    let arguments = (account, id, stage.user());
    let result = stage.reply(stage.callee, "add_point_once", arguments);
    result.unwrap()
}

#[test]
fn the_whole_lesson_is_as_predicted() {
    let output = observe(&["retries"]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    assert!(text(&output.stdout).ends_with("\n10 of 10 as predicted.\n"));
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
fn however_often_it_is_called_a_point_is_added_once() {
    let mut stage = stage(&LESSON);
    let account = open(&mut stage);
    let number = begin(&mut stage, account);
    for _ in 0..3 {
        assert_eq!(add_point_once(&mut stage, number), Ok(1));
    }
    assert_eq!(points(&mut stage, account), Some(1));
    // Another point is another one.
    let number = begin(&mut stage, account);
    assert_eq!(add_point_once(&mut stage, number), Ok(2));
    assert_eq!(points(&mut stage, account), Some(2));
}

#[test]
fn each_call_is_executed_once_or_never_whatever_gets_lost() {
    let mut stage = stage(&LESSON);
    let kinds = [Kind::Request, Kind::Response];
    for first in kinds {
        for second in kinds {
            for third in kinds {
                let account = open(&mut stage);
                let lost = [first, second, third];
                stage.hold().unwrap();
                let method = "add_point_without_id";
                stage.send(stage.caller, method, (account,)).unwrap();
                stage.deliver_call(method).unwrap();
                for kind in lost {
                    let deliver = |stage: &mut Stage, kind, how| {
                        stage.deliver(|message| message.kind == kind, how).unwrap();
                    };
                    if kind == Kind::Response {
                        deliver(&mut stage, Kind::Request, Delivery::Normally);
                    }
                    deliver(&mut stage, kind, Delivery::Lose);
                    stage.advance_time(60 * SECOND).unwrap();
                    deliver(&mut stage, Kind::Response, Delivery::Normally);
                }
                stage.release().unwrap();
                let executed = lost.iter().filter(|kind| **kind == Kind::Response).count();
                let counted = points(&mut stage, account).unwrap();
                assert_eq!(counted, executed as u64, "{lost:?}");
            }
        }
    }
}

#[test]
fn two_calls_at_the_same_time_do_it_once() {
    let mut stage = stage(&LESSON);
    let account = open(&mut stage);
    let number = begin(&mut stage, account);
    stage.hold().unwrap();
    let caller = stage.caller;
    let calls = [(); 2].map(|()| {
        let sent = stage.send(caller, "add_point_once", (number,));
        sent.unwrap()
    });
    // Both have sent their requests before the first is answered.
    let requests = |stage: &mut Stage| {
        let waiting = stage.waiting().unwrap();
        let to_callee = waiting.iter().filter(|m| m.to == stage.callee);
        to_callee.count()
    };
    while requests(&mut stage) < 2 {
        stage.deliver_call("add_point_once").unwrap();
    }
    stage.release().unwrap();
    for sent in calls {
        let answer = stage.answer(&sent).unwrap().unwrap();
        let result: Result<u64, String> = candid::decode_one(&answer).unwrap();
        assert_eq!(result, Ok(1));
    }
    assert_eq!(points(&mut stage, account), Some(1));
}

#[test]
fn ids_and_results_survive_an_upgrade_of_both_canisters() {
    let mut stage = stage(&LESSON);
    let account = open(&mut stage);
    let (done, begun) = (begin(&mut stage, account), begin(&mut stage, account));
    let own = open_for_user(&mut stage);
    let id = PointId::now(&stage, 7);
    assert_eq!(add_point_once(&mut stage, done), Ok(1));
    assert_eq!(add_point_with(&mut stage, own, id), Ok(1));
    for canister in [stage.caller, stage.callee] {
        stage.upgrade(canister).unwrap().unwrap();
    }
    assert_eq!(add_point_once(&mut stage, done), Ok(1));
    assert_eq!(ask(&mut stage, done), Ok(Remembered::Done(1)));
    assert_eq!(ask(&mut stage, begun), Ok(Remembered::NotDone));
    assert_eq!(add_point_with(&mut stage, own, id), Ok(1));
    assert_eq!(add_point_once(&mut stage, begun), Ok(2));
    assert_eq!(points(&mut stage, account), Some(2));
}

#[test]
fn an_id_that_arrives_after_the_window_is_refused_and_not_done() {
    let mut stage = stage(&LESSON);
    let account = open_for_user(&mut stage);
    let id = PointId::now(&stage, 0);
    stage.advance_time(HOUR).unwrap();
    assert_eq!(add_point_with(&mut stage, account, id), Ok(1));
    assert_eq!(add_point_with(&mut stage, account, id), Ok(1));
    stage.advance_time(HOUR + SECOND).unwrap();
    let refused = add_point_with(&mut stage, account, id);
    assert_eq!(refused, Err(Refusal::TooOld));
    let never_seen = PointId { number: 1, ..id };
    let refused = add_point_with(&mut stage, account, never_seen);
    assert_eq!(refused, Err(Refusal::TooOld));
    assert_eq!(points(&mut stage, account), Some(1));
}

#[test]
fn points_are_added_by_the_canister_of_the_account_for_its_owner_and_by_nobody_else() {
    let mut stage = stage(&LESSON);
    let account = open(&mut stage);
    let (owner, id) = (stage.user(), PointId::now(&stage, 0));
    stage.become_user(1).unwrap();
    // Through the caller, for somebody who is not the owner.
    let refused =
        || Err("the callee has no such account of yours; its `open` opens one".to_owned());
    let number = begin(&mut stage, account);
    assert_eq!(add_point_once(&mut stage, number), refused());
    let method = "add_point_without_id";
    let got: Result<u64, String> = stage.reply(stage.caller, method, (account,)).unwrap();
    assert_eq!(got, refused());
    // Directly, in the name of the owner.
    let arguments = (account, id, owner);
    let got: Result<u64, Refusal> = stage
        .reply(stage.callee, "add_point_once", arguments)
        .unwrap();
    assert_eq!(got, Err(Refusal::NoSuchAccount));
    let arguments = (account, owner);
    let got: Result<u64, Refusal> = stage.reply(stage.callee, "add_point", arguments).unwrap();
    assert_eq!(got, Err(Refusal::NoSuchAccount));
    assert_eq!(points(&mut stage, account), Some(0));
}

#[test]
fn not_done_is_told_to_the_canister_of_the_account_and_to_nobody_else() {
    let mut stage = stage(&LESSON);
    let account = open(&mut stage);
    let number = begin(&mut stage, account);
    assert_eq!(ask(&mut stage, number), Ok(Remembered::NotDone));
    let arguments = (account, PointId::now(&stage, 0), stage.user());
    let known: Remembered = stage.query(stage.callee, "look_up", arguments).unwrap();
    assert_eq!(known, Remembered::Forgotten);
}

#[test]
fn only_who_began_a_point_can_call_for_it() {
    let mut stage = stage(&LESSON);
    let account = open(&mut stage);
    let number = begin(&mut stage, account);
    stage.become_user(1).unwrap();
    let refused = format!("you have begun no point {number}; `begin` begins one");
    assert_eq!(add_point_once(&mut stage, number), Err(refused.clone()));
    assert_eq!(ask(&mut stage, number), Err(refused.clone()));
    let result: Result<Option<u64>, String> =
        stage.query(stage.caller, "result", (number,)).unwrap();
    assert_eq!(result, Err(refused));
    assert_eq!(points(&mut stage, account), Some(0));
}

#[test]
fn one_user_has_at_most_100_accounts_and_100_points_in_2_hours() {
    let mut stage = stage(&LESSON);
    for _ in 0..100 {
        let account = open(&mut stage);
        begin(&mut stage, account);
    }
    let (caller, callee) = (stage.caller, stage.callee);
    let opened: Result<u64, String> = stage.reply(callee, "open", (caller,)).unwrap();
    let refused = "you have 100 accounts, and can't have more".to_owned();
    assert_eq!(opened, Err(refused));
    let begun: Result<u64, String> = stage.reply(caller, "begin", (0u64,)).unwrap();
    let refused = "you have begun 100 points; begin more later".to_owned();
    assert_eq!(begun, Err(refused));
    stage.advance_time(2 * HOUR + SECOND).unwrap();
    begin(&mut stage, 0);
    let forgotten = add_point_once(&mut stage, 0).unwrap_err();
    assert_eq!(forgotten, "you have begun no point 0; `begin` begins one");
}

#[test]
fn a_thousand_strangers_leave_an_account_its_memory_and_a_point_its_id() {
    let mut stage = stage(&LESSON);
    let account = open(&mut stage);
    let (done, begun) = (begin(&mut stage, account), begin(&mut stage, account));
    assert_eq!(add_point_once(&mut stage, done), Ok(1));
    let id = PointId::now(&stage, 0);
    let owner = stage.user();
    for stranger in 1..=1000 {
        stage.become_user(stranger).unwrap();
        let (caller, callee) = (stage.caller, stage.callee);
        let _refused = stage.call(callee, "open", (caller,)).unwrap();
        let _refused = stage.call(caller, "begin", (account,)).unwrap();
        for number in [done, begun, stranger as u64 + 1] {
            let _refused = stage.call(caller, "add_point_once", (number,)).unwrap();
        }
        let number = stranger as u64;
        let arguments = (account, PointId { number, ..id }, owner);
        let _refused = stage.call(callee, "add_point_once", arguments).unwrap();
        let _refused = stage.call(callee, "add_point", (account, owner)).unwrap();
    }
    stage.become_user(0).unwrap();
    assert_eq!(points(&mut stage, account), Some(1));
    assert_eq!(add_point_once(&mut stage, done), Ok(1));
    assert_eq!(ask(&mut stage, done), Ok(Remembered::Done(1)));
    assert_eq!(add_point_once(&mut stage, begun), Ok(2));
    // Later there is room in the caller, too.
    stage.advance_time(2 * HOUR + SECOND).unwrap();
    let next = begin(&mut stage, account);
    assert_eq!(add_point_once(&mut stage, next), Ok(3));
}

#[test]
fn what_cannot_be_done_gets_an_error_that_says_why() {
    let mut stage = stage(&LESSON);
    let expected = "you have begun no point 99; `begin` begins one".to_owned();
    assert_eq!(add_point_once(&mut stage, 99), Err(expected.clone()));
    assert_eq!(ask(&mut stage, 99), Err(expected));
    let number = begin(&mut stage, 99);
    let error = add_point_once(&mut stage, number).unwrap_err();
    assert_eq!(
        error,
        "the callee has no such account of yours; its `open` opens one"
    );
    let error: Result<u64, String> = stage
        .reply(stage.caller, "add_point_without_id", (99u64,))
        .unwrap();
    assert!(error.unwrap_err().contains("`open`"));
    let future = PointId {
        created: u64::MAX,
        number: 0,
    };
    let account = open_for_user(&mut stage);
    let refused = add_point_with(&mut stage, account, future);
    assert_eq!(refused, Err(Refusal::TooNew));
}
