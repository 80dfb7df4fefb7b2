//! What an error undoes: every way to fail.
//!
//! The code that is observed: `canisters/canister1` and `canisters/canister2`.

pub(super) mod explorations;

use std::fmt;

use anyhow::{Context, Result};
use candid::{Nat, Principal};

use crate::answer::Got;
use crate::lesson::{Canisters, Experiment, Fact, Layout, Lesson, Question, fact, rule};
use crate::stage::Stage;
use crate::{story, style};

pub const LESSON: Lesson = Lesson {
    name: "rollback",
    about: "What an error undoes, and what it does not.",
    canisters: Canisters::Pair,
    introduction: Some(introduction),
    experiments,
    explorations: explorations::all,
    layout: Layout::Table,
};

fn experiments() -> Vec<Experiment> {
    ways_to_fail().into_iter().map(Way::experiment).collect()
}

const TRAP: &str = "reject 5, IC0503";

/// All ways to fail, in the order of the table.
pub(super) fn ways_to_fail() -> Vec<Way> {
    vec![
        Way {
            method: "increment_both",
            what: "returns Err after the await",
            before: kept(1),
            callee: kept(1),
            answer: "reply: Err",
            why: "Err is a reply like any other: the message that returns it ends normally, and is kept.",
            ..Way::NOTHING
        },
        Way {
            method: "increment_both_then_trap",
            what: "traps after the await",
            before: kept(1),
            after: undone(1),
            callee: kept(1),
            answer: TRAP,
            why: "The await sent a call, and that ended the first message: a commit point. The trap undoes only the message after it.",
            ..Way::NOTHING
        },
        Way {
            method: "increment_then_trap",
            what: "traps before any await",
            before: undone(1),
            answer: TRAP,
            why: "There was no commit point before the trap: all of it is one message.",
            ..Way::NOTHING
        },
        Way {
            method: "increment_then_await_nothing_then_trap",
            what: "traps after an await that sends nothing",
            before: undone(2),
            answer: TRAP,
            why: "An await that sends no call ends no message. There was no commit point.",
            ..Way::NOTHING
        },
        Way {
            method: "increment_both_one_way_then_trap",
            what: "makes a one-way call, then traps",
            before: undone(1),
            answer: TRAP,
            why: "A call leaves when its message ends normally. This one trapped, and the call went with it.",
            ..Way::NOTHING
        },
        Way {
            method: "increment_then_call_trapping_callee",
            what: "the callee traps",
            before: kept(1),
            after: kept(1),
            callee: undone(1),
            answer: "reply: saw reject 5",
            why: "canister2 undid its own message. canister1 saw a reject, went on and ended normally.",
            ..Way::NOTHING
        },
        Way {
            method: "increment_then_call_rejecting_callee",
            what: "the callee rejects on purpose",
            before: kept(1),
            after: kept(1),
            callee: kept(1),
            answer: "reply: saw reject 4",
            why: "A reject is an answer like any other: what canister2 did before it is kept.",
            ..Way::NOTHING
        },
        Way {
            method: "increment_then_call_missing_method",
            what: "the method does not exist",
            before: kept(1),
            after: kept(1),
            answer: "reply: saw reject 5",
            why: "The system answered in place of canister2; canister1 went on and ended normally.",
            ..Way::NOTHING
        },
        Way {
            method: "increment_then_call_missing_canister",
            what: "the canister does not exist",
            before: kept(1),
            after: kept(1),
            answer: "reply: saw reject 3",
            why: "The system answered in place of the canister; canister1 went on and ended normally.",
            ..Way::NOTHING
        },
        Way {
            method: "increment_then_call_with_too_many_cycles",
            what: "the call needs more cycles than there are",
            before: kept(1),
            after: kept(1),
            answer: "reply: call not sent",
            why: "The call was not sent, so the await was no commit point. But the message ended normally.",
            ..Way::NOTHING
        },
        Way {
            method: "increment_both_twice_then_trap",
            what: "awaits twice, then traps",
            before: kept(2),
            after: undone(1),
            callee: kept(2),
            answer: TRAP,
            why: "Each await was a commit point. The trap undoes what came after the second.",
            ..Way::NOTHING
        },
        Way {
            method: "increment_both_then_trap_with_guard",
            what: "traps after the await, with a guard",
            before: kept(1),
            after: undone(1),
            callee: kept(1),
            cleanup: kept(1),
            answer: TRAP,
            why: "After the trap, cleanup dropped the local variables, and what Drop does there is kept.",
            ..Way::NOTHING
        },
        Way {
            method: "increment_both_then_trap_in_cleanup_too",
            what: "traps after the await, and in cleanup",
            before: kept(1),
            after: undone(1),
            callee: kept(1),
            cleanup: undone(1),
            answer: TRAP,
            why: "Cleanup trapped too, so it was undone as well: a lock would stay locked.",
            ..Way::NOTHING
        },
    ]
}

