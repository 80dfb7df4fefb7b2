//! A case, made ready to be explored.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::thread::available_parallelism;

use super::answer::Reader;
use super::compare::Comparison;
use super::interface::Method;
use super::numbers::Numbers;
use super::wire::{Call, Case, Progress, Replay, Replayed, Report, When};
use crate::explore::{self, BuiltIn, Explore, Fault, Random, Schedule, Seen};
use crate::message::{IngressId, Reject};
use crate::replica::Replica;

/// The most calls of one case.
const MAX_CALLS: usize = 16;

/// The most queries that one case looks at.
const MAX_LOOKS: usize = 32;

/// The most faults in one order.
const MAX_FAULTS: usize = 8;

/// The most times that one order can wait for the clock, and the most steps that it can have.
const MAX_WAITS: usize = 1_000;
const MAX_STEPS: usize = 10_000;

/// The most orders that are drawn at random.
const MAX_RANDOM: u64 = 1_000_000;

/// The most messages that can be delivered for one case.
const MAX_LIMIT: u64 = 1_000_000_000;

/// A property's name, and how to check it of what is seen.
struct Check {
    name: String,
    when: When,
    /// The look that it is about.
    look: Option<usize>,
    holds: Arc<dyn Fn(&Seen) -> bool + Send + Sync>,
}

/// A case that can be explored: everything in it was checked.
pub struct Prepared {
    /// Where numbers began.
    began: Replica,
    /// The calls that were made since, those of the case last.
    made: Vec<Result<IngressId, Reject>>,
    explore: Explore,
    calls: Vec<(Call, Method)>,
    looks: Vec<(Call, Method)>,
    checks: Vec<Check>,
}

impl Prepared {
    /// Checks a case against the state that `replica` is in, which is not changed.
    ///
    /// # Errors
    ///
    /// What is wrong with the case, in one line.
    pub fn new(replica: &Replica, case: &Case) -> Result<Self, String> {
        Self::later(replica.fork(), Vec::new(), replica, case)
    }

    /// As [`Prepared::new`], of a state to which this led: numbers begin with the state of `began`, and
    /// `made` are the calls that were made since.
    pub(super) fn later(
        began: Replica,
        mut made: Vec<Result<IngressId, Reject>>,
        start: &Replica,
        case: &Case,
    ) -> Result<Self, String> {
        check_sizes(case)?;
        // One is left for the network, which goes on meanwhile.
        let threads = available_parallelism().map_or(1, |number| number.get() - 1);
        let mut explore = Explore::from(start).threads(threads);
        let mut calls = Vec::new();
        for call in &case.together {
            let method = Method::of(start, call, false)?;
            let argument = method.argument(call)?;
            let sender = call.user.principal();
            explore = explore.together(sender, call.canister, &call.method, &argument);
            calls.push((call.clone(), method));
        }
        let mut looks: Vec<(Call, Method)> = Vec::new();
        let queries = case.properties.iter().map(|property| &property.query);
        for query in case.show.iter().chain(queries) {
            if looks.iter().any(|(known, _)| known == query) {
                continue;
            }
            let method = Method::of(start, query, true)?;
            let argument = method.argument(query)?;
            let sender = query.user.principal();
            explore = explore.look(sender, query.canister, &query.method, &argument);
            looks.push((query.clone(), method));
        }
        if looks.len() > MAX_LOOKS {
            return Err(format!(
                "a case looks at no more than {MAX_LOOKS} different queries"
            ));
        }
        let checks = checks(case, &looks)?;
        for Check {
            name, when, holds, ..
        } in &checks
        {
            let holds = Arc::clone(holds);
            let holds = move |seen: &Seen| holds(seen);
            explore = match when {
                When::Always => explore.always(name, holds),
                When::AtEnd => explore.at_end(name, holds),
                When::Sometimes => explore.sometimes(name, holds),
            };
        }
        let faults: BTreeSet<Fault> = case
            .faults
            .iter()
            .map(|word| word.parse())
            .collect::<Result<_, _>>()?;
        if !faults.is_empty() {
            explore = explore.faults(faults, case.max_faults.unwrap_or(1));
        }
        if let Some(most) = case.max_waits {
            explore = explore.most_waits(most);
        }
        if let Some(most) = case.max_steps {
            explore = explore.most_steps(most);
        }
        if let Some(limit) = case.limit {
            explore = explore.limit(limit);
        }
        if case.random.is_some() || case.seed.is_some() {
            let usual = Random::default();
            let orders = case.random.unwrap_or(usual.orders);
            explore = explore.random(orders, case.seed.unwrap_or(usual.seed));
        }
        made.extend_from_slice(explore.calls());
        Ok(Prepared {
            began,
            made,
            explore,
            calls,
            looks,
            checks,
        })
    }

