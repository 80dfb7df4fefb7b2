//! Everything that a replica did, as events: who executed what, what it changed, and whether that
//! was kept or undone.

use std::collections::VecDeque;

use candid::Principal;
use serde::{Serialize, Serializer};

use crate::execution::{Outcome, Run};
use crate::message::{CallContextId, CallResult, CanisterId, Cycles, Reject, SystemTask, Time};
use crate::system_api::Effects;

/// One thing that happened.
#[derive(Clone, Debug, Serialize)]
pub struct Event {
    /// Counts from 0 in the order in which things happened.
    pub number: u64,
    /// The replica's clock.
    pub time: Time,
    /// Where it happened. `aaaaa-aa` is the management canister.
    pub canister: CanisterId,
    /// On whose behalf: the caller of the call context.
    pub caller: Principal,
    /// The call context, where the canister has one.
    pub call_context: Option<CallContextId>,
    /// What was executed.
    pub step: Step,
    /// How it ended.
    pub ending: Ending,
    /// Whether Wasm or stable memory was changed (and then kept or undone, as the ending says).
    pub changed_memory: bool,
    /// The calls that were made (and then sent or not).
    pub calls: Vec<CallMade>,
    /// The answer that was given (and then sent or not).
    #[serde(serialize_with = "answer")]
    pub response: Option<CallResult>,
    /// The instructions that it took.
    pub instructions: u64,
}

/// What was executed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Step {
    /// A method of the canister.
    Method(String),
    /// The callback for the response of `from` to a call of `method`.
    Callback {
        /// The canister that was called.
        from: CanisterId,
        /// The method that was called.
        method: String,
        /// The reject, if it was one.
        reject: Option<Reject>,
    },
    /// The cleanup of the callback before.
    Cleanup,
    /// A heartbeat, timer or low-memory hook.
    SystemTask(SystemTask),
    /// Nothing: the system itself answered a call of this method.
    AnsweredBySystem(String),
}

/// How an execution ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Ending {
    /// Normally: what it did is kept. This is a commit point.
    Committed,
    /// With a trap: what it did is undone.
    Undone(Reject),
}

/// A call that a message made.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct CallMade {
    /// The called canister.
    pub receiver: CanisterId,
    /// The called method.
    pub method: String,
    /// The cycles attached.
    pub cycles: Cycles,
}

/// The last events of a replica.
pub struct Timeline {
    events: VecDeque<Event>,
    capacity: usize,
    next: u64,
}

impl Timeline {
    /// A timeline that keeps the last `capacity` events.
    pub fn new(capacity: usize) -> Self {
        Timeline {
            events: VecDeque::new(),
            capacity,
            next: 0,
        }
    }

    /// Whether events are kept at all.
    pub fn is_kept(&self) -> bool {
        self.capacity > 0
    }

    /// The number that the next event will have: remember it to see only what comes later.
    pub fn next_number(&self) -> u64 {
        self.next
    }

    /// The events from number `first` on, as far as they are still kept.
    pub fn since(&self, first: u64) -> impl Iterator<Item = &Event> {
        self.events.iter().filter(move |e| e.number >= first)
    }

    /// Adds what an execution did.
    pub(crate) fn executed(
        &mut self,
        (canister, context, caller): (CanisterId, CallContextId, Principal),
        time: Time,
        step: Step,
        run: &Run,
    ) {
        if !self.is_kept() {
            return;
        }
        let (ending, effects) = match &run.outcome {
            Outcome::Committed(effects) => (Ending::Committed, effects),
            Outcome::Undone { reject, discarded } => (Ending::Undone(reject.clone()), discarded),
        };
        self.push(Event {
            number: 0,
            time,
            canister,
            caller,
            call_context: Some(context),
            step,
            ending,
            changed_memory: run.changed_memory,
            calls: calls_made(effects),
            response: effects.response.clone(),
            instructions: run.instructions,
        });
    }

    /// Adds an answer that no canister gave.
    pub(crate) fn answered_by_system(
        &mut self,
        canister: CanisterId,
        caller: Principal,
        time: Time,
        method: &str,
        response: &CallResult,
    ) {
        if !self.is_kept() {
            return;
        }
        self.push(Event {
            number: 0,
            time,
            canister,
            caller,
            call_context: None,
            step: Step::AnsweredBySystem(method.to_owned()),
            ending: Ending::Committed,
            changed_memory: false,
            calls: Vec::new(),
            response: Some(response.clone()),
            instructions: 0,
        });
    }

    fn push(&mut self, event: Event) {
        let number = self.next;
        self.next += 1;
        self.events.push_back(Event { number, ..event });
        if self.events.len() > self.capacity {
            self.events.pop_front();
        }
    }
}

fn calls_made(effects: &Effects) -> Vec<CallMade> {
    let calls = effects.calls.iter().map(|call| CallMade {
        receiver: call.receiver,
        method: call.method.clone(),
        cycles: call.cycles,
    });
    calls.collect()
}

/// An answer without its bytes.
fn answer<S: Serializer>(answer: &Option<CallResult>, serializer: S) -> Result<S::Ok, S::Error> {
    #[derive(Serialize)]
    #[serde(rename_all = "snake_case")]
    enum Answer<'a> {
        /// A reply of so many bytes.
        Reply(usize),
        Reject(&'a Reject),
    }
    let answer = answer.as_ref().map(|answer| match answer {
        Ok(reply) => Answer::Reply(reply.len()),
        Err(reject) => Answer::Reject(reject),
    });
    answer.serialize(serializer)
}
