//! The callee of the lesson `compensation`: places that can be booked, and cancelled.

use std::cell::RefCell;
use std::collections::BTreeMap;

use candid::{CandidType, Principal};
use ic_cdk::api::msg_caller;
use ic_cdk_macros::{post_upgrade, pre_upgrade, query, update};
use serde::Deserialize;

use shared::bounded::BoundedMap;

/// What became of a booking.
#[derive(CandidType, Clone, Copy, Deserialize, PartialEq)]
enum Booking {
    /// A place is taken.
    Booked,
    /// It was cancelled, perhaps before it was made. It can't be made any more.
    Cancelled,
}

/// How many trips an offer remembers. It forgets none of them: it takes no more.
const MOST: usize = 50;

#[derive(CandidType, Deserialize)]
struct Offer {
    /// How many places it has left.
    free: u64,
    /// The bookings, by caller, and the caller's number for its trip.
    bookings: BTreeMap<(Principal, u64), Booking>,
}

impl Offer {
    fn has_room_for(&self, trip: &(Principal, u64)) -> bool {
        self.bookings.len() < MOST || self.bookings.contains_key(trip)
    }
}

#[derive(CandidType, Default, Deserialize)]
struct State {
    offers: BoundedMap<u64, Offer>,
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
}

/// Offers so many places of something: rooms, or bikes.
#[update]
fn offer(places: u64) -> u64 {
    STATE.with_borrow_mut(|state| {
        let number = state.offers.next_number();
        let offer = Offer {
            free: places,
            bookings: BTreeMap::new(),
        };
        state.offers.insert(number, offer);
        number
    })
}

/// How many places an offer has left.
#[query]
fn get_free(offer: u64) -> Option<u64> {
    STATE.with_borrow(|state| state.offers.get(&offer).map(|offer| offer.free))
}

/// Books a place for a trip of the caller's. To ask twice books once.
#[update]
fn book(trip: u64, offer: u64) -> Result<(), String> {
    STATE.with_borrow_mut(|state| {
        let Some(found) = state.offers.get_mut(&offer) else {
            return Err(format!("there is no offer {offer}"));
        };
        let trip = (msg_caller(), trip);
        match found.bookings.get(&trip) {
            Some(Booking::Booked) => Ok(()),
            Some(Booking::Cancelled) => Err("it was cancelled".to_string()),
            None if found.free == 0 => Err(format!("offer {offer} is booked up")),
            None if !found.has_room_for(&trip) => Err(format!("offer {offer} is closed")),
            None => {
                found.free -= 1;
                found.bookings.insert(trip, Booking::Booked);
                Ok(())
            }
        }
    })
    // COMMIT POINT: the message ends. Only a cancellation gives the place back.
}

/// Undoes a booking of the caller's: the compensation. To ask twice gives back one place, and to
/// ask for what was never booked gives back none; so a caller who doesn't know what has happened
/// may ask, and ask again.
#[update]
fn cancel(trip: u64, offer: u64) {
    STATE.with_borrow_mut(|state| {
        // Where there is no offer, or no room for the trip, no booking can come any more.
        let trip = (msg_caller(), trip);
        let found = state.offers.get_mut(&offer);
        let Some(found) = found.filter(|found| found.has_room_for(&trip)) else {
            return;
        };
        // Remembered also if it was not booked: should the booking still come, it comes too late.
        let before = found.bookings.insert(trip, Booking::Cancelled);
        if before == Some(Booking::Booked) {
            found.free += 1;
        }
    })
    // COMMIT POINT: the place and the memory of it are kept together.
}

ic_cdk::export_candid!();

fn main() {}
