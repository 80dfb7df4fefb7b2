//! A story over the wire, as JSON: the steps that somebody took, and what came of each.

use std::collections::BTreeMap;

use candid::Principal;
use serde::{Deserialize, Serialize};

use super::wire::{Report, Step};
use crate::hold::WaitingMessage;
use crate::message::{CanisterId, Time};
use crate::message_name::MessageName;
use crate::module::MethodKind;

/// What is to be told: steps, one after the other, from where the story begins.
///
/// A step is a call, `call canister1 withdraw (0, 80)`; a step of a schedule, `deliver call 1`; or
/// `clock 300`, which moves the clock ahead by so many seconds. Calls are numbered in the order in which
/// they are made, and other messages count from where the story begins.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Story {
    /// The steps.
    pub steps: Vec<String>,
    /// The queries that are asked at first and after each step, such as `canister1 get ()`.
    #[serde(default)]
    pub looks: Vec<String>,
    /// The names that canisters have in these texts.
    #[serde(default)]
    pub names: BTreeMap<String, CanisterId>,
}

/// What came of a story.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Told {
    /// What the queries answer at first.
    pub looks: Vec<String>,
    /// The steps, as far as they could be taken.
    pub steps: Vec<Taken>,
    /// Why the step after them could not be taken.
    pub fault: Option<String>,
    /// The messages that wait at the end, in the order in which they were sent.
    pub waiting: Vec<Waiting>,
    /// Whether the clock can move to the next deadline or timer.
    pub late: bool,
    /// Whether nothing can be delivered, and something happens when time passes.
    pub wait: bool,
    /// The clock at the end.
    pub time: Time,
    /// What to call the users that make the calls.
    pub users: BTreeMap<Principal, String>,
}

/// A step of a story that was taken.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Taken {
    /// The step, the message that it delivered, and what happened. Of a call, the message is the call.
    #[serde(flatten)]
    pub step: Step,
    /// Why a call was not taken in.
    pub refused: Option<String>,
    /// What the queries answer now.
    pub looks: Vec<String>,
    /// The calls of the story that were answered.
    pub answers: Vec<UserAnswer>,
    /// The clock.
    pub time: Time,
}

/// The answer to a user's call.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct UserAnswer {
    /// The call.
    pub message: MessageName,
    /// The reply or the reject, as text.
    pub text: String,
}

/// A message that waits.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Waiting {
    /// What it is called in a step: `call 1`, `response rrkah-fqaaa-aaaaa-aaaaq-cai 2`.
    pub step: String,
    /// The message.
    pub message: WaitingMessage,
    /// The words for how it can be delivered: `deliver`, or a fault; none if it may not go next.
    pub ways: Vec<String>,
}

/// A canister, and what can be called.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Described {
    /// Its id.
    pub id: CanisterId,
    /// Whether its interface is in its metadata.
    pub described: bool,
    /// Its methods.
    pub methods: Vec<DescribedMethod>,
}

/// A method of a canister.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DescribedMethod {
    /// Its name.
    pub name: String,
    /// How it is exported.
    pub kind: MethodKind,
    /// The types of what it takes; empty if that is not known.
    pub takes: String,
    /// The types of what it gives; empty if that is not known.
    pub gives: String,
    /// Some argument that it takes.
    pub argument: String,
}

/// What is to be found out about the calls at the end of a story: they are made at the same time.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Wanted {
    /// What must hold and what is shown, in the words of a schedule's beginning:
    /// `always canister2 paid (0) <= 100`, `show canister2 paid (0)`, `no-traps`.
    #[serde(default)]
    pub properties: Vec<String>,
    /// The faults that may happen.
    #[serde(default)]
    pub faults: Vec<String>,
    /// The most faults in one order.
    #[serde(default)]
    pub max_faults: Option<usize>,
    /// The most messages that are delivered in all.
    #[serde(default)]
    pub limit: Option<u64>,
}

/// What was found out.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Found {
    /// All of it.
    pub report: Report,
    /// Each property that fails, in one sentence.
    pub sentences: Vec<String>,
    /// The steps of whole stories.
    pub stories: Stories,
}

/// The steps of stories that were found.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Stories {
    /// The shortest one to each failure.
    pub failures: Vec<Vec<String>>,
    /// The nearest one to each failure that is good.
    pub nearest: Vec<Option<Vec<String>>>,
    /// The shortest one to each outcome.
    pub outcomes: Vec<Vec<String>>,
}
