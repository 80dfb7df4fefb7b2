//! A timeline as a text: who executed what, where the commit points are, what was undone.

use std::fmt::Write;

use candid::Principal;
use local_replica::message::Reject;

use crate::network::timeline::{Answer, Ending, Event, Step};
use crate::network::{Kind, WaitingMessage, what_is_wrong};
use crate::stage::{Language, Moment, Stage, Value};
use crate::style;

/// Tells what happened on the stage, message by message.
pub fn tell(stage: &Stage) -> String {
    tell_and(stage, |_, _| ())
}

/// Tells it with a column for each value that is watched, and what these were before.
pub fn tell_with_values(stage: &Stage, columns: &[&str], before: &[Option<Value>]) -> String {
    let titles: String = columns.iter().map(|title| format!("{title:>11}")).collect();
    let mut text = format!("{:59}{titles}\n", "");
    show_values(&mut text, "before", before);
    text + &tell_and(stage, |moment, text| {
        if let Moment::Event { values, .. } = moment {
            // Further values are watched only to tell what is a change.
            show_values(text, "now", values.get(..columns.len()).unwrap_or_default());
        }
    })
}

fn show_values(text: &mut String, when: &str, values: &[Option<Value>]) {
    let _ = write!(text, "{when:>58}:");
    for value in values {
        let number = value.as_ref().and_then(Value::number);
        let number = number.map_or_else(String::new, |number| number.to_string());
        let _ = write!(text, "{number:>11}");
    }
    text.push('\n');
}

/// Tells it, and something more after each message.
fn tell_and(stage: &Stage, show: impl Fn(&Moment, &mut String)) -> String {
    let mut text = String::new();
    let mut number = 0;
    for moment in stage.scene() {
        match moment {
            Moment::Event { event, changed, .. } => {
                number += 1;
                message(&mut text, stage, number, event, *changed);
                show(moment, &mut text);
            }
            Moment::Lost(message) => {
                let _ = writeln!(text, "  {}", style::undone(lost(stage, message)));
            }
            Moment::Answer { got, .. } => {
                let got = with_names(stage, &got.to_string());
                let _ = writeln!(text, "  The user got {got}");
            }
        }
    }
    text
}

fn lost(stage: &Stage, message: &WaitingMessage) -> String {
    let (from, to) = (stage.name(&message.from), stage.name(&message.to));
    let method = &message.method;
    match message.kind {
        Kind::Response => format!("The answer of {from}.{method} to {to} gets lost on its way"),
        _ => format!("The call of {to}.{method} by {from} gets lost on its way"),
    }
}

fn message(text: &mut String, stage: &Stage, number: usize, event: &Event, changed: bool) {
    let where_ = stage.name(&event.canister);
    let what = match &event.step {
        Step::Method { name, .. } => format!("{where_} executes {name}"),
        Step::Management(method) => format!("{where_} executes {method}"),
        Step::Hook(entry_point) => format!("{where_} executes its {entry_point}"),
        Step::Callback {
            from,
            method,
            reject,
        } => {
            let answer = match reject {
                None => "the reply".to_owned(),
                Some(reject) => format!("the reject (code {})", reject.code as u64),
            };
            let from = stage.name(from);
            format!("{where_} goes on after its await, with {answer} of {from}.{method}")
        }
        Step::Cleanup => format!(
            "{where_} cleans up: the method's {}",
            cleanup(stage, &event.canister)
        ),
        Step::SystemTask(task) => format!("{where_} executes {}", task.export()),
        Step::AnsweredBySystem(method) => {
            format!("the system answers in place of {where_}: {method} is not executed")
        }
    };
    let _ = writeln!(text, "  {number}. {what}");
    let done = deeds(stage, event, changed);
    let undone = matches!(event.ending, Ending::Undone(_));
    if !done.is_empty() {
        let tense = if undone { "had " } else { "" };
        let _ = writeln!(text, "       {tense}{}", done.join(", "));
    }
    match &event.ending {
        Ending::Undone(reject) => {
            let why = with_names(stage, reason(reject));
            let line = format!("TRAPS, and all of this message is undone: {why}");
            let _ = writeln!(text, "       {}", style::undone(line));
        }
        Ending::Committed if !matches!(event.step, Step::AnsweredBySystem(_)) => {
            let line = match event.response.is_some() || event.calls.is_empty() {
                true => "COMMIT POINT: the message ends normally, and is kept",
                false => {
                    "COMMIT POINT: the call is sent, the message ends; all before the await is kept"
                }
            };
            let _ = writeln!(text, "       {}", style::kept(line));
        }
        Ending::Committed => {}
    }
}

/// What a canister does in cleanup, by the rules of its language.
pub fn cleanup(stage: &Stage, canister: &Principal) -> &'static str {
    match stage.language(canister) {
        Language::Rust => "local variables are dropped",
        Language::Motoko => "finally is run, if there is one",
    }
}

fn deeds(stage: &Stage, event: &Event, changed: bool) -> Vec<String> {
    let mut deeds = Vec::new();
    let undone = matches!(event.ending, Ending::Undone(_));
    // Of what was undone nobody can see whether it was a change.
    if changed {
        deeds.push("changes its state".to_owned());
    }
    for call in &event.calls {
        let verb = if undone { "called" } else { "calls" };
        let receiver = stage.name(&call.receiver);
        deeds.push(format!("{verb} {receiver}.{}", call.method));
    }
    match &event.response {
        Some(Answer::Reply { .. }) if undone => deeds.push("replied".to_owned()),
        Some(Answer::Reply { .. }) => deeds.push("replies".to_owned()),
        Some(Answer::Reject(reject)) => {
            let verb = if undone { "rejected" } else { "rejects" };
            let why = with_names(stage, reason(reject));
            deeds.push(format!("{verb} with code {}: {why}", reject.code as u64));
        }
        None => {}
    }
    deeds
}

/// A reject's text without the part that every such text begins with.
fn reason(reject: &Reject) -> &str {
    let message = what_is_wrong(&reject.message);
    let rest = message.strip_prefix("Error from Canister ");
    rest.and_then(|rest| rest.split_once(": "))
        .map_or(message, |(_, reason)| reason)
}

/// A text with the names of the canisters in place of their ids.
pub fn with_names(stage: &Stage, text: &str) -> String {
    let canisters = stage
        .deployments()
        .flat_map(|one| one.canisters().map(|(canister, _)| canister));
    canisters.fold(text.to_owned(), |text, canister| {
        text.replace(&canister.to_text(), &stage.name(&canister))
    })
}
