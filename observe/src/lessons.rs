//! The lessons, one file each.

#![allow(missing_docs, reason = "each file begins with what its lesson shows")]

pub mod awaits;
pub mod callees;
pub mod compensation;
pub mod cycles;
pub mod interleaving;
pub mod journal;
pub mod ledger;
pub mod loops;
pub mod motoko;
pub mod ordering;
pub mod refund;
pub mod rejects;
pub mod reservation;
pub mod retries;
pub mod rollback;
pub mod upgrades;

use crate::lesson::Lesson;

/// The lessons of the tutorial, in its order. Their rooms are numbered in it.
pub const LESSONS: &[&Lesson] = &[
    &rollback::LESSON,
    &rejects::LESSON,
    &interleaving::LESSON,
    &refund::LESSON,
    &compensation::LESSON,
    &reservation::LESSON,
    &journal::LESSON,
    &retries::LESSON,
    &ordering::LESSON,
    &callees::LESSON,
    &upgrades::LESSON,
    &cycles::LESSON,
    &awaits::LESSON,
    &ledger::LESSON,
    &loops::LESSON,
];

/// Lessons beside the tutorial, which need more than Rust to be built.
pub const EXTRA: &[&Lesson] = &[&motoko::LESSON];

/// All lessons.
pub fn all() -> impl Iterator<Item = &'static Lesson> {
    LESSONS.iter().chain(EXTRA).copied()
}
