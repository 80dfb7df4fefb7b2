//! The lesson `compensation`: its experiment, and what the table does not show.

use std::time::Duration;

use crate::support::{observe, silence, stage, text};
use candid::{CandidType, Principal, decode_one};
use observe::lessons::compensation::LESSON;
use observe::network::{Delivery, WaitingMessage};
use observe::stage::Stage;
use serde::Deserialize;

#[derive(CandidType, Clone, Copy, Debug, Deserialize, PartialEq)]
enum Progress {
    Booking,
    Compensating,
    Compensated,
    Done,
    Unknown,
}

#[derive(CandidType, Clone, Copy, Debug, Deserialize)]
struct Trip {
    number: u64,
    progress: Progress,
}

/// `TripId` in the callee's interface.
#[derive(CandidType, Clone, Copy)]
struct TripId {
    user: Principal,
    number: u64,
}

#[test]
fn the_lesson_is_as_predicted_and_the_exit_status_is_0() {
    let output = observe(&["compensation"]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stdout));
    assert!(text(&output.stdout).ends_with("\n3 of 3 as predicted.\n"));
}

// ---- What the table does not show --------------------------------------------------------------

fn offer(stage: &mut Stage, places: u64) -> u64 {
    let (caller, callee) = (stage.caller, stage.callee);
    let offered: Result<u64, String> = stage.reply(callee, "offer", (places, caller)).unwrap();
    offered.expect("there is room")
}

fn free(stage: &mut Stage, offer: u64) -> u64 {
    let free: Option<u64> = stage.query(stage.callee, "get_free", (offer,)).unwrap();
    free.unwrap()
}

fn book_trip(stage: &mut Stage, number: u64, room: u64, bike: u64) -> Result<Trip, String> {
    let arguments = (number, room, bike);
    let method = "book_trip";
    stage.reply(stage.caller, method, arguments).unwrap()
}

/// How far the user's last trip has come.
fn progress(stage: &mut Stage) -> Option<Progress> {
    let trip: Option<Trip> = stage.query(stage.caller, "get_trip", ()).unwrap();
    trip.map(|trip| trip.progress)
}

fn command(stage: &mut Stage, canister: Principal, method: &str) {
    stage.command(canister, method).unwrap().unwrap();
}

#[test]
fn a_trip_that_can_be_booked_is_done() {
    let mut stage = stage(&LESSON);
    let (room, bike) = (offer(&mut stage, 1), offer(&mut stage, 1));
    let trip = book_trip(&mut stage, 1, room, bike).unwrap();
    assert_eq!(trip.progress, Progress::Done);
    assert_eq!((free(&mut stage, room), free(&mut stage, bike)), (0, 0));
}

#[test]
fn an_upgrade_keeps_the_trip_and_sets_the_timer_again() {
    let mut stage = stage(&LESSON);
    let (caller, callee) = (stage.caller, stage.callee);
    let (room, bike) = (offer(&mut stage, 1), offer(&mut stage, 1));
    stage.hold().unwrap();
    let method = "book_trip";
    stage.send(caller, method, (1u64, room, bike)).unwrap();
    stage.deliver_call(method).unwrap();
    stage.deliver_call("book").unwrap();
    command(&mut stage, callee, "stop_canister");
    stage.release().unwrap();
    for canister in [caller, callee] {
        stage.upgrade(canister).unwrap().unwrap();
    }
    command(&mut stage, callee, "start_canister");
    assert_eq!(free(&mut stage, room), 0);
    stage.hold().unwrap();
    stage.advance_time(Duration::from_secs(60)).unwrap();
    stage.deliver_all().unwrap();
    assert_eq!(free(&mut stage, room), 1);
}

#[test]
fn to_ask_again_with_the_same_number_books_once() {
    let mut stage = stage(&LESSON);
    let (room, bike) = (offer(&mut stage, 2), offer(&mut stage, 2));
    for _ in 0..2 {
        let trip = book_trip(&mut stage, 1, room, bike).unwrap();
        assert_eq!((trip.number, trip.progress), (1, Progress::Done));
    }
    assert_eq!((free(&mut stage, room), free(&mut stage, bike)), (1, 1));
    let refused = book_trip(&mut stage, 1, bike, room).unwrap_err();
    assert_eq!(refused, "another trip has this number");
    for number in [0, 3, u64::MAX] {
        let refused = book_trip(&mut stage, number, room, bike).unwrap_err();
        assert_eq!(refused, "the next trip has the number 2");
    }
    book_trip(&mut stage, 2, room, bike).unwrap();
    assert_eq!((free(&mut stage, room), free(&mut stage, bike)), (0, 0));
}

