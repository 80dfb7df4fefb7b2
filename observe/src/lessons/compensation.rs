//! A trip that can't be booked, and a callee that is stopped just when the room is to be given back.
//!
//! The code that is observed: `lessons/05-compensation`.

mod explorations;

use std::time::Duration;

use anyhow::{Context, Error, Result};
use candid::CandidType;
use candid::utils::ArgumentEncoder;
use serde::Deserialize;

use crate::answer::Got;
use crate::lesson::{
    Canisters, Experiment, Fact, Layout, Lesson, Question, fact, mistake, right_way,
};
use crate::network::Answer;
use crate::stage::{Stage, accepted, decode};

pub const LESSON: Lesson = Lesson {
    name: "compensation",
    about: "To undo what another canister did, call it again, until that succeeds.",
    canisters: Canisters::Room,
    introduction: None,
    experiments,
    explorations: explorations::all,
    layout: Layout::List,
};

/// `Trip` in the caller's interface.
#[derive(CandidType, Deserialize)]
struct Trip {
    number: u64,
    progress: Progress,
}

#[derive(CandidType, Debug, Deserialize)]
enum Progress {
    Booking,
    Compensating,
    Compensated,
    Done,
    Unknown,
}

/// What is offered in the callee, new for each trip: a room, and no bike at all.
struct Offers {
    room: u64,
    bike: u64,
}

impl Offers {
    fn make(stage: &mut Stage) -> Result<Self> {
        let seller = stage.caller;
        let mut offer = |places: u64| -> Result<u64> {
            let made: Result<u64, String> = stage.reply(stage.callee, "offer", (places, seller))?;
            made.map_err(Error::msg)
        };
        let (room, bike) = (offer(1)?, offer(0)?);
        stage.watch(stage.callee, "get_free", (room,))?;
        stage.begin_scene()?;
        Ok(Offers { room, bike })
    }

    fn free_rooms(&self, stage: &mut Stage) -> Result<String> {
        let free: Option<u64> = stage.query(stage.callee, "get_free", (self.room,))?;
        Ok(free
            .context("the callee has forgotten the room")?
            .to_string())
    }
}

/// Books a trip, and stops the callee after it has refused the bike. Then starts it again.
/// Returns the answer, which came before that.
fn book_while_callee_stops(
    stage: &mut Stage,
    method: &str,
    arguments: impl ArgumentEncoder,
) -> Result<Answer> {
    stage.hold()?;
    let sent = stage.send(stage.caller, method, arguments)?;
    stage.deliver_call(method)?;
    stage.deliver_call("book")?;
    stage.deliver_response("book")?;
    stage.deliver_call("book")?;
    accepted(stage.command(stage.callee, "stop_canister")?)?;
    stage.deliver_all()?;
    let answer = stage.answer(&sent)?;
    accepted(stage.command(stage.callee, "start_canister")?)?;
    Ok(answer)
}

fn experiments() -> Vec<Experiment> {
    vec![
        mistake(
            "book_without_compensation",
            "there is no bike, and it returns Err",
            give_up,
        )
        .asks(Question::new(
            "There is 1 room and no bike. A trip needs both, and the method returns Err. How many \
             rooms are free afterwards?",
            ["1", "0"],
            FREE_AT_LAST,
            "The callee committed the booking of the room. No error in its caller undoes that, not \
             even a trap.",
        )),
        mistake(
            "book_and_cancel_once",
            "there is no bike; it cancels the room once, and the callee is stopped just then",
            try_once,
        )
        .asks(Question::new(
            "Now the method cancels the room, but the callee is stopped just then. It is started \
             again, and time passes. How many rooms are free?",
            ["1", "0"],
            FREE_AT_LAST,
            "The cancellation was rejected. Only the method's local variables knew that there was \
             a room to cancel.",
        ))
        .on_local_replica(),
        right_way(
            "book_trip",
            "the same, but the trip is kept, and a timer cancels again",
            try_until_it_succeeds,
        )
        .asks(Question::new(
            "The state says how far the trip has come. The callee is stopped when the room has to \
             be cancelled. What does the state say meanwhile?",
            ["Booking", "Compensating", "Compensated", "Done"],
            MEANWHILE,
            "`Compensating` was committed before the first cancellation was sent. It stays until \
             the callee has confirmed both.",
        ))
        .on_local_replica(),
    ]
}

const MEANWHILE: &str = "the trip meanwhile";
const FREE_AT_FIRST: &str = "rooms free at first";
const FREE_AT_LAST: &str = "rooms free at last";

fn give_up(stage: &mut Stage) -> Result<Vec<Fact>> {
    let offers = Offers::make(stage)?;
    let method = "book_without_compensation";
    let answer = stage.call(stage.caller, method, (offers.room, offers.bike))?;
    Ok(vec![
        fact("the user got", "reply: Err", Got::read(&answer).words()),
        fact(FREE_AT_LAST, 0, offers.free_rooms(stage)?),
    ])
}

fn try_once(stage: &mut Stage) -> Result<Vec<Fact>> {
    let offers = Offers::make(stage)?;
    let arguments = (offers.room, offers.bike);
    let answer = book_while_callee_stops(stage, "book_and_cancel_once", arguments)?;
    let free_at_first = offers.free_rooms(stage)?;
    pass_time(stage)?;
    Ok(vec![
        fact("the user got", "reply: Err", Got::read(&answer).words()),
        fact(FREE_AT_FIRST, 0, free_at_first),
        fact(FREE_AT_LAST, 0, offers.free_rooms(stage)?),
    ])
}

fn try_until_it_succeeds(stage: &mut Stage) -> Result<Vec<Fact>> {
    stage.watch(stage.caller, "get_trip", ())?;
    let offers = Offers::make(stage)?;
    let number = last_trip(stage)?.map_or(1, |last| last.number + 1);
    let arguments = (number, offers.room, offers.bike);
    let trip = trip(&book_while_callee_stops(stage, "book_trip", arguments)?)?;
    let free_at_first = offers.free_rooms(stage)?;
    pass_time(stage)?;
    let ended = last_trip(stage)?.context("the caller has forgotten the trip")?;
    Ok(vec![
        fact(MEANWHILE, "Compensating", format!("{:?}", trip.progress)),
        fact(FREE_AT_FIRST, 0, free_at_first),
        fact(
            "the trip at last",
            "Compensated",
            format!("{:?}", ended.progress),
        ),
        fact(FREE_AT_LAST, 1, offers.free_rooms(stage)?),
    ])
}

/// The user's last trip.
fn last_trip(stage: &mut Stage) -> Result<Option<Trip>> {
    stage.query(stage.caller, "get_trip", ())
}

/// The trip that `book_trip` replied.
fn trip(answer: &Answer) -> Result<Trip> {
    let trip: Result<Trip, String> = decode("book_trip", answer)?;
    trip.map_err(anyhow::Error::msg)
}

/// Lets as much time pass as the timer needs.
fn pass_time(stage: &mut Stage) -> Result<()> {
    stage.advance_time(Duration::from_secs(60))?;
    stage.deliver_all()
}
