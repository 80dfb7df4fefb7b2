//! The lessons, one file each.

pub mod rejects;
pub mod retries;
pub mod rollback;

use crate::lesson::Lesson;

/// All lessons, in the order of the tutorial.
pub const LESSONS: &[&Lesson] = &[&rollback::LESSON, &rejects::LESSON, &retries::LESSON];
