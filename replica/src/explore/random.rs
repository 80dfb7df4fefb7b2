//! Orders that are drawn at random, where there are too many to go through.

use super::path::{Place, Taken};
use super::run::Rules;
use super::schedule::Step;
use super::search::{End, Visitor};
use super::setup::Explore;
use super::shrink::Run;
use super::watch::Watch;

/// A way to draw numbers: xorshift64* (Vigna, 2016).
pub(super) struct Draw(u64);

impl Draw {
    pub(super) fn new(seed: u64) -> Self {
        // A state of zeros would stay one.
        Draw(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    /// A number below `end`.
    fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        let drawn = self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 32;
        ((drawn * end as u64) >> 32) as usize
    }
}

impl Explore {
    /// Runs one order that is drawn.
    pub(super) fn run_random<'a>(
        &'a self,
        rules: &'a Rules,
        draw: &mut Draw,
        watch: &mut Watch<'a>,
    ) {
        let mut run = Run::new(self, rules);
        let mut path: Vec<Taken> = Vec::new();
        watch.after(&mut run.replica, &Place { path: &path });
        // Where the faults are: the later steps of a long order get some too.
        let mut faults = self.bounds.faults;
        loop {
            let choices = rules.choices(&run.replica);
            let oldest = choices.first().map(|choice| choice.name);
            let step = match choices.len() {
                0 => None,
                number => {
                    let choice = &choices[draw.below(number)];
                    let fails = faults > 0 && draw.below(8) == 0;
                    let way = match fails {
                        true => choice.ways[draw.below(choice.ways.len())],
                        false => None,
                    };
                    match fails && way.is_none() && rules.can_be_late(&run.replica) {
                        true => Some(Step::Late),
                        false => Some(Step::Deliver(choice.name, way)),
                    }
                }
            };
            let Some(step) = run.next(step) else {
                break;
            };
            faults -= usize::from(step.is_fault()).min(faults);
            let departs = matches!(step, Step::Deliver(name, _) if Some(name) != oldest);
            path.push(Taken::alone(step, departs));
            watch.after(&mut run.replica, &Place { path: &path });
        }
        let end = match run.is_quiet() {
            true => End::Quiet,
            false => End::Cut,
        };
        watch.end(&mut run.replica, &Place { path: &path }, end);
    }
}
