//! The steps of schedules as text that means the same later: calls by their place, and other messages
//! by how far their numbers are from where the exploration began.

use crate::explore::Step;
use crate::message::{CanisterId, IngressId, Reject};
use crate::message_name::MessageName;
use crate::replica::Replica;

/// Where the numbers began.
pub(super) struct Numbers<'a> {
    start: &'a Replica,
    /// The calls that were made since, and how they were taken in.
    calls: &'a [Result<IngressId, Reject>],
}

impl<'a> Numbers<'a> {
    /// The numbers of what begins with the state of `start` and these calls.
    pub(super) fn new(start: &'a Replica, calls: &'a [Result<IngressId, Reject>]) -> Self {
        Numbers { start, calls }
    }

    /// A step as text.
    pub(super) fn write(&self, step: Step) -> String {
        let Step::Deliver(name, fault) = step else {
            return step.to_string();
        };
        let verb = fault.map_or_else(|| "deliver".to_owned(), |fault| fault.to_string());
        match name {
            MessageName::Ingress(id) => match self.calls.iter().position(|call| *call == Ok(id)) {
                Some(place) => format!("{verb} call {}", place + 1),
                None => {
                    let number = since(id.0, self.start.next_ingress);
                    format!("{verb} ingress {number}")
                }
            },
            MessageName::Request(canister, callback) => {
                let number = since(callback.0, self.next(canister));
                format!("{verb} request {canister} {number}")
            }
            MessageName::Response(canister, callback) => {
                let number = since(callback.0, self.next(canister));
                format!("{verb} response {canister} {number}")
            }
            MessageName::Task(..) => step.to_string(),
        }
    }

    /// A step that was written so.
    ///
    /// # Errors
    ///
    /// In one line, why it is none.
    pub(super) fn read(&self, text: &str) -> Result<Step, String> {
        let words: Vec<&str> = text.split_whitespace().collect();
        let number = |word: &str| {
            word.parse::<i64>()
                .map_err(|_| format!("'{text}' is no step: '{word}' is no number"))
        };
        let text = match words[..] {
            [verb, "call", place] => {
                let place = number(place)?;
                let call = usize::try_from(place).ok().and_then(|p| p.checked_sub(1));
                match call.and_then(|call| self.calls.get(call)) {
                    None => return Err(format!("there is no call {place}")),
                    Some(Err(reject)) => {
                        let why = &reject.message;
                        return Err(format!("call {place} is not taken in: {why}"));
                    }
                    Some(Ok(id)) => format!("{verb} ingress {}", id.0),
                }
            }
            [verb, "ingress", id] => {
                let id = back(number(id)?, self.start.next_ingress);
                format!("{verb} ingress {id}")
            }
            [verb, kind @ ("request" | "response"), canister, id] => {
                let next = CanisterId::from_text(canister).map_or(0, |id| self.next(id));
                let id = back(number(id)?, next);
                format!("{verb} {kind} {canister} {id}")
            }
            _ => words.join(" "),
        };
        text.parse()
    }

    /// The number of a canister's first call from the beginning on.
    fn next(&self, canister: CanisterId) -> u64 {
        let canister = self.start.canister(&canister);
        canister.map_or(0, |canister| canister.last_id()) + 1
    }
}

/// How far a number is from the first, which is 1. What was before is 0 or less.
fn since(number: u64, first: u64) -> i64 {
    number.wrapping_sub(first).wrapping_add(1).cast_signed()
}

fn back(number: i64, first: u64) -> u64 {
    number.cast_unsigned().wrapping_add(first).wrapping_sub(1)
}
