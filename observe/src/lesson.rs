//! What a lesson is: experiments with predictions, and what was found.

use std::fmt::Display;

use anyhow::Result;
use serde::Serialize;

use crate::deployment::Modules;
use crate::exploration::Exploration;
use crate::stage::{Folders, Stage};

/// A lesson.
pub struct Lesson {
    /// Its name, which is also that of its room.
    pub name: &'static str,
    /// What it is about, in one sentence.
    pub about: &'static str,
    /// The canisters that it is about.
    pub canisters: Canisters,
    /// What is told before the experiments, if all of them are done.
    pub introduction: Option<fn(&mut Stage) -> Result<String>>,
    /// Its experiments, in the order in which they are done.
    pub experiments: fn() -> Vec<Experiment>,
    /// What is gone through in every order, beside them.
    pub explorations: fn() -> Vec<Exploration>,
    /// How its findings are shown.
    pub layout: Layout,
}

/// The canisters of a lesson.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Canisters {
    /// The pair.
    Pair,
    /// The pair, in Rust and in Motoko, and mixed. The lesson deploys what it needs.
    PairInTwoLanguages,
    /// The caller and the callee in the lesson's room.
    Room,
    /// The same, and a proxy that calls others for the caller, which is one of its controllers.
    RoomWithProxy,
}

impl Canisters {
    /// The canisters in the lesson's room.
    pub fn in_room(self) -> &'static [&'static str] {
        match self {
            Canisters::Pair | Canisters::PairInTwoLanguages => &[],
            Canisters::Room => &["caller", "callee"],
            Canisters::RoomWithProxy => &["caller", "callee", "proxy"],
        }
    }
}

impl Lesson {
    /// Where the Wasm of its canisters is.
    pub fn modules(&self, folders: &Folders) -> Modules {
        match self.canisters {
            Canisters::Pair | Canisters::PairInTwoLanguages => {
                Modules::pair(&folders.rust, &folders.rust)
            }
            Canisters::Room => Modules::room(&folders.rust, self.name),
            Canisters::RoomWithProxy => {
                Modules::room(&folders.rust, self.name).with_proxy(&folders.rust, self.name)
            }
        }
    }
}

/// How findings are shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Layout {
    /// Each finding has its own facts: a heading, and a line for each fact.
    List,
    /// All findings have the same facts: a line for each finding, a column for each fact, and under
    /// them what [`crate::legend`] says of the columns.
    Table,
}

/// One thing to try: [`rule`], [`mistake`] and [`right_way`] make one.
pub struct Experiment {
    /// The caller's method that it is about; this also names the experiment.
    pub method: &'static str,
    /// What happens in it.
    pub what: &'static str,
    /// What it stands for.
    pub side: Side,
    /// Whether messages have to be held back or the clock moved, as only the local replica can.
    pub needs_local_replica: bool,
    /// What the reader is asked before it.
    pub question: Option<Question>,
    /// Does it. Every fact comes with its prediction.
    pub run: Act,
}

/// An experiment that shows how the rules are.
pub fn rule(
    method: &'static str,
    what: &'static str,
    run: impl Fn(&mut Stage) -> Result<Vec<Fact>> + 'static,
) -> Experiment {
    Experiment {
        method,
        what,
        side: Side::Rule,
        needs_local_replica: false,
        question: None,
        run: Box::new(run),
    }
}

/// An experiment that shows a mistake failing.
pub fn mistake(
    method: &'static str,
    what: &'static str,
    run: impl Fn(&mut Stage) -> Result<Vec<Fact>> + 'static,
) -> Experiment {
    Experiment {
        side: Side::Mistake,
        ..rule(method, what, run)
    }
}

/// An experiment that shows the right way surviving what the mistake does not.
pub fn right_way(
    method: &'static str,
    what: &'static str,
    run: impl Fn(&mut Stage) -> Result<Vec<Fact>> + 'static,
) -> Experiment {
    Experiment {
        side: Side::RightWay,
        ..rule(method, what, run)
    }
}

impl Experiment {
    /// The same; it holds messages back or moves the clock, as only the local replica can.
    pub fn on_local_replica(self) -> Self {
        Experiment {
            needs_local_replica: true,
            ..self
        }
    }

    /// The same, with a question to the reader before it.
    pub fn asks(self, question: Question) -> Self {
        Experiment {
            question: Some(question),
            ..self
        }
    }
}

/// What an experiment does on the stage, and the facts that it finds.
pub type Act = Box<dyn Fn(&mut Stage) -> Result<Vec<Fact>>>;

/// What an experiment stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Side {
    /// How the rules are, good or bad.
    Rule,
    /// The mistake: it fails in the way that is predicted.
    Mistake,
    /// The right way: it survives what the mistake does not.
    RightWay,
}

/// A question to the reader about an experiment.
pub struct Question {
    /// The question.
    pub ask: String,
    /// The answers to choose from. The right one is the observed value of [`Question::fact`].
    pub choices: Vec<String>,
    /// The fact that is asked for.
    pub fact: &'static str,
    /// Why it is as it is, for those who chose another answer.
    pub why: &'static str,
}

impl Question {
    /// A question about a fact: the right choice is what is observed of it.
    pub fn new<Choice: Display>(
        ask: &str,
        choices: impl IntoIterator<Item = Choice>,
        fact: &'static str,
        why: &'static str,
    ) -> Self {
        Question {
            ask: ask.to_owned(),
            choices: choices
                .into_iter()
                .map(|choice| choice.to_string())
                .collect(),
            fact,
            why,
        }
    }
}

/// One thing that was predicted and observed: [`fact`] makes one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Fact {
    /// What it is.
    pub what: &'static str,
    /// What was predicted.
    pub predicted: String,
    /// What was observed.
    pub observed: String,
}

/// What something is, what was predicted of it, and what was observed.
pub fn fact(what: &'static str, predicted: impl Display, observed: impl Display) -> Fact {
    Fact {
        what,
        predicted: predicted.to_string(),
        observed: observed.to_string(),
    }
}

impl Fact {
    /// Whether it is as predicted.
    pub fn is_as_predicted(&self) -> bool {
        self.predicted == self.observed
    }
}

/// An experiment that was done.
#[derive(Clone, Debug, Serialize)]
pub struct Finding {
    /// The lesson.
    pub lesson: &'static str,
    /// The caller's method that it is about.
    pub method: &'static str,
    /// What happens.
    pub what: &'static str,
    /// What it stands for.
    pub side: Side,
    /// What was found; empty if this network can't show it.
    pub facts: Vec<Fact>,
    /// Whether everything is as predicted; `None` if this network can't show it.
    pub as_predicted: Option<bool>,
}

impl Experiment {
    /// Does the experiment, unless the network can't.
    ///
    /// # Errors
    ///
    /// If it can't be observed.
    pub fn observe(&self, lesson: &'static str, stage: &mut Stage) -> Result<Finding> {
        let can = !self.needs_local_replica || stage.is_local_replica();
        let facts = match can {
            true => stage.perform(&self.run)?,
            false => Vec::new(),
        };
        Ok(Finding {
            lesson,
            method: self.method,
            what: self.what,
            side: self.side,
            as_predicted: can.then(|| facts.iter().all(Fact::is_as_predicted)),
            facts,
        })
    }
}
