//! The lessons, one file each.

pub mod callees;
pub mod interleaving;
pub mod refund;
pub mod rollback;
pub mod upgrades;

use crate::lesson::Lesson;

/// All lessons, in the order of the tutorial.
pub const LESSONS: &[&Lesson] = &[
    &rollback::LESSON,
    &interleaving::LESSON,
    &refund::LESSON,
    &callees::LESSON,
    &upgrades::LESSON,
];
