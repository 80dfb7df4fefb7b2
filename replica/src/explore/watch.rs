//! Looks at each state of a search, and keeps what is found.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use super::orders::Orders;
use super::path::Place;
use super::report::{Failure, Outcome, Report, Seen};
use super::run::Rules;
use super::schedule::{Fault, Schedule, Step};
use super::search::{End, Visitor};
use super::setup::{Call, Explore, When};
use crate::message::{CallResult, IngressId, Reject};
use crate::replica::{IngressStatus, Replica};

/// The most messages that one call leads to which is made afterwards; it could call itself for ever.
const MOST_AFTERWARDS: usize = 1000;

/// How short a way is: its faults, its departures from the oldest message, its steps.
type Length = (usize, usize, usize);

struct Found {
    seen: Seen,
    orders: Orders,
    runs: u64,
    length: Length,
    schedule: Schedule,
}

/// What is seen of a search.
pub(super) struct Watch<'a> {
    explore: &'a Explore,
    rules: &'a Rules,
    exchanges: u128,
    /// What the looks answered after each step, where that is wanted.
    looks: Vec<Vec<CallResult>>,
    /// Which properties that must always hold failed on the way here, and after how many steps.
    failed: Vec<Option<(usize, Seen)>>,
    outcomes: BTreeMap<String, Found>,
    failures: BTreeMap<usize, Found>,
    sometimes: Vec<bool>,
    orders: Orders,
    runs: u64,
    cut: u64,
}

impl<'a> Watch<'a> {
    pub(super) fn new(explore: &'a Explore, rules: &'a Rules) -> Self {
        let properties = explore.properties.len();
        Watch {
            explore,
            rules,
            exchanges: explore.exchanges(),
            looks: Vec::new(),
            failed: vec![None; properties],
            outcomes: BTreeMap::new(),
            failures: BTreeMap::new(),
            sometimes: vec![false; properties],
            orders: Orders::default(),
            runs: 0,
            cut: 0,
        }
    }

    /// Adds what was found in another part of the search.
    pub(super) fn add(&mut self, other: Watch<'_>) {
        for (key, found) in other.outcomes {
            add(&mut self.outcomes, key, found);
        }
        for (key, found) in other.failures {
            add(&mut self.failures, key, found);
        }
        for (seen, other) in self.sometimes.iter_mut().zip(other.sometimes) {
            *seen |= other;
        }
        self.orders = self.orders.plus(other.orders);
        self.runs += other.runs;
        self.cut += other.cut;
    }

    /// Puts what was found into a report. If that is not all, what is known of fewer faults stays.
    pub(super) fn report(self, report: &mut Report, complete: bool) {
        let properties = &self.explore.properties;
        let mut outcomes: Vec<Found> = self.outcomes.into_values().collect();
        outcomes.sort_by(|a, b| (a.length, &a.schedule).cmp(&(b.length, &b.schedule)));
        let outcomes = outcomes.into_iter().map(|found| Outcome {
            seen: found.seen,
            orders: found.orders,
            runs: found.runs,
            schedule: found.schedule,
        });
        let failures = self.failures.into_iter().map(|(place, found)| Failure {
            property: properties[place].name.clone(),
            orders: found.orders,
            runs: found.runs,
            schedule: found.schedule,
            seen: found.seen,
            nearest: None,
        });
        let never = properties.iter().zip(&self.sometimes);
        let never = never.filter(|(p, seen)| p.when == When::Sometimes && !**seen);
        let never = never.map(|(property, _)| property.name.clone()).collect();
        if complete || report.exhausted.is_none() {
            report.orders = self.orders;
            report.runs = self.runs;
            report.cut = self.cut;
            report.outcomes = outcomes.collect();
            report.failures = failures.collect();
            report.never = never;
            return;
        }
        for outcome in outcomes {
            let is_new = |known: &Outcome| !known.seen.is_like(&outcome.seen);
            if report.outcomes.iter().all(is_new) {
                report.outcomes.push(outcome);
            }
        }
        for failure in failures {
            if report
                .failures
                .iter()
                .all(|known| known.property != failure.property)
            {
                report.failures.push(failure);
            }
        }
        report.never.retain(|name| never.contains(name));
    }
}

impl Explore {
    /// What is seen of a state to which `steps` led.
    pub(super) fn see<'a>(
        &self,
        replica: &mut Replica,
        looks: Vec<CallResult>,
        steps: impl Iterator<Item = &'a Step>,
    ) -> Seen {
        let answer = |call: &Result<IngressId, Reject>| match call {
            Ok(id) => match replica.ingress_status(*id) {
                Some(IngressStatus::Answered(result)) => Some(result.clone()),
                _ => None,
            },
            Err(reject) => Some(Err(reject.clone())),
        };
        let mut answers: Vec<_> = self.calls.iter().map(answer).collect();
        self.sort_same(&mut answers);
        let told = |step: &&Step| matches!(step, Step::Deliver(_, Some(Fault::Trap)));
        let trapped = replica.environment.trapped - self.start.environment.trapped;
        Seen {
            answers,
            looks,
            lost_cycles: replica.lost - self.start.lost,
            traps: trapped.saturating_sub(steps.filter(told).count() as u64),
        }
    }

    /// Sorts the answers of calls that are the same.
    fn sort_same(&self, answers: &mut [Option<CallResult>]) {
        let mut groups: BTreeMap<_, Vec<usize>> = BTreeMap::new();
        for (place, what) in self.what.iter().enumerate() {
            groups.entry(what).or_default().push(place);
        }
        for places in groups.into_values().filter(|places| places.len() > 1) {
            let mut group: Vec<_> = places.iter().map(|place| answers[*place].take()).collect();
            group.sort_by_cached_key(|answer| format!("{answer:?}"));
            for (place, answer) in places.into_iter().zip(group) {
                answers[place] = answer;
            }
        }
    }

    /// What the looks answer at the end of an order, when the calls that come afterwards were made.
    pub(super) fn look_at_end(&self, replica: &mut Replica) -> Vec<CallResult> {
        if self.afterwards.is_empty() {
            return self.look_at(replica);
        }
        let end = replica.fork();
        replica.hold_messages(false);
        for call in &self.afterwards {
            // One that is refused changes nothing.
            let _refused = replica.submit(call.sender, call.canister, &call.method, &call.argument);
            replica.run(MOST_AFTERWARDS);
        }
        let looks = self.look_at(replica);
        replica.return_to(&end);
        looks
    }

    /// What the looks answer.
    pub(super) fn look_at(&self, replica: &mut Replica) -> Vec<CallResult> {
        let looks = self.looks.iter();
        looks.map(|look| look.ask(replica)).collect()
    }
}

