//! The lesson `compensation`: its experiment, every fault at every message, and what the table does
//! not show.

use std::time::Duration;

use crate::support::faults::{FAULTS, Fault, Scenario, World, try_all};
use crate::support::{observe, stage, text};
use candid::{CandidType, Principal};
use observe::lessons::compensation::LESSON;
use observe::stage::Stage;
use serde::Deserialize;

#[derive(CandidType, Clone, Copy, Debug, Deserialize, PartialEq)]
enum Progress {
    Booking,
    Compensating,
    Compensated,
    Done,
}

#[derive(CandidType, Clone, Copy, Debug, Deserialize)]
struct Trip {
    number: u64,
    progress: Progress,
}

/// One room, and perhaps one bike.
struct Offers {
    room: u64,
    bike: u64,
}

#[test]
fn the_lesson_is_as_predicted_and_the_exit_status_is_0() {
    let output = observe(&["compensation"]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stdout));
    assert!(text(&output.stdout).ends_with("\n3 of 3 as predicted.\n"));
}

// ---- Every fault at every message --------------------------------------------------------------

/// A user who books a trip, once; there are so many bikes.
fn scenario<const BIKES: u64>(recover: fn(&mut World, &Offers)) -> Scenario<Offers> {
    Scenario {
        lesson: &LESSON,
        prepare: |world| Offers {
            room: world.call(world.callee, "offer", (1u64,)),
            bike: world.call(world.callee, "offer", (BIKES,)),
        },
        act: |world, offers| {
            let arguments = (offers.room, offers.bike);
            world.send(world.caller, "book_trip", arguments);
        },
        recover,
        check: |world, offers| {
            let trip: Option<Trip> = world.query(world.caller, "get_trip", (1u64,));
            let progress = trip.map(|trip| trip.progress);
            let mut free = |offer: u64| {
                let free: Option<u64> = world.query(world.callee, "get_free", (offer,));
                free.unwrap_or(u64::MAX)
            };
            match (progress, free(offers.room), free(offers.bike)) {
                // A call that never arrived leaves no trip.
                (None | Some(Progress::Compensated), 1, bikes) if bikes == BIKES => Ok(()),
                (Some(Progress::Done), 0, bikes) if bikes + 1 == BIKES => Ok(()),
                other => Err(format!("{other:?}")),
            }
        },
    }
}

/// Somebody has all trips carried on that have not ended.
fn resume(world: &mut World, _: &Offers) {
    world.send(world.caller, "resume", ());
}

#[test]
fn any_two_faults_leave_room_and_bike_booked_or_neither() {
    let runs = try_all(&scenario::<0>(resume), FAULTS, 2);
    println!("{runs} runs");
    assert!(runs > 1000, "only {runs} runs");
}

#[test]
fn any_fault_leaves_a_trip_that_could_be_booked_all_booked_or_not_at_all() {
    let runs = try_all(&scenario::<1>(resume), FAULTS, 1);
    println!("{runs} runs");
    assert!(runs > 20, "only {runs} runs");
}

#[test]
fn after_any_fault_but_a_trap_the_timer_alone_is_enough() {
    let faults = [Fault::Reject, Fault::Lose, Fault::Stop, Fault::Upgrade];
    let runs = try_all(&scenario::<0>(|_, _| ()), &faults, 1);
    println!("{runs} runs");
    assert!(runs > 20, "only {runs} runs");
}

#[test]
#[should_panic(expected = "with [(5, Reject)]: (None, 0, 0)")]
fn a_compensation_that_is_tried_once_leaves_the_room_booked() {
    let scenario = Scenario {
        act: |world, offers: &Offers| {
            let arguments = (offers.room, offers.bike);
            let method = "book_and_cancel_once";
            world.send(world.caller, method, arguments);
        },
        ..scenario::<0>(resume)
    };
    try_all(&scenario, &[Fault::Reject], 1);
}

// ---- What the table does not show --------------------------------------------------------------

fn offer(stage: &mut Stage, places: u64) -> u64 {
    stage.reply(stage.callee, "offer", (places,)).unwrap()
}

fn free(stage: &mut Stage, offer: u64) -> u64 {
    let free: Option<u64> = stage.query(stage.callee, "get_free", (offer,)).unwrap();
    free.unwrap()
}

