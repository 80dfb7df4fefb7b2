//! Everything that a replica did, as events: who executed what, what it changed, and whether that
//! was kept or undone.

use std::collections::VecDeque;
use std::sync::Arc;

use candid::Principal;
use serde::{Deserialize, Serialize};

use crate::execution::{Outcome, Run};
use crate::message::{CallContextId, CallResult, CanisterId, Cycles, Reject, SystemTask, Time};
use crate::message_name::MessageName;
use crate::module::MethodKind;
use crate::system_api::{Effects, EntryPoint};

/// How many bytes of events a timeline keeps: 64 MiB.
const MAX_SIZE: usize = 64 * 1024 * 1024;

/// How many bytes of the text of a reject an event has; of a longer one it has the beginning.
const MAX_TEXT: usize = 4096;

/// What an event takes beside its texts, and each call that it has, in bytes.
const EVENT_SIZE: usize = 400;
const CALL_SIZE: usize = 80;

/// What the name of a message takes.
const NAME_SIZE: usize = 48;

/// One thing that happened.
#[derive(Clone, Debug, Serialize, Deserialize)]
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
    /// The message whose delivery this is a part of; nothing for what no message caused.
    pub message: Option<MessageName>,
    /// What was executed.
    pub step: Step,
    /// How it ended.
    pub ending: Ending,
    /// Whether Wasm or stable memory was changed (and then kept or undone, as the ending says).
    pub changed_memory: bool,
    /// The calls that were made (and then sent or not).
    pub calls: Vec<CallMade>,
    /// The answer that was given (and then sent or not).
    pub response: Option<Answer>,
    /// The messages that were sent in the end: requests, and responses to canisters. What a delivery
    /// sends is with the last of its events.
    pub sent: Vec<MessageName>,
    /// The calls of users that were answered.
    pub answered: Vec<MessageName>,
    /// The instructions that it took.
    pub instructions: u64,
}

/// What was executed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Step {
    /// A method of the canister.
    Method {
        /// How it is exported.
        kind: MethodKind,
        /// Its name.
        name: String,
    },
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
    /// A part of an installation or upgrade: the start function, `canister_init`,
    /// `canister_pre_upgrade` or `canister_post_upgrade`.
    Hook(EntryPoint),
    /// A method of the management canister.
    Management(String),
    /// Nothing: the system itself answered a call of this method.
    AnsweredBySystem(String),
}

/// How an execution ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Ending {
    /// Normally: what it did is kept. This is a commit point.
    Committed,
    /// With a trap: what it did is undone.
    Undone(Reject),
}

/// An answer, without the bytes of a reply.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Answer {
    /// A reply.
    Reply {
        /// How long it is, in bytes.
        size: usize,
    },
    /// A reject.
    Reject(Reject),
}

impl From<&CallResult> for Answer {
    fn from(result: &CallResult) -> Self {
        match result {
            Ok(reply) => Answer::Reply { size: reply.len() },
            Err(reject) => Answer::Reject(reject.clone()),
        }
    }
}

/// A call that a message made.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CallMade {
    /// The called canister.
    pub receiver: CanisterId,
    /// The called method.
    pub method: String,
    /// The cycles attached.
    pub cycles: Cycles,
}

/// The last events of a replica. A clone shares them.
#[derive(Clone, Serialize, Deserialize)]
pub struct Timeline {
    events: VecDeque<Arc<Event>>,
    capacity: usize,
    /// How many bytes the events take.
    size: usize,
    next: u64,
    /// The message that is being delivered, and the number of the first event that comes of it.
    #[serde(skip)]
    delivery: Option<(MessageName, u64)>,
}

impl Timeline {
    /// A timeline that keeps the last `capacity` events.
    pub fn new(capacity: usize) -> Self {
        Timeline {
            events: VecDeque::new(),
            capacity,
            size: 0,
            next: 0,
            delivery: None,
        }
    }

