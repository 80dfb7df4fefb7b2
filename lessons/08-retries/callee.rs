//! The callee of the lesson `retries`: the points that a shop's customers collect, added without an
//! id and with one.
//!
//! With an id, a point is added once, however often it is asked for: its id is remembered with its
//! result. Memory is finite, so ids are remembered for a bounded time, and only so many of them.

use std::cell::RefCell;
use std::collections::BTreeMap;

use candid::{CandidType, Principal};
use ic_cdk::api::{msg_caller, time};
use ic_cdk_macros::{post_upgrade, pre_upgrade, query, update};
use serde::Deserialize;

use shared::bounded::Bounded;

/// For how long an id is remembered, in nanoseconds: 2 hours. It has to be longer than callers try
/// again: otherwise one tries again after this canister has forgotten.
const WINDOW: u64 = 2 * 60 * 60 * 1_000_000_000;

/// How far the clock of a caller may be ahead of this canister's, in nanoseconds: 1 minute. Subnets
/// have clocks of their own.
const DRIFT: u64 = 60 * 1_000_000_000;

/// How many ids an account remembers.
const CAPACITY: usize = 100;

/// How many accounts one owner may have.
const MOST_EACH: usize = 100;

/// What a caller calls one point. The earlier id is the smaller one.
#[derive(CandidType, Clone, Copy, Debug, Deserialize, PartialEq, Eq, PartialOrd, Ord)]
struct PointId {
    /// When the caller chose it, in nanoseconds since 1970-01-01.
    created: u64,
    /// Tells it from others of the same time.
    number: u64,
}

impl PointId {
    fn is_too_old(&self, now: u64) -> bool {
        self.created.saturating_add(WINDOW) < now
    }
}

/// Why a point was not added. In each case nothing happened.
#[derive(CandidType, Debug, PartialEq, Eq)]
enum Refusal {
    /// There is no such account of this user's, or it is not for this caller.
    NoSuchAccount,
    /// The id is older than what is remembered: whether it was done before can't be said.
    TooOld,
    /// The id was chosen in the future.
    TooNew,
    /// Too many ids are remembered already. Later there will be room.
    Full,
}

/// What is known of a point.
#[derive(CandidType, Debug, PartialEq, Eq)]
enum Remembered {
    /// It was added, and the account then had so many.
    Done(u64),
    /// It was not added.
    NotDone,
    /// It was so long ago that nobody knows, or the account is not yours.
    Forgotten,
}

/// The points that were added, from the oldest id on, and what the account then had.
#[derive(CandidType, Default, Deserialize)]
struct Done(BTreeMap<PointId, u64>);

impl Done {
    /// Adds a point, unless it was added before. Returns the result in both cases.
    fn once(&mut self, now: u64, id: PointId, add: impl FnOnce() -> u64) -> Result<u64, Refusal> {
        // It refuses what it may have forgotten, so no id is done twice.
        if id.is_too_old(now) {
            return Err(Refusal::TooOld);
        }
        while self
            .0
            .first_entry()
            .is_some_and(|oldest| oldest.key().is_too_old(now))
        {
            self.0.pop_first();
        }
        if let Some(result) = self.0.get(&id) {
            return Ok(*result);
        }
        // An id of the future would be remembered for longer than the window.
        if id.created > now.saturating_add(DRIFT) {
            return Err(Refusal::TooNew);
        }
        // Don't forget a younger id to make room: if it came back, it would be done again.
        if self.0.len() >= CAPACITY {
            return Err(Refusal::Full);
        }
        let result = add();
        self.0.insert(id, result);
        Ok(result)
    }

    fn look_up(&self, now: u64, id: &PointId) -> Remembered {
        if id.is_too_old(now) {
            return Remembered::Forgotten;
        }
        match self.0.get(id) {
            Some(result) => Remembered::Done(*result),
            None => Remembered::NotDone,
        }
    }
}

/// A customer's account, and what was added to it by id: what one account remembers is in no other's way.
#[derive(CandidType, Deserialize)]
struct Account {
    /// Who opened it.
    owner: Principal,
    /// The shop: the canister that may add points, when the owner asks it to.
    caller: Principal,
    points: u64,
    done: Done,
}

