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

/// A show that the caller sells, and the user, and user 1.
fn open_show(stage: &mut Stage, seats: u64) -> u64 {
    stage.become_user(1).unwrap();
    let other = stage.user();
    stage.become_user(0).unwrap();
    let sellers = vec![stage.caller, stage.user(), other];
    let opened: Result<u64, String> = stage
        .reply(stage.callee, "open_show", (seats, sellers))
        .unwrap();
    opened.unwrap()
}

fn open_buyer(stage: &mut Stage, show: u64, money: u64) -> u64 {
    let opened: Result<u64, String> = stage
        .reply(stage.caller, "open_buyer", (show, money))
        .unwrap();
    opened.unwrap()
}

fn try_to_prepare(stage: &mut Stage, show: u64) -> Result<u64, String> {
    stage.reply(stage.callee, "prepare", (show,)).unwrap()
}

fn prepare(stage: &mut Stage, show: u64) -> u64 {
    try_to_prepare(stage, show).unwrap()
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
fn only_sellers_hold_and_take_seats() {
    let mut stage = stage(&LESSON);
    let show = open_show(&mut stage, 1);
    stage.become_user(2).unwrap();
    let refused = "you don't sell this show".to_owned();
    assert_eq!(try_to_prepare(&mut stage, show), Err(refused.clone()));
    let taken: Result<(), String> = stage.reply(stage.callee, "take", (show,)).unwrap();
    assert_eq!(taken, Err(refused));
    assert_eq!(seats(&mut stage, show), (0, 0, 1));
}

#[test]
fn a_seller_holds_at_most_10_seats_at_a_time_however_often_it_prepares() {
    let mut stage = stage(&LESSON);
    let show = open_show(&mut stage, 12);
    let holds: Vec<u64> = (0..10).map(|_| prepare(&mut stage, show)).collect();
    let refused = "you hold 10 seats; buy or wait".to_owned();
    assert_eq!(try_to_prepare(&mut stage, show), Err(refused));
    // Other sellers can go on, and this one as soon as it has sold a seat or a hold is over.
    stage.become_user(1).unwrap();
    prepare(&mut stage, show);
    stage.become_user(0).unwrap();
    assert_eq!(commit(&mut stage, show, holds[0]), Commit::Sold);
    prepare(&mut stage, show);
    assert_eq!(seats(&mut stage, show), (1, 11, 0));
    stage.advance_time(MINUTE).unwrap();
    prepare(&mut stage, show);
    assert_eq!(seats(&mut stage, show), (1, 1, 10));
}

#[test]
fn a_buyer_holds_one_seat_at_a_time() {
    let mut stage = stage(&LESSON);
    let show = open_show(&mut stage, 3);
    let one = open_buyer(&mut stage, show, 30);
    stage.hold().unwrap();
    let method = "buy_in_two_steps";
    let calls = [(); 3].map(|()| stage.send(stage.caller, method, (one,)).unwrap());
    for _ in &calls {
        stage.deliver_call(method).unwrap();
    }
    stage.deliver_call("prepare").unwrap();
    assert_eq!(seats(&mut stage, show), (0, 1, 2));
    stage.release().unwrap();
    let told = calls.map(|sent| Got::read(&stage.answer(&sent).unwrap()));
    let refused = || Got::ReplyErr("a purchase is under way".to_owned());
    assert_eq!(told, [Got::ReplyOk, refused(), refused()]);
    assert_eq!(buyer(&mut stage, one), (20, 1, false));
    assert_eq!(seats(&mut stage, show), (1, 0, 2));
}

#[test]
fn a_purchase_that_traps_is_not_under_way_any_more() {
    let mut stage = stage(&LESSON);
    let show = open_show(&mut stage, 2);
    let one = open_buyer(&mut stage, show, 10);
    stage.hold().unwrap();
    let method = "buy_in_two_steps";
    stage.send(stage.caller, method, (one,)).unwrap();
    stage.deliver_call(method).unwrap();
    stage.deliver_call("prepare").unwrap();
    let is_answer = |kind| kind == Kind::Response;
    stage
        .deliver(|message| is_answer(message.kind), Delivery::Trap)
        .unwrap();
    stage.release().unwrap();
    assert_eq!(call(&mut stage, method, one), Got::ReplyOk);
    assert_eq!(seats(&mut stage, show), (1, 1, 0));
}

#[test]
fn a_thousand_strangers_take_no_seat_and_hold_up_no_purchase() {
    let mut stage = stage(&LESSON);
    let (show, one) = with_pending_purchase(&mut stage);
    for stranger in 2..=1001 {
        stage.become_user(stranger).unwrap();
        let (caller, callee) = (stage.caller, stage.callee);
        for method in ["take", "prepare"] {
            let _refused = stage.call(callee, method, (show,)).unwrap();
        }
        let _expired = stage.call(callee, "commit", (show, 1u64)).unwrap();
        let sellers = vec![caller];
        let _refused = stage.call(callee, "open_show", (1u64, sellers)).unwrap();
        let _refused = stage.call(caller, "open_buyer", (show, 9u64)).unwrap();
        for number in [one, one + 1] {
            for method in ["take_then_pay", "buy_in_two_steps", "finish"] {
                let _refused = stage.call(caller, method, (number,)).unwrap();
            }
        }
    }
    stage.become_user(0).unwrap();
    assert_eq!(buyer(&mut stage, one), (10, 0, true));
    assert_eq!(seats(&mut stage, show), (0, 1, 1));
    assert_eq!(call(&mut stage, "finish", one), Got::ReplyOk);
    assert_eq!(call(&mut stage, "buy_in_two_steps", one), Got::ReplyOk);
    assert_eq!(buyer(&mut stage, one), (0, 2, false));
}

#[test]
fn one_user_has_at_most_100_shows_and_100_buyers() {
    let mut stage = stage(&LESSON);
    for _ in 0..100 {
        let show = open_show(&mut stage, 1);
        open_buyer(&mut stage, show, 10);
    }
    let (caller, callee) = (stage.caller, stage.callee);
    let arguments = (1u64, vec![caller]);
    let opened: Result<u64, String> = stage.reply(callee, "open_show", arguments).unwrap();
    assert_eq!(
        opened,
        Err("you have 100 shows, and can't have more".to_owned())
    );
    let arguments = (0u64, 1u64);
    let opened: Result<u64, String> = stage.reply(caller, "open_buyer", arguments).unwrap();
    let refused = "you have 100 accounts, and can't have more".to_owned();
    assert_eq!(opened, Err(refused));
    stage.become_user(1).unwrap();
    open_buyer(&mut stage, 0, 10);
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
    let callee = stage.callee;
    let mut refused = |seats: u64, sellers: usize| {
        let arguments = (seats, vec![callee; sellers]);
        let opened: Result<u64, String> = stage.reply(callee, "open_show", arguments).unwrap();
        opened.unwrap_err()
    };
    assert_eq!(refused(101, 1), "a show has at most 100 seats, not 101");
    assert_eq!(refused(1, 11), "a show has at most 10 sellers, not 11");

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
