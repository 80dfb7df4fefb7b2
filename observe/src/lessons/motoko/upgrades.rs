//! What an upgrade keeps, and when Motoko refuses it.

use anyhow::Result;
use ic_management_canister_types::{UpgradeFlags, WasmMemoryPersistence};

use super::{SAME, TRAP, experiment, facts};
use crate::answer::Got;
use crate::lesson::{Experiment, Fact, Question};
use crate::lessons::rollback::{self, Outcome, Row, row};
use crate::pair::{Language, Pair};
use crate::stage::{Stage, accepted};

pub fn experiments() -> impl Iterator<Item = Experiment> {
    rows().into_iter().map(Upgrade::experiment)
}

/// A row that is an upgrade of both canisters, after a call of canister1 has counted.
#[derive(Clone, Copy)]
struct Upgrade {
    /// It names the experiment, and what is left of what was counted before the upgrade.
    row: Row,
    /// The method that counts.
    counts: &'static str,
    /// Whether canister1 is stopped for the upgrade.
    stops: bool,
    /// What is predicted of the Rust pair.
    rust: &'static str,
    /// The answers that the reader can choose from.
    choices: [&'static str; 3],
}

impl Upgrade {
    fn experiment(self) -> Experiment {
        let question = Question {
            ask: format!(
                "{} has been called. What does the upgrade of canister1 answer?",
                self.counts
            ),
            choices: self.choices.map(str::to_owned).to_vec(),
            fact: rollback::ANSWER,
            why: self.row.why,
        };
        experiment(self.row.method, self.row.what, question, move |stage| {
            self.run(stage)
        })
    }

    fn run(&self, stage: &mut Stage) -> Result<Vec<Fact>> {
        let rust = stage.pair_in(Language::Rust, Language::Rust)?;
        let rust = self.act(stage, rust, None)?;
        // A new one: no earlier row shall be in the upgrade's way.
        let motoko = stage.new_pair_in(Language::Motoko, Language::Motoko)?;
        let keep = UpgradeFlags {
            skip_pre_upgrade: None,
            wasm_memory_persistence: Some(WasmMemoryPersistence::Keep),
        };
        let motoko = self.act(stage, motoko, Some(keep))?;
        Ok(facts(&self.row, &motoko, Some((self.rust, rust))))
    }

    fn act(&self, stage: &mut Stage, pair: Pair, flags: Option<UpgradeFlags>) -> Result<Outcome> {
        stage.with_pair(pair, |stage| {
            let (canister1, canister2) = (stage.canister1, stage.canister2);
            stage.begin_scene()?;
            let before = stage.counters()?;
            let _it_traps = stage.call(canister1, self.counts, ())?;
            if self.stops {
                accepted(stage.command(canister1, "stop_canister")?)?;
            }
            accepted(stage.upgrade_with(canister2, flags)?)?;
            let answer = stage.upgrade_with(canister1, flags)?;
            if self.stops {
                accepted(stage.command(canister1, "start_canister")?)?;
            }
            Ok(Outcome {
                grown: stage.counters()?.since(before),
                got: Got::read(&answer).words(),
            })
        })
    }
}

fn rows() -> [Upgrade; 3] {
    let kept = Upgrade {
        row: Row {
            cleanup: "finally",
            ..row(
                "is upgraded, and told to keep its memory",
                "upgrade",
                [1, 0, 1, 1],
                [1, 1, 1],
                "reply",
                "The variables of a persistent actor live in its memory, and the upgrade kept that. (Rust saved its state to stable memory, and restored it.)",
            )
        },
        counts: "increment_both_then_trap_with_guard",
        stops: false,
        rust: SAME,
        choices: ["reply", TRAP, "reject 5, IC0504"],
    };
    let trapping = Upgrade {
        counts: "increment_both_then_trap_in_cleanup_too",
        ..kept
    };
    let stuck = Row {
        cleanup: "finally",
        ..row(
            "is upgraded after a trap in finally",
            "upgrade_after_trap_in_finally",
            [1, 0, 1, 0],
            [1, 1, 0],
            TRAP,
            "Motoko counts the calls that it still awaits, and refuses an upgrade while there are any. The cleanup that trapped could not take this one off the count.",
        )
    };
    [
        kept,
        Upgrade {
            row: stuck,
            rust: "reply",
            ..trapping
        },
        Upgrade {
            row: Row {
                what: "the same, but it is stopped for it",
                method: "upgrade_after_trap_in_finally_when_stopped",
                answer: "reply",
                why: "A canister that has stopped awaits nothing, and Motoko does not ask its count then.",
                ..stuck
            },
            stops: true,
            ..trapping
        },
    ]
}
