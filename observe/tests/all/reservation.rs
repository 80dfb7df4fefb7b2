//! The lesson `reservation`: what its experiments show, and what they don't: strangers, two
//! messages at the same time, upgrades, bad arguments.

use crate::support::{assert_questions_can_be_answered, observe, stage, text};
use candid::{CandidType, Deserialize};
use observe::answer::Got;
use observe::lessons::reservation::LESSON;
use observe::network::{Delivery, Kind};
use observe::stage::Stage;
use std::time::Duration;

#[derive(CandidType, Deserialize)]
struct Buyer {
    money: u64,
    tickets: u64,
    pending: Option<u64>,
}

#[derive(CandidType, Deserialize)]
struct Seats {
    free: u64,
    held: u64,
    sold: u64,
}

#[derive(CandidType, Deserialize, Debug, PartialEq)]
enum Commit {
    Sold,
    Expired,
}

const MINUTE: Duration = Duration::from_secs(60);

fn open_show(stage: &mut Stage, seats: u64) -> u64 {
    let opened: Result<u64, String> = stage.reply(stage.callee, "open_show", (seats,)).unwrap();
    opened.unwrap()
}

fn open_buyer(stage: &mut Stage, show: u64, money: u64) -> u64 {
    stage
        .reply(stage.caller, "open_buyer", (show, money))
        .unwrap()
}

fn prepare(stage: &mut Stage, show: u64) -> u64 {
    let hold: Result<u64, String> = stage.reply(stage.callee, "prepare", (show,)).unwrap();
    hold.unwrap()
}

fn commit(stage: &mut Stage, show: u64, hold: u64) -> Commit {
    stage.reply(stage.callee, "commit", (show, hold)).unwrap()
}

/// Money, tickets, whether something is pending.
fn buyer(stage: &mut Stage, buyer: u64) -> (u64, u64, bool) {
    let found: Option<Buyer> = stage.query(stage.caller, "buyer", (buyer,)).unwrap();
    let found = found.unwrap();
    (found.money, found.tickets, found.pending.is_some())
}

/// Sold, held, free.
fn seats(stage: &mut Stage, show: u64) -> (u64, u64, u64) {
    let seats: Seats = stage.query(stage.callee, "seats", (show,)).unwrap();
    (seats.sold, seats.held, seats.free)
}

fn call(stage: &mut Stage, method: &str, buyer: u64) -> Got {
    Got::read(&stage.call(stage.caller, method, (buyer,)).unwrap())
}

#[test]
fn every_question_has_the_right_answer_among_its_choices() {
    assert_questions_can_be_answered(&LESSON);
}

#[test]
fn one_step_fails_and_two_steps_survive_the_same() {
    let output = observe(&["reservation"]);
    let printed = text(&output.stdout);
    assert_eq!(output.status.code(), Some(0), "{printed}");
    assert_eq!(printed.matches("The mistake: ").count(), 2);
    assert_eq!(printed.matches("The right way: ").count(), 4);
    assert!(printed.ends_with("\n6 of 6 as predicted.\n"), "{printed}");
}

#[test]
fn a_commit_sells_once_however_often_it_is_repeated() {
    let mut stage = stage(&LESSON);
    let show = open_show(&mut stage, 2);
    let hold = prepare(&mut stage, show);
    for _ in 0..3 {
        assert_eq!(commit(&mut stage, show, hold), Commit::Sold);
    }
    assert_eq!(seats(&mut stage, show), (1, 0, 1));
    stage.advance_time(2 * MINUTE).unwrap();
    assert_eq!(commit(&mut stage, show, hold), Commit::Sold);
}

#[test]
fn a_commit_after_its_time_is_refused_even_if_the_seat_is_still_free() {
    let mut stage = stage(&LESSON);
    let show = open_show(&mut stage, 1);
    let hold = prepare(&mut stage, show);
    assert_eq!(seats(&mut stage, show), (0, 1, 0));
    stage.advance_time(MINUTE).unwrap();
    assert_eq!(seats(&mut stage, show), (0, 0, 1));
    assert_eq!(commit(&mut stage, show, hold), Commit::Expired);
    assert_eq!(seats(&mut stage, show), (0, 0, 1));
}

#[test]
fn nobody_commits_what_somebody_else_has_prepared() {
    let mut stage = stage(&LESSON);
    let show = open_show(&mut stage, 1);
    let hold = prepare(&mut stage, show);
    stage.become_user(1).unwrap();
    assert_eq!(commit(&mut stage, show, hold), Commit::Expired);
    assert_eq!(seats(&mut stage, show), (0, 1, 0));
    stage.become_user(0).unwrap();
    assert_eq!(commit(&mut stage, show, hold), Commit::Sold);
}

#[test]
fn nobody_spends_the_money_of_somebody_else() {
    let mut stage = stage(&LESSON);
    let show = open_show(&mut stage, 1);
    let mine = open_buyer(&mut stage, show, 10);
    stage.become_user(1).unwrap();
    for method in [
        "take_then_pay",
        "pay_then_take",
        "buy_in_two_steps",
        "finish",
    ] {
        let refused = Got::ReplyErr(format!("you have no account {mine}"));
        assert_eq!(call(&mut stage, method, mine), refused, "{method}");
    }
    assert_eq!(buyer(&mut stage, mine), (10, 0, false));
    assert_eq!(seats(&mut stage, show), (0, 0, 1));
}

