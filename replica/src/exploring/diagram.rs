//! A schedule as a Mermaid sequence diagram.

use candid::Principal;

use super::names::Names;
use super::steps::{Speaker, fault};
use super::wire::{Call, Step};
use crate::diagram::{self, Diagram, Remarks};

/// What happens in the steps of a schedule for these calls.
pub fn draw(steps: &[Step], calls: &[Call], names: &Names) -> String {
    let speaker = Speaker::new(names, calls);
    let mut diagram = Diagram::new(&speaker, &participants(&speaker, steps));
    for step in steps {
        if let (Some("lose"), Some(lost)) = (fault(step), &step.message) {
            diagram.lost(lost.kind, &lost.from, &lost.to, &lost.method);
        }
        for event in &step.events {
            // Which changes a user could see, nobody has said here.
            diagram.event(event, Remarks::default());
        }
    }
    diagram.finish()
}

/// Everybody, in the order in which they are met.
fn participants(speaker: &Speaker<'_>, steps: &[Step]) -> Vec<String> {
    let mut all: Vec<String> = Vec::new();
    let events = steps.iter().flat_map(|step| &step.events);
    for principal in events.flat_map(|event| [event.caller, event.canister]) {
        let who = speaker.who(&principal);
        if !all.contains(&who) {
            all.push(who);
        }
    }
    all
}

impl diagram::Names for Speaker<'_> {
    fn name(&self, principal: &Principal) -> String {
        self.who(principal)
    }

    fn is_user(&self, principal: &Principal) -> bool {
        Speaker::is_user(self, principal)
    }
}