#[test]
fn a_user_who_got_no_answer_can_see_the_trip_and_nobody_elses() {
    let mut stage = stage(&LESSON);
    let (room, bike) = (offer(&mut stage, 1), offer(&mut stage, 1));
    stage.hold().unwrap();
    let arguments = (1u64, room, bike);
    let sent = stage.send(stage.caller, "book_trip", arguments).unwrap();
    stage.deliver_call("book_trip").unwrap();
    stage.deliver_call("book").unwrap();
    stage
        .deliver(|one| one.method == "book", Delivery::Trap)
        .unwrap();
    stage.release().unwrap();
    stage.answer(&sent).unwrap().expect_err("it trapped");
    assert_eq!(progress(&mut stage), Some(Progress::Booking));
    stage.become_user(1).unwrap();
    assert_eq!(progress(&mut stage), None);
    stage.become_user(0).unwrap();
    let trip = book_trip(&mut stage, 1, room, bike).unwrap();
    assert_eq!(trip.progress, Progress::Done);
    assert_eq!((free(&mut stage, room), free(&mut stage, bike)), (0, 0));
}

#[test]
fn a_stranger_books_and_cancels_nothing_in_the_callee() {
    let mut stage = stage(&LESSON);
    let room = offer(&mut stage, 1);
    let trip = TripId {
        user: stage.user(),
        number: 1,
    };
    for method in ["book", "cancel"] {
        let answer = stage.call(stage.callee, method, (trip, room));
        let refused = answer.unwrap().unwrap_err().message;
        assert!(refused.contains("only a canister may call"), "{refused}");
    }
    assert_eq!(free(&mut stage, room), 1);
}

#[test]
fn a_thousand_strangers_take_neither_a_trip_nor_the_next_one_of_its_user() {
    let mut stage = stage(&LESSON);
    let (room, bike) = (offer(&mut stage, 2), offer(&mut stage, 2));
    let trip = book_trip(&mut stage, 1, room, bike).unwrap();
    assert_eq!(trip.progress, Progress::Done);
    for stranger in 1..=1000 {
        stage.become_user(stranger).unwrap();
        let _refused = book_trip(&mut stage, 1, room, NO_OFFER);
        let _refused = book_trip(&mut stage, u64::MAX, room, bike);
        let (caller, callee) = (stage.caller, stage.callee);
        let _refused = stage.call(callee, "offer", (1u64, caller)).unwrap();
        let user = stage.user();
        let cancel = (TripId { user, number: 1 }, room);
        let _refused = stage.call(callee, "cancel", cancel).unwrap();
    }
    stage.become_user(0).unwrap();
    assert_eq!(progress(&mut stage), Some(Progress::Done));
    assert_eq!((free(&mut stage, room), free(&mut stage, bike)), (1, 1));
    let trip = book_trip(&mut stage, 2, room, bike).unwrap();
    assert_eq!(trip.progress, Progress::Done);
    assert_eq!((free(&mut stage, room), free(&mut stage, bike)), (0, 0));
}

#[test]
fn a_thousand_trips_of_one_user_close_no_offer() {
    let mut stage = stage(&LESSON);
    let (room, bike) = (offer(&mut stage, 1), offer(&mut stage, 1));
    stage.become_user(1).unwrap();
    for number in 1..=1000 {
        let trip = book_trip(&mut stage, number, room, NO_OFFER).unwrap();
        assert_eq!(trip.progress, Progress::Compensated);
    }
    stage.become_user(0).unwrap();
    let trip = book_trip(&mut stage, 1, room, bike).unwrap();
    assert_eq!(trip.progress, Progress::Done);
}

#[test]
fn whoever_is_a_user_of_the_caller_finds_room_in_the_callee() {
    let mut stage = stage(&LESSON);
    let (room, bike) = (offer(&mut stage, 1), offer(&mut stage, 1));
    leave_open(&mut stage, 1); // The callee has not heard of this user yet.
    for stranger in 1..=1000 {
        stage.become_user(stranger).unwrap();
        let (method, places) = ("book_and_cancel_once", (bike, NO_OFFER));
        let _refused = stage.call(stage.caller, method, places).unwrap();
    }
    stage.become_user(0).unwrap();
    let trip = book_trip(&mut stage, 1, NO_OFFER, NO_OFFER - 1).unwrap();
    assert_eq!(trip.progress, Progress::Compensated);
    let trip = book_trip(&mut stage, 2, room, bike).unwrap();
    assert_eq!(trip.progress, Progress::Done);
}

#[test]
fn one_user_makes_at_most_100_offers() {
    let mut stage = stage(&LESSON);
    for _ in 0..100 {
        offer(&mut stage, 1);
    }
    let (caller, callee) = (stage.caller, stage.callee);
    let refused: Result<u64, String> = stage.reply(callee, "offer", (1u64, caller)).unwrap();
    let expected = "you have 100 offers, and can't have more".to_owned();
    assert_eq!(refused, Err(expected));
    stage.become_user(1).unwrap();
    offer(&mut stage, 1);
}

/// An offer that the callee does not have.
const NO_OFFER: u64 = u64::MAX;

#[test]
fn an_offer_that_does_not_exist_is_compensated_like_one_that_is_booked_up() {
    let mut stage = stage(&LESSON);
    let room = offer(&mut stage, 1);
    let trip = book_trip(&mut stage, 1, room, NO_OFFER).unwrap();
    assert_eq!(trip.progress, Progress::Compensated);
    assert_eq!(free(&mut stage, room), 1);
}

