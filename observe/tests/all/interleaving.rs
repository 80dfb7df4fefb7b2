//! The lesson `interleaving`: that the mistakes pay too much, that the guard does not let them, and
//! what it cannot do.

use crate::support::{assert_questions_can_be_answered, found, observe, stage, text};
use observe::answer::Got;
use observe::lessons::interleaving::LESSON;
use observe::network::{Delivery, Kind, Sent, WaitingMessage};
use observe::stage::{Stage, accepted};

fn open(stage: &mut Stage) -> u64 {
    open_if_there_is_room(stage).expect("there is room")
}

fn open_if_there_is_room(stage: &mut Stage) -> Option<u64> {
    let opened: Result<u64, String> = stage.reply(stage.caller, "open", ()).unwrap();
    opened.ok()
}

fn balance(stage: &mut Stage, account: u64) -> Option<u64> {
    let balance = stage.query(stage.caller, "balance", (account,));
    balance.unwrap()
}

fn paid(stage: &mut Stage, account: u64) -> u64 {
    let paid = stage.query(stage.callee, "paid", (stage.caller, account));
    paid.unwrap()
}

fn withdraw(stage: &mut Stage, method: &str, account: u64, amount: u64) -> Got {
    let answer = stage.call(stage.caller, method, (account, amount));
    Got::read(&answer.unwrap())
}

fn settle(stage: &mut Stage, account: u64) -> Got {
    let answer = stage.call(stage.caller, "settle", (account,));
    Got::read(&answer.unwrap())
}

fn send_withdrawal(stage: &mut Stage, account: u64) -> Sent {
    let sent = stage.send(stage.caller, "withdraw", (account, 80u64));
    sent.unwrap()
}

/// Begins a withdrawal of 80 by a method: it awaits, and its request to the callee waits.
fn begin_withdrawal(stage: &mut Stage, method: &str, account: u64) -> Sent {
    let sent = stage.send(stage.caller, method, (account, 80u64));
    stage.deliver_call(method).unwrap();
    sent.unwrap()
}

fn send_settlement(stage: &mut Stage, account: u64) -> Sent {
    let sent = stage.send(stage.caller, "settle", (account,));
    sent.unwrap()
}

fn got(stage: &mut Stage, sent: &Sent) -> Got {
    Got::read(&stage.answer(sent).unwrap())
}

fn assert_err(got: &Got, expected: &str) {
    assert!(
        matches!(got, Got::ReplyErr(message) if message.contains(expected)),
        "{got}"
    );
}

#[test]
fn the_lesson_as_a_whole_is_as_predicted() {
    let output = observe(&["interleaving"]);
    assert_eq!(text(&output.stderr), "");
    assert_eq!(output.status.code(), Some(0));
    assert!(text(&output.stdout).ends_with("\n12 of 12 as predicted.\n"));
}

#[test]
fn every_question_has_its_answer_among_the_choices() {
    assert_questions_can_be_answered(&LESSON);
}

#[test]
fn without_a_guard_160_are_paid_of_100() {
    for method in ["withdraw_unguarded", "withdraw_guard_dropped_at_once"] {
        assert_eq!(
            found(&mut stage(&LESSON), &LESSON, method),
            [
                "the first call got: reply: Ok",
                "the second call got: reply: Ok",
                "paid by the callee: 160",
                "left in the account: 0",
            ]
        );
    }
}

#[test]
fn with_a_guard_the_second_withdrawal_is_refused_while_the_first_waits() {
    for method in ["withdraw", "withdraw_one_per_caller"] {
        assert_eq!(
            found(&mut stage(&LESSON), &LESSON, method),
            [
                "the first call got: reply: Ok",
                "the second call got: reply: Err",
                "paid by the callee: 80",
                "left in the account: 20",
            ]
        );
    }
}

