//! Goes through the orders, with few faults first.

use super::random::Draw;
use super::report::{Progress, Random, Report};
use super::run::Bounds;
use super::setup::Explore;
use super::watch::Watch;

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
            watch.report(&mut report, complete);
            if !complete {
                report.beyond = Some(faults);
                break;
            }
            report.exhausted = Some(faults);
        }
        if report.beyond.is_some() && !stopped && self.random.orders > 0 {
            let mut draw = Draw::new(self.random.seed);
            let mut watch = Watch::new(self, &rules);
            let faults = self.bounds.faults;
            let deliveries = report.deliveries;
            let mut orders = 0;
            while orders < self.random.orders && watcher(Progress { faults, deliveries }) {
                self.run_random(&rules, &mut draw, &mut watch);
                orders += 1;
            }
            watch.report(&mut report, false);
            report.random = Some(Random {
                orders,
                ..self.random
            });
        }
        self.explain(&mut report, &rules);
        report
    }
}
