//! What goes over the wire, as JSON: what is to be explored, and what was found.

use std::fmt;
use std::str::FromStr;

use candid::Principal;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use crate::hold::WaitingMessage;
use crate::message::CanisterId;
use crate::timeline::Event;

/// Who calls.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum User {
    /// The anonymous user.
    #[default]
    Anonymous,
    /// One of as many made-up users as are wanted, by number.
    Number(u64),
    /// Somebody in particular. No signature is needed: nothing is really called.
    Principal(Principal),
}

impl User {
    /// Its principal.
    pub fn principal(self) -> Principal {
        match self {
            User::Anonymous => Principal::anonymous(),
            User::Number(number) => Principal::self_authenticating(format!("user {number}")),
            User::Principal(principal) => principal,
        }
    }
}

impl fmt::Display for User {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            User::Anonymous => f.write_str("anonymous"),
            User::Number(number) => write!(f, "{number}"),
            User::Principal(principal) => write!(f, "{principal}"),
        }
    }
}

impl FromStr for User {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text == "anonymous" {
            return Ok(User::Anonymous);
        }
        if let Ok(number) = text.parse() {
            return Ok(User::Number(number));
        }
        Principal::from_text(text)
            .map(User::Principal)
            .map_err(|_| format!("'{text}' is no user: it is a number, anonymous, or a principal"))
    }
}

impl Serialize for User {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for User {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(de::Error::custom)
    }
}

/// A call, or a query.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Call {
    /// Who calls.
    #[serde(default)]
    pub user: User,
    /// The canister that is called.
    pub canister: CanisterId,
    /// The method.
    pub method: String,
    /// The argument: Candid text such as `(0, 80)`, or bytes as `0x4449444c0000`.
    #[serde(default = "nothing")]
    pub argument: String,
}

fn nothing() -> String {
    "()".to_owned()
}

/// When a property must hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum When {
    /// At first and after each message.
    Always,
    /// At the end of each order.
    AtEnd,
    /// At the end of some order.
    Sometimes,
}

/// How a query's answer is compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs, reason = "their signs say it")]
pub enum Sign {
    #[serde(rename = "=")]
    Equal,
    #[serde(rename = "!=")]
    Different,
    #[serde(rename = "<=")]
    AtMost,
    #[serde(rename = ">=")]
    AtLeast,
    #[serde(rename = "<")]
    Less,
    #[serde(rename = ">")]
    Greater,
}

/// A property: what a query must answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Property {
    /// What to call it.
    pub name: String,
    /// When it must hold.
    pub when: When,
    /// What is asked.
    pub query: Call,
    /// How the answer is compared.
    pub is: Sign,
    /// What it is compared with, in Candid text.
    pub value: String,
}

/// What is to be explored.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Case {
    /// The calls that are made at the same time.
    pub together: Vec<Call>,
    /// The queries whose answers are shown.
    #[serde(default)]
    pub show: Vec<Call>,
    /// What must hold.
    #[serde(default)]
    pub properties: Vec<Property>,
    /// Properties that need no query: `all-answered`, `no-traps`, `cycles-conserved`.
    #[serde(default)]
    pub built_in: Vec<String>,
    /// The faults that may happen: `trap`, `reject`, `lose`, `stop`, `upgrade`, `late`.
    #[serde(default)]
    pub faults: Vec<String>,
    /// The most faults in one order; 1 if nothing is said.
    #[serde(default)]
    pub max_faults: Option<usize>,
    /// The most times that one order waits for the clock; 3 if nothing is said.
    #[serde(default)]
    pub max_waits: Option<usize>,
    /// The most steps of one order; 500 if nothing is said.
    #[serde(default)]
    pub max_steps: Option<usize>,
    /// The most messages that are delivered in all; a million if nothing is said.
    #[serde(default)]
    pub limit: Option<u64>,
    /// How many orders are drawn at random if the limit is reached; 1000 if nothing is said.
    #[serde(default)]
    pub random: Option<u64>,
    /// With the same seed, the same orders are drawn; 1 if nothing is said.
    #[serde(default)]
    pub seed: Option<u64>,
}

