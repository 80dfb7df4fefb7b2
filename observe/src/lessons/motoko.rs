//! The experiment of the lesson `motoko`: every way to fail once more, in the other language, beside
//! Rust; the two languages calling each other; and what only Motoko has.
//!
//! The code that is observed: `canisters/motoko/canister1.mo`.

mod upgrades;

use anyhow::Result;

use super::rollback::{self, Outcome, Row, row};
use crate::lesson::{Experiment, Fact, Layout, Lesson, Question, Side, fact};
use crate::pair::Language;
use crate::stage::Stage;

/// The lesson.
pub const LESSON: Lesson = Lesson {
    name: "motoko",
    about: "The same in Motoko, and what only Motoko has. (To build it needs Node.js.)",
    experiments,
    layout: Layout::Table(
        "C1, C2: canister1 and canister2, in Motoko unless the row says otherwise. before, after: what C1\n\
         changed before and after its last await. finally: what it counted; in Rust, Drop. –: nothing to\n\
         change, or no such method. Rust: what the Rust pair did; = is the same growth and answer.\n\
         predicted, observed: by how much the counter of C1, that of C2, and the count of finally grew.\n",
    ),
};

const TRAP: &str = "reject 5, IC0503";
const THROW: &str = "reject 4, IC0406";

const MOTOKO_CALLS_RUST: [Language; 2] = [Language::Motoko, Language::Rust];
const RUST_CALLS_MOTOKO: [Language; 2] = [Language::Rust, Language::Motoko];

/// Where Rust does the same.
const SAME: &str = "=";

fn experiments() -> Vec<Experiment> {
    let calls = shared_with_rust().into_iter().chain(only_in_motoko());
    let calls = calls.map(Call::experiment);
    calls.chain(upgrades::experiments()).collect()
}

/// A row that is a call of canister1.
#[derive(Clone, Copy)]
struct Call {
    /// The name of the experiment; that of the method, unless it names another one.
    name: &'static str,
    row: Row,
    /// The languages of canister1 and canister2.
    languages: [Language; 2],
    /// The method of the Rust pair that corresponds to it, and what is predicted of that.
    rust: Option<(&'static str, &'static str)>,
}

impl Call {
    fn new(row: Row, rust: Option<(&'static str, &'static str)>) -> Self {
        Call {
            name: row.method,
            row: Row {
                cleanup: "finally",
                ..row
            },
            languages: [Language::Motoko, Language::Motoko],
            rust,
        }
    }

    /// The same call in a pair of both languages.
    fn mixed(self, what: &'static str, name: &'static str, languages: [Language; 2]) -> Self {
        let row = Row { what, ..self.row };
        Call {
            name,
            row,
            languages,
            ..self
        }
    }

    fn experiment(self) -> Experiment {
        experiment(
            self.name,
            self.row.what,
            self.row.question(),
            move |stage| self.run(stage),
        )
    }

    fn run(&self, stage: &mut Stage) -> Result<Vec<Fact>> {
        let rust = match self.rust {
            None => None,
            Some((method, predicted)) => {
                let row = Row { method, ..self.row };
                let languages = [Language::Rust, Language::Rust];
                Some((predicted, act(stage, &row, languages)?))
            }
        };
        let outcome = act(stage, &self.row, self.languages)?;
        Ok(facts(&self.row, &outcome, rust))
    }
}

/// Calls the row's method in a pair of these languages, and records nothing else.
fn act(stage: &mut Stage, row: &Row, [caller, callee]: [Language; 2]) -> Result<Outcome> {
    let pair = stage.pair_in(caller, callee)?;
    stage.with_pair(pair, |stage| {
        stage.begin_scene()?;
        row.act(stage)
    })
}

/// The row's facts, and beside them what Rust did: predicted, and observed.
fn facts(row: &Row, outcome: &Outcome, rust: Option<(&str, Outcome)>) -> Vec<Fact> {
    let beside = match rust {
        None => fact("Rust", "–", "–"),
        Some((predicted, rust)) if rust == *outcome => fact("Rust", predicted, SAME),
        Some((predicted, rust)) if rust.grown == outcome.grown => fact("Rust", predicted, rust.got),
        Some((predicted, rust)) => fact("Rust", predicted, rust.grown),
    };
    let mut facts = row.facts(outcome);
    facts.insert(facts.len() - 1, beside);
    facts
}

fn experiment(
    method: &'static str,
    what: &'static str,
    question: Question,
    run: impl Fn(&mut Stage) -> Result<Vec<Fact>> + 'static,
) -> Experiment {
    Experiment {
        method,
        what,
        side: Side::Rule,
        needs_local_replica: false,
        question: Some(question),
        run: Box::new(run),
    }
}

