//! The experiment of the lesson `rollback`: every way to fail, and what each undoes.
//!
//! The code that is observed: `canisters/canister1/src/rollback.rs`.

use std::fmt;

use anyhow::Result;

use crate::answer::Got;
use crate::lesson::{Experiment, Fact, Layout, Lesson, Question, Side, fact};
use crate::pair::Counters;
use crate::stage::Stage;
use crate::{story, style};

/// The lesson.
pub const LESSON: Lesson = Lesson {
    name: "rollback",
    about: "What an error undoes, and what it does not.",
    experiments,
    layout: Layout::Table(
        "C1, C2: canister1 and canister2. before, after: what C1 changed before and after its last await.\n\
         –: there was nothing to change. predicted, observed: by how much the counter of C1, that of C2,\n\
         and the count of drops grew.\n",
    ),
};

/// One way to fail.
#[derive(Clone, Copy)]
pub(super) struct Row {
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
    /// Why it is so.
    pub why: &'static str,
    /// What counts in cleanup.
    pub cleanup: &'static str,
}

/// What came of a row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Outcome {
    /// How much the counters grew.
    pub grown: Counters,
    /// What the caller got, in the words of [`Got::words`].
    pub got: String,
}

/// How often 1 is added.
#[derive(Clone, Copy)]
pub(super) struct Tried {
    /// By canister1, before its last await (or all, if there is none).
    before: u64,
    /// By canister1, after its last await.
    after: u64,
    /// By canister2, where it executes anything.
    callee: u64,
    /// In cleanup.
    drops: u64,
}

impl Row {
    fn experiment(self) -> Experiment {
        Experiment {
            method: self.method,
            what: self.what,
            side: Side::Rule,
            needs_local_replica: false,
            question: Some(self.question()),
            run: Box::new(move |stage| Ok(self.facts(&self.act(stage)?))),
        }
    }

    /// Calls the method.
    pub fn act(&self, stage: &mut Stage) -> Result<Outcome> {
        let before = stage.counters()?;
        let answer = stage.call(stage.canister1, self.method, ())?;
        Ok(Outcome {
            grown: stage.counters()?.since(before),
            got: Got::read(&answer).words(),
        })
    }

    /// What was predicted and what came of it.
    pub fn facts(&self, outcome: &Outcome) -> Vec<Fact> {
        let fates = |grown: Counters| {
            // canister1 keeps its changes in the order in which it made them: what is kept at all
            // of those after the await comes on top of those before it.
            let kept_before = grown.canister1.min(self.tried.before);
            [
                Fate::of(kept_before, self.tried.before),
                Fate::of(grown.canister1 - kept_before, self.tried.after),
                Fate::of(grown.canister2, self.tried.callee),
                Fate::of(grown.drops, self.tried.drops),
            ]
        };
        let names = ["C1 before", "C1 after", "C2", self.cleanup];
        let fates = fates(self.predicted).into_iter().zip(fates(outcome.grown));
        let facts = names.into_iter().zip(fates);
        let mut facts: Vec<Fact> = facts
            .map(|(name, (predicted, observed))| fact(name, predicted, observed))
            .collect();
        facts.push(fact(ANSWER, self.answer, &outcome.got));
        facts.push(fact(GROWN, self.predicted, outcome.grown));
        facts
    }

    /// What the reader is asked.
    pub fn question(&self) -> Question {
        let Tried {
            before,
            after,
            callee,
            drops,
        } = self.tried;
        let counted = match drops {
            0 => String::new(),
            _ => format!(", and {} counts", self.cleanup),
        };
        let times = |number| match number {
            0 => "nothing".to_owned(),
            number => format!("{number}"),
        };
        let mut choices = Vec::new();
        for canister1 in 0..=before + after {
            for canister2 in 0..=callee {
                for drops in 0..=drops {
                    choices.push(
                        Counters {
                            canister1,
                            canister2,
                            drops,
                        }
                        .to_string(),
                    );
                }
            }
        }
        Question {
            ask: format!(
                "canister1 adds {} before its last await and {} after it, canister2 adds {}{counted}. \
                 By how much have canister1, canister2 and the count of {} grown?",
                times(before),
                times(after),
                times(callee),
                self.cleanup,
            ),
            choices,
            fact: GROWN,
            why: self.why,
        }
    }
}

/// The fact that tells the answer.
pub(super) const ANSWER: &str = "the caller got";

/// The fact that tells the counters.
const GROWN: &str = "how much C1, C2 and the drops grew";

/// What became of changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
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

impl fmt::Display for Fate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Fate::Kept => "kept",
            Fate::Undone => "undone",
            Fate::Partly => "partly",
            Fate::None => "–",
        })
    }
}

fn experiments() -> Vec<Experiment> {
    rows().into_iter().map(Row::experiment).collect()
}

