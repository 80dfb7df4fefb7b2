//! What is gone through in every order: a trip, whatever two messages suffer.

use anyhow::{Error, Result};
use candid::CandidType;
use serde::Deserialize;

use crate::exploration::{Exploration, FAULTS, Fault, Plan, Seen, finds, holds};
use crate::stage::Stage;

/// All but a trap: one in the timer's own message undoes that the timer is set again.
const OUTSIDE: &[Fault] = &[Fault::Reject, Fault::Lose, Fault::Stop, Fault::Upgrade];

/// With two faults a trip may wait for its timer, for its patience and for a start, twice each.
const WAITS: usize = 10;

/// `Trip` in the caller's interface.
#[derive(CandidType, Deserialize)]
struct Trip {
    progress: Progress,
}

#[derive(CandidType, Debug, Deserialize, PartialEq)]
enum Progress {
    Booking,
    Compensating,
    Compensated,
    Done,
    Unknown,
}

const NEITHER: &str = "the room is free, and the trip is compensated or was never begun";

pub fn all() -> Vec<Exploration> {
    vec![
        finds(
            "book_without_compensation",
            "a trip, a room and no bike",
            "leave the room booked",
            |stage| mistake(stage, "book_without_compensation"),
        ),
        finds(
            "book_and_cancel_once",
            "a trip, a room and no bike; a call may be rejected",
            "leave the room booked",
            |stage| Ok(mistake(stage, "book_and_cancel_once")?.faults(&[Fault::Reject], 1)),
        ),
        holds(
            "book_trip",
            "a trip, a room and no bike, and somebody resumes afterwards",
            NEITHER,
            |stage| Ok(book(stage, 0, Afterwards::Resume)?.faults(FAULTS, 2)),
        ),
        holds(
            "book_trip",
            "a trip, a room and a bike, and somebody resumes afterwards",
            "room and bike are booked and the trip is done, or neither is",
            |stage| Ok(book(stage, 1, Afterwards::Resume)?.faults(FAULTS, 2)),
        ),
        holds(
            "book_trip",
            "a trip, a room and no bike, and the user asks again afterwards",
            "the room is free, and the trip is compensated",
            |stage| Ok(book(stage, 0, Afterwards::Ask)?.faults(FAULTS, 2)),
        ),
        holds(
            "book_trip",
            "a trip, a room and no bike: the timer alone resumes it",
            NEITHER,
            |stage| Ok(book(stage, 0, Afterwards::Nothing)?.faults(OUTSIDE, 2)),
        ),
    ]
}

/// What happens when everything has come to an end.
#[derive(Clone, Copy, PartialEq)]
enum Afterwards {
    Nothing,
    Resume,
    Ask,
}

fn offer(stage: &mut Stage, places: u64) -> Result<u64> {
    let offered: Result<u64, String> =
        stage.reply(stage.callee, "offer", (places, stage.caller))?;
    offered.map_err(Error::msg)
}

fn free(seen: &Seen<'_>, look: usize) -> Result<u64> {
    let free: Option<u64> = seen.look(look)?;
    Ok(free.unwrap_or(u64::MAX))
}

fn mistake(stage: &mut Stage, method: &str) -> Result<Plan> {
    let (room, bike) = (offer(stage, 1)?, offer(stage, 0)?);
    let plan = Plan::from(stage)?
        .call(stage.caller, method, (room, bike))?
        .look(stage.callee, "get_free", (room,))?;
    Ok(plan.at_end(|seen| Ok(free(seen, 0)? == 1)))
}

/// A trip of one who has none yet, where there are so many bikes.
fn book(stage: &mut Stage, bikes: u64, afterwards: Afterwards) -> Result<Plan> {
    let (room, bike) = (offer(stage, 1)?, offer(stage, bikes)?);
    let arguments = (1u64, room, bike);
    let plan = Plan::from(stage)?
        .most_waits(WAITS)
        .call(stage.caller, "book_trip", arguments)?;
    let plan = match afterwards {
        Afterwards::Nothing => plan,
        Afterwards::Resume => plan.afterwards(stage.caller, "resume", ())?,
        Afterwards::Ask => plan.afterwards(stage.caller, "book_trip", arguments)?,
    };
    let plan = plan
        .look(stage.caller, "get_trip", ())?
        .look(stage.callee, "get_free", (room,))?
        .look(stage.callee, "get_free", (bike,))?;
    Ok(plan.at_end(move |seen| {
        let trip: Option<Trip> = seen.look(0)?;
        let progress = trip.map(|trip| trip.progress);
        let (rooms, free_bikes) = (free(seen, 1)?, free(seen, 2)?);
        Ok(match progress {
            None => afterwards != Afterwards::Ask && (rooms, free_bikes) == (1, bikes),
            Some(Progress::Compensated) => (rooms, free_bikes) == (1, bikes),
            Some(Progress::Done) => (rooms, free_bikes + 1) == (0, bikes),
            Some(_) => false,
        })
    }))
}