    /// Goes through all orders, and tells `watch` from time to time how far that is. It ends early when
    /// that says no.
    pub fn run(&self, watch: &mut dyn FnMut(Progress) -> bool) -> Report {
        let found = self
            .explore
            .run_watched(&mut |progress: explore::Progress| {
                watch(Progress {
                    faults: progress.faults,
                    deliveries: progress.deliveries,
                })
            });
        let look = |name: &str| {
            let check = self.checks.iter().find(|check| check.name == name);
            check.and_then(|check| check.look)
        };
        self.reader().report(&found, look)
    }

    /// Follows a schedule, and looks at the end whether the properties hold.
    ///
    /// # Errors
    ///
    /// In one line: the schedule can't be read, or does not fit the state.
    pub fn replay(&self, schedule: &[String]) -> Result<Replayed, String> {
        let numbers = Numbers::new(&self.began, &self.made);
        let steps = schedule.iter().enumerate().map(|(place, text)| {
            let step = numbers.read(text);
            step.map_err(|fault| format!("step {}: {fault}", place + 1))
        });
        let steps = Schedule(steps.collect::<Result<_, _>>()?);
        let (told, seen) = self.explore.tell(&steps).map_err(|(place, fault)| {
            let text = &schedule[place];
            format!(
                "the schedule no longer fits: step {} ('{text}'): {fault}",
                place + 1
            )
        })?;
        let reader = self.reader();
        let failing = self.checks.iter().filter(|check| !(check.holds)(&seen));
        Ok(Replayed {
            looks: self.looks.iter().map(|(call, _)| call.clone()).collect(),
            steps: reader.steps(told),
            seen: reader.seen(&seen),
            failing: failing.map(|check| check.name.clone()).collect(),
        })
    }

    fn reader(&self) -> Reader<'_> {
        Reader {
            numbers: Numbers::new(&self.began, &self.made),
            explore: &self.explore,
            calls: &self.calls,
            looks: &self.looks,
        }
    }
}

impl Replay {
    /// Follows the schedule from the state that `replica` is in, which is not changed.
    ///
    /// # Errors
    ///
    /// In one line: the case or the schedule can't be read, or does not fit the state.
    pub fn run(&self, replica: &Replica) -> Result<Replayed, String> {
        Prepared::new(replica, &self.case)?.replay(&self.schedule)
    }
}

fn check_sizes(case: &Case) -> Result<(), String> {
    if case.together.is_empty() {
        return Err("there is no call to be explored: at least one is made".to_owned());
    }
    if case.together.len() > MAX_CALLS {
        return Err(format!("at most {MAX_CALLS} calls are made together"));
    }
    if case.max_faults.is_some_and(|most| most > MAX_FAULTS) {
        return Err(format!("one order has at most {MAX_FAULTS} faults"));
    }
    if case.max_faults.is_some() && case.faults.is_empty() {
        return Err("there is a number of faults, but it is not said which may happen".to_owned());
    }
    for (number, most, what) in [
        (case.max_waits, MAX_WAITS, "waits for the clock"),
        (case.max_steps, MAX_STEPS, "steps"),
    ] {
        if number.is_some_and(|number| number > most) {
            return Err(format!("one order has at most {most} {what}"));
        }
    }
    if case.random.is_some_and(|orders| orders > MAX_RANDOM) {
        return Err(format!("at most {MAX_RANDOM} orders are drawn at random"));
    }
    if case
        .limit
        .is_some_and(|limit| limit == 0 || limit > MAX_LIMIT)
    {
        return Err(format!(
            "the limit is a number of messages, from 1 to {MAX_LIMIT}"
        ));
    }
    Ok(())
}

fn checks(case: &Case, looks: &[(Call, Method)]) -> Result<Vec<Check>, String> {
    let mut checks: Vec<Check> = Vec::new();
    for property in &case.properties {
        let look = looks.iter().position(|(call, _)| *call == property.query);
        let Some((place, (_, method))) = look.map(|place| (place, &looks[place])) else {
            continue;
        };
        let comparison = Comparison::new(method, property)?;
        checks.push(Check {
            name: property.name.clone(),
            when: property.when,
            look,
            holds: Arc::new(move |seen| comparison.holds(&seen.looks[place])),
        });
    }
    for property in &case.built_in {
        let property: BuiltIn = property.parse()?;
        checks.push(Check {
            name: property.name().to_owned(),
            when: When::AtEnd,
            look: None,
            holds: Arc::new(move |seen| property.holds(seen)),
        });
    }
    let names: BTreeSet<&str> = checks.iter().map(|check| check.name.as_str()).collect();
    match names.len() == checks.len() {
        true => Ok(checks),
        false => Err("two properties have the same name".to_owned()),
    }
}