/// The accounts.
#[derive(CandidType, Default, Deserialize)]
struct State {
    accounts: Bounded<u64, Account>,
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

/// Does something with an account, if it is one of this user's, and for this caller.
fn with_account<T>(
    account: u64,
    user: Principal,
    act: impl FnOnce(&mut Account) -> T,
) -> Result<T, Refusal> {
    STATE.with_borrow_mut(|state| {
        let found = state.accounts.get_mut(&account);
        let found = found.filter(|found| (found.owner, found.caller) == (user, msg_caller()));
        found.map(act).ok_or(Refusal::NoSuchAccount)
    })
}

/// Opens an account without points, to which this canister may add some for the owner. Returns its
/// number.
#[update]
fn open(caller: Principal) -> Result<u64, String> {
    let owner = msg_caller();
    STATE.with_borrow_mut(|State { accounts }| {
        let own = accounts.iter().filter(|(_, one)| one.owner == owner);
        if own.count() >= MOST_EACH {
            return Err(format!(
                "you have {MOST_EACH} accounts, and can't have more"
            ));
        }
        let account = accounts.next_number();
        let new = Account {
            owner,
            caller,
            points: 0,
            done: Done::default(),
        };
        accounts.insert(account, new)?;
        Ok(account)
    })
}

/// How many points an account has.
#[query]
fn points(account: u64) -> Option<u64> {
    STATE.with_borrow(|state| Some(state.accounts.get(&account)?.points))
}

/// Adds a point to an account of the user, each time it is called. Returns how many there are then.
#[update]
fn add_point(account: u64, user: Principal) -> Result<u64, Refusal> {
    with_account(account, user, |account| {
        account.points += 1;
        account.points
    })
}

/// Adds a point to an account of the user once for an id. Returns how many there were then.
#[update]
fn add_point_once(account: u64, id: PointId, user: Principal) -> Result<u64, Refusal> {
    with_account(account, user, |Account { points, done, .. }| {
        done.once(time(), id, || {
            *points += 1;
            *points
        })
    })?
    // COMMIT POINT: the point and the memory of it are kept together, or neither is.
}

/// What became of the point with this id.
#[query]
fn look_up(account: u64, id: PointId, user: Principal) -> Remembered {
    let known = with_account(account, user, |Account { done, .. }| {
        done.look_up(time(), &id)
    });
    // To others `NotDone` would promise what does not hold: the attempts are not theirs.
    known.unwrap_or(Remembered::Forgotten)
}

ic_cdk::export_candid!();

fn main() {}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: u64 = 1_700_000_000_000_000_000;

    fn id(created: u64, number: u64) -> PointId {
        PointId { created, number }
    }

    #[test]
    fn at_no_time_is_an_id_done_twice() {
        let mut done = Done::default();
        assert_eq!(done.once(NOW, id(NOW, 0), || 7), Ok(7));
        for now in [NOW, NOW + WINDOW, NOW + WINDOW + 1, NOW + 9 * WINDOW] {
            // Others come and go, so that old ones are forgotten.
            assert_eq!(done.once(now, id(now, 1), || 1), Ok(1));
            let again = done.once(now, id(NOW, 0), || panic!("it is done again"));
            let known = done.look_up(now, &id(NOW, 0));
            match now <= NOW + WINDOW {
                true => assert_eq!((again, known), (Ok(7), Remembered::Done(7))),
                false => assert_eq!(
                    (again, known),
                    (Err(Refusal::TooOld), Remembered::Forgotten)
                ),
            }
        }
    }

    #[test]
    fn where_there_is_no_room_new_ids_wait_and_known_ones_are_still_known() {
        let mut done = Done::default();
        for number in 0..CAPACITY as u64 {
            assert_eq!(done.once(NOW, id(NOW, number), || number), Ok(number));
        }
        let more = id(NOW + 1, 0);
        let refused = done.once(NOW + 1, more, || panic!("it is done"));
        assert_eq!(refused, Err(Refusal::Full));
        assert_eq!(done.look_up(NOW + 1, &more), Remembered::NotDone);
        assert_eq!(done.once(NOW + 1, id(NOW, 0), || panic!("again")), Ok(0));
        assert_eq!(done.once(NOW + WINDOW + 1, more, || 3), Ok(3));
        assert_eq!(done.0.len(), 1);
    }

    #[test]
    fn an_id_of_the_future_is_refused() {
        let mut done = Done::default();
        let ahead = NOW + DRIFT;
        assert_eq!(done.once(NOW, id(ahead, 0), || 1), Ok(1));
        let refused = done.once(NOW, id(ahead + 1, 0), || panic!("it is done"));
        assert_eq!(refused, Err(Refusal::TooNew));
    }

    #[test]
    fn what_was_not_done_is_not_remembered() {
        let mut done = Done::default();
        let early = id(NOW + DRIFT + 1, 0);
        let refused = done.once(NOW, early, || panic!("it is done"));
        assert_eq!(refused, Err(Refusal::TooNew));
        assert_eq!(done.look_up(NOW, &early), Remembered::NotDone);
    }
}
