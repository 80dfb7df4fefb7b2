//! The lesson `compensation`: what was done in another canister is undone by another call.
//!
//! A trip needs a room and a bike, and the callee books each in a message of its own. Both or none:
//! if there is no bike, the room has to be given back.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::time::Duration;

use candid::{CandidType, Principal};
use ic_cdk::call::Call;
use ic_cdk_macros::{post_upgrade, pre_upgrade, query, update};
use ic_cdk_timers::{TimerId, clear_timer, set_timer_interval};
use serde::Deserialize;

use shared::{bounded::BoundedMap, peer};

/// How long an answer of the callee is waited for, in seconds. While many calls are carried on one
/// after the other, a callee that is silent holds this canister up so long for each.
const PATIENCE: u32 = 30;

/// Asks the callee for a place. After an error it may be booked or not.
async fn book(trip: u64, offer: u64) -> Result<(), String> {
    let reply = Call::bounded_wait(callee(), "book")
        .change_timeout(PATIENCE)
        .with_args(&(trip, offer))
        .await
        .map_err(|error| error.to_string())?;
    reply
        .candid::<Result<(), String>>()
        .map_err(|error| error.to_string())?
}

/// Gives a place back, if it was booked. Returns whether the callee confirmed it.
async fn cancel(trip: u64, offer: u64) -> bool {
    let cancelled = Call::bounded_wait(callee(), "cancel")
        .change_timeout(PATIENCE)
        .with_args(&(trip, offer))
        .await;
    cancelled.is_ok()
}

// ---- Two mistakes ----------------------------------------------------------------------------------

/// The mistake: it fails, and leaves what it has done in the callee. `Err` undoes nothing, nor
/// would a trap.
#[update]
async fn book_without_compensation(room: u64, bike: u64) -> Result<(), String> {
    let trip = new_number();
    book(trip, room).await?; // COMMIT POINT: the room is booked, whatever follows.
    book(trip, bike).await?; // No bike: the room stays booked for ever.
    Ok(())
}

/// The second mistake: to compensate once, and forget it if that fails, too. Only this method knows
/// that there is a room to give back.
#[update]
async fn book_and_cancel_once(room: u64, bike: u64) -> Result<(), String> {
    let trip = new_number();
    book(trip, room).await?; // COMMIT POINT: the room is booked, whatever follows.
    if let Err(why) = book(trip, bike).await {
        cancel(trip, room).await; // If this fails, nobody will try again.
        return Err(why);
    }
    Ok(())
}

// ---- The right way ---------------------------------------------------------------------------------

/// How far a trip has come. It only ever goes from one line to a later one.
#[derive(CandidType, Clone, Copy, Deserialize, PartialEq)]
enum Progress {
    /// Room and bike are being booked.
    Booking,
    /// One of them was not to be had, or did not answer: both are being given back.
    Compensating,
    /// Nothing is booked. This is the end.
    Compensated,
    /// Room and bike are booked. This is the end.
    Done,
}

/// A trip.
#[derive(CandidType, Clone, Copy, Deserialize)]
struct Trip {
    number: u64,
    room: u64,
    bike: u64,
    progress: Progress,
}

/// Books a room and a bike, or neither. Returns how far the trip has come: if it has not ended,
/// the timer carries it on.
#[update]
async fn book_trip(room: u64, bike: u64) -> Result<Trip, String> {
    let trip = begin(room, bike)?;
    carry_on(trip.number).await;
    get_trip(trip.number).ok_or_else(|| "it has ended, and is forgotten".to_string())
}

/// Carries a trip on, as far as it comes. It may run twice at the same time, for a user and for
/// the timer: the callee does each step once, however often it is asked.
async fn carry_on(number: u64) {
    if let Some(trip) = open_at(number, Progress::Booking) {
        // COMMIT POINT at each await: first the trip itself is kept, then the room is booked.
        let booked = match book(number, trip.room).await {
            Ok(()) => book(number, trip.bike).await,
            refused => refused,
        };
        // A trap here undoes nothing: the trip is still at `Booking`, and will be booked again.
        go_on(
            number,
            Progress::Booking,
            match booked {
                Ok(()) => Progress::Done,
                Err(_) => Progress::Compensating,
            },
        );
    }
    if let Some(trip) = open_at(number, Progress::Compensating) {
        // COMMIT POINT: that it has to be undone is kept before anything is undone.
        let room = cancel(number, trip.room).await;
        let bike = cancel(number, trip.bike).await;
        if room && bike {
            go_on(number, Progress::Compensating, Progress::Compensated);
        }
        // Otherwise the state still says `Compensating`, and the timer tries again.
    }
}

