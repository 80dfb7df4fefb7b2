//! Messages on their way, and which of them goes next.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::message::{CallbackId, CanisterId, Cycles, Message, Request, SystemTask, Time};
use crate::message_name::MessageName;

/// Chooses which deliverable message goes next. Replace it to see other interleavings.
pub trait Policy: Send + Sync {
    /// One of `pool`'s deliverable messages, or none to let all wait. A message that is not
    /// deliverable counts as none.
    fn next(&mut self, pool: &Pool) -> Option<MessageName>;

    /// Whether it is [`OldestFirst`], which can be repeated.
    fn is_oldest_first(&self) -> bool {
        false
    }
}

/// Delivers messages in the order in which they were sent.
pub struct OldestFirst;

impl Policy for OldestFirst {
    fn next(&mut self, pool: &Pool) -> Option<MessageName> {
        pool.deliverable().next().map(Message::name)
    }

    fn is_oldest_first(&self) -> bool {
        true
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
    /// The canisters that are at work on a message. It stays here until its execution has ended, and
    /// no other one for this canister may go next.
    at_work: BTreeMap<CanisterId, Begun>,
}

/// A message that a canister has begun to execute.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct Begun {
    pub(crate) message: MessageName,
    /// When that was.
    pub(crate) time: Time,
    /// The canister's cycles then.
    pub(crate) balance: Cycles,
    /// Messages of others that are about this canister, in the order in which they came up.
    postponed: Vec<Message>,
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
        if self.is_at_work(message.receiver()) {
            return None;
        }
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
        let free = |message: &&Message| !self.is_at_work(message.receiver());
        self.iter()
            .filter(free)
            .filter(move |message| match message {
                Message::Request(request) => started.insert((request.sender, request.receiver)),
                _ => true,
            })
    }

    /// Notes that a canister has begun to execute a message that may go next.
    #[cfg(any(feature = "server", test))]
    pub(crate) fn begin(&mut self, message: MessageName, time: Time, balance: Cycles) {
        if let Some(canister) = self.deliverable_message(message).map(Message::receiver) {
            let begun = Begun {
                message,
                time,
                balance,
                postponed: Vec::new(),
            };
            self.at_work.insert(canister, begun);
        }
    }

    /// Notes that the canister which executes a message does so no longer. The message may go next, and
    /// so may those that were postponed.
    pub(crate) fn end(&mut self, message: MessageName) -> Option<Begun> {
        let mut all = self.at_work.iter();
        let (canister, _) = all.find(|(_, begun)| begun.message == message)?;
        let mut begun = self.at_work.remove(&canister.clone())?;
        while let Some(postponed) = begun.postponed.pop() {
            self.size -= postponed.size();
            self.push_first(postponed);
        }
        Some(begun)
    }

    /// The messages that canisters are at work on.
    pub(crate) fn begun(&self) -> impl Iterator<Item = MessageName> {
        self.at_work.values().map(|begun| begun.message)
    }

    /// Whether a canister is at work on a message.
    pub(crate) fn is_at_work(&self, canister: CanisterId) -> bool {
        self.at_work.contains_key(&canister)
    }

    /// Has a message that was taken out wait until a canister has ended its work.
    pub(crate) fn postpone(&mut self, until: CanisterId, message: Message) {
        if let Some(begun) = self.at_work.get_mut(&until) {
            self.size += message.size();
            begun.postponed.push(message);
        }
    }

    /// Makes messages that were begun such that only wait.
    pub(crate) fn forget_what_began(&mut self) {
        for message in self.begun().collect::<Vec<_>>() {
            self.end(message);
        }
    }

    /// Takes out the request that belongs to a callback, if its execution has not begun yet.
    pub fn take_request(&mut self, sender: CanisterId, callback: CallbackId) -> Option<Request> {
        let name = MessageName::Request(sender, callback);
        if self.begun().any(|begun| begun == name) {
            return None;
        }
        match self.remove(name) {
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
    fn nothing_goes_next_to_a_canister_that_is_at_work() {
        let mut pool = Pool::default();
        let (begun, later, other) = (request(1, 2, 1), request(3, 2, 2), request(1, 3, 3));
        let about = [request(1, 9, 4), request(1, 9, 5)];
        for message in [&begun, &later, &other, &about[0], &about[1]] {
            pool.push(message.clone());
        }
        let size = pool.size();
        let two = Principal::from_slice(&[2]);
        pool.begin(begun.name(), 7, 8);
        assert!(pool.is_at_work(two) && pool.take(begun.name()).is_none());
        assert!(pool.take(later.name()).is_none());
        assert_eq!(OldestFirst.next(&pool), Some(other.name()));
        for message in &about {
            let taken = pool.take(message.name()).unwrap();
            pool.postpone(two, taken);
        }
        assert_eq!((pool.size(), pool.len()), (size, 3));

        let ended = pool.end(begun.name()).unwrap();
        assert_eq!((ended.time, ended.balance), (7, 8));
        let names: Vec<_> = pool.iter().map(Message::name).collect();
        let expected = [&about[0], &about[1], &begun, &later, &other];
        assert_eq!(names, expected.map(Message::name));
        assert_eq!(pool.size(), size);
        assert!(!pool.is_at_work(two) && pool.take(begun.name()).is_some());
    }

    #[test]
    fn request_that_a_canister_is_at_work_on_is_not_taken_back() {
        let mut pool = Pool::default();
        let message = request(1, 2, 1);
        pool.push(message.clone());
        pool.begin(message.name(), 0, 0);
        let one = Principal::from_slice(&[1]);
        assert!(pool.take_request(one, CallbackId(1)).is_none());
        pool.forget_what_began();
        assert!(pool.take_request(one, CallbackId(1)).is_some());
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