#[test]
fn one_offer_is_not_a_room_and_a_bike() {
    let mut stage = stage(&LESSON);
    let (room, bike) = (offer(&mut stage, 2), offer(&mut stage, 2));
    let refused = book_trip(&mut stage, 1, room, room).unwrap_err();
    assert_eq!(refused, "room and bike have to be two offers");
    assert_eq!(free(&mut stage, room), 2);
    let trip = book_trip(&mut stage, 1, room, bike).unwrap();
    assert_eq!(trip.progress, Progress::Done);
}

#[test]
fn no_mistake_takes_the_room_of_a_trip_that_is_done() {
    let mut stage = stage(&LESSON);
    let (room, bike) = (offer(&mut stage, 2), offer(&mut stage, 2));
    let caller = stage.caller;
    stage.hold().unwrap();
    let (method, places) = ("book_and_cancel_once", (room, NO_OFFER));
    stage.send(caller, method, places).unwrap();
    stage.deliver_call(method).unwrap();
    stage.deliver_call("book").unwrap();
    stage.deliver_response("book").unwrap();
    // Between its two bookings, the same user books a trip.
    let mut numbers = vec![];
    for number in [1u64, 2] {
        let sent = stage.send(caller, "book_trip", (number, room, bike));
        stage.deliver_call("book_trip").unwrap();
        numbers.push(sent.unwrap());
    }
    stage.release().unwrap();
    let trips = numbers.iter().map(|sent| stage.answer(sent).unwrap());
    let done = trips.filter(|answer| {
        let trip: Result<Trip, String> = decode_one(answer.as_ref().unwrap()).unwrap();
        trip.is_ok_and(|trip| trip.progress == Progress::Done)
    });
    assert_eq!(done.count(), 1);
    assert_eq!(progress(&mut stage), Some(Progress::Done));
    // One place for the trip, and one that the mistake has left booked.
    assert_eq!((free(&mut stage, room), free(&mut stage, bike)), (0, 1));
}

#[test]
fn the_next_trip_begins_when_the_last_has_ended() {
    let mut stage = stage(&LESSON);
    let callee = stage.callee;
    command(&mut stage, callee, "stop_canister");
    let trip = book_trip(&mut stage, 1, 0, 1).unwrap();
    assert_eq!(trip.progress, Progress::Compensating);
    let refused = book_trip(&mut stage, 2, 0, 1).unwrap_err();
    assert_eq!(refused, "trip 1 has not ended; ask for it again");
    command(&mut stage, callee, "start_canister");
    let trip = book_trip(&mut stage, 1, 0, 1).unwrap();
    assert_eq!(trip.progress, Progress::Compensated);
    let (room, bike) = (offer(&mut stage, 1), offer(&mut stage, 1));
    let trip = book_trip(&mut stage, 2, room, bike).unwrap();
    assert_eq!(trip.progress, Progress::Done);
}

/// Begins a trip of each of so many users, and leaves it open.
fn leave_open(stage: &mut Stage, users: usize) {
    let callee = stage.callee;
    command(stage, callee, "stop_canister");
    for user in 0..users {
        stage.become_user(user).unwrap();
        book_trip(stage, 1, NO_OFFER, NO_OFFER - 1).unwrap();
    }
    stage.become_user(0).unwrap();
    command(stage, callee, "start_canister");
}

#[test]
fn resume_does_nothing_while_it_is_under_way() {
    let mut stage = stage(&LESSON);
    leave_open(&mut stage, 1);
    stage.hold().unwrap();
    for _ in 0..2 {
        stage.send(stage.caller, "resume", ()).unwrap();
        stage.deliver_call("resume").unwrap();
    }
    let is_cancel = |one: &WaitingMessage| one.method == "cancel";
    let waiting = stage.waiting().unwrap();
    assert_eq!(waiting.iter().filter(|one| is_cancel(one)).count(), 1);
    stage.deliver(is_cancel, Delivery::Normally).unwrap();
    // A trap ends it, and it can begin again.
    stage.deliver(is_cancel, Delivery::Trap).unwrap();
    stage.release().unwrap();
    stage.call(stage.caller, "resume", ()).unwrap().unwrap();
    assert_eq!(progress(&mut stage), Some(Progress::Compensated));
}

#[test]
fn resume_carries_on_10_trips_and_then_the_next_10() {
    let mut stage = stage(&LESSON);
    leave_open(&mut stage, 20);
    for ended in [10, 20] {
        stage.call(stage.caller, "resume", ()).unwrap().unwrap();
        let ends = (0..20).filter(|user| {
            stage.become_user(*user).unwrap();
            progress(&mut stage) == Some(Progress::Compensated)
        });
        assert_eq!(ends.count(), ended);
    }
}

#[test]
fn a_run_of_resume_ends_before_the_system_gives_its_timer_up() {
    let mut stage = stage(&LESSON);
    leave_open(&mut stage, 10);
    stage.hold().unwrap();
    let run = stage.send(stage.caller, "resume", ()).unwrap();
    stage.deliver_call("resume").unwrap();
    let seconds = silence(&mut stage);
    assert!((150..300).contains(&seconds), "{seconds} seconds");
    stage.answer(&run).unwrap().unwrap();
}
