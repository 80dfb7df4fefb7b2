//! The lesson `refund`: that giving back too early pays twice, and that a payment is given back
//! only if it was not paid, whatever happens.

use std::time::Duration;

use crate::support::{assert_questions_can_be_answered, found, observe, stage, text};
use observe::answer::Got;
use observe::lessons::refund::LESSON;
use observe::network::{Delivery, Kind, Sent, WaitingMessage};
use observe::stage::Stage;

fn open(stage: &mut Stage) -> u64 {
    open_if_there_is_room(stage).expect("there is room")
}

fn open_if_there_is_room(stage: &mut Stage) -> Option<u64> {
    let opened: Result<u64, String> = stage.reply(stage.caller, "open", ()).unwrap();
    opened.ok()
}

fn paid_and_left(stage: &mut Stage, account: u64) -> (u64, Option<u64>) {
    let paid = stage.query(stage.callee, "paid", (stage.caller, account));
    let left = stage.query(stage.caller, "balance", (account,));
    (paid.unwrap(), left.unwrap())
}

fn pending(stage: &mut Stage, account: u64) -> Option<u64> {
    let pending = stage.query(stage.caller, "pending", (account,));
    pending.unwrap()
}

fn withdraw(stage: &mut Stage, method: &str, account: u64, amount: u64) -> Got {
    let answer = stage.call(stage.caller, method, (account, amount));
    Got::read(&answer.unwrap())
}

fn settle(stage: &mut Stage, account: u64) -> Got {
    let answer = stage.call(stage.caller, "settle", (account,));
    Got::read(&answer.unwrap())
}

/// Begins a withdrawal of 80: it awaits, and its request to the callee waits.
fn begin_withdrawal(stage: &mut Stage, account: u64) -> Sent {
    let sent = stage.send(stage.caller, "withdraw", (account, 80u64));
    stage.deliver_call("withdraw").unwrap();
    sent.unwrap()
}

fn is_request(message: &WaitingMessage) -> bool {
    message.kind == Kind::Request
}

/// An account whose payment of 80 is pending because the request was lost.
fn lose_request(stage: &mut Stage) -> u64 {
    let account = open(stage);
    stage.hold().unwrap();
    begin_withdrawal(stage, account);
    stage.deliver(is_request, Delivery::Lose).unwrap();
    stage.advance_time(Duration::from_secs(300)).unwrap();
    stage.release().unwrap();
    assert_eq!(pending(stage, account), Some(80));
    account
}

fn assert_err(got: &Got, expected: &str) {
    assert!(
        matches!(got, Got::ReplyErr(message) if message.contains(expected)),
        "{got}"
    );
}

#[test]
fn the_lesson_as_a_whole_is_as_predicted() {
    let output = observe(&["refund"]);
    assert_eq!(text(&output.stderr), "");
    assert_eq!(output.status.code(), Some(0));
    assert!(text(&output.stdout).ends_with("\n16 of 16 as predicted.\n"));
}

#[test]
fn every_question_has_its_answer_among_the_choices() {
    assert_questions_can_be_answered(&LESSON);
}

#[test]
fn giving_back_in_drop_on_any_error_or_on_any_reject_makes_180_of_100() {
    let money = ["pending: 0", "paid: 80", "left: 100", "together: 180"];
    for method in [
        "withdraw_giving_back_in_drop",
        "withdraw_giving_back_on_any_error",
        "withdraw_giving_back_on_any_reject",
    ] {
        for facts in found(&mut stage(&LESSON), &LESSON, method).chunks(5) {
            assert_eq!(facts[1..], money);
        }
    }
}

#[test]
fn with_a_record_the_sum_is_kept_whatever_fails() {
    let facts = found(&mut stage(&LESSON), &LESSON, "withdraw");
    let sums = facts.iter().filter(|fact| fact.starts_with("together"));
    let sums: Vec<&String> = sums.collect();
    assert_eq!(sums, vec!["together: 100"; 7]);
}

