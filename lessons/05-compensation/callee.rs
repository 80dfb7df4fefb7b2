//! The callee of the lesson `compensation`: places that can be booked, and cancelled.

use std::cell::RefCell;
use std::collections::BTreeMap;

use candid::{CandidType, Principal};
use ic_cdk::api::msg_caller;
use ic_cdk_macros::{post_upgrade, pre_upgrade, query, update};
use serde::Deserialize;

use shared::{
    bounded::{Bounded, Full},
    callers,
};

/// What became of a booking.
#[derive(CandidType, Clone, Copy, Deserialize, PartialEq)]
enum Booking {
    /// A place is taken.
    Booked,
    /// It was cancelled, perhaps before it was made. It can't be made any more.
    Cancelled,
}

#[derive(CandidType, Deserialize)]
struct Offer {
    /// Who made it.
    owner: Principal,
    /// The canister that may book it.
    seller: Principal,
    /// How many places it has left.
    free: u64,
}

/// What names a trip of a caller's.
#[derive(CandidType, Clone, Copy, Deserialize)]
struct TripId {
    /// The caller's user whose trip it is.
    user: Principal,
    /// Its number, among those of that user.
    number: u64,
}

/// The last trip of a user, and its bookings, by offer.
#[derive(CandidType, Deserialize)]
struct Trip {
    number: u64,
    bookings: BTreeMap<u64, Booking>,
}

/// How many bookings a trip may have, and how many offers one owner.
const MOST_BOOKINGS: usize = 10;
const MOST_OFFERS: usize = 100;

#[derive(CandidType, Default, Deserialize)]
struct State {
    offers: Bounded<u64, Offer>,
    /// The last trip of each user of each caller. No caller can fill the room of another, and each
    /// has room for as many users as `compensation_caller` can have.
    trips: Bounded<Principal, Bounded<Principal, Trip>>,
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

/// Offers so many places of something, rooms or bikes, which this canister may book.
#[update]
fn offer(places: u64, seller: Principal) -> Result<u64, String> {
    let owner = msg_caller();
    STATE.with_borrow_mut(|state| {
        let own = state.offers.iter().filter(|(_, one)| one.owner == owner);
        if own.count() >= MOST_OFFERS {
            return Err(format!(
                "you have {MOST_OFFERS} offers, and can't have more"
            ));
        }
        let number = state.offers.next_number();
        let offer = Offer {
            owner,
            seller,
            free: places,
        };
        state.offers.insert(number, offer)?;
        Ok(number)
    })
}

/// How many places an offer has left.
#[query]
fn get_free(offer: u64) -> Option<u64> {
    STATE.with_borrow(|state| state.offers.get(&offer).map(|offer| offer.free))
}

/// Books a place for a trip of the caller's. Asking twice books once.
#[update(guard = "callers::are_canisters")]
fn book(trip: TripId, offer: u64) -> Result<(), String> {
    STATE.with_borrow_mut(|state| state.book(msg_caller(), trip, offer))
    // COMMIT POINT: the message ends. Only a cancellation gives the place back.
}

/// Undoes a booking of the caller's: the compensation. Asking twice frees one place, and asking for
/// what was never booked frees none. So a caller that doesn't know what happened may ask, and ask
/// again.
#[update(guard = "callers::are_canisters")]
fn cancel(trip: TripId, offer: u64) {
    STATE.with_borrow_mut(|state| state.cancel(msg_caller(), trip, offer))
    // COMMIT POINT: the place and the memory of it are kept together.
}

impl State {
    fn book(&mut self, caller: Principal, trip: TripId, offer: u64) -> Result<(), String> {
        let Some(found) = self.offers.get(&offer) else {
            return Err(format!("there is no offer {offer}"));
        };
        if found.seller != caller {
            return Err(format!("offer {offer} is not for you"));
        }
        let free = found.free;
        let bookings = self.bookings(caller, trip)?;
        match bookings.get(&offer) {
            Some(Booking::Booked) => return Ok(()),
            Some(Booking::Cancelled) => return Err("it was cancelled".to_string()),
            None if free == 0 => return Err(format!("offer {offer} is booked up")),
            None if bookings.len() >= MOST_BOOKINGS => return Err(Full.into()),
            None => {}
        }
        bookings.insert(offer, Booking::Booked);
        if let Some(found) = self.offers.get_mut(&offer) {
            found.free -= 1;
        }
        Ok(())
    }

