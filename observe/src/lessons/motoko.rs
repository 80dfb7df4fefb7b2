//! Every way to fail once more, in the other language, beside Rust; the two languages calling each
//! other; and what only Motoko has.
//!
//! The code that is observed: `canisters/motoko`.

mod beside;
mod explorations;
mod upgrades;

use anyhow::Result;

use self::beside::{NO_SUCH_METHOD, NOTHING, SAME, TRAP, facts};
use super::rollback::{self, Outcome, Way, kept, undone};
use crate::lesson::{Canisters, Experiment, Fact, Layout, Lesson, rule};
use crate::stage::{Language, Stage};

pub const LESSON: Lesson = Lesson {
    name: "motoko",
    about: "The same in Motoko, and what only Motoko has. (To build it needs Node.js.)",
    canisters: Canisters::PairInTwoLanguages,
    introduction: None,
    experiments,
    explorations: explorations::all,
    layout: Layout::Table,
};

const THROW: &str = "reject 4, IC0406";

fn experiments() -> Vec<Experiment> {
    let calls = shared_with_rust().into_iter().chain(only_in_motoko());
    let calls = calls.map(Call::experiment);
    calls.chain(upgrades::experiments()).collect()
}

/// A call of canister1, and beside it one in the Rust pair.
#[derive(Clone, Copy)]
struct Call {
    /// The name of the experiment: that of the method, unless the pair is of both languages.
    name: &'static str,
    /// What is called, and what is predicted to become of it.
    way: Way,
    /// The language of canister1.
    caller: Language,
    /// The language of canister2.
    callee: Language,
    /// The method of the Rust pair that is the same, or comes near, if there is one.
    rust_method: Option<&'static str>,
    /// What is predicted of that.
    rust: &'static str,
}

impl Call {
    /// In a pair in Motoko, beside nothing.
    const fn new(way: Way) -> Self {
        Call {
            name: way.method,
            way,
            caller: Language::Motoko,
            callee: Language::Motoko,
            rust_method: None,
            rust: NO_SUCH_METHOD,
        }
    }

    /// The same, with a canister2 in Rust.
    fn with_rust_callee(self, name: &'static str, what: &'static str) -> Self {
        Call {
            name,
            way: Way { what, ..self.way },
            callee: Language::Rust,
            ..self
        }
    }

    /// The same, with a canister1 in Rust.
    fn with_rust_caller(self, name: &'static str, what: &'static str) -> Self {
        Call {
            name,
            way: Way { what, ..self.way },
            caller: Language::Rust,
            ..self
        }
    }

    fn experiment(self) -> Experiment {
        let run = move |stage: &mut Stage| self.run(stage);
        rule(self.name, self.way.what, run).asks(self.way.question())
    }

    fn run(&self, stage: &mut Stage) -> Result<Vec<Fact>> {
        let rust = match self.rust_method {
            Some(method) => {
                let way = Way { method, ..self.way };
                Some(act(stage, &way, Language::Rust, Language::Rust)?)
            }
            None => None,
        };
        let outcome = act(stage, &self.way, self.caller, self.callee)?;
        Ok(facts(&self.way, &outcome, self.rust, rust.as_ref()))
    }
}

/// Calls the method in a pair of these languages, and records nothing else.
fn act(stage: &mut Stage, way: &Way, caller: Language, callee: Language) -> Result<Outcome> {
    let pair = stage.pair_in(caller, callee)?;
    stage.with_pair(pair, |stage| {
        stage.begin_scene()?;
        way.act(stage)
    })
}

/// What both languages can show. Where the article's question is asked, all four combinations of
/// the two answer it.
fn shared_with_rust() -> Vec<Call> {
    let mut calls = Vec::new();
    for way in rollback::ways_to_fail() {
        let call = Call {
            rust_method: Some(way.method),
            rust: match way.method {
                "increment_then_call_with_too_many_cycles" => "+2 +0 +0",
                _ => SAME,
            },
            ..Call::new(in_motoko(way))
        };
        calls.push(call);
        match way.method {
            "increment_both" => calls.extend([
                call.with_rust_callee(
                    "increment_both_from_motoko_to_rust",
                    "returns Err; Motoko calls Rust",
                ),
                call.with_rust_caller(
                    "increment_both_from_rust_to_motoko",
                    "returns Err; Rust calls Motoko",
                ),
            ]),
            "increment_both_then_trap" => calls.extend([
                call.with_rust_callee(
                    "increment_both_then_trap_from_motoko_to_rust",
                    "traps; Motoko calls Rust",
                ),
                call.with_rust_caller(
                    "increment_both_then_trap_from_rust_to_motoko",
                    "traps; Rust calls Motoko",
                ),
            ]),
            _ => {}
        }
    }
    calls
}

