//! A map that cannot grow for ever: when it is full it refuses, and forgets nothing.
//!
//! Anybody may call the lessons, so nothing that a call adds may stay without a limit.

use std::collections::BTreeMap;
use std::fmt;

use candid::CandidType;
use serde::Deserialize;

/// How many entries a map has at most.
pub const CAPACITY: usize = 1000;

/// A map of at most [`CAPACITY`] entries.
#[derive(CandidType, Clone, Debug, Deserialize)]
pub struct Bounded<K: Ord, V> {
    entries: BTreeMap<K, V>,
    /// How many new entries there ever were.
    inserted: u64,
}

/// A map has no room for another entry. Nothing was done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Full;

impl fmt::Display for Full {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "there is no room for more; nothing was done")
    }
}

impl From<Full> for String {
    fn from(full: Full) -> Self {
        full.to_string()
    }
}

impl<K: Ord, V> Default for Bounded<K, V> {
    fn default() -> Self {
        Bounded {
            entries: BTreeMap::new(),
            inserted: 0,
        }
    }
}

impl<K: Ord, V> Bounded<K, V> {
    /// Adds an entry, or replaces the one with this key.
    ///
    /// # Errors
    ///
    /// If it would be a new one and there is no room for it.
    pub fn insert(&mut self, key: K, value: V) -> Result<(), Full> {
        if !self.entries.contains_key(&key) {
            if self.entries.len() >= CAPACITY {
                return Err(Full);
            }
            self.inserted += 1;
        }
        self.entries.insert(key, value);
        Ok(())
    }

    /// The value of a key.
    pub fn get(&self, key: &K) -> Option<&V> {
        self.entries.get(key)
    }

    /// The value of a key, to change it.
    pub fn get_mut(&mut self, key: &K) -> Option<&mut V> {
        self.entries.get_mut(key)
    }

    /// Takes out an entry.
    pub fn remove(&mut self, key: &K) -> Option<V> {
        self.entries.remove(key)
    }

    /// All entries in the order of their keys.
    pub fn iter(&self) -> impl Iterator<Item = (&K, &V)> {
        self.entries.iter()
    }

    /// How many new entries there ever were: a number that none of them was given yet, if each is
    /// given the one at its time.
    pub fn next_number(&self) -> u64 {
        self.inserted
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_map_refuses_a_new_entry_and_forgets_none() {
        let mut map = Bounded::default();
        for number in 0..CAPACITY as u64 {
            map.insert(number, number).unwrap();
        }
        assert_eq!(map.insert(5000, 5000), Err(Full));
        assert_eq!(map.insert(0, 7), Ok(()), "it replaces one");
        assert_eq!(map.iter().count(), CAPACITY);
        map.remove(&1);
        assert_eq!(map.insert(5000, 5000), Ok(()));
        assert_eq!((map.get(&0), map.get(&5000)), (Some(&7), Some(&5000)));
    }

    #[test]
    fn it_is_the_same_after_it_was_saved_and_restored() {
        let mut map = Bounded::default();
        map.insert(1u64, "one".to_owned()).unwrap();
        map.insert(2u64, "two".to_owned()).unwrap();
        map.remove(&1);
        let saved = candid::encode_one(&map).unwrap();
        let restored: Bounded<u64, String> = candid::decode_one(&saved).unwrap();
        assert_eq!(restored.next_number(), 2);
        assert_eq!(restored.get(&2), map.get(&2));
        assert_eq!(restored.get(&1), None);
    }
}
