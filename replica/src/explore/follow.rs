//! Goes through the orders, and follows one of them again.

use std::collections::BTreeSet;

use super::report::{Progress, Random, Report};
use super::run::{Bounds, take};
use super::schedule::Schedule;
use super::setup::Explore;
use crate::replica::Replica;

impl Explore {
    /// Goes through all orders.
    pub fn run(&self) -> Report {
        self.run_watched(&mut |_| true)
    }

    /// Goes through all orders, and tells `watcher` from time to time how far it is, until that
    /// returns `false`. Then nothing is drawn at random either.
    pub fn run_watched(&self, watcher: &mut dyn FnMut(Progress) -> bool) -> Report {
        let rules = self.rules();
        let mut report = Report::default();
        let mut stopped = false;
        let mut partial = None;
        // With few faults first: what is found so is the shortest, and if the limit is reached, it is
        // known how far everything was seen.
        for faults in 0..=self.bounds.faults {
            let bounds = Bounds {
                faults,
                ..self.bounds
            };
            let before = report.deliveries;
            let mut watcher = |deliveries| {
                let deliveries = before + deliveries;
                stopped |= !watcher(Progress { faults, deliveries });
                !stopped
            };
            let left = self.limit - before;
            let (watch, deliveries, complete) = self.search(&rules, bounds, left, &mut watcher);
            report.deliveries += deliveries;
            if !complete {
                report.beyond = Some(faults);
                partial = Some(watch);
                break;
            }
            watch.report(&mut report, true);
            report.exhausted = Some(faults);
        }
        if let Some(mut watch) = partial {
            if !stopped && self.random.orders > 0 {
                let orders = self.draw(&rules, &mut watch, &mut |faults| {
                    watcher(Progress {
                        faults,
                        deliveries: report.deliveries,
                    })
                });
                report.random = Some(Random {
                    orders,
                    ..self.random
                });
            }
            watch.report(&mut report, false);
        }
        self.explain(&mut report, &rules);
        report
    }

    /// Follows a schedule from the beginning. Returns the replica as it is then; its timeline has
    /// what happened.
    ///
    /// # Errors
    ///
    /// If a step can't be taken: the schedule belongs to other calls, or to another state.
    pub fn replay(&self, schedule: &Schedule) -> Result<Replica, String> {
        let mut replica = self.start.fork();
        replica.remember();
        replica.schedule_due_timers();
        let mut stopped = BTreeSet::new();
        for (number, step) in schedule.0.iter().enumerate() {
            take(&mut replica, *step, &mut stopped)
                .map_err(|fault| format!("step {} ('{step}'): {fault}", number + 1))?;
        }
        Ok(replica)
    }
}