/// A way to fail of the lesson `rollback` as it is in Motoko.
fn in_motoko(rust: Way) -> Way {
    let same = Way {
        cleanup_by: NOTHING.cleanup_by,
        ..rust
    };
    match same.method {
        "increment_then_await_nothing_then_trap" => Way {
            what: "traps after an await* that sends nothing",
            why: "await* runs the local function in the same message, and that one awaits nothing. There was no commit point.",
            ..same
        },
        "increment_then_call_with_too_many_cycles" => Way {
            before: undone(1),
            after: kept(0),
            answer: "reject 5, IC0520",
            why: "Rust's CDK asks for the balance before the call and returns an error. Motoko attaches the cycles, and that traps: before the await, so there was no commit point.",
            ..same
        },
        "increment_both_then_trap_with_guard" => Way {
            what: "traps after the await, in try/finally",
            why: "After the trap, cleanup ran the `finally`, and what it does there is kept.",
            ..same
        },
        "increment_both_then_trap_in_cleanup_too" => Way {
            what: "traps after the await, and in finally",
            ..same
        },
        _ => same,
    }
}

/// What Rust has no such method for; at most one that comes near.
fn only_in_motoko() -> Vec<Call> {
    let throws = Call::new(Way {
        method: "increment_both_then_throw",
        what: "throws after the await",
        before: kept(1),
        after: kept(1),
        callee: kept(1),
        answer: THROW,
        why: "throw is a reject on purpose and ends the message normally: a commit point. It undoes nothing.",
        ..NOTHING
    });
    vec![
        Call::new(Way {
            method: "increment_then_throw",
            what: "throws before any await",
            before: kept(1),
            answer: THROW,
            why: "throw is a reject on purpose and ends the message normally. Only a trap would undo the 1.",
            ..NOTHING
        }),
        throws,
        throws.with_rust_callee(
            "increment_both_then_throw_from_motoko_to_rust",
            "throws; Motoko calls Rust",
        ),
        Call::new(Way {
            method: "increment_both_then_throw_with_finally",
            what: "throws after the await, in try/finally",
            before: kept(1),
            after: kept(1),
            callee: kept(1),
            cleanup: kept(1),
            answer: THROW,
            why: "throw ran the `finally` on its way out, in the same message, and that message ended normally.",
            ..NOTHING
        }),
        Call::new(Way {
            method: "increment_both_then_trap_in_finally",
            what: "ends well, but for a trap in finally",
            before: kept(1),
            after: undone(1),
            callee: kept(1),
            cleanup: undone(1),
            answer: TRAP,
            why: "The trap undid the message after the await. Cleanup ran the same `finally`, and it trapped once more.",
            ..NOTHING
        }),
        Call::new(Way {
            method: "increment_then_call_rejecting_callee_uncaught",
            what: "does not catch the callee's reject",
            before: kept(1),
            callee: kept(1),
            answer: THROW,
            why: "canister2 threw, and what it did is kept. The await threw that error again, and nobody caught it: canister1 ended normally, too.",
            ..NOTHING
        }),
        Call::new(Way {
            method: "increment_then_call_trapping_callee_uncaught",
            what: "does not catch the callee's trap",
            before: kept(1),
            callee: undone(1),
            answer: THROW,
            why: "canister2 trapped, and undid its 1. In canister1 the await threw an error, which is no trap: its 1 is kept, and the code is 4.",
            ..NOTHING
        }),
        Call {
            rust_method: Some("increment_then_await_nothing_then_trap"),
            rust: "+0 +0 +0",
            ..Call::new(Way {
                method: "increment_then_await_async_block_then_trap",
                what: "traps after the await of an async block",
                before: kept(2),
                after: undone(1),
                answer: TRAP,
                why: "In Motoko an async block is a message that canister1 sends to itself, so its await is a commit point. (In Rust it sends nothing.)",
                ..NOTHING
            })
        },
        Call::new(Way {
            method: "increment_both_without_await_then_trap",
            what: "calls without await, then traps",
            before: undone(1),
            answer: TRAP,
            why: "A call leaves when its message ends normally. This one trapped, and the call went with it.",
            ..NOTHING
        }),
        Call {
            rust_method: Some("increment_both_then_trap"),
            rust: SAME,
            ..Call::new(Way {
                method: "increment_both_then_assert_false",
                what: "traps by assert false after the await",
                before: kept(1),
                after: undone(1),
                callee: kept(1),
                answer: TRAP,
                why: "An assert that does not hold is a trap, not a throw: it undoes what came after the await.",
                ..NOTHING
            })
        },
    ]
}
