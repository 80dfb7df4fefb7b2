//! The experiment of the lesson `compensation`: a trip that can't be booked, and a canister2 that
//! is stopped just when the room is to be given back.
//!
//! The code that is observed: `canisters/canister1/src/compensation.rs`.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use candid::CandidType;
use serde::Deserialize;

use crate::answer::Got;
use crate::lesson::{Experiment, Fact, Layout, Lesson, Question, Side, fact};
use crate::network::Answer;
use crate::stage::Stage;

/// The lesson.
pub const LESSON: Lesson = Lesson {
    name: "compensation",
    about: "What was done in another canister is undone by another call, until that succeeds.",
    experiments,
    layout: Layout::List,
};

/// `Trip` in canister1's interface.
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
}

/// What is offered in canister2, new for each trip: a room, and no bike at all.
struct Offers {
    room: u64,
    bike: u64,
}

impl Offers {
    fn make(stage: &mut Stage) -> Result<Self> {
        let room = stage.reply(stage.canister2, "compensation_offer", (1u64,))?;
        let bike = stage.reply(stage.canister2, "compensation_offer", (0u64,))?;
        stage.begin_scene()?;
        Ok(Offers { room, bike })
    }

    fn free_rooms(&self, stage: &mut Stage) -> Result<String> {
        let canister2 = stage.canister2;
        let free: Option<u64> = stage.query(canister2, "compensation_get_free", (self.room,))?;
        Ok(free
            .context("canister2 has forgotten the room")?
            .to_string())
    }
}

/// What happens in the time after canister2 was stopped.
struct Afterwards {
    /// The answer to the user, who called while canister2 was stopping.
    answer: Answer,
    /// The rooms that are free once canister2 runs again, before any time has passed.
    free_at_first: String,
}

fn experiments() -> Vec<Experiment> {
    vec![
        Experiment {
            method: "compensation_book_without_compensation",
            what: "there is no bike, and it gives up",
            side: Side::Mistake,
            needs_local_replica: false,
            question: Some(Question {
                ask: "There is 1 room and no bike. A trip needs both, and the method returns Err. \
                      How many rooms are free afterwards?"
                    .to_owned(),
                choices: ["1", "0"].map(str::to_owned).to_vec(),
                fact: FREE_AT_LAST,
                why: "canister2 committed the booking of the room. No error of its caller undoes \
                      that: not an Err, not a trap.",
            }),
            run: Box::new(give_up),
        },
        Experiment {
            method: "compensation_book_and_cancel_once",
            what: "there is no bike, canister2 is stopped when the room is to be cancelled, and it tries once",
            side: Side::Mistake,
            needs_local_replica: true,
            question: Some(Question {
                ask: "Now the method cancels the room, but canister2 is stopped just then. It is \
                      started again, and time passes. How many rooms are free?"
                    .to_owned(),
                choices: ["1", "0"].map(str::to_owned).to_vec(),
                fact: FREE_AT_LAST,
                why: "The cancellation was rejected, and only the method's local variables knew \
                      that there was a room to give back.",
            }),
            run: Box::new(try_once),
        },
        Experiment {
            method: "compensation_book_trip",
            what: "there is no bike, canister2 is stopped when the room is to be cancelled, and a timer tries again",
            side: Side::RightWay,
            needs_local_replica: true,
            question: Some(Question {
                ask: "The trip is kept with how far it has come. canister2 is stopped when the \
                      room is to be given back. What does the trip's state say meanwhile?"
                    .to_owned(),
                choices: ["Booking", "Compensating", "Compensated", "Done"]
                    .map(str::to_owned)
                    .to_vec(),
                fact: MEANWHILE,
                why: "`Compensating` was kept before the first cancellation was sent, and goes on \
                      being true until canister2 has confirmed both.",
            }),
            run: Box::new(try_until_it_succeeds),
        },
    ]
}

const MEANWHILE: &str = "the trip meanwhile";
const FREE_AT_LAST: &str = "rooms free at last";

fn give_up(stage: &mut Stage) -> Result<Vec<Fact>> {
    let offers = Offers::make(stage)?;
    let method = "compensation_book_without_compensation";
    let answer = stage.call(stage.canister1, method, (offers.room, offers.bike))?;
    Ok(vec![
        fact("the user got", "reply: Err", Got::read(&answer).words()),
        fact(FREE_AT_LAST, "0", offers.free_rooms(stage)?),
    ])
}

fn try_once(stage: &mut Stage) -> Result<Vec<Fact>> {
    let offers = Offers::make(stage)?;
    let method = "compensation_book_and_cancel_once";
    let after = book_while_canister2_stops(stage, method, &offers)?;
    pass_time(stage)?;
    let got = Got::read(&after.answer).words();
    Ok(vec![
        fact("the user got", "reply: Err", got),
        fact("rooms free at first", "0", after.free_at_first),
        fact(FREE_AT_LAST, "0", offers.free_rooms(stage)?),
    ])
}

fn try_until_it_succeeds(stage: &mut Stage) -> Result<Vec<Fact>> {
    let offers = Offers::make(stage)?;
    let after = book_while_canister2_stops(stage, "compensation_book_trip", &offers)?;
    let reply = after.answer.ok().context("canister1 rejected the call")?;
    let trip: Result<Trip, String> = candid::decode_one(&reply)?;
    let trip = trip.map_err(anyhow::Error::msg)?;
    pass_time(stage)?;
    let canister1 = stage.canister1;
    let ended: Option<Trip> = stage.query(canister1, "compensation_get_trip", (trip.number,))?;
    let ended = ended.context("canister1 has forgotten the trip")?;
    Ok(vec![
        fact(MEANWHILE, "Compensating", format!("{:?}", trip.progress)),
        fact("rooms free at first", "0", after.free_at_first),
        fact(
            "the trip at last",
            "Compensated",
            format!("{:?}", ended.progress),
        ),
        fact(FREE_AT_LAST, "1", offers.free_rooms(stage)?),
    ])
}

/// Books a trip, and stops canister2 after it has refused the bike. Then starts it again.
fn book_while_canister2_stops(
    stage: &mut Stage,
    method: &str,
    offers: &Offers,
) -> Result<Afterwards> {
    let canister2 = stage.canister2;
    stage.hold()?;
    let sent = stage.send(stage.canister1, method, (offers.room, offers.bike))?;
    stage.deliver_call(method)?;
    stage.deliver_call("compensation_book")?;
    stage.deliver_response("compensation_book")?;
    stage.deliver_call("compensation_book")?;
    let stopped = stage.command(canister2, "stop_canister")?;
    ensure!(stopped.is_ok(), "canister2 did not stop");
    stage.deliver_all()?;
    let answer = stage.answer(&sent)?;
    let started = stage.command(canister2, "start_canister")?;
    ensure!(started.is_ok(), "canister2 did not start");
    let free_at_first = offers.free_rooms(stage)?;
    Ok(Afterwards {
        answer,
        free_at_first,
    })
}

/// Lets as much time pass as the timer needs.
fn pass_time(stage: &mut Stage) -> Result<()> {
    stage.advance_time(Duration::from_secs(60))?;
    stage.deliver_all()
}