/// A schedule to be followed.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Replay {
    /// What it belongs to.
    pub case: Case,
    /// Its steps.
    pub schedule: Vec<String>,
}

/// One line of the answer to a case.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Line {
    /// How far it is.
    Progress(Progress),
    /// The end.
    Report(Box<Report>),
}

/// How far an exploration is.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct Progress {
    /// How many faults the orders have at most that are gone through now.
    pub faults: usize,
    /// How many messages were delivered in all.
    pub deliveries: u64,
}

/// Orders that were drawn at random, because there are too many to go through.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Random {
    /// How many were run.
    pub orders: u64,
    /// With the same seed, the same are drawn.
    pub seed: u64,
}

/// A number of orders.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Orders {
    /// How many.
    pub number: u64,
    /// Whether there are more than that.
    pub more: bool,
}

/// What was found.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Report {
    /// The calls and what became of those that were not taken in.
    pub calls: Vec<Call>,
    /// The queries whose answers are seen: those that are shown, then those of the properties.
    pub looks: Vec<Call>,
    /// How many orders there are, of those that were gone through.
    pub orders: Orders,
    /// How many of them were run.
    pub runs: u64,
    /// How many messages were delivered for that.
    pub deliveries: u64,
    /// How many runs were cut off, because they became too long.
    pub cut: u64,
    /// All orders with so many faults were gone through.
    pub exhausted: Option<usize>,
    /// Of those with so many faults only some were.
    pub beyond: Option<usize>,
    /// Everything was seen that can happen within the budget of faults.
    pub exhaustive: bool,
    /// All properties hold, as far as was seen.
    pub holds: bool,
    /// How many outcomes there are.
    pub distinct_outcomes: usize,
    /// What can come out, what has the shortest way first; at most a hundred outcomes.
    pub outcomes: Vec<Outcome>,
    /// The properties that do not hold.
    pub failures: Vec<Failure>,
    /// The properties that were to hold sometimes, and never did.
    pub never: Vec<String>,
    /// What was tried beyond the limit.
    pub random: Option<Random>,
    /// How long it took, in seconds; 0 where nobody measured.
    pub seconds: f64,
}

/// What can be seen, in Candid text.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Seen {
    /// The calls' answers; nothing for one that is not answered.
    pub answers: Vec<Option<String>>,
    /// The queries' answers.
    pub looks: Vec<String>,
    /// How many executions trapped that were not told to.
    pub traps: u64,
}

/// Something that can come out.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Outcome {
    /// What is seen at the end.
    pub seen: Seen,
    /// In how many orders.
    pub orders: Orders,
    /// How many of them were run.
    pub runs: u64,
    /// The shortest way to it.
    pub schedule: Vec<Step>,
}

/// A property that does not hold.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Failure {
    /// Its name.
    pub property: String,
    /// Of what is asked, the place among the looks; nothing for a built-in property.
    pub look: Option<usize>,
    /// In how many orders it fails.
    pub orders: Orders,
    /// How many of them were run.
    pub runs: u64,
    /// What is seen then.
    pub seen: Seen,
    /// The shortest way that was found.
    pub schedule: Vec<Step>,
    /// An order in which it holds, as long as possible the same.
    pub nearest: Option<Nearest>,
}

/// An order that is good, beside one that is not.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Nearest {
    /// Its steps.
    pub schedule: Vec<Step>,
    /// What is seen at its end.
    pub seen: Seen,
    /// The first step that differs, counted from 0.
    pub differs_at: usize,
}

/// A step of a schedule, and what it did.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Step {
    /// The step as text. Messages are counted from the beginning of the exploration, so that it means
    /// the same later: `deliver call 1`, `trap request rrkah-fqaaa-aaaaa-aaaaq-cai 2`.
    pub step: String,
    /// The message that it delivered.
    pub message: Option<WaitingMessage>,
    /// What happened.
    pub events: Vec<Event>,
}

/// What came of a schedule.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Replayed {
    /// The queries whose answers are seen.
    pub looks: Vec<Call>,
    /// The steps, and what they did.
    pub steps: Vec<Step>,
    /// What is seen at the end.
    pub seen: Seen,
    /// The properties that do not hold at the end, by their names.
    pub failing: Vec<String>,
}
