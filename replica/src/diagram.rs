//! What happened, as a Mermaid sequence diagram.

use std::fmt::Write;

use candid::Principal;

use crate::hold::Kind;
use crate::timeline::{Answer, Ending, Event, Step};

/// What everybody is called in a diagram.
pub trait Names {
    /// The name of a user or a canister.
    fn name(&self, principal: &Principal) -> String;

    /// Whether it is a user: users are shown what they are answered.
    fn is_user(&self, principal: &Principal) -> bool;
}

/// What is known of an event beside itself.
#[derive(Clone, Copy, Debug, Default)]
pub struct Remarks<'a> {
    /// Whether a user could see that the state changed.
    pub changed: bool,
    /// What a cleanup did.
    pub cleanup: Option<&'a str>,
}

/// A diagram under way.
pub struct Diagram<'a, N: Names> {
    names: &'a N,
    text: String,
}

impl<'a, N: Names> Diagram<'a, N> {
    /// One with these participants, from left to right.
    pub fn new(names: &'a N, participants: &[String]) -> Self {
        let mut text = "sequenceDiagram\n".to_owned();
        for name in participants {
            let _ = writeln!(text, "    participant {} as {name}", identifier(name));
        }
        Diagram { names, text }
    }

    /// Adds something that happened.
    pub fn event(&mut self, event: &Event, remarks: Remarks<'_>) {
        self.arrival(event);
        self.note(event, remarks);
        self.answer(event);
    }

    /// Adds a message that arrived nowhere.
    pub fn lost(&mut self, kind: Kind, from: &Principal, to: &Principal, method: &str) {
        let (from, to, method) = (self.actor(from), self.actor(to), label(method));
        self.line(match kind {
            Kind::Response => format!("{from}--x{to}: reply of {method}, lost"),
            _ => format!("{from}-x{to}: {method}, lost"),
        });
    }

    /// The whole diagram.
    pub fn finish(self) -> String {
        self.text
    }

    fn line(&mut self, line: String) {
        let _ = writeln!(self.text, "    {line}");
    }

    fn actor(&self, principal: &Principal) -> String {
        identifier(&self.names.name(principal))
    }

    /// The message that was executed.
    fn arrival(&mut self, event: &Event) {
        let (here, caller) = (self.actor(&event.canister), self.actor(&event.caller));
        self.line(match &event.step {
            Step::Method { name: method, .. } | Step::Management(method) => {
                format!("{caller}->>{here}: {}", label(method))
            }
            Step::AnsweredBySystem(method) => {
                format!(
                    "{caller}-x{here}: {}, answered by the system",
                    label(method)
                )
            }
            Step::Callback {
                from,
                method,
                reject,
            } => {
                let (from, method) = (self.actor(from), label(method));
                match reject {
                    None => format!("{from}-->>{here}: reply of {method}"),
                    Some(reject) => {
                        let code = reject.code as u64;
                        format!("{from}--x{here}: reject {code} of {method}")
                    }
                }
            }
            Step::Cleanup | Step::SystemTask(_) | Step::Hook(_) => return,
        });
    }

    /// What was done, and whether it was kept.
    fn note(&mut self, event: &Event, remarks: Remarks<'_>) {
        let mut lines = Vec::new();
        match &event.step {
            Step::Cleanup => lines.push(match remarks.cleanup {
                Some(done) => format!("cleanup: {done}"),
                None => "cleanup".to_owned(),
            }),
            Step::SystemTask(task) => lines.push(task.export().to_owned()),
            Step::Hook(entry_point) => lines.push(entry_point.to_string()),
            Step::Management(_) | Step::AnsweredBySystem(_) => return,
            Step::Method { .. } | Step::Callback { .. } => {}
        }
        if remarks.changed {
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
        self.line(format!("Note over {here}: {}", lines.join("<br/>")));
    }

    /// The answer to a user. (That to a canister is seen where it arrives.)
    fn answer(&mut self, event: &Event) {
        if !self.names.is_user(&event.caller) {
            return;
        }
        let (here, user) = (self.actor(&event.canister), self.actor(&event.caller));
        let is_cleanup = event.step == Step::Cleanup;
        match (&event.ending, &event.response) {
            (Ending::Undone(reject), _) if !is_cleanup => {
                self.line(format!("{here}--x{user}: reject {}", reject.code as u64));
            }
            (Ending::Committed, Some(Answer::Reply { .. })) => {
                self.line(format!("{here}-->>{user}: reply"));
            }
            (Ending::Committed, Some(Answer::Reject(reject))) => {
                self.line(format!("{here}--x{user}: reject {}", reject.code as u64));
            }
            _ => {}
        }
    }
}

/// A name as Mermaid takes it for a participant.
fn identifier(name: &str) -> String {
    name.replace(|c: char| !c.is_ascii_alphanumeric(), "_")
}

/// A text that is shown: the CDK's timers have names in angle brackets.
fn label(text: &str) -> String {
    text.replace('<', "#lt;").replace('>', "#gt;")
}
