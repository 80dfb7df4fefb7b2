//! What a user gets.

use std::fmt;

use candid::utils::ArgumentDecoder;
use candid::{CandidType, DecoderConfig, Deserialize};
use serde::Serialize;

use crate::network::{Answer, what_is_wrong};

/// An answer, read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Got {
    /// A reply without a value.
    Reply,
    /// A reply that contains `Ok`.
    ReplyOk,
    /// A reply that contains `Err` with this text.
    ReplyErr(String),
    /// A reply that says that the canister's own call was replied to.
    ReplySawReply,
    /// A reply that says that the canister's own call was rejected.
    ReplySawReject {
        /// The reject code that the canister saw.
        code: u32,
        /// The text that the canister saw.
        message: String,
    },
    /// A reply that says that the canister's own call was not sent, and why.
    ReplyNotSent(String),
    /// A reply with something else in it.
    ReplyOther,
    /// A reject.
    Reject {
        /// The reject code.
        code: u64,
        /// The network's error code; empty if it gave none.
        error_code: String,
        /// The reject message.
        message: String,
    },
}

/// How much work a reply may take to decode, and how much of that may be for what nobody wants. A reply
/// of 22 bytes can take hours otherwise: the lesson `callees` shows one.
const MOST_WORK: (usize, usize) = (100_000_000, 10_000);

/// The values in a reply, in Candid.
///
/// # Errors
///
/// If they are others, or take too much work to read.
pub fn values<'a, Values: ArgumentDecoder<'a>>(reply: &'a [u8]) -> candid::Result<Values> {
    let (work, skipped) = MOST_WORK;
    let mut limits = DecoderConfig::new();
    limits.set_decoding_quota(work).set_skipping_quota(skipped);
    candid::utils::decode_args_with_config(reply, &limits)
}

/// What a canister tells of its own call: `CallOutcome` in its interface.
#[derive(CandidType, Deserialize)]
enum CallOutcome {
    Replied,
    Rejected { code: u32, message: String },
    NotSent(String),
}

impl Got {
    /// Reads an answer.
    pub fn read(answer: &Answer) -> Self {
        let reply = match answer {
            Ok(reply) => reply,
            Err(reject) => {
                return Got::Reject {
                    code: reject.code,
                    error_code: reject.error_code.clone(),
                    message: reject.message.clone(),
                };
            }
        };
        if let Ok((result,)) = values::<(Result<(), String>,)>(reply) {
            return match result {
                Ok(()) => Got::ReplyOk,
                Err(message) => Got::ReplyErr(message),
            };
        }
        match values(reply) {
            Ok((CallOutcome::Replied,)) => Got::ReplySawReply,
            Ok((CallOutcome::Rejected { code, message },)) => Got::ReplySawReject { code, message },
            Ok((CallOutcome::NotSent(why),)) => Got::ReplyNotSent(why),
            Err(_) if values::<()>(reply).is_ok() => Got::Reply,
            Err(_) => Got::ReplyOther,
        }
    }

    /// In a few words.
    pub fn words(&self) -> String {
        match self {
            Got::Reply => "reply".to_owned(),
            Got::ReplyOk => "reply: Ok".to_owned(),
            Got::ReplyErr(_) => "reply: Err".to_owned(),
            Got::ReplySawReply => "reply: saw a reply".to_owned(),
            Got::ReplySawReject { code, .. } => format!("reply: saw reject {code}"),
            Got::ReplyNotSent(_) => "reply: call not sent".to_owned(),
            Got::ReplyOther => "reply: something else".to_owned(),
            Got::Reject {
                code, error_code, ..
            } => format!("reject {code}, {error_code}"),
        }
    }
}

impl fmt::Display for Got {
    /// In a sentence that begins with "The user got".
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Got::ReplyErr(message) => write!(f, "a reply: Err({message:?})"),
            Got::ReplySawReject { code, message } => write!(
                f,
                "a reply: its own call was rejected with code {code}, {:?}",
                what_is_wrong(message)
            ),
            Got::ReplyNotSent(why) => write!(f, "a reply: its own call was not sent, {why:?}"),
            Got::Reject {
                code,
                error_code,
                message,
            } => write!(
                f,
                "a reject: code {code}, {error_code}: {}",
                what_is_wrong(message)
            ),
            other => write!(f, "a {}", other.words()),
        }
    }
}
