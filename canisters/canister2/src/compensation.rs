//! What the lesson `compensation` needs of a callee: places that can be booked, and cancelled.

use std::cell::RefCell;

use bounded::BoundedMap;
use candid::{CandidType, Principal};
use ic_cdk::api::msg_caller;
use ic_cdk_macros::{query, update};
use serde::Deserialize;

/// What became of a booking.
#[derive(CandidType, Clone, Copy, Deserialize, PartialEq)]
enum Booking {
    /// A place is taken.
    Booked,
    /// It was cancelled, perhaps before it was made. It can't be made any more.
    Cancelled,
}

/// The lesson's state.
#[derive(CandidType, Default, Deserialize)]
pub struct State {
    /// How many places each offer has left.
    free: BoundedMap<u64, u64>,
    /// The bookings, by caller, the caller's number for its trip, and offer.
    bookings: BoundedMap<(Principal, u64, u64), Booking>,
}

thread_local! {
    static STATE: RefCell<State> = RefCell::default();
}

/// The state, to outlive an upgrade.
pub fn save() -> State {
    STATE.take()
}

/// Puts back the state that [`save`] gave.
pub fn restore(state: State) {
    STATE.set(state);
}

/// Offers so many places of something: rooms, or bikes.
#[update]
fn compensation_offer(places: u64) -> u64 {
    STATE.with_borrow_mut(|state| {
        let offer = state.free.next_number();
        state.free.insert(offer, places);
        offer
    })
}

/// How many places an offer has left.
#[query]
fn compensation_get_free(offer: u64) -> Option<u64> {
    STATE.with_borrow(|state| state.free.get(&offer).copied())
}

/// Books a place for a trip of the caller's. To ask twice books once.
#[update]
fn compensation_book(trip: u64, offer: u64) -> Result<(), String> {
    STATE.with_borrow_mut(|state| {
        let key = (msg_caller(), trip, offer);
        match state.bookings.get(&key) {
            Some(Booking::Booked) => return Ok(()),
            Some(Booking::Cancelled) => return Err("it was cancelled".to_string()),
            None => {}
        }
        match state.free.get_mut(&offer) {
            Some(places) if *places > 0 => *places -= 1,
            Some(_) => return Err(format!("offer {offer} is booked up")),
            None => return Err(format!("there is no offer {offer}")),
        }
        state.bookings.insert(key, Booking::Booked);
        Ok(())
    })
    // COMMIT POINT: the message ends. Only a cancellation gives the place back.
}

/// Undoes a booking of the caller's: the compensation. To ask twice gives back one place, and to
/// ask for what was never booked gives back none; so a caller who doesn't know what has happened
/// may ask, and ask again.
#[update]
fn compensation_cancel(trip: u64, offer: u64) {
    STATE.with_borrow_mut(|state| {
        let key = (msg_caller(), trip, offer);
        let was_booked = state.bookings.get(&key) == Some(&Booking::Booked);
        // Remembered also if it was not booked: should the booking still come, it comes too late.
        state.bookings.insert(key, Booking::Cancelled);
        if was_booked && let Some(places) = state.free.get_mut(&offer) {
            *places += 1;
        }
    })
    // COMMIT POINT: the place and the memory of it are kept together.
}