#[test]
fn the_guard_is_free_again_after_the_withdrawal_and_after_a_failed_check() {
    let mut stage = stage(&LESSON);
    let account = open(&mut stage);
    for (amount, expected) in [(80u64, Got::ReplyOk), (20, Got::ReplyOk)] {
        let too_much = withdraw(&mut stage, "withdraw", account, 101);
        assert_err(&too_much, "the account has");
        let got = withdraw(&mut stage, "withdraw", account, amount);
        assert_eq!(got, expected);
    }
    assert_eq!(balance(&mut stage, account), Some(0));
}

#[test]
fn who_is_kept_out_is_told_to_try_again() {
    let mut stage = stage(&LESSON);
    let account = open(&mut stage);
    stage.hold().unwrap();
    let first = send_withdrawal(&mut stage, account);
    let second = send_withdrawal(&mut stage, account);
    stage.deliver_all().unwrap();
    assert_eq!(got(&mut stage, &first), Got::ReplyOk);
    let second = got(&mut stage, &second);
    assert_err(
        &second,
        "busy: no more than 1 such call at a time; try again",
    );
}

#[test]
fn the_right_ways_keep_each_other_out_and_know_when_they_were_settled() {
    const GUARDED: [&str; 3] = [
        "withdraw",
        "withdraw_one_per_caller",
        "withdraw_at_most_two",
    ];
    let mut stage = stage(&LESSON);
    stage.hold().unwrap();
    for first in GUARDED {
        for second in GUARDED {
            let account = open(&mut stage);
            begin_withdrawal(&mut stage, first, account);
            let second = begin_withdrawal(&mut stage, second, account);
            assert_err(&got(&mut stage, &second), "busy");
            stage.deliver_all().unwrap();
        }
        let (account, other) = (open(&mut stage), open(&mut stage));
        begin_withdrawal(&mut stage, first, account);
        let transfer = (account, other, 80u64);
        let moved = stage.call_alone(stage.caller, "transfer", transfer);
        assert_err(&Got::read(&moved.unwrap()), "busy");
        assert_eq!(settle(&mut stage, account), Got::ReplyOk);
        assert_eq!(paid(&mut stage, account), 80, "{first}");
        assert_eq!(balance(&mut stage, account), Some(20), "{first}");
    }
}

#[test]
fn a_withdrawal_that_charges_first_is_refused_while_the_account_is_in_use_or_locked() {
    let mut stage = stage(&LESSON);
    let account = open(&mut stage);
    stage.hold().unwrap();
    begin_withdrawal(&mut stage, "withdraw", account);
    let second = begin_withdrawal(&mut stage, "withdraw_charge_first", account);
    stage.deliver_all().unwrap();
    assert_err(&got(&mut stage, &second), "busy");
    assert_eq!(paid(&mut stage, account), 80);
    assert_eq!(balance(&mut stage, account), Some(20));
    stage.release().unwrap();
    let locked = open(&mut stage);
    withdraw(&mut stage, "withdraw_then_trap_in_cleanup_too", locked, 80);
    let refused = withdraw(&mut stage, "withdraw_charge_first", locked, 80);
    assert_err(&refused, "busy");
    assert_eq!(paid(&mut stage, locked), 80);
}

#[test]
fn nobody_holds_a_place_of_all_for_a_withdrawal_of_nothing() {
    let mut stage = stage(&LESSON);
    let (account, other) = (open(&mut stage), open(&mut stage));
    stage.hold().unwrap();
    let nothing = (other, 0u64);
    let sent = stage.send(stage.caller, "withdraw_at_most_two", nothing);
    stage.deliver_call("withdraw_at_most_two").unwrap();
    let answer = stage.answer_so_far(&sent.unwrap()).unwrap();
    let refused = Got::read(&answer.expect("it awaits nothing"));
    assert_err(&refused, "more than 0");
    stage.release().unwrap();
    let refused = withdraw(&mut stage, "withdraw_charge_first", account, 0);
    assert_err(&refused, "more than 0");
}

