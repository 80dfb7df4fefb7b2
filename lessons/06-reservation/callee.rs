//! The callee of the lesson `reservation`: a theatre that sells the seats of its shows.

use std::cell::RefCell;

use candid::{CandidType, Principal};
use ic_cdk::{
    api::{msg_caller, time},
    trap,
};
use ic_cdk_macros::{post_upgrade, pre_upgrade, query, update};
use serde::Deserialize;

use shared::bounded::Bounded;

/// How long a seat is held for somebody who has not committed: one minute, in nanoseconds.
const HOLD_TIME: u64 = 60_000_000_000;

/// How many seats a show has at most.
const MAX_SEATS: u64 = 100;

/// How many sellers a show has at most.
const MAX_SELLERS: usize = 10;

/// How many seats of a show one seller holds at a time. Else one that prepares again and again would
/// hold them all for ever.
const MAX_HELD: usize = 10;

/// How many shows one owner has at most.
const MAX_SHOWS: usize = 100;

thread_local! {
    static STATE: RefCell<State> = RefCell::default();
}

/// All shows.
#[derive(CandidType, Default, Deserialize)]
struct State {
    shows: Bounded<u64, Show>,
    /// How many holds were ever given out. Each has its own number, which is never used again.
    holds: u64,
}

#[derive(CandidType, Deserialize)]
struct Show {
    /// Who opened it.
    owner: Principal,
    /// Who may sell its seats.
    sellers: Vec<Principal>,
    seats: Vec<Seat>,
}

#[derive(CandidType, Clone, Copy, Deserialize)]
enum Seat {
    Free,
    /// Prepared. It becomes free by itself at `until`, by this canister's clock: no timer is
    /// needed, as everybody who looks at the seat looks at the clock too.
    Held {
        hold: u64,
        holder: Principal,
        until: u64,
    },
    /// Committed. The number of the hold stays, so that a second commit finds it.
    Sold {
        hold: u64,
        holder: Principal,
    },
}

impl Seat {
    fn is_free(self) -> bool {
        match self {
            Seat::Free => true,
            Seat::Held { until, .. } => until <= time(),
            Seat::Sold { .. } => false,
        }
    }

    fn is_held_by(self, seller: Principal) -> bool {
        matches!(self, Seat::Held { holder, .. } if holder == seller) && !self.is_free()
    }
}

/// How many seats of a show are free, held and sold.
#[derive(CandidType, Default)]
struct Seats {
    free: u64,
    held: u64,
    sold: u64,
}

/// The result of a commit.
#[derive(CandidType)]
enum Commit {
    /// The seat is sold to the holder: now, or by an earlier commit.
    Sold,
    /// The hold has ended, or never was. It will never be sold.
    Expired,
}

/// Opens a show with this many seats, which only these may sell. Returns its number.
#[update]
fn open_show(seats: u64, sellers: Vec<Principal>) -> Result<u64, String> {
    if seats > MAX_SEATS {
        return Err(format!("a show has at most {MAX_SEATS} seats, not {seats}"));
    }
    if sellers.len() > MAX_SELLERS {
        let number = sellers.len();
        return Err(format!(
            "a show has at most {MAX_SELLERS} sellers, not {number}"
        ));
    }
    let owner = msg_caller();
    STATE.with_borrow_mut(|State { shows, .. }| {
        let own = shows.iter().filter(|(_, show)| show.owner == owner);
        if own.count() >= MAX_SHOWS {
            return Err(format!("you have {MAX_SHOWS} shows, and can't have more"));
        }
        let number = shows.next_number();
        let show = Show {
            owner,
            sellers,
            seats: (0..seats).map(|_| Seat::Free).collect(),
        };
        shows.insert(number, show)?;
        Ok(number)
    })
}

/// The seats of a show.
#[query]
fn seats(show: u64) -> Seats {
    let mut seats = Seats::default();
    with_show(show, |show, _| {
        for seat in &show.seats {
            match seat {
                seat if seat.is_free() => seats.free += 1,
                Seat::Sold { .. } => seats.sold += 1,
                _ => seats.held += 1,
            }
        }
    });
    seats
}

/// For the mistakes: sells a seat in one step. There is no way back.
#[update]
fn take(show: u64) -> Result<(), String> {
    let holder = msg_caller();
    occupy(show, |hold| Seat::Sold { hold, holder }).map(drop)
}

/// Step one: holds a seat for a minute, and returns the number of the hold. Nothing else has to be
/// done to give it back.
#[update]
fn prepare(show: u64) -> Result<u64, String> {
    let holder = msg_caller();
    let until = time() + HOLD_TIME;
    let held = with_show(show, |show, _| {
        let seats = show.seats.iter();
        seats.filter(|seat| seat.is_held_by(holder)).count()
    });
    if held >= MAX_HELD {
        return Err(format!("you hold {held} seats; buy or wait"));
    }
    occupy(show, |hold| Seat::Held {
        hold,
        holder,
        until,
    })
}

/// Step two: sells the seat that is held. If you are not sure whether it was done, do it again: it
/// sells once, and says the same each time.
#[update]
fn commit(show: u64, hold: u64) -> Commit {
    let holder = msg_caller();
    with_show(show, |show, _| {
        for seat in &mut show.seats {
            match *seat {
                // Only the caller that prepared a hold can commit it.
                Seat::Sold { hold: h, holder: p } if (h, p) == (hold, holder) => {
                    return Commit::Sold;
                }
                // After its time it is refused even if the seat is still free: a hold that was
                // called expired once stays so.
                Seat::Held {
                    hold: h,
                    holder: p,
                    until,
                } if (h, p) == (hold, holder) && time() < until => {
                    *seat = Seat::Sold { hold, holder };
                    return Commit::Sold;
                }
                _ => {}
            }
        }
        Commit::Expired
    })
}

/// For a seller: puts something in the place of a free seat, under a new number, and returns the
/// number.
fn occupy(show: u64, make: impl FnOnce(u64) -> Seat) -> Result<u64, String> {
    with_show(show, |show, holds| {
        if !show.sellers.contains(&msg_caller()) {
            return Err("you don't sell this show".to_owned());
        }
        let free = show.seats.iter_mut().find(|seat| seat.is_free());
        let seat = free.ok_or("sold out")?;
        *holds += 1;
        *seat = make(*holds);
        Ok(*holds)
    })
}

/// Does something with a show, and the count of holds.
fn with_show<T>(show: u64, act: impl FnOnce(&mut Show, &mut u64) -> T) -> T {
    STATE.with_borrow_mut(|State { shows, holds }| match shows.get_mut(&show) {
        Some(show) => act(show, holds),
        // The caller sees a reject, which tells it nothing about any hold; and that is right.
        None => trap(format!("there is no show {show}")),
    })
}

#[pre_upgrade]
fn save() {
    shared::upgrade::save(&STATE);
}

#[post_upgrade]
fn restore() {
    shared::upgrade::restore(&STATE);
}

ic_cdk::export_candid!();

fn main() {}
