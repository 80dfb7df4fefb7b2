//! A guard: it lets only so many calls of methods go on at a time.
//!
//! A method that awaits takes one at its beginning and keeps it in a variable. It is released
//! when that variable is dropped: when the method returns, and after a trap after an await, when
//! cleanup drops the local variables.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use candid::Principal;

/// How many keys can be held at a time. A trap in cleanup leaves a guard behind, so without a limit
/// these could fill the memory. Enough here for each of 1000 accounts, its owner, and [`Key::All`].
const MOST_KEYS: usize = 3000;

/// What calls have in common that may not run at the same time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Key {
    /// They come from this caller.
    Caller(Principal),
    /// They are about this account.
    Account(u64),
    /// Nothing: it limits all calls together.
    All,
}

#[derive(Default)]
struct Held {
    /// The tickets of the guards that are held.
    tickets: BTreeMap<Key, BTreeSet<u64>>,
    next_ticket: u64,
}

thread_local! {
    /// Not kept across upgrades: a canister that was stopped before has no call going on. But it can
    /// have locks that were left behind: settle these before the upgrade.
    static HELD: RefCell<Held> = RefCell::default();
}

/// The right to go on. It ends when this is dropped, so keep it in a variable: `_guard`, and not `_`,
/// which drops it at once.
#[must_use = "a guard that is in no variable is dropped at once, and guards nothing"]
#[derive(Debug)]
pub struct Guard {
    key: Key,
    ticket: u64,
}

/// No more calls may run, with this key or with all keys together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Busy {
    /// How many these are.
    pub limit: usize,
}

impl fmt::Display for Busy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Busy { limit } = self;
        write!(
            f,
            "busy: no more than {limit} such call at a time; try again when it has ended"
        )
    }
}

impl From<Busy> for String {
    fn from(busy: Busy) -> Self {
        busy.to_string()
    }
}

impl Guard {
    /// A guard, if fewer than `limit` are held for this key.
    ///
    /// # Errors
    ///
    /// If `limit` are held, or there is no room for another key.
    pub fn new(key: Key, limit: usize) -> Result<Self, Busy> {
        HELD.with_borrow_mut(|held| {
            let others = held.tickets.get(&key).map_or(0, BTreeSet::len);
            match others < limit {
                true => held.add(key),
                false => Err(Busy { limit }),
            }
        })
    }

    /// A guard, even if others hold one for this key. Theirs are no longer held. Their methods learn
    /// that from [`Guard::is_held`], which they must ask after each await.
    ///
    /// # Errors
    ///
    /// If nobody held one and there is no room for another key.
    pub fn take_over(key: Key) -> Result<Self, Busy> {
        HELD.with_borrow_mut(|held| {
            held.tickets.remove(&key);
            held.add(key)
        })
    }

    /// Whether this guard was not taken over.
    pub fn is_held(&self) -> bool {
        HELD.with_borrow(|held| {
            let tickets = held.tickets.get(&self.key);
            tickets.is_some_and(|tickets| tickets.contains(&self.ticket))
        })
    }
}

impl Held {
    /// Refuses a new key when there is no room for it. No guard that is held gives way.
    fn add(&mut self, key: Key) -> Result<Guard, Busy> {
        if !self.tickets.contains_key(&key) && self.tickets.len() >= MOST_KEYS {
            return Err(Busy { limit: MOST_KEYS });
        }
        let ticket = self.next_ticket;
        self.next_ticket += 1;
        self.tickets.entry(key).or_default().insert(ticket);
        Ok(Guard { key, ticket })
    }
}

impl Drop for Guard {
    /// Releases its own ticket and no other. It runs in cleanup too, so nothing here may trap.
    fn drop(&mut self) {
        HELD.with_borrow_mut(|held| {
            let Some(tickets) = held.tickets.get_mut(&self.key) else {
                return;
            };
            tickets.remove(&self.ticket);
            if tickets.is_empty() {
                held.tickets.remove(&self.key);
            }
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ACCOUNT: Key = Key::Account(1);

    #[test]
    fn it_is_held_until_it_is_dropped() {
        let guard = Guard::new(ACCOUNT, 1).unwrap();
        assert_eq!(Guard::new(ACCOUNT, 1).unwrap_err(), Busy { limit: 1 });
        drop(guard);
        assert!(Guard::new(ACCOUNT, 1).is_ok());
    }

    #[test]
    fn what_has_another_key_is_not_kept_out() {
        let _guard = Guard::new(ACCOUNT, 1).unwrap();
        assert!(Guard::new(Key::Account(2), 1).is_ok());
        assert!(Guard::new(Key::Caller(Principal::anonymous()), 1).is_ok());
    }

    #[test]
    fn as_many_as_the_limit_are_let_in() {
        let first = Guard::new(Key::All, 2).unwrap();
        let _second = Guard::new(Key::All, 2).unwrap();
        assert_eq!(Guard::new(Key::All, 2).unwrap_err(), Busy { limit: 2 });
        drop(first);
        assert!(Guard::new(Key::All, 2).is_ok());
    }

    #[test]
    fn one_that_was_taken_over_knows_it_and_releases_nothing() {
        let old = Guard::new(ACCOUNT, 1).unwrap();
        let new = Guard::take_over(ACCOUNT).unwrap();
        assert!(!old.is_held() && new.is_held());
        drop(old);
        assert!(new.is_held());
        assert!(Guard::new(ACCOUNT, 1).is_err());
    }

    #[test]
    fn one_that_is_held_gives_way_to_no_other() {
        let held = Guard::new(ACCOUNT, 1).unwrap();
        for other in 2..=5000 {
            let _left_behind = std::mem::ManuallyDrop::new(Guard::new(Key::Account(other), 1));
        }
        assert!(held.is_held());
        assert!(Guard::new(ACCOUNT, 1).is_err());
        // There is room again when one is released, and for whoever takes one over.
        assert!(Guard::new(Key::All, 1).is_err());
        drop(Guard::take_over(ACCOUNT).unwrap());
        assert!(Guard::new(Key::All, 1).is_ok());
    }

    #[test]
    #[expect(let_underscore_drop, reason = "it is what is tested")]
    fn an_underscore_drops_it_at_once() {
        let _ = Guard::new(ACCOUNT, 1).unwrap();
        assert!(Guard::new(ACCOUNT, 1).is_ok());
    }
}
