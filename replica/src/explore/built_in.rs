//! The properties that need no query.

use std::fmt;
use std::str::FromStr;

use super::report::Seen;

/// A property that every exploration can be asked for, at the end of each order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum BuiltIn {
    /// Every call is answered.
    AllAnswered,
    /// No message traps but those that are told to.
    NoTraps,
    /// No cycles get lost.
    CyclesConserved,
}

impl BuiltIn {
    /// All of them.
    pub const ALL: [BuiltIn; 3] = [
        BuiltIn::AllAnswered,
        BuiltIn::NoTraps,
        BuiltIn::CyclesConserved,
    ];

    /// The property in words: its name in a report.
    pub fn name(self) -> &'static str {
        match self {
            BuiltIn::AllAnswered => "every call is answered",
            BuiltIn::NoTraps => "no message traps",
            BuiltIn::CyclesConserved => "no cycles get lost",
        }
    }

    /// The one with this name.
    pub fn of(name: &str) -> Option<Self> {
        BuiltIn::ALL.into_iter().find(|one| one.name() == name)
    }

    /// Whether it holds.
    pub fn holds(self, seen: &Seen) -> bool {
        match self {
            BuiltIn::AllAnswered => seen.answers.iter().all(Option::is_some),
            BuiltIn::NoTraps => seen.traps == 0,
            BuiltIn::CyclesConserved => seen.lost_cycles == 0,
        }
    }
}

impl fmt::Display for BuiltIn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            BuiltIn::AllAnswered => "all-answered",
            BuiltIn::NoTraps => "no-traps",
            BuiltIn::CyclesConserved => "cycles-conserved",
        })
    }
}

impl FromStr for BuiltIn {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let mut all = BuiltIn::ALL.into_iter();
        all.find(|one| one.to_string() == text).ok_or_else(|| {
            let all = BuiltIn::ALL.map(|one| one.to_string());
            format!("'{text}' is not built in: there is {}", all.join(", "))
        })
    }
}
