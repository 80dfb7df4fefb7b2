//! What the lessons' canisters keep their accounts in: a map that cannot grow for ever.
//!
//! Anybody may call the lessons, so nothing that a call adds may stay without a limit.

use std::collections::BTreeMap;

use candid::CandidType;
use serde::Deserialize;

/// How many entries a map has at most.
const CAPACITY: usize = 1000;

/// A map of at most 1000 entries: one more, and the oldest is dropped.
#[derive(CandidType, Clone, Debug, Deserialize)]
pub struct BoundedMap<K: Ord, V> {
    /// The values, each with the number of its insertion.
    entries: BTreeMap<K, (u64, V)>,
    /// How many entries were ever inserted.
    inserted: u64,
}

impl<K: Ord, V> Default for BoundedMap<K, V> {
    fn default() -> Self {
        BoundedMap {
            entries: BTreeMap::new(),
            inserted: 0,
        }
    }
}

impl<K: Ord + Clone, V> BoundedMap<K, V> {
    /// Adds an entry or replaces it. A new entry may drop the oldest.
    pub fn insert(&mut self, key: K, value: V) {
        if !self.entries.contains_key(&key) && self.entries.len() >= CAPACITY {
            self.drop_oldest();
        }
        self.entries.insert(key, (self.inserted, value));
        self.inserted += 1;
    }

    fn drop_oldest(&mut self) {
        let oldest = self.entries.iter().min_by_key(|(_, (number, _))| *number);
        if let Some(key) = oldest.map(|(key, _)| key.clone()) {
            self.entries.remove(&key);
        }
    }

    /// The value of a key.
    pub fn get(&self, key: &K) -> Option<&V> {
        self.entries.get(key).map(|(_, value)| value)
    }

    /// The value of a key, to change it.
    pub fn get_mut(&mut self, key: &K) -> Option<&mut V> {
        self.entries.get_mut(key).map(|(_, value)| value)
    }

    /// Takes out an entry.
    pub fn remove(&mut self, key: &K) -> Option<V> {
        self.entries.remove(key).map(|(_, value)| value)
    }

    /// All entries in the order of their keys.
    pub fn iter(&self) -> impl Iterator<Item = (&K, &V)> {
        self.entries.iter().map(|(key, (_, value))| (key, value))
    }

    /// How many entries were ever inserted: a number that no entry of the map was given yet, if
    /// each is given the one at its time.
    pub fn next_number(&self) -> u64 {
        self.inserted
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_entry_gives_way_to_one_too_many() {
        let mut map = BoundedMap::default();
        for number in 0..CAPACITY as u64 {
            map.insert(number, number);
        }
        map.insert(0, 7); // Replaced, so it is young again.
        map.insert(5000, 5000);
        assert_eq!(map.iter().count(), CAPACITY);
        assert_eq!(map.get(&1), None);
        assert_eq!((map.get(&0), map.get(&5000)), (Some(&7), Some(&5000)));
    }

    #[test]
    fn it_is_the_same_after_it_was_saved_and_restored() {
        let mut map = BoundedMap::default();
        map.insert(1u64, "one".to_owned());
        map.insert(2u64, "two".to_owned());
        map.remove(&1);
        let saved = candid::encode_one(&map).unwrap();
        let restored: BoundedMap<u64, String> = candid::decode_one(&saved).unwrap();
        assert_eq!(restored.next_number(), 2);
        assert_eq!(restored.get(&2), map.get(&2));
        assert_eq!(restored.get(&1), None);
    }
}