/// Carries on all trips that have not ended. Anybody may call it, and a timer does.
#[update]
async fn resume() {
    let open: Vec<u64> = STATE.with_borrow(|state| state.open.keys().copied().collect());
    for number in open {
        carry_on(number).await;
    }
}

// ---- The timer -------------------------------------------------------------------------------------

/// How often the timer carries on the trips that have not ended.
const RETRY_EVERY: Duration = Duration::from_secs(60);

thread_local! {
    static TIMER: Cell<Option<TimerId>> = const { Cell::new(None) };
}

/// Has the timer run while a trip is open, and only then: called whenever one begins or ends, in
/// the same message, so that the two are kept or undone together. An upgrade ends all timers, so it
/// is called after one, too.
fn watch() {
    let some_open = STATE.with_borrow(|state| !state.open.is_empty());
    match (some_open, TIMER.get()) {
        (true, None) => TIMER.set(Some(set_timer_interval(RETRY_EVERY, resume))),
        (false, Some(timer)) => {
            clear_timer(timer);
            TIMER.set(None);
        }
        _ => {}
    }
}

// ---- The state -------------------------------------------------------------------------------------

/// How many trips may be open. An open trip must never be forgotten, so the next is refused.
const MAX_OPEN: usize = 100;

#[derive(CandidType, Default, Deserialize)]
struct State {
    /// How many numbers were given to trips.
    numbers: u64,
    /// The trips that have not ended.
    open: BTreeMap<u64, Trip>,
    /// Those that have, for users who ask.
    closed: BoundedMap<u64, Trip>,
}

thread_local! {
    static STATE: RefCell<State> = RefCell::default();
}

#[pre_upgrade]
fn save() {
    shared::upgrade::save(&STATE);
}

#[post_upgrade]
fn restore() {
    shared::upgrade::restore(&STATE);
    watch();
}

/// A trip; null if there is none with this number, or it ended long ago.
#[query]
fn get_trip(number: u64) -> Option<Trip> {
    STATE.with_borrow(|state| {
        let trip = state.open.get(&number);
        trip.or_else(|| state.closed.get(&number)).copied()
    })
}

/// A number that no trip had before. The callee knows a trip by it.
fn new_number() -> u64 {
    STATE.with_borrow_mut(|state| {
        state.numbers += 1;
        state.numbers
    })
}

/// Writes down that a trip is to be booked, and has the timer see to it.
fn begin(room: u64, bike: u64) -> Result<Trip, String> {
    if STATE.with_borrow(|state| state.open.len() >= MAX_OPEN) {
        return Err(format!(
            "{MAX_OPEN} trips are open; `resume` carries them on"
        ));
    }
    let number = new_number();
    let progress = Progress::Booking;
    let trip = Trip {
        number,
        room,
        bike,
        progress,
    };
    STATE.with_borrow_mut(|state| state.open.insert(number, trip));
    watch();
    Ok(trip)
}

/// A trip that has not ended, if it has come just so far.
fn open_at(number: u64, progress: Progress) -> Option<Trip> {
    let trip = STATE.with_borrow(|state| state.open.get(&number).copied());
    trip.filter(|trip| trip.progress == progress)
}

/// Moves a trip on, unless it was moved meanwhile.
fn go_on(number: u64, from: Progress, to: Progress) {
    if let Some(trip) = open_at(number, from) {
        let trip = Trip {
            progress: to,
            ..trip
        };
        STATE.with_borrow_mut(|state| match to {
            Progress::Booking | Progress::Compensating => {
                state.open.insert(number, trip);
            }
            Progress::Compensated | Progress::Done => {
                state.open.remove(&number);
                state.closed.insert(number, trip);
            }
        });
        watch();
    }
}

fn callee() -> Principal {
    peer::id(
        "compensation_callee",
        option_env!("CANISTER_ID_COMPENSATION_CALLEE"),
    )
}

ic_cdk::export_candid!();

fn main() {}
