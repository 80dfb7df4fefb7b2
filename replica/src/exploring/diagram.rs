//! A schedule as a Mermaid sequence diagram.

use std::fmt::Write;

use candid::Principal;

use super::names::Names;
use super::steps::{Speaker, fault};
use super::wire::{Call, Step};
use crate::hold::Kind;
use crate::timeline::{Answer, Ending, Event, Step as Executed};

/// What happens in the steps of a schedule for these calls.
pub fn draw(steps: &[Step], calls: &[Call], names: &Names) -> String {
    let speaker = Speaker::new(names, calls);
    let mut text = "sequenceDiagram\n".to_owned();
    for who in participants(&speaker, steps) {
        let _ = writeln!(text, "    participant {} as {who}", identifier(&who));
    }
    for step in steps {
        if let (Some("lose"), Some(message)) = (fault(step), &step.message) {
            let (from, to) = (speaker.actor(&message.from), speaker.actor(&message.to));
            let method = label(&message.method);
            let _ = match message.kind {
                Kind::Response => writeln!(text, "    {from}--x{to}: answer of {method}, lost"),
                _ => writeln!(text, "    {from}-x{to}: {method}, lost"),
            };
        }
        for event in &step.events {
            speaker.arrival(&mut text, event);
            speaker.note(&mut text, event);
            speaker.answer(&mut text, event);
        }
    }
    text
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

/// A name as Mermaid takes it for a participant.
fn identifier(name: &str) -> String {
    name.replace(|c: char| !c.is_ascii_alphanumeric(), "_")
}

/// A text that is shown: the CDK's timers have names in angle brackets.
fn label(text: &str) -> String {
    text.replace('<', "#lt;").replace('>', "#gt;")
}

impl Speaker<'_> {
    fn actor(&self, principal: &Principal) -> String {
        identifier(&self.who(principal))
    }

    /// The message that was executed.
    fn arrival(&self, text: &mut String, event: &Event) {
        let (here, caller) = (self.actor(&event.canister), self.actor(&event.caller));
        let _ = match &event.step {
            Executed::Method { name, .. } => {
                writeln!(text, "    {caller}->>{here}: {}", label(name))
            }
            Executed::Management(method) => writeln!(text, "    {caller}->>{here}: {method}"),
            Executed::AnsweredBySystem(method) => writeln!(
                text,
                "    {caller}-x{here}: {}, answered by the system",
                label(method)
            ),
            Executed::Callback {
                from,
                method,
                reject,
            } => {
                let (from, method) = (self.actor(from), label(method));
                match reject {
                    None => writeln!(text, "    {from}-->>{here}: reply of {method}"),
                    Some(reject) => {
                        let code = reject.code as u64;
                        writeln!(text, "    {from}--x{here}: reject {code} of {method}")
                    }
                }
            }
            Executed::Cleanup | Executed::SystemTask(_) | Executed::Hook(_) => Ok(()),
        };
    }

    /// What was done, and whether it was kept.
    fn note(&self, text: &mut String, event: &Event) {
        let mut lines = Vec::new();
        match &event.step {
            Executed::Cleanup => lines.push("cleanup".to_owned()),
            Executed::SystemTask(task) => lines.push(task.export().to_owned()),
            Executed::Hook(entry_point) => lines.push(entry_point.to_string()),
            Executed::Management(_) | Executed::AnsweredBySystem(_) => return,
            Executed::Method { .. } | Executed::Callback { .. } => {}
        }
        if event.changed_memory {
            lines.push("changes its state".to_owned());
        }
        for call in &event.calls {
            lines.push(format!("calls {}", label(&call.method)));
        }
        lines.push(match &event.ending {
            Ending::Committed => "COMMIT POINT".to_owned(),
            Ending::Undone(_) => "TRAPS: all of this is undone".to_owned(),
        });
        let here = self.actor(&event.canister);
        let _ = writeln!(text, "    Note over {here}: {}", lines.join("<br/>"));
    }

    /// The answer to a user. (That to a canister is seen where it arrives.)
    fn answer(&self, text: &mut String, event: &Event) {
        if !self.is_user(&event.caller) {
            return;
        }
        let (here, user) = (self.actor(&event.canister), self.actor(&event.caller));
        let is_cleanup = event.step == Executed::Cleanup;
        let _ = match (&event.ending, &event.response) {
            (Ending::Undone(reject), _) if !is_cleanup => {
                writeln!(text, "    {here}--x{user}: reject {}", reject.code as u64)
            }
            (Ending::Committed, Some(Answer::Reply { .. })) => {
                writeln!(text, "    {here}-->>{user}: reply")
            }
            (Ending::Committed, Some(Answer::Reject(reject))) => {
                writeln!(text, "    {here}--x{user}: reject {}", reject.code as u64)
            }
            _ => Ok(()),
        };
    }
}
