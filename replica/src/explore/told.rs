//! Follows a schedule step by step, and tells what each step did.

use std::collections::BTreeSet;

use super::report::Seen;
use super::run::take;
use super::schedule::{Schedule, Step};
use super::setup::Explore;
use crate::hold::WaitingMessage;
use crate::message::{IngressId, Reject};
use crate::timeline::Event;

/// A step, and what it did.
#[derive(Clone, Debug)]
pub struct Told {
    /// The step.
    pub step: Step,
    /// The message that it delivered, if it delivered one.
    pub message: Option<WaitingMessage>,
    /// What happened.
    pub events: Vec<Event>,
}

impl Explore {
    /// How the calls were taken in, in the order in which they were added: under which ids, or why
    /// not.
    pub fn calls(&self) -> &[Result<IngressId, Reject>] {
        &self.calls
    }

    /// Follows a schedule from the beginning, as [`Explore::replay`] does. Returns what each step did,
    /// and what is seen then.
    ///
    /// # Errors
    ///
    /// The number of the step that can't be taken, counted from 0, and why.
    pub fn tell(&self, schedule: &Schedule) -> Result<(Vec<Told>, Seen), (usize, String)> {
        let mut replica = self.start.fork();
        replica.remember();
        replica.schedule_due_timers();
        let mut stopped = BTreeSet::new();
        let mut told = Vec::new();
        for (number, step) in schedule.0.iter().enumerate() {
            let message = match step {
                Step::Deliver(name, _) => {
                    let mut waiting = replica.waiting_messages().into_iter();
                    waiting.find(|message| message.name == *name)
                }
                Step::Late | Step::Wait => None,
            };
            let first = replica.timeline().next_number();
            take(&mut replica, *step, &mut stopped).map_err(|fault| (number, fault))?;
            told.push(Told {
                step: *step,
                message,
                events: replica.timeline().since(first).cloned().collect(),
            });
        }
        let looks = self.look_at(&mut replica);
        let seen = self.see(&mut replica, looks, schedule.0.iter());
        Ok((told, seen))
    }
}
