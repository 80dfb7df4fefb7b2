//! Messages on their way, and which of them goes next.

use std::collections::{BTreeMap, BTreeSet};

use crate::message::{CallbackId, CanisterId, Message, Request, SystemTask};

/// Numbers messages in the order in which they were sent.
pub type Sequence = u64;

/// Chooses which deliverable message goes next. Replace it to see other interleavings.
pub trait Policy: Send {
    /// One of `pool`'s deliverable messages, or none to let all wait.
    fn next(&mut self, pool: &Pool) -> Option<Sequence>;
}

/// Delivers messages in the order in which they were sent.
pub struct OldestFirst;

impl Policy for OldestFirst {
    fn next(&mut self, pool: &Pool) -> Option<Sequence> {
        pool.messages
            .first_key_value()
            .map(|(sequence, _)| *sequence)
    }
}

/// All messages that were sent and not delivered yet.
#[derive(Default)]
pub struct Pool {
    messages: BTreeMap<Sequence, Message>,
    next: Sequence,
}

impl Pool {
    /// Adds a message.
    pub fn push(&mut self, message: Message) {
        self.messages.insert(self.next, message);
        self.next += 1;
    }

    /// Takes out a message to deliver it.
    pub fn take(&mut self, sequence: Sequence) -> Option<Message> {
        self.messages.remove(&sequence)
    }

    /// Whether nothing is on its way.
    pub fn is_empty(&self) -> bool {
        self.messages.is_empty()
    }

    /// The number of messages on their way.
    pub fn len(&self) -> usize {
        self.messages.len()
    }

    /// All messages in the order in which they were sent.
    pub fn iter(&self) -> impl Iterator<Item = (Sequence, &Message)> {
        self.messages.iter().map(|(sequence, m)| (*sequence, m))
    }

    /// The messages that may go next. Requests from one canister to another go in the order in
    /// which they were sent; everything else goes in any order.
    pub fn deliverable(&self) -> impl Iterator<Item = (Sequence, &Message)> {
        let mut started = BTreeSet::new();
        self.iter().filter(move |(_, message)| match message {
            Message::Request(request) => started.insert((request.sender, request.receiver)),
            _ => true,
        })
    }

    /// Takes out the request that belongs to a callback, if it was not delivered yet.
    pub fn take_request(&mut self, sender: CanisterId, callback: CallbackId) -> Option<Request> {
        let found = self.iter().find_map(|(sequence, message)| match message {
            Message::Request(r) if r.sender == sender && r.callback == callback => Some(sequence),
            _ => None,
        })?;
        match self.messages.remove(&found) {
            Some(Message::Request(request)) => Some(request),
            _ => None,
        }
    }

    /// Whether the response for a callback is on its way.
    pub fn has_response(&self, receiver: CanisterId, callback: CallbackId) -> bool {
        self.messages.values().any(|message| match message {
            Message::Response(r) => r.receiver == receiver && r.callback == callback,
            _ => false,
        })
    }

    /// Whether a system task of a canister is due.
    pub fn has_task(&self, canister: CanisterId, task: SystemTask) -> bool {
        self.messages.values().any(|message| match message {
            Message::Task(receiver, other) => *receiver == canister && *other == task,
            _ => false,
        })
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
        let deliverable: Vec<_> = pool.deliverable().map(|(sequence, _)| sequence).collect();
        assert_eq!(deliverable, [0, 2, 3]);
        pool.take(0);
        let deliverable: Vec<_> = pool.deliverable().map(|(sequence, _)| sequence).collect();
        assert_eq!(deliverable, [1, 2, 3]);
    }
}