#[test]
fn a_settlement_asks_only_after_the_payouts_that_were_sent_before() {
    let mut stage = stage(&LESSON);
    let account = open(&mut stage);
    stage.hold().unwrap();
    let withdrawal = send_withdrawal(&mut stage, account);
    stage.deliver_call("withdraw").unwrap();
    let _settlement = send_settlement(&mut stage, account);
    stage.deliver_call("settle").unwrap();
    let requests = stage.waiting().unwrap();
    let requests = requests.iter().filter(|one| one.kind == Kind::Request);
    let requests: Vec<_> = requests
        .map(|one| (one.method.as_str(), one.deliverable))
        .collect();
    assert_eq!(requests, [("pay", true), ("paid", false)]);
    stage.release().unwrap();
    assert_eq!(got(&mut stage, &withdrawal), Got::ReplyOk);
    assert_eq!(balance(&mut stage, account), Some(20));
}

#[test]
fn an_account_stays_locked_until_a_settlement_has_its_answer() {
    let mut stage = stage(&LESSON);
    for (kind, fault) in [
        (Kind::Request, Delivery::Reject),
        (Kind::Request, Delivery::Trap),
        (Kind::Response, Delivery::Trap),
    ] {
        let account = open(&mut stage);
        stage.hold().unwrap();
        let withdrawal = send_withdrawal(&mut stage, account);
        stage.deliver_call("withdraw").unwrap();
        let settlement = send_settlement(&mut stage, account);
        stage.deliver_call("settle").unwrap();
        stage.deliver_call("pay").unwrap();
        if kind == Kind::Response {
            stage.deliver_call("paid").unwrap();
        }
        let question = |one: &WaitingMessage| one.method == "paid" && one.kind == kind;
        stage.deliver(question, fault).unwrap();
        stage.release().unwrap();
        assert_ne!(got(&mut stage, &settlement), Got::ReplyOk);
        assert_eq!(got(&mut stage, &withdrawal), Got::ReplyOk);
        let locked = withdraw(&mut stage, "withdraw", account, 10);
        assert_err(&locked, "settle it first");
        assert_eq!(settle(&mut stage, account), Got::ReplyOk);
        assert_eq!(paid(&mut stage, account), 80);
        assert_eq!(balance(&mut stage, account), Some(20));
    }
}

#[test]
fn a_guard_that_was_left_behind_is_gone_after_an_upgrade_and_the_account_is_not() {
    let mut stage = stage(&LESSON);
    let account = open(&mut stage);
    withdraw(&mut stage, "withdraw_then_trap_in_cleanup_too", account, 30);
    let locked = withdraw(&mut stage, "withdraw", account, 10);
    assert_err(&locked, "busy");
    for canister in [stage.caller, stage.callee] {
        stage.upgrade(canister).unwrap().unwrap();
    }
    assert_eq!(balance(&mut stage, account), Some(100));
    // What the callee paid is not forgotten either.
    assert_eq!(settle(&mut stage, account), Got::ReplyOk);
    assert_eq!(balance(&mut stage, account), Some(70));
    let got = withdraw(&mut stage, "withdraw", account, 70);
    assert_eq!(got, Got::ReplyOk);
}

#[test]
fn an_upgrade_does_not_unlock_an_account_whose_settlement_had_no_answer() {
    let mut stage = stage(&LESSON);
    let account = open(&mut stage);
    withdraw(&mut stage, "withdraw_then_trap_in_cleanup_too", account, 80);
    accepted(stage.command(stage.callee, "stop_canister").unwrap()).unwrap();
    assert_err(&settle(&mut stage, account), "settle again");
    accepted(stage.command(stage.callee, "start_canister").unwrap()).unwrap();
    accepted(stage.command(stage.caller, "stop_canister").unwrap()).unwrap();
    accepted(stage.upgrade(stage.caller).unwrap()).unwrap();
    accepted(stage.command(stage.caller, "start_canister").unwrap()).unwrap();
    let refused = withdraw(&mut stage, "withdraw", account, 80);
    assert_err(&refused, "settle it first");
    assert_eq!(settle(&mut stage, account), Got::ReplyOk);
    assert_eq!(paid(&mut stage, account), 80);
    assert_eq!(balance(&mut stage, account), Some(20));
}