fn book_trip(stage: &mut Stage, room: u64, bike: u64) -> Result<Trip, String> {
    let method = "book_trip";
    stage.reply(stage.caller, method, (room, bike)).unwrap()
}

fn command(stage: &mut Stage, canister: Principal, method: &str) {
    stage.command(canister, method).unwrap().unwrap();
}

#[test]
fn a_trip_that_can_be_booked_is_done() {
    let mut stage = stage(&LESSON);
    let (room, bike) = (offer(&mut stage, 1), offer(&mut stage, 1));
    let trip = book_trip(&mut stage, room, bike).unwrap();
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
    stage.send(caller, method, (room, bike)).unwrap();
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
fn to_ask_twice_books_once_and_gives_back_once() {
    let mut stage = stage(&LESSON);
    let room = offer(&mut stage, 2);
    for (method, left) in [("book", 1), ("book", 1), ("cancel", 2), ("cancel", 2)] {
        let answer = stage.call(stage.callee, method, (7u64, room));
        answer.unwrap().unwrap();
        assert_eq!(free(&mut stage, room), left, "{method}");
    }
}

#[test]
fn a_booking_that_comes_after_its_cancellation_is_refused() {
    let mut stage = stage(&LESSON);
    let room = offer(&mut stage, 1);
    let (callee, place) = (stage.callee, (7u64, room));
    stage.call(callee, "cancel", place).unwrap().unwrap();
    let booked: Result<(), String> = stage.reply(callee, "book", place).unwrap();
    assert_eq!(booked, Err("it was cancelled".to_owned()));
    assert_eq!(free(&mut stage, room), 1);
}

#[test]
fn nobody_can_cancel_what_another_has_booked() {
    let mut stage = stage(&LESSON);
    let room = offer(&mut stage, 1);
    let (callee, place) = (stage.callee, (7u64, room));
    let booked: Result<(), String> = stage.reply(callee, "book", place).unwrap();
    assert_eq!(booked, Ok(()));
    stage.become_user(1).unwrap();
    stage.call(callee, "cancel", place).unwrap().unwrap();
    assert_eq!(free(&mut stage, room), 0);
}

#[test]
fn strangers_can_close_an_offer_and_have_no_booking_forgotten() {
    let mut stage = stage(&LESSON);
    let room = offer(&mut stage, 2);
    let (callee, place) = (stage.callee, (7u64, room));
    let booked: Result<(), String> = stage.reply(callee, "book", place).unwrap();
    assert_eq!(booked, Ok(()));
    stage.become_user(1).unwrap();
    for trip in 0..60u64 {
        let cancelled = stage.call(callee, "cancel", (trip, room));
        cancelled.unwrap().unwrap();
    }
    let late: Result<(), String> = stage.reply(callee, "book", (60u64, room)).unwrap();
    assert_eq!(late, Err(format!("offer {room} is closed")));
    stage.become_user(0).unwrap();
    let cancelled = stage.call(callee, "cancel", place);
    cancelled.unwrap().unwrap();
    assert_eq!(free(&mut stage, room), 2);
}

#[test]
fn an_offer_that_does_not_exist_is_compensated_like_one_that_is_booked_up() {
    const NO_OFFER: u64 = 999;
    let mut stage = stage(&LESSON);
    let room = offer(&mut stage, 1);
    let trip = book_trip(&mut stage, room, NO_OFFER).unwrap();
    assert_eq!(trip.progress, Progress::Compensated);
    assert_eq!(free(&mut stage, room), 1);
}

#[test]
fn no_open_trip_is_dropped_for_a_new_one() {
    const MAX_OPEN: u64 = 100;
    let mut stage = stage(&LESSON);
    let callee = stage.callee;
    command(&mut stage, callee, "stop_canister");
    for _ in 0..MAX_OPEN {
        let trip = book_trip(&mut stage, 0, 0).unwrap();
        assert_eq!(trip.progress, Progress::Compensating);
    }
    let refused = book_trip(&mut stage, 0, 0).unwrap_err();
    assert!(refused.contains("`resume` carries them on"), "{refused}");
    command(&mut stage, callee, "start_canister");
    stage.call(stage.caller, "resume", ()).unwrap().unwrap();
    let (room, bike) = (offer(&mut stage, 1), offer(&mut stage, 1));
    let trip = book_trip(&mut stage, room, bike).unwrap();
    assert_eq!(trip.progress, Progress::Done);
}
