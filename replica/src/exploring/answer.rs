//! What was found, as it goes over the wire.

use super::interface::Method;
use super::numbers::Numbers;
use super::wire::{self, Call};
use crate::explore::{self, Explore, Orders, Report, Schedule, Told};
use crate::message::CallResult;

/// The most outcomes of a report.
const MAX_OUTCOMES: usize = 100;

/// Reads what was found: answers with the methods that gave them, steps with where they began.
pub(super) struct Reader<'a> {
    pub(super) numbers: Numbers<'a>,
    pub(super) explore: &'a Explore,
    pub(super) calls: &'a [(Call, Method)],
    pub(super) looks: &'a [(Call, Method)],
}

impl Reader<'_> {
    /// A report; `look` says of a property which look it is about.
    pub(super) fn report(
        &self,
        found: &Report,
        look: impl Fn(&str) -> Option<usize>,
    ) -> wire::Report {
        let outcome = |outcome: &explore::Outcome| wire::Outcome {
            seen: self.seen(&outcome.seen),
            orders: orders(outcome.orders),
            runs: outcome.runs,
            schedule: self.schedule(&outcome.schedule),
        };
        let nearest = |nearest: &explore::Nearest| wire::Nearest {
            schedule: self.schedule(&nearest.schedule),
            seen: self.seen(&nearest.seen),
            differs_at: nearest.differs_at,
        };
        let failure = |failure: &explore::Failure| wire::Failure {
            property: failure.property.clone(),
            look: look(&failure.property),
            orders: orders(failure.orders),
            runs: failure.runs,
            seen: self.seen(&failure.seen),
            schedule: self.schedule(&failure.schedule),
            nearest: failure.nearest.as_ref().map(nearest),
        };
        let calls = |calls: &[(Call, Method)]| calls.iter().map(|(call, _)| call.clone()).collect();
        let outcomes = found.outcomes.iter().take(MAX_OUTCOMES);
        wire::Report {
            calls: calls(self.calls),
            looks: calls(self.looks),
            orders: orders(found.orders),
            runs: found.runs,
            deliveries: found.deliveries,
            cut: found.cut,
            exhausted: found.exhausted,
            beyond: found.beyond,
            exhaustive: found.is_exhaustive(),
            holds: found.holds(),
            distinct_outcomes: found.outcomes.len(),
            outcomes: outcomes.map(outcome).collect(),
            failures: found.failures.iter().map(failure).collect(),
            never: found.never.clone(),
            random: found.random.map(|random| wire::Random {
                orders: random.orders,
                seed: random.seed,
            }),
            seconds: 0.0,
        }
    }

    /// What is seen, in Candid text.
    pub(super) fn seen(&self, seen: &explore::Seen) -> wire::Seen {
        let answers = self.calls.iter().zip(&seen.answers);
        let looks = self.looks.iter().zip(&seen.looks);
        wire::Seen {
            answers: answers
                .map(|((_, method), answer)| answer.as_ref().map(|answer| method.tell(answer)))
                .collect(),
            looks: looks
                .map(|((_, method), answer): (_, &CallResult)| method.tell(answer))
                .collect(),
            traps: seen.traps,
        }
    }

    /// The steps of a schedule, and what they do.
    fn schedule(&self, schedule: &Schedule) -> Vec<wire::Step> {
        // What was found can be followed again.
        let told = self.explore.tell(schedule);
        told.map_or_else(|_| Vec::new(), |(told, _)| self.steps(told))
    }

    /// Steps that were followed.
    pub(super) fn steps(&self, told: Vec<Told>) -> Vec<wire::Step> {
        let step = |told: Told| wire::Step {
            step: self.numbers.write(told.step),
            message: told.message,
            events: told.events,
        };
        told.into_iter().map(step).collect()
    }
}

/// A number that fits into JSON everywhere.
pub(super) fn orders(orders: Orders) -> wire::Orders {
    // Up to here, every number is one in JavaScript.
    let most = (1_u64 << 53) - 1;
    let number = u64::try_from(orders.number).unwrap_or(u64::MAX).min(most);
    wire::Orders {
        number,
        more: orders.more || u128::from(number) < orders.number,
    }
}
