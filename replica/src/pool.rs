//! Messages on their way, and which of them goes next.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::message::{CallbackId, CanisterId, Message, Request, SystemTask};
use crate::message_name::MessageName;

/// Chooses which deliverable message goes next. Replace it to see other interleavings.
pub trait Policy: Send + Sync {
    /// One of `pool`'s deliverable messages, or none to let all wait. A message that is not
    /// deliverable counts as none.
    fn next(&mut self, pool: &Pool) -> Option<MessageName>;
}

/// Delivers messages in the order in which they were sent.
pub struct OldestFirst;

impl Policy for OldestFirst {
    fn next(&mut self, pool: &Pool) -> Option<MessageName> {
        pool.messages.values().next().map(Message::name)
    }
}

/// All messages that were sent and not delivered yet.
#[derive(Clone, Default, Serialize, Deserialize)]
pub struct Pool {
    /// In the order in which they were sent. Urgent ones count down from -1, all others up from 0.
    messages: BTreeMap<i64, Message>,
    places: BTreeMap<MessageName, i64>,
    first: i64,
    next: i64,
    /// How many bytes the messages have.
    size: u64,
}

impl Pool {
    /// How many messages were added so far.
    #[cfg(feature = "server")]
    pub(crate) fn sent(&self) -> u64 {
        self.next.abs_diff(self.first)
    }

    /// Adds a message. A task that waits already is not added again.
    pub fn push(&mut self, message: Message) {
        let place = self.next;
        self.next += 1;
        self.insert(place, message);
    }

    /// Adds a message in front of all others. A task that waits already is not added again.
    pub fn push_first(&mut self, message: Message) {
        self.first -= 1;
        self.insert(self.first, message);
    }

    fn insert(&mut self, place: i64, message: Message) {
        let name = message.name();
        if let MessageName::Task(..) = name
            && self.places.contains_key(&name)
        {
            return;
        }
        self.size += message.size();
        self.places.insert(name, place);
        self.messages.insert(place, message);
    }

    fn remove(&mut self, name: MessageName) -> Option<Message> {
        let place = self.places.remove(&name)?;
        let message = self.messages.remove(&place)?;
        self.size -= message.size();
        Some(message)
    }

    /// Takes out a message to deliver it, if it may go next.
    pub fn take(&mut self, name: MessageName) -> Option<Message> {
        self.deliverable_message(name)?;
        self.remove(name)
    }

    /// A message, if it may go next.
    pub fn deliverable_message(&self, name: MessageName) -> Option<&Message> {
        let place = *self.places.get(&name)?;
        let message = &self.messages[&place];
        if let Message::Request(request) = message {
            let mut before = self.messages.range(..place);
            let is_first = !before.any(|(_, other)| match other {
                Message::Request(other) => {
                    (other.sender, other.receiver) == (request.sender, request.receiver)
                }
                _ => false,
            });
            return is_first.then_some(message);
        }
        Some(message)
    }

    /// Whether a message waits.
    pub(crate) fn contains(&self, name: MessageName) -> bool {
        self.places.contains_key(&name)
    }

    /// Whether nothing is on its way.
    pub fn is_empty(&self) -> bool {
        self.messages.is_empty()
    }

    /// The number of messages on their way.
    pub fn len(&self) -> usize {
        self.messages.len()
    }

    /// How many bytes the messages on their way have.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// All messages in the order in which they were sent.
    pub fn iter(&self) -> impl Iterator<Item = &Message> {
        self.messages.values()
    }

    /// The messages that may go next. Requests from one canister to another go in the order in
    /// which they were sent; everything else goes in any order.
    pub fn deliverable(&self) -> impl Iterator<Item = &Message> {
        let mut started = BTreeSet::new();
        self.iter().filter(move |message| match message {
            Message::Request(request) => started.insert((request.sender, request.receiver)),
            _ => true,
        })
    }

    /// Takes out the request that belongs to a callback, if it was not delivered yet.
    pub fn take_request(&mut self, sender: CanisterId, callback: CallbackId) -> Option<Request> {
        match self.remove(MessageName::Request(sender, callback)) {
            Some(Message::Request(request)) => Some(request),
            _ => None,
        }
    }

    /// Whether the response for a callback is on its way.
    pub fn has_response(&self, receiver: CanisterId, callback: CallbackId) -> bool {
        self.places
            .contains_key(&MessageName::Response(receiver, callback))
    }

    /// Whether a system task of a canister is due.
    pub fn has_task(&self, canister: CanisterId, task: SystemTask) -> bool {
        self.places.contains_key(&MessageName::Task(canister, task))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use candid::Principal;

    fn request(sender: u8, receiver: u8, callback: u64) -> Message {
        Message::Request(Request {
            sender: Principal::from_slice(&[sender]),
            callback: CallbackId(callback),
            receiver: Principal::from_slice(&[receiver]),
            method: String::new(),
            argument: Vec::new(),
            cycles: 0,
            deadline: None,
        })
    }

    #[test]
    fn only_the_first_request_from_one_canister_to_another_is_deliverable() {
        let mut pool = Pool::default();
        for message in [
            request(1, 2, 1),
            request(1, 2, 2),
            request(1, 3, 3),
            request(3, 2, 4),
        ] {
            pool.push(message);
        }
        let names: Vec<_> = pool.iter().map(Message::name).collect();
        let deliverable =
            |pool: &Pool| -> Vec<MessageName> { pool.deliverable().map(Message::name).collect() };
        assert_eq!(deliverable(&pool), [names[0], names[2], names[3]]);
        assert!(pool.take(names[1]).is_none());
        assert!(pool.take(names[0]).is_some());
        assert_eq!(deliverable(&pool), names[1..]);
    }

    #[test]
    fn task_that_waits_already_is_not_added_again() {
        let mut pool = Pool::default();
        let task = Message::Task(Principal::from_slice(&[1]), SystemTask::OnLowWasmMemory);
        pool.push(task.clone());
        pool.push_first(task.clone());
        assert_eq!(pool.len(), 1);
        assert!(pool.take(task.name()).is_some() && pool.is_empty());
    }
}
