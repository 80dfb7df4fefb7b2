//! What an upgrade keeps, and when Motoko refuses it.

use anyhow::Result;
use ic_management_canister_types::{UpgradeFlags, WasmMemoryPersistence};

use super::beside::{NOTHING, SAME, TRAP, facts};
use crate::answer::Got;
use crate::deployment::Deployment;
use crate::lesson::{Experiment, Fact, Question, rule};
use crate::lessons::rollback::{Counters, Outcome, Way, kept};
use crate::stage::{Language, Stage, accepted};

pub(super) fn experiments() -> impl Iterator<Item = Experiment> {
    upgrades().into_iter().map(Upgrade::experiment)
}

/// An upgrade of both canisters, after a call of canister1 that trapped.
#[derive(Clone, Copy)]
struct Upgrade {
    /// The name of the experiment, and what is predicted to be left of what the call counted.
    way: Way,
    /// The method that is called.
    counts: &'static str,
    /// Whether canister1 is stopped for the upgrade.
    stops: bool,
    /// What is predicted of the Rust pair.
    rust: &'static str,
}

impl Upgrade {
    fn experiment(self) -> Experiment {
        let ask = format!(
            "{} has been called. What does the upgrade of canister1 answer?",
            self.counts
        );
        let choices = ["reply", TRAP, "reject 5, IC0504"];
        let question = Question::new(&ask, choices, "the user got", self.way.why);
        let run = move |stage: &mut Stage| self.run(stage);
        rule(self.way.method, self.way.what, run).asks(question)
    }

    fn run(&self, stage: &mut Stage) -> Result<Vec<Fact>> {
        let rust = stage.pair_in(Language::Rust, Language::Rust)?;
        let rust = self.act(stage, rust, None)?;
        // A new one: no earlier experiment shall be in the upgrade's way.
        let motoko = stage.new_pair_in(Language::Motoko, Language::Motoko)?;
        let keep = UpgradeFlags {
            skip_pre_upgrade: None,
            wasm_memory_persistence: Some(WasmMemoryPersistence::Keep),
        };
        let motoko = self.act(stage, motoko, Some(keep))?;
        Ok(facts(&self.way, &motoko, self.rust, Some(&rust)))
    }

    fn act(
        &self,
        stage: &mut Stage,
        pair: Deployment,
        flags: Option<UpgradeFlags>,
    ) -> Result<Outcome> {
        stage.with_pair(pair, |stage| {
            let (canister1, canister2) = (stage.caller, stage.callee);
            stage.begin_scene()?;
            let before = Counters::read(stage)?;
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
                grown: Counters::read(stage)?.since(before),
                got: Got::read(&answer).words(),
            })
        })
    }
}

fn upgrades() -> [Upgrade; 3] {
    let refused = Upgrade {
        way: Way {
            method: "upgrade_after_trap_in_finally",
            what: "is upgraded after a trap in finally",
            before: kept(1),
            callee: kept(1),
            answer: TRAP,
            why: "Motoko counts the calls that it still awaits, and refuses an upgrade while there are any. The cleanup that trapped could not take this one off the count.",
            ..NOTHING
        },
        counts: "increment_both_then_trap_in_cleanup_too",
        stops: false,
        rust: "reply",
    };
    [
        Upgrade {
            way: Way {
                method: "upgrade",
                what: "is upgraded, told to keep its memory",
                before: kept(1),
                callee: kept(1),
                cleanup: kept(1),
                answer: "reply",
                why: "The variables of a persistent actor live in its memory, and the upgrade kept that. (Rust saved its state to stable memory, and restored it.)",
                ..NOTHING
            },
            counts: "increment_both_then_trap_with_guard",
            stops: false,
            rust: SAME,
        },
        refused,
        Upgrade {
            way: Way {
                method: "upgrade_after_trap_in_finally_when_stopped",
                what: "the same, but it is stopped first",
                answer: "reply",
                why: "A canister that has stopped awaits nothing, and Motoko does not ask its count then.",
                ..refused.way
            },
            stops: true,
            rust: SAME,
            ..refused
        },
    ]
}
