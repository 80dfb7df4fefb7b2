//! A timeline as a text: who executed what, where the commit points are, what was undone.

use std::fmt::Write;

use local_replica::message::Reject;
use local_replica::timeline::{Answer, Ending, Event, Step};

use crate::answer::Got;
use crate::pair::{Counters, Observation, Pair};
use crate::style;

/// Tells one call of canister1 message by message. With `counters`, shows both counters between
/// the messages.
pub fn tell(pair: &Pair, observation: &Observation, with_counters: bool) -> String {
    let mut text = String::new();
    if with_counters {
        let _ = writeln!(text, "{:61}canister1  canister2", "");
        counters(&mut text, "before", observation.before);
    }
    for (number, (event, now)) in (1..).zip(&observation.steps) {
        message(&mut text, pair, number, event);
        if with_counters {
            counters(&mut text, "now", *now);
        }
    }
    let answer = shorten(pair, &Got::read(&observation.answer).to_string());
    let _ = writeln!(text, "  The caller got {answer}");
    text
}

fn counters(text: &mut String, when: &str, counters: Counters) {
    let Counters {
        canister1,
        canister2,
        ..
    } = counters;
    let _ = writeln!(text, "{:>58}:{canister1:>11}{canister2:>11}", when);
}

fn message(text: &mut String, pair: &Pair, number: usize, event: &Event) {
    let where_ = pair.name(&event.canister);
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
            let from = pair.name(from);
            format!("{where_} goes on after its await, with {answer} of {from}.{method}")
        }
        Step::Cleanup => format!("{where_} cleans up: the method's local variables are dropped"),
        Step::SystemTask(task) => format!("{where_} executes {}", task.export()),
        Step::AnsweredBySystem(method) => {
            format!("the system answers in place of {where_}: {method} is not executed")
        }
    };
    let _ = writeln!(text, "  {number}. {what}");
    let done = deeds(pair, event);
    let undone = matches!(event.ending, Ending::Undone(_));
    if !done.is_empty() {
        let tense = if undone { "had " } else { "" };
        let _ = writeln!(text, "       {tense}{}", done.join(", "));
    }
    match &event.ending {
        Ending::Undone(reject) => {
            let why = shorten(pair, reason(reject));
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

fn deeds(pair: &Pair, event: &Event) -> Vec<String> {
    let mut deeds = Vec::new();
    let undone = matches!(event.ending, Ending::Undone(_));
    if event.changed_memory {
        let verb = if undone { "changed" } else { "changes" };
        deeds.push(format!("{verb} its state"));
    }
    for call in &event.calls {
        let verb = if undone { "called" } else { "calls" };
        let receiver = pair.name(&call.receiver);
        deeds.push(format!("{verb} {receiver}.{}", call.method));
    }
    match &event.response {
        Some(Answer::Reply { .. }) if undone => deeds.push("replied".to_owned()),
        Some(Answer::Reply { .. }) => deeds.push("replies".to_owned()),
        Some(Answer::Reject(reject)) => {
            let verb = if undone { "rejected" } else { "rejects" };
            let why = shorten(pair, reason(reject));
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

/// A text with the names of the pair in place of their ids.
fn shorten(pair: &Pair, text: &str) -> String {
    text.replace(&pair.canister1.to_text(), "canister1")
        .replace(&pair.canister2.to_text(), "canister2")
}
