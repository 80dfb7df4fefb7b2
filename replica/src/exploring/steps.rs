//! The steps of a schedule in words: who called whom, and what went wrong.

use std::collections::BTreeSet;

use candid::Principal;

use super::names::Names;
use super::wire::{Call, Step, User};
use super::words;
use crate::hold::Kind;
use crate::timeline::{Ending, Event};

/// Tells of steps, with the names of canisters and users.
pub(super) struct Speaker<'a> {
    pub(super) names: &'a Names,
    users: BTreeSet<User>,
}

impl<'a> Speaker<'a> {
    /// Who knows the names of those who make the calls.
    pub(super) fn new(names: &'a Names, calls: &[Call]) -> Self {
        let users = calls.iter().map(|call| call.user).collect();
        Speaker { names, users }
    }

    /// What to call a canister or a user.
    pub(super) fn who(&self, principal: &Principal) -> String {
        self.names.who(principal, &self.users)
    }

    /// Whether this is one of those who make the calls.
    pub(super) fn is_user(&self, principal: &Principal) -> bool {
        self.users.iter().any(|user| user.principal() == *principal)
    }

    /// A call, as it is written.
    pub(super) fn call(&self, call: &Call) -> String {
        words::write_call(call, &self.names.name(&call.canister))
    }

    /// What a step does, in a few words.
    pub(super) fn remark(&self, step: &Step) -> String {
        let Some(message) = &step.message else {
            return match step.step.as_str() {
                "late" => "the clock moves to the next deadline or timer".to_owned(),
                _ => "nothing can be delivered, and time passes".to_owned(),
            };
        };
        let (from, to, method) = (
            self.who(&message.from),
            self.who(&message.to),
            &message.method,
        );
        let what = match message.kind {
            Kind::Ingress | Kind::Request => format!("{from} calls {to} {method}"),
            Kind::Response => format!("{from} answers {to}: {method}"),
            Kind::Task => format!("{to} runs its {method}"),
        };
        let is_undone = |event: &Event| matches!(event.ending, Ending::Undone(_));
        let more = match fault(step) {
            Some("trap") => ", made to trap",
            Some("reject") => ", rejected by the system",
            Some("lose") => ", lost",
            Some("stop") => ", just stopped",
            Some("upgrade") => ", just upgraded",
            _ if step.events.iter().any(is_undone) => ", which traps",
            _ => "",
        };
        format!("{what}{more}")
    }

    /// The remarks of all steps.
    pub(super) fn remarks(&self, steps: &[Step]) -> Vec<String> {
        steps.iter().map(|step| self.remark(step)).collect()
    }
}

/// What goes wrong in a step, if something does.
pub(super) fn fault(step: &Step) -> Option<&str> {
    match step.step.split(' ').next() {
        Some("deliver" | "wait") => None,
        fault => fault,
    }
}