#[test]
fn nobody_can_use_the_account_of_another() {
    let mut stage = stage(&LESSON);
    let account = open(&mut stage);
    stage.become_user(1).unwrap();
    let own = open(&mut stage);
    for method in [
        "withdraw_unguarded",
        "withdraw_guard_dropped_at_once",
        "withdraw",
        "withdraw_one_per_caller",
        "withdraw_at_most_two",
        "withdraw_then_trap",
        "withdraw_then_trap_in_cleanup_too",
        "withdraw_charge_first",
    ] {
        let refused = withdraw(&mut stage, method, account, 1);
        assert_err(&refused, "belongs to another");
    }
    for method in ["transfer_unguarded", "transfer"] {
        let answer = stage.call(stage.caller, method, (account, own, 1u64));
        assert_err(&Got::read(&answer.unwrap()), "belongs to another");
    }
    assert_err(&settle(&mut stage, account), "belongs to another");
    assert_eq!(balance(&mut stage, account), Some(100));
    assert_eq!(paid(&mut stage, account), 0);
}

#[test]
fn an_account_that_does_not_exist_is_named_in_the_error() {
    let mut stage = stage(&LESSON);
    let account = open(&mut stage);
    assert_eq!(balance(&mut stage, 77), None);
    let refused = withdraw(&mut stage, "withdraw", 77, 1);
    assert_err(&refused, "there is no account 77; `open` opens one");
    let arguments = (account, 77u64, 1u64);
    let answer = stage.call(stage.caller, "transfer", arguments);
    assert_err(&Got::read(&answer.unwrap()), "there is no account 77");
    assert_eq!(balance(&mut stage, account), Some(100));
}

/// A thousand strangers' accounts, as far as there is room for them: each is left locked, with a
/// payout that is not charged.
fn let_strangers_fill_it(stage: &mut Stage) {
    for number in 0..1000 {
        stage.become_user(1 + number % 20).unwrap();
        if let Some(account) = open_if_there_is_room(stage) {
            withdraw(stage, "withdraw_then_trap_in_cleanup_too", account, 10);
        }
    }
    assert_eq!(open_if_there_is_room(stage), None);
    stage.become_user(0).unwrap();
}

#[test]
fn a_lock_does_not_give_way_to_those_of_a_thousand_strangers() {
    let mut stage = stage(&LESSON);
    let account = open(&mut stage);
    withdraw(&mut stage, "withdraw_then_trap_in_cleanup_too", account, 80);
    let_strangers_fill_it(&mut stage);
    assert_err(&withdraw(&mut stage, "withdraw", account, 80), "busy");
    assert_eq!(settle(&mut stage, account), Got::ReplyOk);
    assert_eq!(paid(&mut stage, account), 80);
    assert_eq!(balance(&mut stage, account), Some(20));
    for method in [
        "withdraw",
        "withdraw_one_per_caller",
        "withdraw_at_most_two",
    ] {
        assert_eq!(withdraw(&mut stage, method, account, 5), Got::ReplyOk);
    }
    assert_eq!(balance(&mut stage, account), Some(5));
}

#[test]
fn one_user_alone_cannot_take_all_accounts() {
    let mut stage = stage(&LESSON);
    for _ in 0..100 {
        open(&mut stage);
    }
    let answer = stage.call(stage.caller, "open", ()).unwrap();
    assert_err(&Got::read(&answer), "100 accounts already");
    stage.become_user(1).unwrap();
    assert_eq!(balance(&mut stage, 0), Some(100));
    open(&mut stage);
}

#[test]
fn what_was_paid_is_not_forgotten_for_a_thousand_others() {
    let mut stage = stage(&LESSON);
    let account = open(&mut stage);
    withdraw(&mut stage, "withdraw", account, 80);
    let_strangers_fill_it(&mut stage);
    assert_eq!(paid(&mut stage, account), 80);
}
