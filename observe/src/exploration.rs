//! What an exploration is: calls that are made at the same time, gone through in every order.

mod plan;
mod told;

use std::fmt::Write;

use anyhow::{Context, Result, bail};
pub use local_replica::explore::Fault;
use local_replica::explore::{Orders, Report};
use serde::Serialize;

pub use self::plan::{Plan, Seen};
use crate::stage::Stage;
use crate::style;

/// All that can befall a message and who gets it: it traps, is rejected, gets lost; its receiver is
/// stopped or upgraded just then.
pub const FAULTS: &[Fault] = &[
    Fault::Trap,
    Fault::Reject,
    Fault::Lose,
    Fault::Stop,
    Fault::Upgrade,
];

/// Something to be gone through in every order: [`finds`] and [`holds`] make one.
pub struct Exploration {
    /// The caller's method that it is about.
    pub method: &'static str,
    /// What is done: the calls, and the state that they begin in.
    pub what: &'static str,
    /// Whether something is to be found, or nothing.
    pub expected: Expected,
    /// What is found: what orders do, such as `pay twice`. Or what holds, as a sentence.
    pub claim: &'static str,
    prepare: Prepare,
}

type Prepare = Box<dyn Fn(&mut Stage) -> Result<Plan>>;

/// What is expected of an exploration.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Expected {
    /// There are orders in which it goes wrong.
    Finds,
    /// There is none.
    Holds,
}

/// An exploration that finds the mistake. `does` is what bad orders do, with the verb first and in the
/// plural: `pay twice`.
pub fn finds(
    method: &'static str,
    what: &'static str,
    does: &'static str,
    prepare: impl Fn(&mut Stage) -> Result<Plan> + 'static,
) -> Exploration {
    Exploration {
        method,
        what,
        expected: Expected::Finds,
        claim: does,
        prepare: Box::new(prepare),
    }
}

/// An exploration of the right way: `claim` is a sentence that is true in every order.
pub fn holds(
    method: &'static str,
    what: &'static str,
    claim: &'static str,
    prepare: impl Fn(&mut Stage) -> Result<Plan> + 'static,
) -> Exploration {
    Exploration {
        expected: Expected::Holds,
        ..finds(method, what, claim, prepare)
    }
}

/// An exploration that was done.
#[derive(Clone, Debug, Serialize)]
pub struct Explored {
    /// The lesson.
    pub lesson: &'static str,
    /// The caller's method that it is about.
    pub method: &'static str,
    /// What is done.
    pub what: &'static str,
    /// What was expected.
    pub expected: Expected,
    /// What is found, or holds.
    pub claim: &'static str,
    /// The faults that may happen.
    pub faults: Vec<String>,
    /// The most of them in one order.
    pub most_faults: usize,
    /// How many orders there are.
    pub orders: u128,
    /// Whether there are more.
    pub more: bool,
    /// How many were run: the others differ only by steps that do not concern each other.
    pub runs: u64,
    /// How many messages were delivered for that.
    pub deliveries: u64,
    /// Whether these are all.
    pub exhaustive: bool,
    /// In how many orders it goes wrong.
    pub wrong: u128,
    /// The shortest of them, step by step.
    pub shortest: Vec<String>,
    /// What was to happen in some order, and did in none: then the check says nothing.
    pub never: Vec<String>,
    /// Whether it came out as expected.
    pub as_expected: bool,
}

impl Exploration {
    /// Goes through every order.
    ///
    /// # Errors
    ///
    /// If the network is not the local replica inside, or what is seen can't be read.
    pub fn explore(&self, lesson: &'static str, stage: &mut Stage) -> Result<Explored> {
        let about = || format!("{}: {}", self.method, self.what);
        let plan = stage.perform(&self.prepare).with_context(about)?;
        let report = plan.explore.run();
        plan.check().with_context(about)?;
        let failure = match &report.failures[..] {
            [] => None,
            [failure] => Some(failure),
            _ => bail!("{}: it checks more than one thing", about()),
        };
        let shortest = match failure {
            Some(failure) => told::tell(stage, &plan, &failure.schedule)?,
            None => Vec::new(),
        };
        let found = failure.is_some();
        Ok(Explored {
            lesson,
            method: self.method,
            what: self.what,
            expected: self.expected,
            claim: self.claim,
            faults: plan.faults.iter().map(Fault::to_string).collect(),
            most_faults: plan.most_faults,
            orders: report.orders.number,
            more: report.orders.more,
            runs: report.runs,
            deliveries: report.deliveries,
            exhaustive: report.is_exhaustive(),
            wrong: failure.map_or(0, |failure| failure.orders.number),
            shortest,
            as_expected: self.is_as_expected(&report, found),
            never: report.never,
        })
    }

    fn is_as_expected(&self, report: &Report, found: bool) -> bool {
        match self.expected {
            Expected::Finds => found,
            Expected::Holds => report.holds() && report.is_exhaustive(),
        }
    }
}

impl Explored {
    /// It in plain words: a heading, a line, and the shortest way to what was found.
    pub fn tell(&self) -> String {
        let title = format!("{}: {}", self.method, self.what);
        let mark = match self.as_expected {
            true => style::kept("✓").to_string(),
            false => style::wrong("✗").to_string(),
        };
        let mut text = format!("{}\n  {mark} {}\n", style::heading(title), self.line());
        for (number, step) in self.shortest.iter().enumerate() {
            let _ = writeln!(text, "    {}. {step}", number + 1);
        }
        text
    }

    fn line(&self) -> String {
        let all = Orders {
            number: self.orders,
            more: self.more,
        };
        let of = format!("{}{}", number(all), self.within());
        let mut line = match (self.expected, self.wrong) {
            (_, 0) if !self.exhaustive => format!(
                "not all was seen: in {of}, nothing speaks against it: {}",
                self.claim
            ),
            (Expected::Holds, 0) => format!("in all {of}: {}", self.claim),
            (Expected::Finds, 0) => {
                format!("of {of}, none is found that does this: {}", self.claim)
            }
            (Expected::Finds, wrong) => {
                let count = number_of(wrong);
                let does = if wrong == 1 {
                    one(self.claim)
                } else {
                    self.claim.to_owned()
                };
                format!("of {of}, {count} {does}; the shortest:")
            }
            (Expected::Holds, wrong) => format!(
                "in {} of {of} this does not hold: {}; the shortest:",
                number_of(wrong),
                self.claim
            ),
        };
        for never in &self.never {
            let _ = write!(line, "; in no order: {never}");
        }
        line
    }

    /// The faults that may happen.
    fn within(&self) -> String {
        match self.most_faults {
            0 => String::new(),
            most => {
                let plural = if most == 1 { "" } else { "s" };
                format!(
                    " with at most {most} fault{plural} ({})",
                    self.faults.join(", ")
                )
            }
        }
    }
}

fn number(orders: Orders) -> String {
    let at_least = if orders.more { "at least " } else { "" };
    let plural = if orders.number == 1 { "" } else { "s" };
    format!("{at_least}{} order{plural}", number_of(orders.number))
}

/// A number with a comma after each three digits.
fn number_of(number: u128) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// What one does, of what many do: `pay twice`, `pays twice`.
fn one(does: &str) -> String {
    match does.split_once(' ') {
        Some((verb, rest)) => format!("{verb}s {rest}"),
        None => format!("{does}s"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_verbs_are_written_as_they_are_read() {
        assert_eq!(
            [0, 999, 1_000, 1_234_567].map(number_of),
            ["0", "999", "1,000", "1,234,567"]
        );
        assert_eq!([one("pay twice"), one("differ")], ["pays twice", "differs"]);
    }
}
