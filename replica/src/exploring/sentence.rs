//! What makes a property fail, in one sentence.

use std::collections::BTreeMap;

use super::steps::{Speaker, fault};
use super::wire::{Call, Failure, Step};
use crate::explore::BuiltIn;
use crate::hold::Kind;
use crate::message::{CallContextId, CanisterId};
use crate::timeline::{Ending, Event, Step as Executed};

/// A method that awaits an answer.
struct Awaiting {
    what: String,
    whom: CanisterId,
    method: String,
}

/// A method that begins while another of the same canister awaits.
struct Overlap {
    place: usize,
    text: String,
}

impl Speaker<'_> {
    /// Why a property fails: what went wrong on the way or came between, and what is seen then.
    pub(super) fn sentence(&self, failure: &Failure, looks: &[Call]) -> String {
        let schedule = &failure.schedule;
        let mut causes: Vec<String> = schedule.iter().filter_map(|s| self.mishap(s)).collect();
        let differs_at = failure.nearest.as_ref().map(|nearest| nearest.differs_at);
        let overlaps = self.overlaps(schedule);
        let decisive = overlaps
            .iter()
            .find(|overlap| Some(overlap.place) == differs_at);
        let overlap = match causes.is_empty() {
            true => decisive.or(overlaps.first()),
            false => decisive,
        };
        causes.extend(overlap.map(|overlap| overlap.text.clone()));
        let seen = match failure.look {
            Some(look) => format!(
                "{} answers {}",
                self.call(&looks[look]),
                self.names.rename(&failure.seen.looks[look])
            ),
            None => self.built_in(failure),
        };
        let sentence = match causes.is_empty() {
            true => seen,
            false => format!("{}: {seen}", causes.join(", and ")),
        };
        let mut letters = sentence.chars();
        let is_name = looks
            .iter()
            .any(|call| sentence.starts_with(&self.call(call)));
        match letters.next() {
            Some(first) if !is_name => {
                format!("{}{}.", first.to_uppercase(), letters.as_str())
            }
            _ => format!("{sentence}."),
        }
    }

    fn built_in(&self, failure: &Failure) -> String {
        let answers = failure.seen.answers.iter().enumerate();
        let open: Vec<String> = answers
            .filter(|(_, answer)| answer.is_none())
            .map(|(place, _)| format!("call {}", place + 1))
            .collect();
        let trap = failure
            .schedule
            .iter()
            .filter(|step| fault(step) != Some("trap"))
            .flat_map(|step| &step.events)
            .find_map(|event| match &event.ending {
                Ending::Undone(reject) => Some((event, reject)),
                Ending::Committed => None,
            });
        match (BuiltIn::of(&failure.property), trap) {
            (Some(BuiltIn::AllAnswered), _) => match &open[..] {
                [one] => format!("{one} is never answered"),
                _ => format!("{} are never answered", open.join(" and ")),
            },
            (Some(BuiltIn::CyclesConserved), _) => "cycles that were attached are lost".to_owned(),
            (_, Some((event, reject))) => format!(
                "a message of {} traps: {}",
                self.who(&event.canister),
                // Below it are the backtrace and advice.
                self.names
                    .rename(reject.message.lines().next().unwrap_or_default())
            ),
            (_, None) => "a message traps".to_owned(),
        }
    }

    /// What goes wrong in a step.
    fn mishap(&self, step: &Step) -> Option<String> {
        let fault = fault(step)?;
        let Some(message) = &step.message else {
            return Some("the clock runs ahead of the messages".to_owned());
        };
        let (from, to, method) = (
            self.who(&message.from),
            self.who(&message.to),
            &message.method,
        );
        let call = format!("{from}'s call of {to} {method}");
        Some(match (fault, message.kind) {
            ("trap", Kind::Response) => {
                format!("{to} traps when {from} answers {method}")
            }
            ("trap", Kind::Task) => format!("{to} traps in its {method}"),
            ("trap", _) => format!("{to} traps in {method}"),
            ("reject", _) => format!("the system rejects {call}"),
            ("lose", Kind::Response) => {
                format!("the answer of {from} {method} gets lost")
            }
            ("lose", _) => format!("{call} gets lost"),
            ("stop", _) => format!("{to} is stopped before {method} comes"),
            (_, Kind::Response) => format!("{to} is upgraded before {from} answers {method}"),
            _ => format!("{to} is upgraded before {method} comes"),
        })
    }

    /// Where a method begins while another of the same canister awaits.
    fn overlaps(&self, steps: &[Step]) -> Vec<Overlap> {
        let mut open: BTreeMap<(CanisterId, CallContextId), Awaiting> = BTreeMap::new();
        let mut overlaps = Vec::new();
        for (place, step) in steps.iter().enumerate() {
            for event in &step.events {
                let Some(context) = event.call_context else {
                    continue;
                };
                let key = (event.canister, context);
                let what = match (&event.step, open.get(&key)) {
                    (Executed::Method { name, .. }, _) => self.beginning(step, event, name),
                    (_, Some(known)) => known.what.clone(),
                    _ => continue,
                };
                let other = open
                    .iter()
                    .find(|((canister, other), _)| *canister == key.0 && *other != context);
                if let (Executed::Method { .. }, Some((_, other))) = (&event.step, other) {
                    let here = self.who(&event.canister);
                    let whom = format!("{} {}", self.who(&other.whom), other.method);
                    overlaps.push(Overlap {
                        place,
                        text: format!("{what} comes to {here} while {} awaits {whom}", other.what),
                    });
                }
                match event.calls.first() {
                    Some(call) if event.ending == Ending::Committed => {
                        let awaiting = Awaiting {
                            what,
                            whom: call.receiver,
                            method: call.method.clone(),
                        };
                        open.insert(key, awaiting);
                    }
                    _ => {
                        open.remove(&key);
                    }
                }
            }
        }
        overlaps
    }

    /// What to call the call that begins with an event.
    fn beginning(&self, step: &Step, event: &Event, method: &str) -> String {
        let words: Vec<&str> = step.step.split(' ').collect();
        match words[..] {
            [_, "call", number] => format!("call {number}"),
            _ => format!("{}'s {method}", self.who(&event.caller)),
        }
    }
}
