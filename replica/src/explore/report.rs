//! What an exploration has found.

use super::orders::Orders;
use super::schedule::Schedule;
use crate::message::{CallResult, Cycles};

/// What can be seen of a state.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seen {
    /// The answers of the calls, in the order in which they were added; of calls that are the same,
    /// sorted. Nothing for one that is not answered.
    pub answers: Vec<Option<CallResult>>,
    /// What the looks answered, in the order in which they were added.
    pub looks: Vec<CallResult>,
    /// How many executions trapped that were not told to.
    pub traps: u64,
    /// Cycles that got lost: attached to calls of which the caller was told SYS_UNKNOWN.
    pub lost_cycles: Cycles,
}

impl Seen {
    /// Whether a user sees the same.
    pub fn is_like(&self, other: &Seen) -> bool {
        self.answers == other.answers && self.looks == other.looks
    }
}

/// Something that can come out.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// What is seen at the end.
    pub seen: Seen,
    /// In how many orders it comes out, among those with as many faults as [`Report::exhausted`] says.
    pub orders: Orders,
    /// How many of them were run: the others differ only by steps that do not concern each other.
    pub runs: u64,
    /// The shortest way to it: with the fewest faults, then the fewest messages before older ones,
    /// then the fewest steps.
    pub schedule: Schedule,
}

/// A property that does not hold.
#[derive(Clone, Debug)]
pub struct Failure {
    /// Its name.
    pub property: String,
    /// In how many orders it fails.
    pub orders: Orders,
    /// How many of them were run.
    pub runs: u64,
    /// The shortest way that was found.
    pub schedule: Schedule,
    /// What is seen then.
    pub seen: Seen,
    /// An order in which it holds, as long as possible the same.
    pub nearest: Option<Nearest>,
}

/// An order that is good, beside one that is not.
#[derive(Clone, Debug)]
pub struct Nearest {
    /// Its steps.
    pub schedule: Schedule,
    /// What is seen at its end.
    pub seen: Seen,
    /// The first step that differs, counted from 0.
    pub differs_at: usize,
}

/// What an exploration has found.
#[derive(Clone, Debug, Default)]
pub struct Report {
    /// How many orders there are, of those that were gone through.
    pub orders: Orders,
    /// How many of them were run.
    pub runs: u64,
    /// How many messages were delivered for that, and for what was begun only.
    pub deliveries: u64,
    /// How many of the runs were cut off, because they had as many steps or waits as one may have.
    pub cut: u64,
    /// All orders with so many faults were gone through.
    pub exhausted: Option<usize>,
    /// Of those with so many faults, some: the limit was reached.
    pub beyond: Option<usize>,
    /// What can come out, the outcome with the shortest way first.
    pub outcomes: Vec<Outcome>,
    /// The properties that do not hold.
    pub failures: Vec<Failure>,
    /// The properties that were to hold sometimes, and never did.
    pub never: Vec<String>,
    /// What was tried beyond the limit.
    pub random: Option<Random>,
}

/// Orders that were drawn at random, because there are too many to go through.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Random {
    /// How many were run.
    pub orders: u64,
    /// With the same seed, the same are drawn.
    pub seed: u64,
}

impl Default for Random {
    /// What is drawn if nothing else is said.
    fn default() -> Self {
        Random {
            orders: 1_000,
            seed: 1,
        }
    }
}

/// How far an exploration is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    /// How many faults the orders have at most that are gone through now.
    pub faults: usize,
    /// How many messages were delivered so far.
    pub deliveries: u64,
}

impl Report {
    /// Whether everything was seen that can happen within the budget of faults.
    pub fn is_exhaustive(&self) -> bool {
        self.beyond.is_none() && self.cut == 0
    }

    /// Whether all properties hold, as far as was seen.
    pub fn holds(&self) -> bool {
        self.failures.is_empty() && self.never.is_empty()
    }
}