/// Whether the caller can be stopped when a withdrawal waits for 300 seconds already.
fn can_be_stopped_after_300_s(method: &str) -> bool {
    let mut stage = stage(&LESSON);
    let account = open(&mut stage);
    stage.hold().unwrap();
    let withdrawal = stage.send(stage.caller, method, (account, 80u64)).unwrap();
    stage.deliver_call(method).unwrap();
    stage.advance_time(Duration::from_secs(300)).unwrap();
    let responses = |message: &WaitingMessage| message.kind == Kind::Response;
    while stage.waiting().unwrap().iter().any(responses) {
        stage.deliver(responses, Delivery::Normally).unwrap();
    }
    let stop = stage.send_command(stage.caller, "stop_canister").unwrap();
    let stopped = stage.answer_so_far(&stop).unwrap().is_some();
    // When the callee has answered, it stops in any case.
    stage.release().unwrap();
    stage.answer(&withdrawal).unwrap().unwrap();
    stage.answer(&stop).unwrap().unwrap();
    stopped
}

#[test]
fn with_unbounded_wait_the_caller_can_be_stopped_only_when_the_callee_has_answered() {
    assert!(can_be_stopped_after_300_s("withdraw"));
    assert!(!can_be_stopped_after_300_s("withdraw_unbounded"));
}

#[test]
fn without_a_fault_every_withdrawal_is_paid_and_nothing_is_pending() {
    let mut stage = stage(&LESSON);
    for method in [
        "withdraw_giving_back_in_drop",
        "withdraw_giving_back_on_any_error",
        "withdraw_giving_back_on_any_reject",
        "withdraw",
        "withdraw_unbounded",
    ] {
        let account = open(&mut stage);
        assert_eq!(withdraw(&mut stage, method, account, 80), Got::ReplyOk);
        assert_eq!(paid_and_left(&mut stage, account), (80, Some(20)));
        assert_eq!(pending(&mut stage, account), None);
    }
}

#[test]
fn what_the_callee_rejects_is_given_back_at_once_and_says_why() {
    let mut stage = stage(&LESSON);
    let account = open(&mut stage);
    for method in ["withdraw", "withdraw_unbounded"] {
        let got = withdraw(&mut stage, method, account, 91);
        assert_err(&got, "given back: ");
        assert_err(&got, "no more than 90 at once; nothing was paid");
        assert_eq!(paid_and_left(&mut stage, account), (0, Some(100)));
    }
}

#[test]
fn a_pending_payment_survives_an_upgrade_of_both_and_can_be_settled() {
    let mut stage = stage(&LESSON);
    let account = lose_request(&mut stage);
    for canister in [stage.caller, stage.callee] {
        stage.upgrade(canister).unwrap().unwrap();
    }
    assert_eq!(pending(&mut stage, account), Some(80));
    assert_eq!(paid_and_left(&mut stage, account), (0, Some(20)));
    assert_eq!(settle(&mut stage, account), Got::ReplyOk);
    assert_eq!(paid_and_left(&mut stage, account), (0, Some(100)));
    // Numbers are not given out again, so this one is not taken for the first.
    assert_eq!(withdraw(&mut stage, "withdraw", account, 80), Got::ReplyOk);
    assert_eq!(paid_and_left(&mut stage, account), (80, Some(20)));
    assert_err(&settle(&mut stage, account), "no payment is pending");
}

#[test]
fn a_settlement_whose_question_fails_can_be_repeated() {
    let mut stage = stage(&LESSON);
    let account = lose_request(&mut stage);
    stage.hold().unwrap();
    let sent = stage.send(stage.caller, "settle", (account,)).unwrap();
    stage.deliver_call("settle").unwrap();
    stage.deliver(is_request, Delivery::Reject).unwrap();
    stage.release().unwrap();
    let refused = Got::read(&stage.answer(&sent).unwrap());
    assert_err(&refused, "still pending, ask again");
    assert_eq!(settle(&mut stage, account), Got::ReplyOk);
    assert_eq!(paid_and_left(&mut stage, account), (0, Some(100)));
}

/// Users can have any number of principals, and could use up the room for payers.
#[test]
fn users_cannot_be_payers() {
    let mut stage = stage(&LESSON);
    let answer = stage.call(stage.callee, "pay", (1u64, 7u64, 80u64));
    let refused = answer.unwrap().unwrap_err().message;
    assert!(
        refused.contains("only a canister may call this"),
        "{refused}"
    );
}

