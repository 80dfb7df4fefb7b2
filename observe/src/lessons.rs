//! The lessons. Each has one name, which is also that of its code in canister1 and of its page.

pub mod rollback;

/// A lesson, as it is listed.
pub struct Lesson {
    /// Its name.
    pub name: &'static str,
    /// What it is about, in one sentence.
    pub about: &'static str,
}

/// All lessons, in the order of the tutorial.
pub const LESSONS: &[Lesson] = &[Lesson {
    name: "rollback",
    about: "What an error undoes, and what it does not.",
}];
