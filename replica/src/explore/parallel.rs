//! A search on several threads.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use super::run::{Bounds, Rules};
use super::search::{Part, Search};
use super::setup::Explore;
use super::watch::Watch;

/// After so many steps a search is divided into parts: that makes some dozens of them.
const DIVIDED_AT: usize = 3;

/// A search of so many deliveries is done before threads are made.
const SMALL: u64 = 2_000;

/// How often somebody who watches is told, and asked.
const PERIOD: Duration = Duration::from_millis(100);

impl Explore {
    /// Goes through all orders within `bounds`, in at most `limit` deliveries. `watcher` is told how
    /// many there were, and may end it. Returns what was found, the deliveries, and whether that were
    /// all.
    pub(super) fn search<'a>(
        &'a self,
        rules: &'a Rules,
        bounds: Bounds,
        limit: u64,
        watcher: &mut dyn FnMut(u64) -> bool,
    ) -> (Watch<'a>, u64, bool) {
        let small = match self.threads {
            1 => limit,
            _ => limit.min(SMALL),
        };
        let mut watch = Watch::new(self, rules);
        let mut deliveries = 0;
        let mut stopped = false;
        let mut go_on = || {
            stopped |= deliveries % 256 == 0 && !watcher(deliveries);
            let going_on = deliveries < small && !stopped;
            deliveries += u64::from(going_on);
            going_on
        };
        let mut search = Search::new(rules, bounds);
        let complete = search.run(self.start.fork(), &mut watch, &mut go_on);
        match complete || stopped || small == limit {
            true => (watch, deliveries, complete),
            false => self.search_in_parts(rules, bounds, limit, watcher),
        }
    }

    fn search_in_parts<'a>(
        &'a self,
        rules: &'a Rules,
        bounds: Bounds,
        limit: u64,
        watcher: &mut dyn FnMut(u64) -> bool,
    ) -> (Watch<'a>, u64, bool) {
        let deliveries = AtomicU64::new(0);
        let complete = AtomicBool::new(true);
        let go_on = || {
            let going_on = deliveries.fetch_add(1, Ordering::Relaxed) < limit;
            if !going_on {
                complete.store(false, Ordering::Relaxed);
            }
            going_on && complete.load(Ordering::Relaxed)
        };
        let mut watch = Watch::new(self, rules);
        let mut search = Search::divided(rules, bounds, DIVIDED_AT);
        search.run(self.start.fork(), &mut watch, &mut || go_on());
        let parts: Vec<Mutex<Option<Part<Watch<'_>>>>> = search
            .parts
            .into_iter()
            .map(|part| Mutex::new(Some(part)))
            .collect();
        let found: Vec<Mutex<Option<Watch<'_>>>> = parts.iter().map(|_| Mutex::new(None)).collect();
        let next = AtomicU64::new(0);
        let work = || {
            // Canisters run in one place for all parts of a thread.
            let mut replica = self.start.fork();
            loop {
                let place = next.fetch_add(1, Ordering::Relaxed) as usize;
                let Some(part) = parts.get(place).and_then(|part| part.lock().ok()?.take()) else {
                    return;
                };
                let search = Search::new(rules, bounds);
                let (watch, all) = search.run_part(part, &mut replica, &mut || go_on());
                if !all {
                    complete.store(false, Ordering::Relaxed);
                }
                if let Ok(mut place) = found[place].lock() {
                    *place = Some(watch);
                }
            }
        };
        thread::scope(|scope| {
            let workers: Vec<_> = (0..self.threads).map(|_| scope.spawn(work)).collect();
            while !workers.iter().all(|worker| worker.is_finished()) {
                if !watcher(deliveries.load(Ordering::Relaxed)) {
                    complete.store(false, Ordering::Relaxed);
                }
                thread::park_timeout(PERIOD);
            }
        });
        // In the order of the parts: what is found does not depend on who was first.
        for part in found {
            if let Ok(Some(part)) = part.into_inner() {
                watch.add(part);
            }
        }
        let deliveries = deliveries.into_inner().min(limit);
        (watch, deliveries, complete.into_inner())
    }
}