impl Call {
    fn ask(&self, replica: &mut Replica) -> CallResult {
        replica.query(self.sender, self.canister, &self.method, &self.argument)
    }
}

impl Watch<'_> {
    fn wants_each_state(&self) -> bool {
        let properties = &self.explore.properties;
        properties
            .iter()
            .any(|property| property.when == When::Always)
    }

    /// What the looks answer after a step. Those that it does not concern answer as before.
    fn look_again(&mut self, replica: &mut Replica, place: &Place<'_>) -> Vec<CallResult> {
        self.looks.truncate(place.path.len());
        let before = self.looks.last();
        let concern = place.path.last().map(|taken| taken.concern);
        let look = |(number, look): (usize, &Call)| {
            let same = before.zip(concern).and_then(|(before, concern)| {
                let of_look = self.rules.concern(replica, look.canister);
                (!concern.meets(of_look)).then(|| before[number].clone())
            });
            same.unwrap_or_else(|| look.ask(replica))
        };
        self.explore.looks.iter().enumerate().map(look).collect()
    }

    fn found(&self, place: &Place<'_>, seen: Seen, steps: usize, orders: Orders) -> Found {
        let path = &place.path[..steps];
        let schedule = Schedule(path.iter().map(|taken| taken.step).collect());
        let departures = path.iter().filter(|taken| taken.departs).count();
        Found {
            seen,
            orders,
            runs: 1,
            length: (schedule.faults(), departures, steps),
            schedule,
        }
    }
}

/// Adds what was found to what was found before, and keeps the shorter way.
fn add<K: Ord>(all: &mut BTreeMap<K, Found>, key: K, found: Found) {
    match all.entry(key) {
        Entry::Vacant(entry) => {
            entry.insert(found);
        }
        Entry::Occupied(mut entry) => {
            let known = entry.get_mut();
            let (orders, runs) = (known.orders.plus(found.orders), known.runs + found.runs);
            if (found.length, &found.schedule) < (known.length, &known.schedule) {
                *known = found;
            }
            (known.orders, known.runs) = (orders, runs);
        }
    }
}

impl Visitor for Watch<'_> {
    fn after(&mut self, replica: &mut Replica, place: &Place<'_>) {
        if !self.wants_each_state() {
            return;
        }
        let looks = self.look_again(replica, place);
        self.looks.push(looks.clone());
        let steps = place.path.len();
        let seen = self.explore.see(replica, looks, place.steps());
        for (property, failed) in self.explore.properties.iter().zip(&mut self.failed) {
            if failed.as_ref().is_some_and(|(at, _)| *at >= steps) {
                *failed = None;
            }
            if property.when == When::Always && failed.is_none() && !(property.holds)(&seen) {
                *failed = Some((steps, seen.clone()));
            }
        }
    }

    fn end(&mut self, replica: &mut Replica, place: &Place<'_>, end: End) {
        let steps = place.path.iter().map(|taken| &taken.before);
        let orders = Orders::of(steps).times(self.exchanges);
        self.orders = self.orders.plus(orders);
        self.runs += 1;
        let steps = place.path.len();
        let failed: Vec<_> = self.failed.iter().enumerate().collect();
        for (number, failed) in failed {
            if let Some((at, seen)) = failed {
                let found = self.found(place, seen.clone(), *at, orders);
                add(&mut self.failures, number, found);
            }
        }
        if end == End::Cut {
            self.cut += 1;
            return;
        }
        let looks = match self.looks.get(steps) {
            Some(known) if self.explore.afterwards.is_empty() => known.clone(),
            _ => self.explore.look_at_end(replica),
        };
        let seen = self.explore.see(replica, looks, place.steps());
        for (number, property) in self.explore.properties.iter().enumerate() {
            match property.when {
                When::AtEnd if !(property.holds)(&seen) => {
                    let found = self.found(place, seen.clone(), steps, orders);
                    add(&mut self.failures, number, found);
                }
                When::Sometimes if !self.sometimes[number] => {
                    self.sometimes[number] = (property.holds)(&seen);
                }
                _ => {}
            }
        }
        let key = format!("{:?}", (&seen.answers, &seen.looks));
        let found = self.found(place, seen, steps, orders);
        add(&mut self.outcomes, key, found);
    }

    fn for_part(&self) -> Self {
        Watch {
            looks: self.looks.clone(),
            failed: self.failed.clone(),
            ..Watch::new(self.explore, self.rules)
        }
    }
}
