//! What messages are called: the same in every order of deliveries in which they are sent.

use std::fmt;
use std::str::FromStr;

use candid::Principal;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use crate::message::{CallbackId, CanisterId, IngressId, Message, SystemTask};

/// The name of a message that is on its way: who waits for it.
///
/// As text: `ingress 7`, `request rrkah-fqaaa-aaaaa-aaaaq-cai 5` for the call that the canister's
/// callback 5 waits for, `response rrkah-fqaaa-aaaaa-aaaaq-cai 5` for its answer, and `heartbeat`,
/// `global_timer` or `on_low_wasm_memory` with the canister.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum MessageName {
    /// A user's call.
    Ingress(IngressId),
    /// The call for which a callback of this canister waits.
    Request(CanisterId, CallbackId),
    /// The answer for which it waits.
    Response(CanisterId, CallbackId),
    /// A task of this canister.
    Task(CanisterId, SystemTask),
}

impl Message {
    /// Its name.
    pub fn name(&self) -> MessageName {
        match self {
            Message::Ingress(ingress) => MessageName::Ingress(ingress.id),
            Message::Request(request) => MessageName::Request(request.sender, request.callback),
            Message::Response(response) => {
                MessageName::Response(response.receiver, response.callback)
            }
            Message::Task(canister, task) => MessageName::Task(*canister, *task),
        }
    }
}

/// The tasks, by what they are called.
const TASKS: [(&str, SystemTask); 3] = [
    ("heartbeat", SystemTask::Heartbeat),
    ("global_timer", SystemTask::GlobalTimer),
    ("on_low_wasm_memory", SystemTask::OnLowWasmMemory),
];

impl fmt::Display for MessageName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            MessageName::Ingress(id) => write!(f, "ingress {}", id.0),
            MessageName::Request(canister, callback) => {
                write!(f, "request {canister} {}", callback.0)
            }
            MessageName::Response(canister, callback) => {
                write!(f, "response {canister} {}", callback.0)
            }
            MessageName::Task(canister, task) => {
                let name = TASKS.iter().find(|(_, known)| known == task);
                write!(f, "{} {canister}", name.map_or("task", |(name, _)| name))
            }
        }
    }
}

impl FromStr for MessageName {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let words: Vec<&str> = text.split(' ').collect();
        let number = |word: &str| word.parse::<u64>().ok();
        let canister = |word: &str| Principal::from_text(word).ok();
        let name = match words[..] {
            ["ingress", id] => number(id).map(|id| MessageName::Ingress(IngressId(id))),
            ["request", sender, callback] => canister(sender)
                .zip(number(callback))
                .map(|(sender, callback)| MessageName::Request(sender, CallbackId(callback))),
            ["response", receiver, callback] => canister(receiver)
                .zip(number(callback))
                .map(|(receiver, callback)| MessageName::Response(receiver, CallbackId(callback))),
            [task, id] => {
                let task = TASKS.iter().find(|(name, _)| *name == task);
                task.zip(canister(id))
                    .map(|((_, task), id)| MessageName::Task(id, *task))
            }
            _ => None,
        };
        name.ok_or_else(|| {
            format!(
                "'{text}' names no message: it is 'ingress <number>', 'request <canister> \
                 <callback>', 'response <canister> <callback>', or a task and its canister"
            )
        })
    }
}

impl Serialize for MessageName {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for MessageName {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn name_is_read_as_it_is_written() {
        let canister = Principal::from_slice(&[0, 0, 0, 0, 0, 0, 0, 1, 1, 1]);
        let mut names = vec![
            MessageName::Ingress(IngressId(7)),
            MessageName::Request(canister, CallbackId(5)),
            MessageName::Response(canister, CallbackId(5)),
        ];
        names.extend(TASKS.map(|(_, task)| MessageName::Task(canister, task)));
        for name in names {
            assert_eq!(name.to_string().parse(), Ok(name));
        }
    }

    #[test]
    fn what_names_no_message_is_refused_with_what_would() {
        for text in [
            "",
            "7",
            "ingress x",
            "request 7",
            "response aaaaa-aa x",
            "sleep aaaaa-aa",
        ] {
            let fault = text.parse::<MessageName>().unwrap_err();
            assert!(fault.starts_with(&format!("'{text}' names no message: it is")));
        }
    }
}
