//! What the user asks for.

use std::path::PathBuf;

use anyhow::{Result, bail};
use candid::Principal;
use clap::Parser;
use observe::exploration::Exploration;
use observe::lesson::Canisters;
use observe::lesson::{Experiment, Lesson};
use observe::lessons::{self, LESSONS};

/// Runs the lessons on real Wasm: each is a set of experiments, predicted and observed.
///
/// Without a lesson it runs all of the tutorial. Without --network it runs the local replica inside
/// itself, and deploys each lesson's canisters there. The exit status is 0 if everything is as predicted, 1 if
/// something is not, and 2 if it could not be run.
#[derive(Parser)]
#[command(version)]
pub struct Arguments {
    /// The lesson; --list names all
    lesson: Option<String>,

    /// Only this method of the caller, for example increment_both_then_trap; with :2 after it, only
    /// the second experiment with this method
    #[arg(requires = "lesson")]
    method: Option<String>,

    /// Name all lessons
    #[arg(long)]
    pub list: bool,

    /// Be asked for a prediction before each experiment
    #[arg(long, conflicts_with_all = ["json", "mermaid"])]
    pub predict: bool,

    /// Show every message: who executed what, where the commit points are, what was undone
    #[arg(long)]
    pub timeline: bool,

    /// Print a sequence diagram in Mermaid instead; of several experiments, a Markdown page
    #[arg(long, conflicts_with = "timeline")]
    pub mermaid: bool,

    /// Go through every order of messages instead, and through faults: each mistake is found, and each
    /// right way holds
    #[arg(long, conflicts_with_all = ["predict", "timeline", "mermaid", "network"])]
    pub explore: bool,

    /// Print the findings as JSON, for machines
    #[arg(long, conflicts_with_all = ["timeline", "mermaid"])]
    pub json: bool,

    /// Run on this network instead, for example http://127.0.0.1:4943; ic is mainnet
    #[arg(long, value_name = "URL")]
    pub network: Option<String>,

    /// Call as the identity in this PEM file, instead of as a new one
    #[arg(long, value_name = "FILE", requires = "network")]
    pub identity: Option<PathBuf>,

    /// What the controls of a local replica on another machine need, as it printed it at its start
    #[arg(long, requires = "network")]
    pub token: Option<String>,

    /// Use this canister1, or this lesson's caller, deployed by icp or dfx, instead of a new one
    #[arg(long, value_name = "ID", requires_all = ["network", "canister2", "lesson"])]
    pub canister1: Option<Principal>,

    /// The canister2, or the callee, that belongs to it
    #[arg(long, value_name = "ID", requires_all = ["network", "canister1", "lesson"])]
    pub canister2: Option<Principal>,

    /// Where the canisters' Wasm is
    #[arg(
        long,
        value_name = "FOLDER",
        overrides_with = "wasm",
        default_value = "target/wasm32-unknown-unknown/release"
    )]
    pub wasm: PathBuf,

    /// Where the Motoko ones are, for the lesson motoko
    #[arg(
        long,
        value_name = "FOLDER",
        overrides_with = "motoko",
        default_value = "target/motoko"
    )]
    pub motoko: PathBuf,
}

/// A lesson, or a part of one.
pub struct Chosen {
    /// The lesson.
    pub lesson: &'static Lesson,
    /// The experiments that were asked for.
    pub experiments: Vec<Experiment>,
    /// The explorations that were asked for.
    pub explorations: Vec<Exploration>,
    /// Whether these are all.
    pub is_whole: bool,
}

impl Arguments {
    /// Whether findings are shown as tables.
    pub fn shows_tables(&self) -> bool {
        !self.json && !self.mermaid
    }

    /// The caller and the callee that are to be used, if they are deployed already.
    pub fn deployed(&self) -> Option<(Principal, Principal)> {
        self.canister1.zip(self.canister2)
    }

    /// What is to be run.
    ///
    /// # Errors
    ///
    /// If there is no such lesson or method, or the lesson can't be run in this way.
    pub fn chosen(&self) -> Result<Vec<Chosen>> {
        let whole = |lesson: &'static Lesson| Chosen {
            lesson,
            experiments: (lesson.experiments)(),
            explorations: (lesson.explorations)(),
            is_whole: true,
        };
        let Some(name) = &self.lesson else {
            return Ok(LESSONS.iter().copied().map(whole).collect());
        };
        let Some(lesson) = lessons::all().find(|lesson| lesson.name == name) else {
            let known: Vec<&str> = lessons::all().map(|lesson| lesson.name).collect();
            bail!(
                "there is no lesson '{name}'; there is: {}",
                known.join(", ")
            );
        };
        if lesson.canisters == Canisters::PairInTwoLanguages && self.deployed().is_some() {
            bail!("{name} deploys pairs of its own; leave out --canister1 and --canister2");
        }
        let mut chosen = whole(lesson);
        if let Some(method) = self.method.as_deref().filter(|_| self.explore) {
            let known: Vec<&str> = chosen.explorations.iter().map(|e| e.method).collect();
            if !known.contains(&method) {
                let known = known.join(", ");
                bail!("{name} does not explore '{method}'; it explores: {known}");
            }
            chosen.explorations.retain(|one| one.method == method);
            chosen.is_whole = false;
        } else if let Some(method) = &self.method {
            let (method, number) = match method.split_once(':') {
                Some((method, number)) => (method, Some(number)),
                None => (method.as_str(), None),
            };
            let mut known: Vec<&str> = chosen.experiments.iter().map(|e| e.method).collect();
            known.dedup();
            chosen
                .experiments
                .retain(|experiment| experiment.method == method);
            if chosen.experiments.is_empty() {
                let known = known.join(", ");
                bail!("{name} does not observe '{method}'; it observes: {known}");
            }
            if let Some(number) = number {
                chosen.experiments = vec![nth(chosen.experiments, number)?];
            }
            chosen.is_whole = false;
        }
        Ok(vec![chosen])
    }
}

/// The experiment with this number, counted from 1.
fn nth(experiments: Vec<Experiment>, number: &str) -> Result<Experiment> {
    let count = experiments.len();
    let index = number.parse::<usize>().ok().and_then(|n| n.checked_sub(1));
    match index.and_then(|index| experiments.into_iter().nth(index)) {
        Some(experiment) => Ok(experiment),
        None => bail!(
            "there is no experiment ':{number}' with this method; they go from :1 to :{count}"
        ),
    }
}
