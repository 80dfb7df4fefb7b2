//! The steps that were taken, and which must come before which.

use super::run::Concern;
use super::schedule::Step;
use crate::message::CanisterId;

/// Where the search is.
pub(super) struct Place<'a> {
    pub(super) path: &'a [Taken],
}

impl Place<'_> {
    /// The steps that led here.
    pub(super) fn steps(&self) -> impl Iterator<Item = &Step> {
        self.path.iter().map(|taken| &taken.step)
    }
}

/// A step that was taken.
#[derive(Clone)]
pub(super) struct Taken {
    pub(super) step: Step,
    pub(super) concern: Concern,
    /// The steps that must come before it, by their places.
    pub(super) before: Set,
    /// Of a request: from whom to whom it was.
    pub(super) request: Option<(CanisterId, CanisterId)>,
    /// Whether an older message could have been delivered.
    pub(super) departs: bool,
}

impl Taken {
    /// A step that comes after all those before it: no other place is looked for.
    pub(super) fn in_line(step: Step, departs: bool, place: usize) -> Self {
        let mut before = Set::default();
        (0..place).for_each(|earlier| before.insert(earlier));
        Taken {
            step,
            concern: Concern::All,
            before,
            request: None,
            departs,
        }
    }
}

/// Places in a path.
#[derive(Clone, Default, PartialEq, Eq)]
pub(super) struct Set(Vec<u64>);

impl Set {
    pub(super) fn insert(&mut self, place: usize) {
        if self.0.len() <= place / 64 {
            self.0.resize(place / 64 + 1, 0);
        }
        self.0[place / 64] |= 1 << (place % 64);
    }

    pub(super) fn contains(&self, place: usize) -> bool {
        let word = self.0.get(place / 64).copied().unwrap_or(0);
        word & (1 << (place % 64)) != 0
    }

    pub(super) fn add(&mut self, other: &Set) {
        if self.0.len() < other.0.len() {
            self.0.resize(other.0.len(), 0);
        }
        for (word, other) in self.0.iter_mut().zip(&other.0) {
            *word |= other;
        }
    }

    /// As the bits of one number, if they fit.
    pub(super) fn as_bits(&self) -> Option<u128> {
        let word = |place: usize| u128::from(self.0.get(place).copied().unwrap_or(0));
        let rest = self.0.iter().skip(2).all(|word| *word == 0);
        rest.then(|| word(0) | word(1) << 64)
    }

    /// Whether the two have a place in common.
    pub(super) fn meets(&self, other: &Set) -> bool {
        self.0
            .iter()
            .zip(&other.0)
            .any(|(one, other)| one & other != 0)
    }
}