#[test]
fn nobody_can_withdraw_from_the_account_of_another_or_more_than_there_is() {
    let mut stage = stage(&LESSON);
    let account = open(&mut stage);
    for method in [
        "withdraw_giving_back_in_drop",
        "withdraw_giving_back_on_any_error",
        "withdraw_giving_back_on_any_reject",
        "withdraw",
        "withdraw_unbounded",
    ] {
        stage.become_user(1).unwrap();
        let refused = withdraw(&mut stage, method, account, 1);
        assert_err(&refused, "belongs to another");
        stage.become_user(0).unwrap();
        let refused = withdraw(&mut stage, method, account, 101);
        assert_err(&refused, "the account has 100, not 101");
        let refused = withdraw(&mut stage, method, 77, 1);
        assert_err(&refused, "there is no account 77; `open` opens one");
    }
    assert_eq!(paid_and_left(&mut stage, account), (0, Some(100)));
}

#[test]
fn the_payments_of_others_make_the_callee_forget_none() {
    let mut stage = stage(&LESSON);
    let account = lose_request(&mut stage);
    stage.become_user(1).unwrap();
    let other = open(&mut stage);
    for _ in 0..1000 {
        let got = withdraw(&mut stage, "withdraw_unbounded", other, 0);
        assert_eq!(got, Got::ReplyOk);
    }
    stage.become_user(0).unwrap();
    assert_eq!(settle(&mut stage, account), Got::ReplyOk);
    assert_eq!(paid_and_left(&mut stage, account), (0, Some(100)));
}

#[test]
fn a_thousand_strangers_harm_no_account_and_no_pending_payment() {
    let mut stage = stage(&LESSON);
    let paid = open(&mut stage);
    assert_eq!(withdraw(&mut stage, "withdraw", paid, 80), Got::ReplyOk);
    let account = lose_request(&mut stage);
    for number in 0..1000 {
        stage.become_user(1 + number % 20).unwrap();
        if let Some(account) = open_if_there_is_room(&mut stage) {
            let methods = ["withdraw", "withdraw_unbounded"];
            withdraw(&mut stage, methods[number % 2], account, 80);
        }
    }
    assert_eq!(open_if_there_is_room(&mut stage), None);
    stage.become_user(0).unwrap();
    assert_eq!(paid_and_left(&mut stage, paid), (80, Some(20)));
    assert_eq!(withdraw(&mut stage, "withdraw", paid, 10), Got::ReplyOk);
    assert_eq!(settle(&mut stage, account), Got::ReplyOk);
    assert_eq!(paid_and_left(&mut stage, account), (0, Some(100)));
    assert_eq!(withdraw(&mut stage, "withdraw", account, 80), Got::ReplyOk);
}

#[test]
fn one_user_alone_cannot_take_all_accounts() {
    let mut stage = stage(&LESSON);
    for _ in 0..100 {
        open(&mut stage);
    }
    assert_eq!(open_if_there_is_room(&mut stage), None);
    stage.become_user(1).unwrap();
    open(&mut stage);
}

#[test]
fn only_the_owner_settles() {
    let mut stage = stage(&LESSON);
    let account = lose_request(&mut stage);
    stage.become_user(1).unwrap();
    assert_err(&settle(&mut stage, account), "belongs to another");
    assert_eq!(paid_and_left(&mut stage, account), (0, Some(20)));
}

/// A question of anybody else may overtake the request to pay.
#[test]
fn only_the_canister_that_asked_for_a_payment_can_ask_what_became_of_it() {
    let mut stage = stage(&LESSON);
    let answer = stage.call(stage.callee, "find", (0u64, 0u64));
    let refused = answer.unwrap().unwrap_err().message;
    assert!(
        refused.contains("only a canister may call this"),
        "{refused}"
    );
}

#[test]
fn a_pending_payment_is_settled_before_its_account_can_pay_again() {
    let mut stage = stage(&LESSON);
    let account = lose_request(&mut stage);
    for method in ["withdraw", "withdraw_unbounded"] {
        let refused = withdraw(&mut stage, method, account, 10);
        assert_err(&refused, "a payment of 80 is pending");
    }
    assert_eq!(settle(&mut stage, account), Got::ReplyOk);
    assert_eq!(withdraw(&mut stage, "withdraw", account, 10), Got::ReplyOk);
    assert_eq!(paid_and_left(&mut stage, account), (10, Some(90)));
}