#[test]
fn two_purchases_at_the_same_time_with_money_for_one_give_one_ticket() {
    let mut stage = stage(&LESSON);
    let show = open_show(&mut stage, 2);
    let one = open_buyer(&mut stage, show, 10);
    stage.hold().unwrap();
    let method = "buy_in_two_steps";
    let calls = [(), ()].map(|()| stage.send(stage.caller, method, (one,)).unwrap());
    for step in [method, "prepare"] {
        stage.deliver_call(step).unwrap();
        stage.deliver_call(step).unwrap();
    }
    // Both have checked the money, and both have a hold.
    assert_eq!(seats(&mut stage, show), (0, 2, 0));
    stage.release().unwrap();
    let told = calls.map(|sent| Got::read(&stage.answer(&sent).unwrap()));
    assert_eq!(told[0], Got::ReplyOk);
    let refused = "a purchase has to be finished first".to_owned();
    assert_eq!(told[1], Got::ReplyErr(refused));
    assert_eq!(buyer(&mut stage, one), (0, 1, false));
    stage.advance_time(MINUTE).unwrap();
    assert_eq!(seats(&mut stage, show), (1, 0, 1));
}

/// A buyer who has paid for a seat, and of whose commit the caller knows nothing; the show.
fn with_pending_purchase(stage: &mut Stage) -> (u64, u64) {
    let show = open_show(stage, 2);
    let one = open_buyer(stage, show, 20);
    stage.hold().unwrap();
    stage
        .send(stage.caller, "buy_in_two_steps", (one,))
        .unwrap();
    stage.deliver_call("buy_in_two_steps").unwrap();
    stage.deliver_call("prepare").unwrap();
    stage.deliver_response("prepare").unwrap();
    let is_commit = |kind| kind == Kind::Request;
    stage
        .deliver(|message| is_commit(message.kind), Delivery::Reject)
        .unwrap();
    stage.release().unwrap();
    assert_eq!(buyer(stage, one), (10, 0, true));
    (show, one)
}

#[test]
fn two_messages_that_finish_the_same_purchase_give_one_ticket() {
    let mut stage = stage(&LESSON);
    let (show, one) = with_pending_purchase(&mut stage);
    stage.hold().unwrap();
    let method = "finish";
    let calls = [(), ()].map(|()| stage.send(stage.caller, method, (one,)).unwrap());
    for step in [method, "commit"] {
        stage.deliver_call(step).unwrap();
        stage.deliver_call(step).unwrap();
    }
    stage.release().unwrap();
    for sent in calls {
        assert_eq!(Got::read(&stage.answer(&sent).unwrap()), Got::ReplyOk);
    }
    assert_eq!(buyer(&mut stage, one), (10, 1, false));
    assert_eq!(seats(&mut stage, show), (1, 0, 1));
}

#[test]
fn two_messages_that_finish_an_expired_purchase_give_the_money_back_once() {
    let mut stage = stage(&LESSON);
    let (show, one) = with_pending_purchase(&mut stage);
    stage.advance_time(MINUTE).unwrap();
    stage.hold().unwrap();
    let method = "finish";
    for _ in 0..2 {
        stage.send(stage.caller, method, (one,)).unwrap();
    }
    for step in [method, "commit"] {
        stage.deliver_call(step).unwrap();
        stage.deliver_call(step).unwrap();
    }
    stage.release().unwrap();
    assert_eq!(buyer(&mut stage, one), (20, 0, false));
    assert_eq!(seats(&mut stage, show), (0, 0, 2));
}

#[test]
fn what_is_held_and_what_is_pending_survive_upgrades() {
    let mut stage = stage(&LESSON);
    let (show, one) = with_pending_purchase(&mut stage);
    for canister in [stage.caller, stage.callee] {
        stage.upgrade(canister).unwrap().unwrap();
    }
    assert_eq!(seats(&mut stage, show), (0, 1, 1));
    assert_eq!(call(&mut stage, "finish", one), Got::ReplyOk);
    assert_eq!(buyer(&mut stage, one), (10, 1, false));
    assert_eq!(seats(&mut stage, show), (1, 0, 1));
}

#[test]
fn what_cannot_be_is_said_and_changes_nothing() {
    let mut stage = stage(&LESSON);
    let opened: Result<u64, String> = stage.reply(stage.callee, "open_show", (101u64,)).unwrap();
    assert_eq!(opened.unwrap_err(), "a show has at most 100 seats, not 101");

    let arguments = (7u64, 1u64);
    let answer = stage.call(stage.callee, "commit", arguments);
    let message = answer.unwrap().unwrap_err().message;
    assert!(message.contains("there is no show 7"), "{message}");

    let show = open_show(&mut stage, 1);
    let poor = open_buyer(&mut stage, show, 9);
    let refused = Got::ReplyErr("a ticket costs 10, and there is only 9".to_owned());
    for method in ["take_then_pay", "buy_in_two_steps"] {
        assert_eq!(call(&mut stage, method, poor), refused);
    }
    assert_eq!(seats(&mut stage, show), (0, 0, 1));
}
