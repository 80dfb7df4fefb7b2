//! Goes through the orders, with few faults first.

use super::report::{Progress, Random, Report};
use super::run::Bounds;
use super::setup::Explore;

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
}
