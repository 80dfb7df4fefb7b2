//! Makes the way to a failure shorter.

use std::collections::BTreeSet;

use super::report::{Report, Seen};
use super::run::{Rules, can_wait, take};
use super::schedule::{Schedule, Step};
use super::setup::{Explore, Property, When};
use crate::message::{CallResult, CanisterId};
use crate::replica::Replica;

/// A run that is followed step by step.
pub(super) struct Run<'a> {
    explore: &'a Explore,
    rules: &'a Rules,
    pub(super) replica: Replica,
    pub(super) stopped: BTreeSet<CanisterId>,
    steps: Vec<Step>,
    departures: usize,
}

impl Explore {
    /// Shortens the way to each failure, and finds the nearest order that is good.
    pub(super) fn explain(&self, report: &mut Report, rules: &Rules) {
        for failure in &mut report.failures {
            let property = self.properties.iter().find(|p| p.name == failure.property);
            let Some(property) = property else {
                continue;
            };
            if let Some((schedule, seen)) = self.shorten(rules, property, &failure.schedule) {
                (failure.schedule, failure.seen) = (schedule, seen);
            }
            failure.nearest = self.nearest(rules, property, &failure.schedule);
        }
    }

    /// Leaves out what the failure does not need: of the wishes that are left, each is granted as soon
    /// as it can be, and beside them the oldest message goes first.
    fn shorten(
        &self,
        rules: &Rules,
        property: &Property,
        schedule: &Schedule,
    ) -> Option<(Schedule, Seen)> {
        let mut wishes = schedule.0.clone();
        let mut best = self.fail(rules, property, &wishes)?;
        let mut size = wishes.len().div_ceil(2);
        while size > 0 {
            let mut start = 0;
            while start < wishes.len() {
                let mut fewer = wishes.clone();
                fewer.drain(start..(start + size).min(fewer.len()));
                match self.fail(rules, property, &fewer) {
                    Some(found) if found.0 <= best.0 => (wishes, best) = (fewer, found),
                    _ => start += size,
                }
            }
            size /= 2;
        }
        let (_, schedule, seen) = best;
        Some((schedule, seen))
    }

    /// Whether the property fails if these wishes are granted: how short the way is, and what it is.
    fn fail(
        &self,
        rules: &Rules,
        property: &Property,
        wishes: &[Step],
    ) -> Option<((usize, usize, usize), Schedule, Seen)> {
        let mut run = Run::new(self, rules);
        let mut wishes = wishes.to_vec();
        loop {
            if let Some(seen) = run.failure(property) {
                let schedule = Schedule(run.steps);
                let length = (schedule.faults(), run.departures, schedule.0.len());
                return Some((length, schedule, seen));
            }
            if !run.step(&mut wishes) {
                return None;
            }
        }
    }
}

impl<'a> Run<'a> {
    pub(super) fn new(explore: &'a Explore, rules: &'a Rules) -> Self {
        Run::in_place(explore.start.fork(), explore, rules)
    }

    /// One that goes on in this replica, whatever state that is in: canisters that run there need not be
    /// made ready again.
    pub(super) fn in_place(mut replica: Replica, explore: &'a Explore, rules: &'a Rules) -> Self {
        replica.return_to(&explore.start);
        replica.schedule_due_timers();
        Run {
            explore,
            rules,
            replica,
            stopped: BTreeSet::new(),
            steps: Vec::new(),
            departures: 0,
        }
    }

    pub(super) fn take(&mut self, step: Step) -> Result<(), String> {
        take(&mut self.replica, step, &mut self.stopped)?;
        self.steps.push(step);
        Ok(())
    }

    /// Takes the first wish that can be granted, else delivers the oldest message, else waits.
    /// Returns whether something could be done.
    fn step(&mut self, wishes: &mut Vec<Step>) -> bool {
        let choices = self.rules.choices(&self.replica);
        let can = |step: &Step| match step {
            Step::Deliver(name, how) => choices
                .iter()
                .any(|choice| choice.name == *name && choice.ways.contains(how)),
            Step::Late => !choices.is_empty() && self.rules.can_be_late(&self.replica),
            Step::Wait => false,
        };
        let oldest = choices.first().map(|choice| choice.name);
        let next = match (wishes.iter().position(can), oldest) {
            (Some(place), _) => Some(wishes.remove(place)),
            (None, oldest) => oldest.map(|name| Step::Deliver(name, None)),
        };
        if let Some(Step::Deliver(name, _)) = next {
            self.departures += usize::from(Some(name) != oldest);
        }
        self.next(next).is_some()
    }

    /// Takes a step, or waits if there is none. Returns what was done, unless the run is over.
    pub(super) fn next(&mut self, step: Option<Step>) -> Option<Step> {
        let bounds = &self.explore.bounds;
        let waits = self.steps.iter().filter(|step| **step == Step::Wait);
        let step = match step {
            Some(step) => step,
            None if waits.count() < bounds.waits => Step::Wait,
            None => return None,
        };
        let has_room = self.steps.len() < bounds.steps;
        (has_room && self.take(step).is_ok()).then_some(step)
    }

    pub(super) fn is_quiet(&self) -> bool {
        self.rules.choices(&self.replica).is_empty() && !can_wait(&self.replica, &self.stopped)
    }

    fn see(&mut self, looks: Vec<CallResult>) -> Seen {
        self.explore
            .see(&mut self.replica, looks, self.steps.iter())
    }

    fn see_end(&mut self) -> Seen {
        let looks = self.explore.look_at_end(&mut self.replica);
        self.see(looks)
    }

    /// What is seen, if the property fails here.
    fn failure(&mut self, property: &Property) -> Option<Seen> {
        let seen = match property.when {
            When::Always => {
                let looks = self.explore.look_at(&mut self.replica);
                self.see(looks)
            }
            When::AtEnd | When::Sometimes if self.is_quiet() => self.see_end(),
            When::AtEnd | When::Sometimes => return None,
        };
        (!(property.holds)(&seen)).then_some(seen)
    }
}
