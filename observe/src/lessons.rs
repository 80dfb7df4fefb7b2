//! The lessons, one file each.

pub mod callees;
pub mod cycles;
pub mod ordering;
pub mod reservation;
pub mod rollback;
pub mod upgrades;

use crate::lesson::Lesson;

/// All lessons, in the order of the tutorial.
pub const LESSONS: &[&Lesson] = &[
    &rollback::LESSON,
    &reservation::LESSON,
    &ordering::LESSON,
    &callees::LESSON,
    &upgrades::LESSON,
    &cycles::LESSON,
];