/// A way to fail: what is tried, and what is predicted to become of it.
#[derive(Clone, Copy)]
pub(super) struct Way {
    /// The method of canister1 that does it.
    pub method: &'static str,
    /// What happens.
    pub what: &'static str,
    /// What canister1 adds before its last await (or at all, if there is none).
    pub before: Change,
    /// What it adds after its last await.
    pub after: Change,
    /// What canister2 adds.
    pub callee: Change,
    /// What is counted in cleanup, and what counts it.
    pub cleanup: Change,
    pub cleanup_by: &'static str,
    /// What the user gets, in the words of [`Got::words`].
    pub answer: &'static str,
    /// Why it is so.
    pub why: &'static str,
}

/// So much is added, of which so much is kept.
#[derive(Clone, Copy)]
pub(super) struct Change {
    tried: u64,
    kept: u64,
}

pub(super) const fn kept(tried: u64) -> Change {
    Change { tried, kept: tried }
}

pub(super) const fn undone(tried: u64) -> Change {
    Change { tried, kept: 0 }
}

impl Change {
    /// The same change, of which so much was kept.
    fn but_kept(self, kept: u64) -> Change {
        Change { kept, ..self }
    }
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match (self.kept, self.tried) {
            (0, 0) => "–",
            (0, _) => "undone",
            (kept, tried) if kept == tried => "kept",
            _ => "partly",
        })
    }
}

/// What came of a way to fail.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Outcome {
    /// How much the counters grew.
    pub grown: Counters,
    /// What the user got, in the words of [`Got::words`].
    pub got: String,
}

impl Way {
    /// Where nothing is added.
    pub const NOTHING: Way = Way {
        method: "",
        what: "",
        before: kept(0),
        after: kept(0),
        callee: kept(0),
        cleanup: kept(0),
        cleanup_by: "Drop",
        answer: "",
        why: "",
    };

    fn experiment(self) -> Experiment {
        let question = self.question();
        rule(self.method, self.what, move |stage| {
            Ok(self.facts(&self.act(stage)?))
        })
        .asks(question)
    }

    /// Calls the method.
    pub fn act(&self, stage: &mut Stage) -> Result<Outcome> {
        let before = Counters::read(stage)?;
        let answer = stage.call(stage.caller, self.method, ())?;
        Ok(Outcome {
            grown: Counters::read(stage)?.since(before),
            got: Got::read(&answer).words(),
        })
    }

    /// What was predicted and what came of it.
    pub fn facts(&self, outcome: &Outcome) -> Vec<Fact> {
        let Outcome { grown, got } = outcome;
        // What is kept of the changes after the await comes on top of those before it.
        let kept_before = grown.canister1.min(self.before.tried);
        let kept_after = grown.canister1 - kept_before;
        vec![
            fact("C1 before", self.before, self.before.but_kept(kept_before)),
            fact("C1 after", self.after, self.after.but_kept(kept_after)),
            fact("C2", self.callee, self.callee.but_kept(grown.canister2)),
            fact(
                self.cleanup_by,
                self.cleanup,
                self.cleanup.but_kept(grown.drops),
            ),
            fact("the user got", self.answer, got),
            fact(GROWN, self.predicted(), grown),
        ]
    }

