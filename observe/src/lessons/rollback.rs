//! The experiment of the lesson `rollback`: every way to fail, and what each undoes.
//!
//! The code that is observed: `canisters/canister1/src/rollback.rs`.

use anyhow::Result;
use serde::Serialize;

use crate::answer::Got;
use crate::pair::{Counters, Observation, Pair};

/// One way to fail.
pub struct Row {
    /// What happens.
    pub what: &'static str,
    /// The method of canister1 that does it.
    pub method: &'static str,
    /// What the two canisters try to change.
    pub tried: Tried,
    /// How much the counters grow: what is kept of that.
    pub predicted: Counters,
    /// What the caller gets, in the words of [`Got::words`].
    pub answer: &'static str,
}

/// How often 1 is added.
#[derive(Clone, Copy, Debug)]
pub struct Tried {
    /// By canister1, before its last await (or all, if there is none).
    pub before: u64,
    /// By canister1, after its last await.
    pub after: u64,
    /// By canister2, where it executes anything.
    pub callee: u64,
    /// By the `Drop` of a guard.
    pub drops: u64,
}

/// What became of changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Fate {
    /// They are there.
    Kept,
    /// They are not.
    Undone,
    /// Some are there and some not.
    Partly,
    /// Nothing was to be changed.
    None,
}

impl Fate {
    fn of(kept: u64, tried: u64) -> Fate {
        match (kept, tried) {
            (0, 0) => Fate::None,
            (0, _) => Fate::Undone,
            (kept, tried) if kept == tried => Fate::Kept,
            _ => Fate::Partly,
        }
    }
}

/// A row that was done.
#[derive(Debug, Serialize)]
pub struct Finding {
    /// What happens.
    pub what: &'static str,
    /// The method of canister1 that does it.
    pub method: &'static str,
    /// How much the counters were to grow.
    pub predicted: Counters,
    /// How much they grew.
    pub observed: Counters,
    /// What the caller was to get, in the words of [`Got::words`].
    pub predicted_answer: &'static str,
    /// What it got.
    pub observed_answer: Got,
    /// What became of canister1's changes before its last await.
    pub before_await: Fate,
    /// What became of canister1's changes after it.
    pub after_await: Fate,
    /// What became of canister2's changes.
    pub callee: Fate,
    /// What became of what `Drop` did.
    pub drops: Fate,
    /// Whether all is as predicted.
    pub as_predicted: bool,
}

/// Does one row.
///
/// # Errors
///
/// If it can't be observed.
pub fn observe(pair: &mut Pair, row: &Row) -> Result<(Finding, Observation)> {
    let observation = pair.observe(row.method)?;
    let observed = observation.after.since(observation.before);
    let observed_answer = Got::read(&observation.answer);
    let Tried {
        before,
        after,
        callee,
        drops,
    } = row.tried;
    // canister1 keeps its changes in the order in which it made them: what is kept at all of those
    // after the await comes on top of those before it.
    let kept_before = observed.canister1.min(before);
    let finding = Finding {
        what: row.what,
        method: row.method,
        predicted: row.predicted,
        observed,
        predicted_answer: row.answer,
        before_await: Fate::of(kept_before, before),
        after_await: Fate::of(observed.canister1 - kept_before, after),
        callee: Fate::of(observed.canister2, callee),
        drops: Fate::of(observed.drops, drops),
        as_predicted: observed == row.predicted && observed_answer.words() == row.answer,
        observed_answer,
    };
    Ok((finding, observation))
}

/// All rows, in the order of the table.
pub fn rows() -> Vec<Row> {
    let row = |what, method, tried: [u64; 4], predicted: [u64; 3], answer| Row {
        what,
        method,
        tried: Tried {
            before: tried[0],
            after: tried[1],
            callee: tried[2],
            drops: tried[3],
        },
        predicted: Counters {
            canister1: predicted[0],
            canister2: predicted[1],
            drops: predicted[2],
        },
        answer,
    };
    let trap = "reject 5, IC0503";
    // What is tried: by canister1 before and after its last await, by canister2, by Drop.
    // What is predicted: how much canister1, canister2 and the count of drops grow.
    vec![
        row(
            "returns Err after the await",
            "increment_both",
            [1, 0, 1, 0],
            [1, 1, 0],
            "reply: Err",
        ),
        row(
            "traps after the await",
            "increment_both_then_trap",
            [1, 1, 1, 0],
            [1, 1, 0],
            trap,
        ),
        row(
            "traps before any await",
            "increment_then_trap",
            [1, 0, 0, 0],
            [0, 0, 0],
            trap,
        ),
        row(
            "traps after an await that sends nothing",
            "increment_then_await_nothing_then_trap",
            [2, 0, 0, 0],
            [0, 0, 0],
            trap,
        ),
        row(
            "makes a one-way call, then traps",
            "increment_both_one_way_then_trap",
            [1, 0, 0, 0],
            [0, 0, 0],
            trap,
        ),
        row(
            "the callee traps",
            "increment_then_call_trapping_callee",
            [1, 1, 1, 0],
            [2, 0, 0],
            "reply: saw reject 5",
        ),
        row(
            "the callee rejects on purpose",
            "increment_then_call_rejecting_callee",
            [1, 1, 1, 0],
            [2, 1, 0],
            "reply: saw reject 4",
        ),
        row(
            "the method does not exist",
            "increment_then_call_missing_method",
            [1, 1, 0, 0],
            [2, 0, 0],
            "reply: saw reject 5",
        ),
        row(
            "the canister does not exist",
            "increment_then_call_missing_canister",
            [1, 1, 0, 0],
            [2, 0, 0],
            "reply: saw reject 3",
        ),
        row(
            "the call needs more cycles than there are",
            "increment_then_call_with_too_many_cycles",
            [1, 1, 0, 0],
            [2, 0, 0],
            "reply: call not sent",
        ),
        row(
            "awaits twice, then traps",
            "increment_both_twice_then_trap",
            [2, 1, 2, 0],
            [2, 2, 0],
            trap,
        ),
        row(
            "traps after the await, with a guard",
            "increment_both_then_trap_with_guard",
            [1, 1, 1, 1],
            [1, 1, 1],
            trap,
        ),
        row(
            "traps after the await, and in cleanup",
            "increment_both_then_trap_in_cleanup_too",
            [1, 1, 1, 1],
            [1, 1, 0],
            trap,
        ),
    ]
}