    /// One without events that goes on from the same number.
    pub(crate) fn emptied(&self) -> Self {
        Timeline {
            events: VecDeque::new(),
            capacity: self.capacity,
            size: 0,
            next: self.next,
            delivery: None,
        }
    }

    /// The number that the next event will have: remember it to see only what comes later.
    pub fn next_number(&self) -> u64 {
        self.next
    }

    /// The events from number `first` on, as far as they are still kept.
    pub fn since(&self, first: u64) -> impl Iterator<Item = &Event> {
        let dropped = self.next - self.events.len() as u64;
        let skipped = usize::try_from(first.saturating_sub(dropped)).unwrap_or(usize::MAX);
        self.events.iter().skip(skipped).map(Arc::as_ref)
    }

    /// What happens from now on comes of this message, until [`Timeline::delivered`].
    pub(crate) fn delivering(&mut self, message: MessageName) {
        self.delivery = Some((message, self.next));
    }

    /// The delivery is over.
    pub(crate) fn delivered(&mut self) {
        self.delivery = None;
    }

    /// Has the last event of the delivery know of a message that was sent.
    pub(crate) fn sent(&mut self, message: MessageName) {
        self.add_to_last(|event| event.sent.push(message));
    }

    /// Has the last event of the delivery know of a user's call that was answered.
    pub(crate) fn answered(&mut self, call: MessageName) {
        self.add_to_last(|event| event.answered.push(call));
    }

    fn add_to_last(&mut self, add: impl FnOnce(&mut Event)) {
        let comes_of_it = |event: &&mut Arc<Event>| {
            let first = self.delivery.map(|(_, first)| first);
            first.is_some_and(|first| event.number >= first)
        };
        if let Some(event) = self.events.back_mut().filter(comes_of_it) {
            let event = Arc::make_mut(event);
            add(event);
            self.size += NAME_SIZE;
        }
    }

    /// Adds what an execution did.
    pub(crate) fn executed(
        &mut self,
        (canister, context, caller): (CanisterId, CallContextId, Principal),
        time: Time,
        step: Step,
        run: &Run,
    ) {
        let (ending, effects) = match &run.outcome {
            Outcome::Committed(effects) => (Ending::Committed, effects),
            Outcome::Undone { reject, discarded } => (Ending::Undone(reject.clone()), discarded),
        };
        self.push(|event| Event {
            call_context: Some(context),
            ending,
            changed_memory: run.changed_memory,
            calls: calls_made(effects),
            response: effects.response.as_ref().map(Answer::from),
            instructions: run.instructions,
            ..event(canister, caller, time, step)
        });
    }

    /// Adds a part of an installation.
    pub(crate) fn hook(
        &mut self,
        (canister, caller): (CanisterId, Principal),
        time: Time,
        entry_point: EntryPoint,
        instructions: u64,
        trap: Option<Reject>,
    ) {
        self.push(|event| Event {
            ending: trap.map_or(Ending::Committed, Ending::Undone),
            instructions,
            ..event(canister, caller, time, Step::Hook(entry_point))
        });
    }

    /// Adds what the management canister did.
    pub(crate) fn management(
        &mut self,
        caller: Principal,
        time: Time,
        method: &str,
        result: &CallResult,
    ) {
        let id = Principal::management_canister();
        self.push(|event| Event {
            response: Some(result.into()),
            ..event(id, caller, time, Step::Management(method.to_owned()))
        });
    }

    /// Adds an answer that no canister gave.
    pub(crate) fn answered_by_system(
        &mut self,
        canister: CanisterId,
        caller: Principal,
        time: Time,
        method: &str,
        result: &CallResult,
    ) {
        self.push(|event| Event {
            response: Some(result.into()),
            ..event(
                canister,
                caller,
                time,
                Step::AnsweredBySystem(method.to_owned()),
            )
        });
    }

