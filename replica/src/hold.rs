//! Messages that are held back, and delivered one by one: in an order that is chosen, and with the
//! faults that a network may have.

use std::collections::BTreeSet;

use candid::Principal;
use serde::{Deserialize, Serialize};

use crate::message::{
    CallOrigin, CallbackId, CanisterId, ErrorCode, Message, Reject, Request, Response, Time,
};
use crate::message_name::MessageName;
use crate::replica::Replica;

/// How a message that was held back is delivered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Delivery {
    /// As always.
    #[default]
    Normally,
    /// It is executed to its end, and traps there.
    Trap,
    /// Of a request: the system rejects it in place of the callee, as if the callee had no room for
    /// it.
    Reject,
    /// Of a request with bounded wait, or of its response before the deadline: it gets lost on the way.
    /// When the deadline has passed, the caller is told SYS_UNKNOWN.
    Lose,
}

/// What a message is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// A call by a user.
    Ingress,
    /// A call by a canister.
    Request,
    /// The answer to a call by a canister.
    Response,
    /// A heartbeat, timer or low-memory hook.
    Task,
}

/// A message that was sent and not delivered yet.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WaitingMessage {
    /// What it is called.
    pub name: MessageName,
    /// What it is.
    pub kind: Kind,
    /// Who sent it; of a task, the canister itself.
    pub from: Principal,
    /// The canister that it is for.
    pub to: CanisterId,
    /// The method that is called, or that was called; of a task, the function that runs.
    pub method: String,
    /// Whether the caller waits for a bounded time only.
    pub bounded_wait: bool,
    /// Whether it may go next: requests from one canister to another keep their order.
    pub deliverable: bool,
}

impl Replica {
    /// Holds all messages back, or lets them go again. While they are held, each is delivered only
    /// by [`Replica::deliver_message`].
    pub fn hold_messages(&mut self, hold: bool) {
        self.holding = hold;
    }

    /// Whether messages are held back.
    pub fn holds_messages(&self) -> bool {
        self.holding
    }

    /// The messages that were sent and not delivered yet, in the order in which they were sent.
    pub fn waiting_messages(&self) -> Vec<WaitingMessage> {
        let deliverable: BTreeSet<_> = self.pool.deliverable().map(Message::name).collect();
        let waiting = self.pool.iter().map(|message| {
            let (kind, from, method, bounded_wait) = self.describe(message);
            WaitingMessage {
                name: message.name(),
                kind,
                from,
                to: message.receiver(),
                method,
                bounded_wait,
                deliverable: deliverable.contains(&message.name()),
            }
        });
        waiting.collect()
    }

    fn describe(&self, message: &Message) -> (Kind, Principal, String, bool) {
        match message {
            Message::Ingress(ingress) => {
                (Kind::Ingress, ingress.sender, ingress.method.clone(), false)
            }
            Message::Request(request) => {
                let bounded = request.deadline.is_some();
                (
                    Kind::Request,
                    request.sender,
                    request.method.clone(),
                    bounded,
                )
            }
            Message::Response(response) => {
                let Response {
                    receiver, callback, ..
                } = response;
                let caller = self.canisters.get(receiver);
                let callback = caller.and_then(|caller| caller.callbacks.get(callback));
                let method = callback.map_or_else(String::new, |c| c.method.clone());
                let bounded = callback.is_some_and(|c| c.deadline.is_some());
                (Kind::Response, response.respondent, method, bounded)
            }
            Message::Task(canister, task) => {
                (Kind::Task, *canister, task.export().to_owned(), false)
            }
        }
    }

    /// Delivers one message.
    ///
    /// # Errors
    ///
    /// If there is no such message, it may not go next, or it can't be delivered in this way. Then
    /// nothing happens.
    pub fn deliver_message(&mut self, name: MessageName, how: Delivery) -> Result<(), String> {
        self.check_message(name, how)?;
        let Some(message) = self.pool.take(name) else {
            unreachable!("it was there");
        };
        match (how, message) {
            (Delivery::Reject, Message::Request(request)) => {
                self.timeline.delivering(name);
                self.reject(request);
                self.timeline.delivered();
            }
            (Delivery::Lose, Message::Request(Request { cycles, .. })) => self.lost += cycles,
            (Delivery::Lose, Message::Response(Response { refund, .. })) => self.lost += refund,
            (_, message) => {
                self.environment.trap_at_end = how == Delivery::Trap;
                self.deliver(message);
                self.environment.trap_at_end = false;
            }
        }
        Ok(())
    }

    /// How a message can be delivered now; in no way, if it may not go next.
    pub fn ways(&self, name: MessageName) -> Vec<Delivery> {
        let all = [
            Delivery::Normally,
            Delivery::Trap,
            Delivery::Reject,
            Delivery::Lose,
        ];
        let ways = all.into_iter();
        ways.filter(|how| self.check_message(name, *how).is_ok())
            .collect()
    }

    /// Whether a message may go next, and can be delivered in this way.
    pub(crate) fn check_message(&self, name: MessageName, how: Delivery) -> Result<(), String> {
        match self.pool.deliverable_message(name) {
            Some(message) => match self.at_work_about(message) {
                Some(canister) => Err(format!("the canister {canister} is at work on a message")),
                None => self.check_delivery(message, how),
            },
            None => Err(format!(
                "the message '{name}' can't go next: it does not wait, its canister is at work on \
                 another one, or a request before it must go first"
            )),
        }
    }

    /// Whether a message can be delivered in this way.
    pub(crate) fn check_delivery(&self, message: &Message, how: Delivery) -> Result<(), String> {
        const UNBOUNDED: &str = "only a bounded-wait call, or the answer to one, can get lost";
        let refuse = |why: &str| Err(why.to_owned());
        match (how, message) {
            (Delivery::Normally, _) | (Delivery::Reject, Message::Request(_)) => Ok(()),
            (Delivery::Reject, _) => refuse("only a request of a canister can be rejected"),
            (
                Delivery::Lose,
                Message::Request(Request {
                    deadline: Some(_), ..
                }),
            ) => Ok(()),
            (
                Delivery::Lose,
                Message::Response(Response {
                    receiver, callback, ..
                }),
            ) => match self.deadline(*receiver, *callback) {
                // The caller has its answer: one that came in time, or the system's.
                Some(deadline) if deadline <= self.time() => {
                    refuse("the deadline has passed: the answer can't get lost any more")
                }
                Some(_) => Ok(()),
                None => refuse(UNBOUNDED),
            },
            (Delivery::Lose, _) => refuse(UNBOUNDED),
            (Delivery::Trap, message) => match self.canisters.get(&message.receiver()) {
                Some(canister) if canister.code.is_some() => Ok(()),
                _ => refuse("only a canister with code can trap"),
            },
        }
    }

    fn deadline(&self, caller: CanisterId, callback: CallbackId) -> Option<Time> {
        self.canisters
            .get(&caller)?
            .callbacks
            .get(&callback)?
            .deadline
    }

    /// Answers a request in place of the callee.
    fn reject(&mut self, request: Request) {
        let Request {
            sender,
            callback,
            receiver,
            method,
            cycles,
            deadline,
            ..
        } = request;
        let origin = CallOrigin::Canister {
            sender,
            callback,
            deadline,
        };
        let reject = Reject::in_place_of_callee(
            ErrorCode::CanisterQueueFull,
            format!("Canister {receiver} input queue is full"),
        );
        self.answer_by_system(origin, receiver, &method, reject, cycles);
    }
}
