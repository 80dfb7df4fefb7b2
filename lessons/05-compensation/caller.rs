//! The lesson `compensation`: what was done in another canister is undone by another call.
//!
//! A trip needs a room and a bike, and the callee books each in a message of its own. It has to be both
//! or neither: if there is no bike, the room has to be cancelled.

use std::cell::RefCell;

use candid::{CandidType, Principal};
use ic_cdk::{api::msg_caller, call::Call};
use ic_cdk_macros::{post_upgrade, pre_upgrade, query, update};
use serde::Deserialize;

use retry::Run;
use shared::{bounded::Bounded, peer};

/// How long an answer of the callee is waited for, in seconds. While many calls are carried on one
/// after the other, a callee that is silent holds this canister up so long for each.
const PATIENCE: u32 = 30;

/// What names a trip. The user counts the numbers up from 1, and asks again with the same one.
#[derive(CandidType, Clone, Copy, Deserialize, PartialEq, PartialOrd)]
struct TripId {
    /// Whose it is.
    user: Principal,
    /// Its number, among those of that user.
    number: u64,
}

/// Asks the callee for a place. After an error it may be booked or not.
async fn book(trip: TripId, offer: u64) -> Result<(), String> {
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
async fn cancel(trip: TripId, offer: u64) -> bool {
    let cancelled = Call::bounded_wait(callee(), "cancel")
        .change_timeout(PATIENCE)
        .with_args(&(trip, offer))
        .await;
    cancelled.is_ok()
}

// ---- Two mistakes ----------------------------------------------------------------------------------

/// The mistake: it fails, and leaves what it has done in the callee. `Err` undoes nothing there.
/// Neither would a trap.
#[update]
async fn book_without_compensation(room: u64, bike: u64) -> Result<(), String> {
    let trip = STATE.with_borrow_mut(|state| state.begin_mistake(msg_caller(), room, bike))?;
    book(trip, room).await?; // COMMIT POINT: the room is booked, whatever follows.
    book(trip, bike).await?; // No bike: the room stays booked for ever.
    Ok(())
}

/// The second mistake: compensating once. If that fails too, nobody else knows that there is a room to
/// cancel.
#[update]
async fn book_and_cancel_once(room: u64, bike: u64) -> Result<(), String> {
    let trip = STATE.with_borrow_mut(|state| state.begin_mistake(msg_caller(), room, bike))?;
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
    /// One of them was refused, or there was no answer: both are being cancelled.
    Compensating,
    /// Nothing is booked. This is the end.
    Compensated,
    /// Room and bike are booked. This is the end.
    Done,
    /// One of the mistakes was made, and nobody knows what is booked. This is the end.
    Unknown,
}

/// A trip.
#[derive(CandidType, Clone, Copy, Deserialize)]
struct Trip {
    number: u64,
    room: u64,
    bike: u64,
    progress: Progress,
}

impl Trip {
    /// That of a user who has had none: nothing is booked.
    const NONE: Trip = Trip {
        number: 0,
        room: 0,
        bike: 0,
        progress: Progress::Compensated,
    };

    fn is_open(&self) -> bool {
        matches!(self.progress, Progress::Booking | Progress::Compensating)
    }
}

/// Books a room and a bike, or neither. Called again with the same number, it continues that trip.
/// Returns how far the trip has come. If it has not ended, the timer continues it.
#[update]
async fn book_trip(number: u64, room: u64, bike: u64) -> Result<Trip, String> {
    let user = msg_caller();
    let id = TripId { user, number };
    STATE.with_borrow_mut(|state| state.begin(id, room, bike))?;
    watch();
    carry_on(id).await;
    STATE
        .with_borrow(|state| state.trip(id))
        .ok_or_else(|| "it has ended, and the next has begun".to_string())
}

/// Takes a trip as far as possible. It may run twice at the same time, for a user and for the timer:
/// the callee does each step once, however often it is asked.
async fn carry_on(id: TripId) {
    if let Some(trip) = open_at(id, Progress::Booking) {
        // COMMIT POINT at each await: first the trip itself is kept, then the room is booked.
        let booked = match book(id, trip.room).await {
            Ok(()) => book(id, trip.bike).await,
            refused => refused,
        };
        // A trap here undoes nothing: the trip is still at `Booking`, and will be booked again.
        go_on(
            id,
            Progress::Booking,
            match booked {
                Ok(()) => Progress::Done,
                Err(_) => Progress::Compensating,
            },
        );
    }
    if let Some(trip) = open_at(id, Progress::Compensating) {
        // COMMIT POINT: `Compensating` is kept before anything is undone.
        let room = cancel(id, trip.room).await;
        let bike = cancel(id, trip.bike).await;
        if room && bike {
            go_on(id, Progress::Compensating, Progress::Compensated);
        }
        // Otherwise the state still says `Compensating`, and the timer tries again.
    }
}

/// For how many seconds a run of `resume` takes on further trips. The last one may wait 4 × 30 s more.
const RUN: u64 = 150;

/// Continues trips that have not ended: 10 at most, and the next 10 in the next run. Anybody may call
/// it, and a timer does. While it is under way, a second call does nothing.
#[update]
async fn resume() {
    let Some(mut run) = Run::begin(RUN) else {
        return;
    };
    let open = STATE.with_borrow(|state| state.open().count());
    for _ in 0..open {
        if !run.takes_on_one() {
            return;
        }
        if let Some(id) = STATE.with_borrow_mut(State::next_open) {
            carry_on(id).await;
        }
    }
}

/// Has the timer run while a trip is open: called whenever one begins or ends, and after an upgrade.
fn watch() {
    retry::watch(
        STATE.with_borrow(|state| state.open().next().is_some()),
        resume,
    );
}

// ---- The state -------------------------------------------------------------------------------------

#[derive(CandidType, Default, Deserialize)]
struct State {
    /// The last trip of each user, open or ended. The next begins only when it has ended.
    trips: Bounded<Principal, Trip>,
    /// What `resume` carried on last.
    resumed: Option<TripId>,
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

/// The last trip of the caller of this method. Nobody sees the trips of others.
#[query]
fn get_trip() -> Option<Trip> {
    let last = STATE.with_borrow(|state| state.trips.get(&msg_caller()).copied());
    last.filter(|last| last.number != Trip::NONE.number)
}

/// A trip, if it has come just so far.
fn open_at(id: TripId, progress: Progress) -> Option<Trip> {
    let trip = STATE.with_borrow(|state| state.trip(id));
    trip.filter(|trip| trip.progress == progress)
}

/// Moves a trip on, unless it was moved meanwhile.
fn go_on(id: TripId, from: Progress, to: Progress) {
    STATE.with_borrow_mut(|state| {
        let last = state.trips.get_mut(&id.user);
        if let Some(trip) = last.filter(|last| (last.number, last.progress) == (id.number, from)) {
            trip.progress = to;
        }
    });
    watch();
}

impl State {
    fn trip(&self, id: TripId) -> Option<Trip> {
        let last = self.trips.get(&id.user).copied();
        last.filter(|last| last.number == id.number)
    }

    /// What the next trip of a user is called, once the last has ended.
    fn next(&mut self, user: Principal) -> Result<TripId, String> {
        // The callee has room for as many users as are known here, so this one has to be.
        if self.trips.get(&user).is_none() {
            self.trips.insert(user, Trip::NONE)?;
        }
        let last = self.trips.get(&user).copied().unwrap_or(Trip::NONE);
        if last.is_open() {
            let number = last.number;
            return Err(format!("trip {number} has not ended; ask for it again"));
        }
        let number = last.number + 1;
        Ok(TripId { user, number })
    }

    /// Uses the next number up for a mistake, so that no trip has it too.
    fn begin_mistake(&mut self, user: Principal, room: u64, bike: u64) -> Result<TripId, String> {
        let id = self.next(user)?;
        let trip = Trip {
            number: id.number,
            room,
            bike,
            progress: Progress::Unknown,
        };
        self.trips.insert(user, trip)?;
        Ok(id)
    }

    /// Writes down that a trip is to be booked, unless that was done before.
    fn begin(&mut self, id: TripId, room: u64, bike: u64) -> Result<(), String> {
        if let Some(trip) = self.trip(id) {
            return match (trip.room, trip.bike) == (room, bike) {
                true => Ok(()),
                false => Err("another trip has this number".to_string()),
            };
        }
        // The callee books an offer once for a trip, so this would be booked with one place.
        if room == bike {
            return Err("room and bike have to be two offers".to_string());
        }
        // So a number is never used twice, and none is out of reach.
        let TripId { number, .. } = self.next(id.user)?;
        if id.number != number {
            return Err(format!("the next trip has the number {number}"));
        }
        let trip = Trip {
            number: id.number,
            room,
            bike,
            progress: Progress::Booking,
        };
        self.trips.insert(id.user, trip)?;
        Ok(())
    }

    /// The trips that have not ended.
    fn open(&self) -> impl Iterator<Item = TripId> {
        let open = self.trips.iter().filter(|(_, trip)| trip.is_open());
        open.map(|(&user, trip)| TripId {
            user,
            number: trip.number,
        })
    }

    /// The open trip whose turn it is, round and round.
    fn next_open(&mut self) -> Option<TripId> {
        let later = self.open().find(|id| Some(*id) > self.resumed);
        self.resumed = later.or_else(|| self.open().next());
        self.resumed
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
