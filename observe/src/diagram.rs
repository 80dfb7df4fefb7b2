//! A timeline as a Mermaid sequence diagram.

use std::fmt::Write;

use crate::network::timeline::{Answer, Ending, Event, Step};
use crate::network::{Kind, WaitingMessage};
use crate::stage::{Moment, Stage};
use crate::story;

/// What happened on the stage, as a diagram.
pub fn draw(stage: &Stage) -> String {
    let mut text = "sequenceDiagram\n".to_owned();
    for participant in participants(stage) {
        let _ = writeln!(text, "    participant {}", actor(&participant));
    }
    for moment in stage.scene() {
        match moment {
            Moment::Event { event, changed, .. } => {
                arrive(&mut text, stage, event);
                note(&mut text, stage, event, *changed);
                answer(&mut text, stage, event);
            }
            Moment::Lost(message) => lost(&mut text, stage, message),
            // Where it was given is seen already.
            Moment::Answer { .. } => {}
        }
    }
    text
}

/// Everybody: callers to the left of those whom they call.
fn participants(stage: &Stage) -> Vec<String> {
    let mut all: Vec<String> = Vec::new();
    for event in stage.events() {
        for principal in [event.caller, event.canister] {
            let name = stage.name(&principal);
            if !all.contains(&name) {
                all.push(name);
            }
        }
    }
    let rank = |name: &String| match name.as_str() {
        "canister1" | "caller" => 1,
        "proxy" => 2,
        "canister2" | "callee" => 3,
        "the management canister" => 4,
        _ => 0,
    };
    all.sort_by_key(rank);
    all
}

/// A name without spaces, and what to show for it.
fn actor(name: &str) -> String {
    format!("{} as {name}", identifier(name))
}

fn identifier(name: &str) -> String {
    name.replace(' ', "_")
}

/// A method's name as Mermaid can show it: the CDK's timers have one in angle brackets.
fn label(method: &str) -> String {
    method.replace('<', "#lt;").replace('>', "#gt;")
}

/// The message that was executed.
fn arrive(text: &mut String, stage: &Stage, event: &Event) {
    let here = identifier(&stage.name(&event.canister));
    let caller = identifier(&stage.name(&event.caller));
    let _ = match &event.step {
        Step::Method { name, .. } => writeln!(text, "    {caller}->>{here}: {}", label(name)),
        Step::Management(method) => writeln!(text, "    {caller}->>{here}: {method}"),
        Step::AnsweredBySystem(method) => {
            writeln!(
                text,
                "    {caller}-x{here}: {method}, answered by the system"
            )
        }
        Step::Callback {
            from,
            method,
            reject,
        } => {
            let from = identifier(&stage.name(from));
            match reject {
                None => writeln!(text, "    {from}-->>{here}: reply of {}", label(method)),
                Some(reject) => {
                    let code = reject.code as u64;
                    writeln!(
                        text,
                        "    {from}--x{here}: reject {code} of {}",
                        label(method)
                    )
                }
            }
        }
        Step::Cleanup | Step::SystemTask(_) | Step::Hook(_) => Ok(()),
    };
}

/// A message that arrived nowhere.
fn lost(text: &mut String, stage: &Stage, message: &WaitingMessage) {
    let from = identifier(&stage.name(&message.from));
    let to = identifier(&stage.name(&message.to));
    let _ = match message.kind {
        Kind::Response => writeln!(text, "    {from}--x{to}: reply of {}, lost", message.method),
        _ => writeln!(text, "    {from}-x{to}: {}, lost", message.method),
    };
}

/// What was done, and whether it was kept.
fn note(text: &mut String, stage: &Stage, event: &Event, changed: bool) {
    let mut lines = Vec::new();
    match &event.step {
        Step::Cleanup => {
            let done = story::cleanup(stage, &event.canister);
            lines.push(format!("cleanup: {done}"));
        }
        Step::SystemTask(task) => lines.push(task.export().to_owned()),
        Step::Hook(entry_point) => lines.push(format!("{entry_point}")),
        Step::Management(_) | Step::AnsweredBySystem(_) => return,
        Step::Method { .. } | Step::Callback { .. } => {}
    }
    if changed {
        lines.push("changes its state".to_owned());
    }
    for call in &event.calls {
        lines.push(format!("calls {}", label(&call.method)));
    }
    lines.push(match &event.ending {
        Ending::Committed => "COMMIT POINT".to_owned(),
        Ending::Undone(_) => "TRAPS: all of this is undone".to_owned(),
    });
    let here = identifier(&stage.name(&event.canister));
    let _ = writeln!(text, "    Note over {here}: {}", lines.join("<br/>"));
}

/// The answer to a user. (That to a canister is seen where it arrives.)
fn answer(text: &mut String, stage: &Stage, event: &Event) {
    if stage.number_of_user(&event.caller).is_none() {
        return;
    }
    let (here, user) = (
        identifier(&stage.name(&event.canister)),
        identifier(&stage.name(&event.caller)),
    );
    let is_cleanup = event.step == Step::Cleanup;
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
