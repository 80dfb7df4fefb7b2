//! The lessons, one file each.

pub mod callees;
pub mod rollback;
pub mod upgrades;

use crate::lesson::Lesson;

/// All lessons, in the order of the tutorial.
pub const LESSONS: &[&Lesson] = &[&rollback::LESSON, &callees::LESSON, &upgrades::LESSON];
