//! The lessons, one file each.

pub mod cycles;
pub mod ordering;
pub mod reservation;
pub mod rollback;

use crate::lesson::Lesson;

/// All lessons, in the order of the tutorial.
pub const LESSONS: &[&Lesson] = &[
    &rollback::LESSON,
    &reservation::LESSON,
    &ordering::LESSON,
    &cycles::LESSON,
];
