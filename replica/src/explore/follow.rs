//! Goes through the orders, and follows one of them again.

use std::collections::BTreeSet;

use super::report::Report;
use super::run::{Bounds, take};
use super::schedule::Schedule;
use super::search::Search;
use super::setup::Explore;
use super::watch::Watch;
use crate::replica::Replica;

impl Explore {
    /// Goes through all orders.
    pub fn run(&self) -> Report {
        let rules = self.rules();
        let mut report = Report::default();
        let mut left = self.limit;
        // With few faults first: what is found so is the shortest, and if the limit is reached, it is
        // known how far everything was seen.
        for faults in 0..=self.bounds.faults {
            let bounds = Bounds {
                faults,
                ..self.bounds
            };
            let mut watch = Watch::new(self, &rules);
            let mut search = Search::new(&rules, bounds);
            let complete = search.run(self.start.fork(), left, &mut watch);
            left -= search.taken;
            watch.report(&mut report, search.taken);
            if !complete {
                report.beyond = Some(faults);
                break;
            }
            report.exhausted = Some(faults);
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