/// A row.
///
/// What is tried: by canister1 before and after its last await, by canister2, by `Drop`. What is
/// predicted: how much canister1, canister2 and the count of drops grow.
pub(super) fn row(
    what: &'static str,
    method: &'static str,
    tried: [u64; 4],
    predicted: [u64; 3],
    answer: &'static str,
    why: &'static str,
) -> Row {
    Row {
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
        why,
        cleanup: "Drop",
    }
}

/// All rows, in the order of the table.
pub(super) fn rows() -> Vec<Row> {
    let trap = "reject 5, IC0503";
    vec![
        row(
            "returns Err after the await",
            "increment_both",
            [1, 0, 1, 0],
            [1, 1, 0],
            "reply: Err",
            "Err is a reply like any other: the message that returns it ends normally, and is kept.",
        ),
        row(
            "traps after the await",
            "increment_both_then_trap",
            [1, 1, 1, 0],
            [1, 1, 0],
            trap,
            "The await sent a call and so ended the first message: a commit point. The trap undoes only the message after it.",
        ),
        row(
            "traps before any await",
            "increment_then_trap",
            [1, 0, 0, 0],
            [0, 0, 0],
            trap,
            "There was no commit point before the trap: all of it is one message.",
        ),
        row(
            "traps after an await that sends nothing",
            "increment_then_await_nothing_then_trap",
            [2, 0, 0, 0],
            [0, 0, 0],
            trap,
            "An await that sends no call ends no message. There was no commit point.",
        ),
        row(
            "makes a one-way call, then traps",
            "increment_both_one_way_then_trap",
            [1, 0, 0, 0],
            [0, 0, 0],
            trap,
            "A call leaves when its message ends normally. This one trapped, and the call went with it.",
        ),
        row(
            "the callee traps",
            "increment_then_call_trapping_callee",
            [1, 1, 1, 0],
            [2, 0, 0],
            "reply: saw reject 5",
            "canister2 undid its own message. canister1 saw a reject, went on and ended normally.",
        ),
        row(
            "the callee rejects on purpose",
            "increment_then_call_rejecting_callee",
            [1, 1, 1, 0],
            [2, 1, 0],
            "reply: saw reject 4",
            "A reject is an answer like any other: what canister2 did before it is kept.",
        ),
        row(
            "the method does not exist",
            "increment_then_call_missing_method",
            [1, 1, 0, 0],
            [2, 0, 0],
            "reply: saw reject 5",
            "The system answered in place of canister2; canister1 went on and ended normally.",
        ),
        row(
            "the canister does not exist",
            "increment_then_call_missing_canister",
            [1, 1, 0, 0],
            [2, 0, 0],
            "reply: saw reject 3",
            "The system answered in place of the canister; canister1 went on and ended normally.",
        ),
        row(
            "the call needs more cycles than there are",
            "increment_then_call_with_too_many_cycles",
            [1, 1, 0, 0],
            [2, 0, 0],
            "reply: call not sent",
            "The call was not sent, so there was no commit point at the await; but the message ended normally.",
        ),
        row(
            "awaits twice, then traps",
            "increment_both_twice_then_trap",
            [2, 1, 2, 0],
            [2, 2, 0],
            trap,
            "Each await was a commit point. The trap undoes what came after the second.",
        ),
        row(
            "traps after the await, with a guard",
            "increment_both_then_trap_with_guard",
            [1, 1, 1, 1],
            [1, 1, 1],
            trap,
            "After the trap, cleanup dropped the local variables, and what Drop does there is kept.",
        ),
        row(
            "traps after the await, and in cleanup",
            "increment_both_then_trap_in_cleanup_too",
            [1, 1, 1, 1],
            [1, 1, 0],
            trap,
            "Cleanup trapped too, so it was undone as well: a lock would stay locked.",
        ),
    ]
}

/// The example of the article, message by message: the text that introduces the lesson.
///
/// # Errors
///
/// If it can't be observed.
pub fn introduction(stage: &mut Stage) -> Result<String> {
    let title = style::heading("canister1.increment_both, step by step");
    let before = stage.counters()?;
    let local = stage.network.is_local_replica();
    stage.begin_scene()?;
    let answer = match local {
        true => stage.call_step_by_step("increment_both")?,
        false => stage.call(stage.canister1, "increment_both", ())?,
    };
    let after = stage.counters()?;
    let story = match local {
        true => story::tell_with_counters(stage, before),
        false => {
            let got = Got::read(&answer);
            format!("  before: {before}\n  after:  {after}\n  The caller got {got}\n")
        }
    };
    let got = Got::read(&answer);
    let grown = after.since(before);
    let verdict = match (got.words().as_str(), grown.canister1, grown.canister2) {
        ("reply: Err", 1, 1) => {
            "It failed, and nothing was undone: not in canister2, and not in canister1."
        }
        _ => "This is not what was predicted: an Err, and both counters grown by 1.",
    };
    Ok(format!("{title}\n{story}\n{verdict}\n\n"))
}