    /// Adds an event, made of a plain one, if events are kept.
    fn push(
        &mut self,
        make: impl FnOnce(&dyn Fn(CanisterId, Principal, Time, Step) -> Event) -> Event,
    ) {
        if self.capacity == 0 {
            return;
        }
        let number = self.next;
        self.next += 1;
        let message = self.delivery.map(|(message, _)| message);
        let mut event = make(&|canister, caller, time, step| Event {
            number,
            time,
            canister,
            caller,
            call_context: None,
            message,
            step,
            ending: Ending::Committed,
            changed_memory: false,
            calls: Vec::new(),
            response: None,
            sent: Vec::new(),
            answered: Vec::new(),
            instructions: 0,
        });
        event.cut_texts();
        self.size += event.size();
        self.events.push_back(Arc::new(event));
        while (self.events.len() > self.capacity || self.size > MAX_SIZE)
            && let Some(oldest) = self.events.pop_front()
        {
            self.size -= oldest.size();
        }
    }
}

impl Event {
    /// What it takes in memory, in bytes.
    fn size(&self) -> usize {
        let text = |reject: &Reject| reject.message.len();
        let step = match &self.step {
            Step::Method { name, .. } => name.len(),
            Step::Callback { method, reject, .. } => method.len() + reject.as_ref().map_or(0, text),
            Step::Management(method) | Step::AnsweredBySystem(method) => method.len(),
            Step::Cleanup | Step::SystemTask(_) | Step::Hook(_) => 0,
        };
        let ending = match &self.ending {
            Ending::Undone(reject) => text(reject),
            Ending::Committed => 0,
        };
        let response = match &self.response {
            Some(Answer::Reject(reject)) => text(reject),
            Some(Answer::Reply { .. }) | None => 0,
        };
        let calls = self.calls.iter().map(|call| CALL_SIZE + call.method.len());
        let names = NAME_SIZE * (self.sent.len() + self.answered.len());
        EVENT_SIZE + step + ending + response + calls.sum::<usize>() + names
    }

    /// Cuts the texts of rejects that are too long.
    fn cut_texts(&mut self) {
        if let Step::Callback {
            reject: Some(reject),
            ..
        } = &mut self.step
        {
            cut(&mut reject.message);
        }
        if let Ending::Undone(reject) = &mut self.ending {
            cut(&mut reject.message);
        }
        if let Some(Answer::Reject(reject)) = &mut self.response {
            cut(&mut reject.message);
        }
    }
}

fn cut(text: &mut String) {
    let length = text.len();
    if length > MAX_TEXT {
        text.truncate(text.floor_char_boundary(MAX_TEXT));
        text.push_str(&format!("… (cut here; it has {length} bytes)"));
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::ErrorCode;

    fn timeline_with(events: usize, method: &str, result: &CallResult) -> Timeline {
        let mut timeline = Timeline::new(10_000);
        for _ in 0..events {
            timeline.management(Principal::anonymous(), 0, method, result);
        }
        timeline
    }

    #[test]
    fn oldest_events_give_way_when_there_are_too_many_bytes() {
        let timeline = timeline_with(9_000, &"m".repeat(10_000), &Ok(Vec::new()));
        let kept: Vec<u64> = timeline.since(0).map(|event| event.number).collect();
        assert!(kept.len() < 7_000 && kept.len() > 6_000, "{}", kept.len());
        assert_eq!(kept.last(), Some(&8_999));
        assert!(kept.windows(2).all(|two| two[1] == two[0] + 1));
        let size: usize = timeline.since(0).map(Event::size).sum();
        assert!(size <= MAX_SIZE && size == timeline.size);
    }

    #[test]
    fn long_text_of_a_reject_is_cut_and_says_so() {
        let text = "ä".repeat(MAX_TEXT);
        let reject = Reject::new(ErrorCode::CanisterRejectedMessage, text);
        let timeline = timeline_with(1, "method", &Err(reject));
        let event = timeline.since(0).next().unwrap();
        let Some(Answer::Reject(kept)) = &event.response else {
            panic!("{event:?}");
        };
        assert!(kept.message.len() < MAX_TEXT + 50);
        assert!(kept.message.ends_with("ä… (cut here; it has 8192 bytes)"));
    }
}
