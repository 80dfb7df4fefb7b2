//! A timeline as a text: who executed what, where the commit points are, what was undone.

use std::fmt::Write;

use candid::Principal;
use local_replica::message::Reject;

use crate::network::timeline::{Answer, Ending, Event, Step};
use crate::network::{Kind, WaitingMessage};
use crate::pair::{Counters, Language};
use crate::stage::{Moment, Stage};
use crate::style;

/// Tells what happened on the stage, message by message.
pub fn tell(stage: &Stage) -> String {
    let mut text = String::new();
    let mut number = 0;
    for moment in stage.scene() {
        match moment {
            Moment::Event { event, counters } => {
                number += 1;
                message(&mut text, stage, number, event);
                if let Some(now) = counters {
                    show_counters(&mut text, "now", *now);
                }
            }
            Moment::Lost(message) => {
                let _ = writeln!(text, "  {}", style::undone(lost(stage, message)));
            }
            Moment::Answer { got, .. } => {
                let got = with_names(stage, &got.to_string());
                let _ = writeln!(text, "  The caller got {got}");
            }
        }
    }
    text
}

/// Tells it with a column for the counters, which were looked at between the messages.
pub fn tell_with_counters(stage: &Stage, before: Counters) -> String {
    let mut text = format!("{:61}canister1  canister2\n", "");
    show_counters(&mut text, "before", before);
    text + &tell(stage)
}

fn lost(stage: &Stage, message: &WaitingMessage) -> String {
    let (from, to) = (stage.name(&message.from), stage.name(&message.to));
    let method = &message.method;
    match message.kind {
        Kind::Response => format!("The answer of {from}.{method} to {to} gets lost on its way"),
        _ => format!("The call of {to}.{method} by {from} gets lost on its way"),
    }
}

fn show_counters(text: &mut String, when: &str, counters: Counters) {
    let Counters {
        canister1,
        canister2,
        ..
    } = counters;
    let _ = writeln!(text, "{when:>58}:{canister1:>11}{canister2:>11}");
}

fn message(text: &mut String, stage: &Stage, number: usize, event: &Event) {
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
    let done = deeds(stage, event);
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

fn deeds(stage: &Stage, event: &Event) -> Vec<String> {
    let mut deeds = Vec::new();
    let undone = matches!(event.ending, Ending::Undone(_));
    if event.changed_memory {
        let verb = if undone { "changed" } else { "changes" };
        deeds.push(format!("{verb} its state"));
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
    let message = reject.message.as_str();
    let rest = message.strip_prefix("Error from Canister ");
    rest.and_then(|rest| rest.split_once(": "))
        .map_or(message, |(_, reason)| reason)
}

/// A text with the names of the canisters in place of their ids.
pub fn with_names(stage: &Stage, text: &str) -> String {
    stage.pairs().fold(text.to_owned(), |text, pair| {
        text.replace(&pair.canister1.to_text(), "canister1")
            .replace(&pair.canister2.to_text(), "canister2")
    })
}