/// What both languages can show. Where the article's question is asked, all four combinations of
/// the two answer it.
fn shared_with_rust() -> Vec<Call> {
    let mut calls = Vec::new();
    for row in rollback::rows() {
        let rust = match row.method {
            "increment_then_call_with_too_many_cycles" => "+2 +0 +0",
            _ => SAME,
        };
        let call = Call::new(in_motoko(row), Some((row.method, rust)));
        calls.push(call);
        if row.method == "increment_both" {
            calls.push(call.mixed(
                "returns Err; Motoko calls Rust",
                "increment_both_from_motoko_to_rust",
                MOTOKO_CALLS_RUST,
            ));
            calls.push(call.mixed(
                "returns Err; Rust calls Motoko",
                "increment_both_from_rust_to_motoko",
                RUST_CALLS_MOTOKO,
            ));
        }
        if row.method == "increment_both_then_trap" {
            calls.push(call.mixed(
                "traps; Motoko calls Rust",
                "increment_both_then_trap_from_motoko_to_rust",
                MOTOKO_CALLS_RUST,
            ));
            calls.push(call.mixed(
                "traps; Rust calls Motoko",
                "increment_both_then_trap_from_rust_to_motoko",
                RUST_CALLS_MOTOKO,
            ));
        }
    }
    calls
}

/// A row of the lesson `rollback` as it is in Motoko.
fn in_motoko(rust: Row) -> Row {
    match rust.method {
        "increment_then_await_nothing_then_trap" => Row {
            what: "traps after an await* that sends nothing",
            why: "await* runs the local function in the same message, and that one awaits nothing. There was no commit point.",
            ..rust
        },
        "increment_then_call_with_too_many_cycles" => row(
            rust.what,
            rust.method,
            [1, 0, 0, 0],
            [0, 0, 0],
            "reject 5, IC0520",
            "Rust's CDK asks for the balance before the call and returns an error. Motoko attaches the cycles, and that traps: before the await, so there was no commit point.",
        ),
        "increment_both_then_trap_with_guard" => Row {
            what: "traps after the await, in try/finally",
            why: "After the trap, cleanup ran the `finally`, and what it does there is kept.",
            ..rust
        },
        "increment_both_then_trap_in_cleanup_too" => Row {
            what: "traps after the await, and in finally",
            ..rust
        },
        _ => rust,
    }
}

/// What Rust has no such method for; at most one that comes near.
fn only_in_motoko() -> Vec<Call> {
    let nothing = |row| Call::new(row, None);
    let like = |method, predicted, row| Call::new(row, Some((method, predicted)));
    let throws = nothing(row(
        "throws after the await",
        "increment_both_then_throw",
        [1, 1, 1, 0],
        [2, 1, 0],
        THROW,
        "throw is a reject on purpose, and a normal end of the message: a commit point. It undoes nothing.",
    ));
    vec![
        nothing(row(
            "throws before any await",
            "increment_then_throw",
            [1, 0, 0, 0],
            [1, 0, 0],
            THROW,
            "throw is a reject on purpose, and a normal end of the message. To undo the 1 it would have to trap.",
        )),
        throws,
        throws.mixed(
            "throws; Motoko calls Rust",
            "increment_both_then_throw_from_motoko_to_rust",
            MOTOKO_CALLS_RUST,
        ),
        nothing(row(
            "throws after the await, in try/finally",
            "increment_both_then_throw_with_finally",
            [1, 1, 1, 1],
            [2, 1, 1],
            THROW,
            "throw ran the `finally` on its way out, in the same message, and that message ended normally.",
        )),
        nothing(row(
            "ends well, but for a trap in finally",
            "increment_both_then_trap_in_finally",
            [1, 1, 1, 1],
            [1, 1, 0],
            TRAP,
            "The trap undid the message after the await. Cleanup ran the same `finally`, and it trapped once more.",
        )),
        nothing(row(
            "does not catch the callee's reject",
            "increment_then_call_rejecting_callee_uncaught",
            [1, 0, 1, 0],
            [1, 1, 0],
            THROW,
            "canister2 threw, and what it did is kept. The await threw that error again, and nobody caught it: canister1 ended normally, too.",
        )),
        nothing(row(
            "does not catch the callee's trap",
            "increment_then_call_trapping_callee_uncaught",
            [1, 0, 1, 0],
            [1, 0, 0],
            THROW,
            "canister2 trapped, and undid its 1. In canister1 the await threw an error, which is no trap: its 1 is kept, and the code is 4.",
        )),
        like(
            "increment_then_await_nothing_then_trap",
            "+0 +0 +0",
            row(
                "traps after the await of an async block",
                "increment_then_await_async_block_then_trap",
                [2, 1, 0, 0],
                [2, 0, 0],
                TRAP,
                "In Motoko an async block is a message that canister1 sends to itself, so its await is a commit point. (In Rust it sends nothing.)",
            ),
        ),
        nothing(row(
            "calls without await, then traps",
            "increment_both_without_await_then_trap",
            [1, 0, 0, 0],
            [0, 0, 0],
            TRAP,
            "A call leaves when its message ends normally. This one trapped, and the call went with it.",
        )),
        like(
            "increment_both_then_trap",
            SAME,
            row(
                "asserts after the await what is false",
                "increment_both_then_assert_false",
                [1, 1, 1, 0],
                [1, 1, 0],
                TRAP,
                "An assert that does not hold is a trap, not a throw: it undoes what came after the await.",
            ),
        ),
    ]
}