    fn cancel(&mut self, caller: Principal, trip: TripId, offer: u64) {
        // If there is no room for the trip, or it has ended, no booking for it can come any more.
        let Ok(bookings) = self.bookings(caller, trip) else {
            return;
        };
        if bookings.len() >= MOST_BOOKINGS && !bookings.contains_key(&offer) {
            return;
        }
        // Remembered even if it was not booked: if the booking still comes, it is refused.
        let before = bookings.insert(offer, Booking::Cancelled);
        if before == Some(Booking::Booked)
            && let Some(found) = self.offers.get_mut(&offer)
        {
            found.free += 1;
        }
    }

    /// The bookings of a trip. A caller begins the next trip of a user when the last has ended, so
    /// those of the last are forgotten then; and a trip before it is refused.
    fn bookings(
        &mut self,
        caller: Principal,
        trip: TripId,
    ) -> Result<&mut BTreeMap<u64, Booking>, String> {
        if self.trips.get(&caller).is_none() {
            self.trips.insert(caller, Bounded::default())?;
        }
        let trips = self.trips.get_mut(&caller).ok_or(Full)?;
        if trips
            .get(&trip.user)
            .is_none_or(|last| last.number < trip.number)
        {
            let new = Trip {
                number: trip.number,
                bookings: BTreeMap::new(),
            };
            trips.insert(trip.user, new)?;
        }
        let last = trips.get_mut(&trip.user).ok_or(Full)?;
        match last.number == trip.number {
            true => Ok(&mut last.bookings),
            false => Err("it has ended".to_string()),
        }
    }
}

ic_cdk::export_candid!();

fn main() {}

#[cfg(test)]
mod tests {
    use super::*;
    use shared::bounded::CAPACITY;

    const SELLER: Principal = Principal::from_slice(&[1]);
    const OTHER: Principal = Principal::from_slice(&[2]);

    fn with_offer(free: u64) -> State {
        let mut state = State::default();
        let offer = Offer {
            owner: OTHER,
            seller: SELLER,
            free,
        };
        state.offers.insert(0, offer).unwrap();
        state
    }

    fn trip(user: u64, number: u64) -> TripId {
        let user = Principal::from_slice(&user.to_be_bytes());
        TripId { user, number }
    }

    fn free(state: &State) -> u64 {
        state.offers.get(&0).unwrap().free
    }

    #[test]
    fn to_ask_twice_books_once_and_gives_back_once() {
        let mut state = with_offer(2);
        for _ in 0..2 {
            assert_eq!(state.book(SELLER, trip(1, 1), 0), Ok(()));
            assert_eq!(free(&state), 1);
        }
        for _ in 0..2 {
            state.cancel(SELLER, trip(1, 1), 0);
            assert_eq!(free(&state), 2);
        }
    }

    #[test]
    fn a_booking_that_comes_after_its_cancellation_or_the_next_trip_is_refused() {
        let mut state = with_offer(1);
        state.cancel(SELLER, trip(1, 1), 0);
        let late = state.book(SELLER, trip(1, 1), 0);
        assert_eq!(late, Err("it was cancelled".to_owned()));
        state.cancel(SELLER, trip(1, 2), 0);
        let late = state.book(SELLER, trip(1, 1), 0);
        assert_eq!(late, Err("it has ended".to_owned()));
        assert_eq!(free(&state), 1);
    }

    #[test]
    fn only_the_seller_books_and_only_who_booked_cancels() {
        let mut state = with_offer(1);
        let refused = state.book(OTHER, trip(1, 1), 0);
        assert_eq!(refused, Err("offer 0 is not for you".to_owned()));
        assert_eq!(state.book(SELLER, trip(1, 1), 0), Ok(()));
        state.cancel(OTHER, trip(1, 1), 0);
        assert_eq!(free(&state), 0);
    }

    #[test]
    fn a_full_memory_forgets_no_booking_and_is_in_no_other_callers_way() {
        let mut state = with_offer(1);
        for user in 0..=CAPACITY as u64 {
            state.cancel(OTHER, trip(user, 1), 0);
        }
        assert_eq!(state.book(SELLER, trip(0, 1), 0), Ok(()));
        for user in 1..=CAPACITY as u64 {
            state.cancel(SELLER, trip(user, 1), 0);
        }
        let late = state.book(SELLER, trip(CAPACITY as u64, 1), 0);
        late.expect_err("there is no room for it");
        state.cancel(SELLER, trip(0, 1), 0);
        assert_eq!(free(&state), 1);
    }

    #[test]
    fn a_trip_has_at_most_10_bookings() {
        let mut state = with_offer(1);
        for offer in 1..=MOST_BOOKINGS as u64 {
            state.cancel(SELLER, trip(1, 1), offer);
        }
        assert_eq!(state.book(SELLER, trip(1, 1), 0), Err(Full.to_string()));
        assert_eq!(free(&state), 1);
    }
}
