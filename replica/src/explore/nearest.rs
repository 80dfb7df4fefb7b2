//! Finds an order that is good beside one that is not.

use std::cell::Cell;

use super::path::{Place, Taken};
use super::report::{Nearest, Seen};
use super::run::{Bounds, Rules};
use super::schedule::{Schedule, Step};
use super::search::{End, Part, Search, Visitor};
use super::setup::{Explore, Property, When};
use super::shrink::Run;
use crate::replica::Replica;

/// The most messages that are delivered to find it: in all, and after one step that differs.
const MOST: u64 = 50_000;
const MOST_AFTER_ONE: u64 = 5_000;

impl Explore {
    /// The order that goes with `schedule` for as long as possible and is good: one step differs, and
    /// after it nothing goes wrong any more. Of several that differ at the same step, the one with the
    /// oldest messages first.
    pub(super) fn nearest(
        &self,
        rules: &Rules,
        property: &Property,
        schedule: &Schedule,
    ) -> Option<Nearest> {
        let left = Cell::new(MOST);
        (0..schedule.0.len()).rev().find_map(|differs_at| {
            let (before, rest) = schedule.0.split_at(differs_at);
            let start = self.follow(rules, before)?;
            let choices = rules.choices(&start.replica);
            let others = choices
                .iter()
                .map(|choice| Step::Deliver(choice.name, None))
                .filter(|step| *step != rest[0]);
            let mut others = others.collect::<Vec<_>>().into_iter();
            others.find_map(|step| {
                let begin: Vec<Step> = before.iter().copied().chain([step]).collect();
                let (schedule, seen) = self.good(rules, property, &begin, &left)?;
                Some(Nearest {
                    schedule,
                    seen,
                    differs_at,
                })
            })
        })
    }

    fn follow<'a>(&'a self, rules: &'a Rules, steps: &[Step]) -> Option<Run<'a>> {
        let mut run = Run::new(self, rules);
        steps.iter().try_for_each(|step| run.take(*step)).ok()?;
        Some(run)
    }

    /// A good order that begins with these steps, in at most so many deliveries.
    fn good(
        &self,
        rules: &Rules,
        property: &Property,
        begin: &[Step],
        left: &Cell<u64>,
    ) -> Option<(Schedule, Seen)> {
        let mut run = self.follow(rules, begin)?;
        let over = Cell::new(false);
        let mut search = Good {
            explore: self,
            property,
            over: &over,
            failed_at: None,
            found: None,
        };
        let steps = begin.iter().enumerate();
        let path: Vec<Taken> = steps
            .map(|(place, step)| Taken::in_line(*step, false, place))
            .collect();
        search.after(&mut run.replica, &Place { path: &path });
        if search.failed_at.is_some() {
            return None;
        }
        let bounds = Bounds {
            faults: 0,
            ..self.bounds
        };
        let part = Part::after(path, &run.replica, run.stopped, search);
        let mut most = MOST_AFTER_ONE;
        let mut go_on = || {
            most = most.saturating_sub(1);
            left.set(left.get().saturating_sub(1));
            !over.get() && most > 0 && left.get() > 0
        };
        let (search, _) = Search::new(rules, bounds).run_part(part, &mut run.replica, &mut go_on);
        search.found
    }
}

/// Looks for a good order.
struct Good<'a> {
    explore: &'a Explore,
    property: &'a Property,
    /// Whether it was found.
    over: &'a Cell<bool>,
    /// After how many steps a property that must always hold failed on the way here.
    failed_at: Option<usize>,
    found: Option<(Schedule, Seen)>,
}

impl Visitor for Good<'_> {
    fn after(&mut self, replica: &mut Replica, place: &Place<'_>) {
        let steps = place.path.len();
        self.failed_at = self.failed_at.filter(|failed| *failed < steps);
        if self.property.when == When::Always && self.failed_at.is_none() {
            let looks = self.explore.look_at(replica);
            let seen = self.explore.see(replica, looks, place.steps());
            self.failed_at = (!(self.property.holds)(&seen)).then_some(steps);
        }
    }

    fn end(&mut self, replica: &mut Replica, place: &Place<'_>, end: End) {
        if self.over.get() || end == End::Cut || self.failed_at.is_some() {
            return;
        }
        let looks = self.explore.look_at_end(replica);
        let seen = self.explore.see(replica, looks, place.steps());
        if self.property.when == When::Always || (self.property.holds)(&seen) {
            self.over.set(true);
            self.found = Some((Schedule(place.steps().copied().collect()), seen));
        }
    }

    fn for_part(&self) -> Self {
        Good {
            found: None,
            ..*self
        }
    }
}
