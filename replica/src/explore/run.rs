//! A state that is explored: what can happen next in it, and what makes it happen.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::schedule::{Fault, Step};
use crate::canister::Status;
use crate::hold::Delivery;
use crate::management;
use crate::message::{CanisterId, Message};
use crate::message_name::MessageName;
use crate::replica::Replica;

/// Which canisters a step concerns. Steps that concern different canisters can be exchanged: their
/// order makes no difference.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Concern {
    /// One canister, by the first of those that are looked at together with it.
    One(CanisterId),
    /// All of them.
    All,
}

impl Concern {
    pub(super) fn meets(self, other: Concern) -> bool {
        match (self, other) {
            (Concern::One(one), Concern::One(other)) => one == other,
            _ => true,
        }
    }
}

/// What the search must know of a message that may go next.
#[derive(Clone, Debug)]
pub(super) struct Choice {
    pub(super) name: MessageName,
    pub(super) receiver: CanisterId,
    /// Of a request: who sent it. Requests of one canister to another keep their order.
    pub(super) sender: Option<CanisterId>,
    /// How it can be delivered.
    pub(super) ways: Vec<Option<Fault>>,
}

/// How far one order goes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bounds {
    /// The most faults in one order.
    pub(super) faults: usize,
    /// The most times that one order waits for the clock.
    pub(super) waits: usize,
    /// The most steps of one order.
    pub(super) steps: usize,
}

/// What stays the same in all runs of an exploration.
pub(super) struct Rules {
    /// The faults that may happen.
    pub(super) faults: BTreeSet<Fault>,
    /// Canisters that are looked at after each message, and so must be seen in every order.
    pub(super) looked_at: Option<BTreeSet<CanisterId>>,
    /// Calls that are the same, by the first of them: they are delivered in the order of their
    /// numbers, since another order can't be told from it.
    pub(super) same: BTreeMap<MessageName, MessageName>,
}

impl Rules {
    /// What a step concerns.
    pub(super) fn concern(&self, replica: &Replica, receiver: CanisterId) -> Concern {
        // Whatever is a part of the network may touch any canister.
        let is_canister = replica.canisters.contains(&receiver);
        match &self.looked_at {
            _ if !is_canister => Concern::All,
            None => Concern::All,
            Some(together) => match together.first() {
                Some(first) if together.contains(&receiver) => Concern::One(*first),
                _ => Concern::One(receiver),
            },
        }
    }

    /// The messages that may go next, the oldest first.
    pub(super) fn choices(&self, replica: &Replica) -> Vec<Choice> {
        let mut begun = BTreeSet::new();
        let choices = replica.pool.deliverable().filter_map(|message| {
            let name = message.name();
            if let Some(first) = self.same.get(&name)
                && !begun.insert(*first)
            {
                return None;
            }
            let sender = match message {
                Message::Request(request) => Some(request.sender),
                _ => None,
            };
            Some(Choice {
                name,
                receiver: message.receiver(),
                sender,
                ways: ways(replica, message, self.faults.iter().copied()),
            })
        });
        choices.collect()
    }

    /// Whether the clock can run ahead of the messages that wait.
    pub(super) fn can_be_late(&self, replica: &Replica) -> bool {
        self.faults.contains(&Fault::Late) && replica.next_due().is_some()
    }
}

/// How a message can be delivered where these faults may happen.
pub(super) fn ways(
    replica: &Replica,
    message: &Message,
    faults: impl Iterator<Item = Fault>,
) -> Vec<Option<Fault>> {
    let receiver = replica.canisters.get(&message.receiver());
    let running = receiver.is_some_and(|canister| {
        canister.code.is_some() && matches!(canister.status, Status::Running)
    });
    let can = |fault: &Fault| match fault {
        Fault::Trap | Fault::Reject | Fault::Lose => {
            let delivery = delivery(Some(*fault));
            replica.check_delivery(message, delivery).is_ok()
        }
        Fault::Stop | Fault::Upgrade => running,
        Fault::Late => false,
    };
    let faults = faults.filter(can);
    [None].into_iter().chain(faults.map(Some)).collect()
}

/// How a message is delivered.
fn delivery(fault: Option<Fault>) -> Delivery {
    match fault {
        Some(Fault::Trap) => Delivery::Trap,
        Some(Fault::Reject) => Delivery::Reject,
        Some(Fault::Lose) => Delivery::Lose,
        None | Some(Fault::Stop | Fault::Upgrade | Fault::Late) => Delivery::Normally,
    }
}

/// Whether nothing can be delivered, and something happens when time passes.
pub(super) fn can_wait(replica: &Replica, stopped: &BTreeSet<CanisterId>) -> bool {
    let something_is_due = !stopped.is_empty() || replica.next_due().is_some();
    something_is_due && replica.pool.deliverable().next().is_none()
}

fn let_time_pass(replica: &mut Replica) {
    if let Some(due) = replica.next_due() {
        replica.advance_time(Duration::from_nanos(due - replica.time()));
    }
}

/// Makes a step happen. `stopped` are the canisters that a fault has stopped.
///
/// # Errors
///
/// If the step can't happen in this state; then nothing does.
pub(super) fn take(
    replica: &mut Replica,
    step: Step,
    stopped: &mut BTreeSet<CanisterId>,
) -> Result<(), String> {
    match step {
        Step::Wait => {
            if !can_wait(replica, stopped) {
                return Err(
                    "nobody waits: something can be delivered, or nothing is due".to_owned(),
                );
            }
            match stopped.is_empty() {
                true => let_time_pass(replica),
                false => {
                    for canister in std::mem::take(stopped) {
                        management::start(replica, canister);
                    }
                }
            }
        }
        Step::Late => match replica.next_due().is_some() {
            true => let_time_pass(replica),
            false => return Err("nothing is due".to_owned()),
        },
        Step::Deliver(name, fault) => {
            let delivery = delivery(fault);
            replica.check_message(name, delivery)?;
            let receiver = replica
                .pool
                .deliverable_message(name)
                .map(Message::receiver);
            match (fault, receiver) {
                (Some(Fault::Stop), Some(receiver)) => {
                    management::stop(replica, receiver);
                    stopped.insert(receiver);
                }
                (Some(Fault::Upgrade), Some(receiver)) => {
                    management::upgrade_to_same(replica, receiver);
                }
                _ => {}
            }
            replica.deliver_message(name, delivery)?;
        }
    }
    replica.schedule_due_timers();
    Ok(())
}
