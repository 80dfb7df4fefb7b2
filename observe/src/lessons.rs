//! The lessons, one file each.

use crate::lesson::Lesson;

/// Declares the lessons: a file for each name, in the order in which they are read.
macro_rules! lessons {
    (tutorial: $($lesson:ident)*; beside it: $($extra:ident)*;) => {
        $(pub mod $lesson;)*
        $(pub mod $extra;)*

        /// The lessons of the tutorial, in its order. Their rooms are numbered in it.
        pub const LESSONS: &[&Lesson] = &[$(&$lesson::LESSON),*];

        /// Lessons beside the tutorial, which need more than Rust to be built.
        pub const EXTRA: &[&Lesson] = &[$(&$extra::LESSON),*];
    };
}

lessons! {
    tutorial:
        rollback
        //rejects
        //interleaving
        //refund
        compensation
        reservation
        journal
        retries
        ordering
        //callees
        //upgrades
        ;
    beside it:
        ;
}

/// All lessons.
pub fn all() -> impl Iterator<Item = &'static Lesson> {
    LESSONS.iter().chain(EXTRA).copied()
}
