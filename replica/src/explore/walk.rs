//! A replica that is led step by step.

use std::collections::BTreeSet;
use std::time::Duration;

use super::run::{can_wait, take, ways};
use super::schedule::{Fault, Step};
use crate::hold::WaitingMessage;
use crate::message::{CanisterId, Message, Time};
use crate::replica::Replica;
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

/// A message that waits, and how it can be delivered.
#[derive(Clone, Debug)]
pub struct Waiting {
    /// The message.
    pub message: WaitingMessage,
    /// Without a fault and with one, each that this message can have; none if it may not go next.
    pub ways: Vec<Option<Fault>>,
}

/// A replica in which steps are taken one after the other, whichever somebody chooses.
pub struct Walk {
    replica: Replica,
    /// The canisters that a fault has stopped.
    stopped: BTreeSet<CanisterId>,
}

impl Walk {
    /// Begins with the state that `replica` is in. It is not changed.
    pub fn from(replica: &Replica) -> Self {
        let mut replica = replica.fork();
        replica.forget_the_past();
        replica.remember();
        replica.schedule_due_timers();
        Walk {
            replica,
            stopped: BTreeSet::new(),
        }
    }

    /// Another walk that goes on from here. It costs little.
    pub fn fork(&self) -> Self {
        let mut replica = self.replica.fork();
        replica.timeline = replica.timeline.emptied();
        Walk {
            replica,
            stopped: self.stopped.clone(),
        }
    }

    /// Goes on from where another walk is, and runs canisters where they ran before. A fork that only keeps
    /// a state has no place where they run, and costs little for as long as it stays so.
    pub fn return_to(&mut self, fork: &Walk) {
        self.replica.return_to(&fork.replica);
        self.stopped = fork.stopped.clone();
    }

    /// The replica as it is now.
    pub fn replica(&mut self) -> &mut Replica {
        &mut self.replica
    }

    /// The replica as it is at the end.
    pub fn into_replica(self) -> Replica {
        self.replica
    }

    /// The replica's clock.
    pub fn time(&self) -> Time {
        self.replica.time()
    }

    /// Moves the clock ahead, at any time; what is due then becomes a message.
    pub fn advance(&mut self, by: Duration) {
        self.replica.advance_time(by);
        self.replica.schedule_due_timers();
    }

    /// Takes a step, and tells what it did.
    ///
    /// # Errors
    ///
    /// Why the step can't be taken in this state; then nothing happens.
    pub fn take(&mut self, step: Step) -> Result<Told, String> {
        let message = match step {
            Step::Deliver(name, _) => {
                let mut waiting = self.replica.waiting_messages().into_iter();
                waiting.find(|message| message.name == name)
            }
            Step::Late | Step::Wait => None,
        };
        let first = self.replica.timeline().next_number();
        take(&mut self.replica, step, &mut self.stopped)?;
        Ok(Told {
            step,
            message,
            events: self.replica.timeline().since(first).cloned().collect(),
        })
    }

    /// The messages that wait, in the order in which they were sent.
    pub fn waiting(&self) -> Vec<Waiting> {
        let waiting = self.replica.waiting_messages().into_iter();
        let waiting = waiting.map(|message| {
            let deliverable = self.replica.pool.deliverable_message(message.name);
            let ways =
                |deliverable: &Message| ways(&self.replica, deliverable, Fault::ALL.into_iter());
            Waiting {
                ways: deliverable.map_or_else(Vec::new, ways),
                message,
            }
        });
        waiting.collect()
    }

    /// Whether [`Step::Wait`] can be taken.
    pub fn can_wait(&self) -> bool {
        can_wait(&self.replica, &self.stopped)
    }

    /// Whether [`Step::Late`] can be taken.
    pub fn can_be_late(&self) -> bool {
        self.replica.next_due().is_some()
    }
}
