//! Messages on their way, and which of them goes next.

use std::collections::{BTreeMap, BTreeSet};

use crate::message::{CallbackId, CanisterId, Message, Request, SystemTask};

/// Numbers messages in the order in which they were sent. Urgent ones count down from -1, all others
/// up from 0.
pub type Sequence = i64;

/// Chooses which deliverable message goes next. Replace it to see other interleavings.
pub trait Policy: Send {
    /// One of `pool`'s deliverable messages, or none to let all wait. A message that is not
    /// deliverable counts as none.
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
    /// Where the requests are, by the callback that waits.
    requests: BTreeMap<(CanisterId, CallbackId), Sequence>,
    /// For which callbacks a response is on its way.
    responses: BTreeSet<(CanisterId, CallbackId)>,
    tasks: BTreeSet<(CanisterId, SystemTask)>,
    first: Sequence,
    next: Sequence,
}

impl Pool {
    /// Adds a message.
    pub fn push(&mut self, message: Message) {
        let sequence = self.next;
        self.next += 1;
        self.insert(sequence, message);
    }

    /// Adds a message in front of all others.
    pub fn push_first(&mut self, message: Message) {
        self.first -= 1;
        self.insert(self.first, message);
    }

    fn insert(&mut self, sequence: Sequence, message: Message) {
        match &message {
            Message::Request(request) => {
                let key = (request.sender, request.callback);
                self.requests.insert(key, sequence);
            }
            Message::Response(response) => {
                self.responses
                    .insert((response.receiver, response.callback));
            }
            Message::Task(canister, task) => {
                self.tasks.insert((*canister, *task));
            }
            Message::Ingress(_) => {}
        }
        self.messages.insert(sequence, message);
    }

    fn remove(&mut self, sequence: Sequence) -> Option<Message> {
        let message = self.messages.remove(&sequence)?;
        match &message {
            Message::Request(request) => {
                self.requests.remove(&(request.sender, request.callback));
            }
            Message::Response(response) => {
                self.responses
                    .remove(&(response.receiver, response.callback));
            }
            Message::Task(canister, task) => {
                self.tasks.remove(&(*canister, *task));
            }
            Message::Ingress(_) => {}
        }
        Some(message)
    }

    /// Takes out a message to deliver it, if it may go next.
    pub fn take(&mut self, sequence: Sequence) -> Option<Message> {
        let is_first = self.messages.first_key_value().map(|(first, _)| *first) == Some(sequence);
        match is_first || self.deliverable().any(|(other, _)| other == sequence) {
            true => self.remove(sequence),
            false => None,
        }
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
        let sequence = *self.requests.get(&(sender, callback))?;
        match self.remove(sequence) {
            Some(Message::Request(request)) => Some(request),
            _ => None,
        }
    }

    /// Whether the response for a callback is on its way.
    pub fn has_response(&self, receiver: CanisterId, callback: CallbackId) -> bool {
        self.responses.contains(&(receiver, callback))
    }

    /// Whether a system task of a canister is due.
    pub fn has_task(&self, canister: CanisterId, task: SystemTask) -> bool {
        self.tasks.contains(&(canister, task))
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
        let sequences: Vec<_> = pool.iter().map(|(sequence, _)| sequence).collect();
        let deliverable = |pool: &Pool| -> Vec<Sequence> {
            pool.deliverable().map(|(sequence, _)| sequence).collect()
        };
        assert_eq!(
            deliverable(&pool),
            [sequences[0], sequences[2], sequences[3]]
        );
        assert!(pool.take(sequences[1]).is_none());
        assert!(pool.take(sequences[0]).is_some());
        assert_eq!(deliverable(&pool), sequences[1..]);
    }
}
