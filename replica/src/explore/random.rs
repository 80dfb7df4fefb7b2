//! Orders that are drawn at random, where there are too many to go through.
//!
//! To draw every message alike would hardly ever keep one call waiting for long. So priorities are drawn
//! instead, which change at a few random steps: a fault that needs `d` messages in a certain order is
//! found with a probability that does not shrink exponentially with the length (Burckhardt et al., "A
//! randomized scheduler with probabilistic guarantees of finding bugs", 2010; for messages Ozkan et al.,
//! "Randomized testing of distributed systems with probabilistic guarantees", 2018).

use std::collections::{BTreeMap, BTreeSet};

use super::path::{Place, Taken};
use super::run::{Choice, Rules};
use super::schedule::{Fault, Step};
use super::search::{End, Visitor};
use super::setup::Explore;
use super::shrink::Run;
use super::watch::Watch;
use crate::message_name::MessageName;
use crate::replica::Replica;

/// Priorities change at most so often in one order.
const MOST_CHANGES: u64 = 4;

/// A way to draw numbers: xorshift64* (Vigna, 2016).
struct Draw {
    state: u64,
    /// How many orders were drawn.
    orders: u64,
    /// The most steps that one of them had: so many the next may have.
    length: usize,
}

impl Draw {
    fn new(seed: u64) -> Self {
        Draw {
            // A state of zeros would stay one.
            state: seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1,
            orders: 0,
            length: 1,
        }
    }

    fn next(&mut self) -> u64 {
        self.state ^= self.state >> 12;
        self.state ^= self.state << 25;
        self.state ^= self.state >> 27;
        self.state.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 32
    }

    /// A number below `end`.
    fn below(&mut self, end: usize) -> usize {
        ((self.next() * end as u64) >> 32) as usize
    }

    /// So many steps of an order.
    fn steps(&mut self, number: usize) -> BTreeSet<usize> {
        let length = self.length;
        (0..number).map(|_| self.below(length)).collect()
    }
}

/// The priorities of messages: a message that another one leads to goes on with its priority, since it is
/// the same piece of work; if there are several, the others are new pieces of work.
struct Priorities {
    of: BTreeMap<MessageName, i64>,
    /// That of the message that was delivered last, until somebody has it.
    free: Option<i64>,
    /// Below all others.
    lowest: i64,
}

impl Priorities {
    /// Gives each message a priority, and leaves out those that wait no more.
    fn meet(&mut self, choices: &[Choice], draw: &mut Draw) {
        for choice in choices {
            self.of.entry(choice.name).or_insert_with(|| {
                let drawn = || i64::from(u32::try_from(draw.next()).unwrap_or(u32::MAX));
                self.free.take().unwrap_or_else(drawn)
            });
        }
    }

    fn highest<'a>(&self, choices: &'a [Choice]) -> Option<&'a Choice> {
        choices
            .iter()
            .max_by_key(|choice| self.of.get(&choice.name))
    }
}

impl Explore {
    /// Draws orders, as long as `watcher` says yes to so many faults. Returns how many.
    pub(super) fn draw<'a>(
        &'a self,
        rules: &'a Rules,
        watch: &mut Watch<'a>,
        watcher: &mut dyn FnMut(usize) -> bool,
    ) -> u64 {
        let mut draw = Draw::new(self.random.seed);
        let mut replica = self.start.fork();
        let mut orders = 0;
        while orders < self.random.orders && watcher(self.bounds.faults) {
            replica = self.run_random(replica, rules, &mut draw, watch);
            orders += 1;
        }
        orders
    }

    /// Runs one order that is drawn, in a replica, which is given back.
    fn run_random<'a>(
        &'a self,
        replica: Replica,
        rules: &'a Rules,
        draw: &mut Draw,
        watch: &mut Watch<'a>,
    ) -> Replica {
        let mut run = Run::in_place(replica, self, rules);
        let mut path: Vec<Taken> = Vec::new();
        watch.after(&mut run.replica, &Place { path: &path });
        let changes = draw.steps((draw.orders % (MOST_CHANGES + 1)) as usize);
        let faults = draw.steps(self.bounds.faults);
        let mut priorities = Priorities {
            of: BTreeMap::new(),
            free: None,
            lowest: 0,
        };
        loop {
            let choices = rules.choices(&run.replica);
            priorities.meet(&choices, draw);
            if changes.contains(&path.len())
                && let Some(first) = priorities.highest(&choices)
            {
                priorities.lowest -= 1;
                priorities.of.insert(first.name, priorities.lowest);
            }
            let step = priorities.highest(&choices).map(|choice| {
                let fails = faults.contains(&path.len());
                let late = (fails && rules.can_be_late(&run.replica)).then_some(Step::Late);
                let deliver = |fault: Option<Fault>| Step::Deliver(choice.name, fault);
                let ways = choice.ways.iter().filter(|way| fails && way.is_some());
                let ways: Vec<Step> = ways.map(|way| deliver(*way)).chain(late).collect();
                match ways.len() {
                    0 => deliver(None),
                    number => ways[draw.below(number)],
                }
            });
            let Some(step) = run.next(step) else {
                break;
            };
            if let Step::Deliver(name, _) = step {
                priorities.free = priorities.of.remove(&name);
            }
            let oldest = choices.first().map(|choice| choice.name);
            let departs = matches!(step, Step::Deliver(name, _) if Some(name) != oldest);
            path.push(Taken::in_line(step, departs, path.len()));
            watch.after(&mut run.replica, &Place { path: &path });
        }
        draw.orders += 1;
        draw.length = draw.length.max(path.len());
        let end = match run.is_quiet() {
            true => End::Quiet,
            false => End::Cut,
        };
        watch.end(&mut run.replica, &Place { path: &path }, end);
        run.replica
    }
}