    fn predicted(&self) -> Counters {
        Counters {
            canister1: self.before.kept + self.after.kept,
            canister2: self.callee.kept,
            drops: self.cleanup.kept,
        }
    }

    /// What the reader is asked.
    pub fn question(&self) -> Question {
        let number = |change: Change| match change.tried {
            0 => "nothing".to_owned(),
            tried => tried.to_string(),
        };
        let cleanup_by = self.cleanup_by;
        let counted = match self.cleanup.tried {
            0 => String::new(),
            _ => format!(", and {cleanup_by} counts"),
        };
        let ask = format!(
            "canister1 adds {} before its last await and {} after it, canister2 adds {}{counted}. \
             By how much have canister1, canister2 and the count of {cleanup_by} grown?",
            number(self.before),
            number(self.after),
            number(self.callee),
        );
        let mut choices = Vec::new();
        for canister1 in 0..=self.before.tried + self.after.tried {
            for canister2 in 0..=self.callee.tried {
                for drops in 0..=self.cleanup.tried {
                    choices.push(Counters {
                        canister1,
                        canister2,
                        drops,
                    });
                }
            }
        }
        Question::new(&ask, choices, GROWN, self.why)
    }
}

/// The fact that tells the counters.
const GROWN: &str = "grew by";

/// What the pair has counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// The counter of canister1.
    pub canister1: u64,
    /// The counter of canister2.
    pub canister2: u64,
    /// How often a guard's `Drop` ran in canister1 and was kept.
    pub drops: u64,
}

impl Counters {
    /// Reads all counters, and has the stage watch them.
    ///
    /// # Errors
    ///
    /// If one can't be read.
    pub fn read(stage: &mut Stage) -> Result<Self> {
        let (canister1, canister2) = (stage.caller, stage.callee);
        Ok(Counters {
            canister1: read(stage, canister1, "get")?,
            canister2: read(stage, canister2, "get")?,
            drops: read(stage, canister1, "get_drops")?,
        })
    }

    /// How much each has grown since `before`.
    pub fn since(self, before: Counters) -> Counters {
        Counters {
            canister1: self.canister1.saturating_sub(before.canister1),
            canister2: self.canister2.saturating_sub(before.canister2),
            drops: self.drops.saturating_sub(before.drops),
        }
    }
}

fn read(stage: &mut Stage, canister: Principal, method: &str) -> Result<u64> {
    stage.watch(canister, method, ())?;
    let counter: Nat = stage.query(canister, method, ())?;
    u64::try_from(counter.0).with_context(|| format!("{method} returned a huge number"))
}

impl fmt::Display for Counters {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Counters {
            canister1,
            canister2,
            drops,
        } = self;
        write!(f, "+{canister1} +{canister2} +{drops}")
    }
}

/// The example of the article, message by message.
fn introduction(stage: &mut Stage) -> Result<String> {
    let title = style::heading("canister1.increment_both, step by step");
    stage.look_closely(true);
    let told = stage.perform(increment_both);
    stage.look_closely(false);
    Ok(format!("{title}\n{}\n\n", told?))
}

fn increment_both(stage: &mut Stage) -> Result<String> {
    let before = Counters::read(stage)?;
    let values = stage.values();
    let answer = stage.call(stage.caller, "increment_both", ())?;
    let got = Got::read(&answer);
    let story = match stage.is_local_replica() {
        true => story::tell_with_values(stage, &["canister1", "canister2"], &values[..2]),
        false => {
            let after = Counters::read(stage)?;
            format!(
                "  before: {} and {}\n  after:  {} and {}\n  The user got {got}\n",
                before.canister1, before.canister2, after.canister1, after.canister2
            )
        }
    };
    let grown = Counters::read(stage)?.since(before);
    let verdict = match (got.words().as_str(), grown.canister1, grown.canister2) {
        ("reply: Err", 1, 1) => {
            "It failed, and nothing was undone: not in canister2, and not in canister1."
        }
        _ => "This is not what was predicted: an Err, and both counters grown by 1.",
    };
    Ok(format!("{story}\n{verdict}"))
}
