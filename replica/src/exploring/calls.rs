//! The calls that a story makes, and their answers.

use super::interface::Method;
use super::story::UserAnswer;
use super::wire::{Call, Step};
use crate::hold::WaitingMessage;
use crate::message::{IngressId, Reject};
use crate::message_name::MessageName;
use crate::replica::{IngressStatus, Replica};

/// The calls that a story has made.
#[derive(Default)]
pub(super) struct Calls {
    /// How each was taken in.
    pub(super) made: Vec<Result<IngressId, Reject>>,
    /// What each calls.
    pub(super) called: Vec<(Call, Method)>,
}

impl Calls {
    /// Makes a call. Returns its message, or why it was not taken in.
    pub(super) fn make(
        &mut self,
        call: &Call,
        replica: &mut Replica,
    ) -> Result<(Option<WaitingMessage>, Option<String>), String> {
        let method = Method::of(replica, call, false)?;
        let argument = method.argument(call)?;
        let sender = call.user.principal();
        let made = replica.submit(sender, call.canister, &call.method, &argument);
        let result = match &made {
            Ok(id) => {
                let name = MessageName::Ingress(*id);
                let waiting = replica.waiting_messages().into_iter();
                let message = { waiting }.find(|message| message.name == name);
                (message, None)
            }
            Err(reject) => (None, Some(method.tell(&Err(reject.clone())))),
        };
        self.made.push(made);
        self.called.push((call.clone(), method));
        Ok(result)
    }

    /// The answers that came in a step.
    pub(super) fn answers(&self, step: &Step, replica: &Replica) -> Vec<UserAnswer> {
        let answered = step.events.iter().flat_map(|event| &event.answered);
        let answers = answered.filter_map(|name| {
            let MessageName::Ingress(id) = name else {
                return None;
            };
            let place = self.made.iter().position(|made| *made == Ok(*id))?;
            match replica.ingress_status(*id)? {
                IngressStatus::Answered(result) => Some(UserAnswer {
                    message: *name,
                    text: self.called[place].1.tell(result),
                }),
                _ => None,
            }
        });
        answers.collect()
    }

    /// Forgets all but the first calls.
    pub(super) fn truncate(&mut self, calls: usize) {
        self.made.truncate(calls);
        self.called.truncate(calls);
    }
}
