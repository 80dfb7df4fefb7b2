//! Messages between canisters, and what they belong to: plain data in the words of the Interface
//! Specification ("Abstract behavior", "Abstract canisters").

use std::fmt;

use candid::Principal;
pub use ic_error_types::{ErrorCode, RejectCode};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use strum::IntoEnumIterator;

/// The id of a canister. Users have principals too, but only a canister has code.
pub type CanisterId = Principal;

/// An amount of cycles.
pub type Cycles = u128;

/// A point in time: nanoseconds since 1970-01-01 UTC.
pub type Time = u64;

/// Identifies an ingress message in one replica.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct IngressId(pub u64);

/// Identifies a call context in one canister.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct CallContextId(pub u64);

/// Identifies a callback in one canister.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct CallbackId(pub u64);

/// A negative response.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reject {
    /// The class of the failure.
    #[serde(serialize_with = "number", deserialize_with = "from_number")]
    pub code: RejectCode,
    /// What exactly failed, as the network's `IC0…` codes have it.
    #[serde(serialize_with = "text", deserialize_with = "from_text")]
    pub error_code: ErrorCode,
    /// A text for a person. Of a canister's own reject, the canister's text.
    pub message: String,
    /// Whether a canister that called reads the text as it is: the callee's own, and what the system
    /// says in place of a callee that said nothing. Others have the error code in front.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    plain: bool,
}

fn number<S: Serializer>(code: &RejectCode, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_u64(*code as u64)
}

fn text<S: Serializer>(code: &ErrorCode, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(code)
}

fn from_number<'de, D: Deserializer<'de>>(deserializer: D) -> Result<RejectCode, D::Error> {
    let number = u64::deserialize(deserializer)?;
    RejectCode::try_from(number).map_err(|_| de::Error::custom(format!("no reject code: {number}")))
}

fn from_text<'de, D: Deserializer<'de>>(deserializer: D) -> Result<ErrorCode, D::Error> {
    let text = String::deserialize(deserializer)?;
    let mut codes = ErrorCode::iter();
    let code = codes.find(|code| code.to_string() == text);
    code.ok_or_else(|| de::Error::custom(format!("no error code: '{text}'")))
}

impl Reject {
    /// A reject made by the system.
    pub fn new(error_code: ErrorCode, message: impl Into<String>) -> Self {
        Reject {
            code: error_code.into(),
            error_code,
            message: message.into(),
            plain: error_code == ErrorCode::CanisterRejectedMessage,
        }
    }

    /// A reject made by the system in place of a callee that did not answer, or was not asked.
    pub fn in_place_of_callee(error_code: ErrorCode, message: impl Into<String>) -> Self {
        Reject {
            plain: true,
            ..Reject::new(error_code, message)
        }
    }

    /// A canister's own reject, by `ic0.msg_reject`.
    pub fn by_canister(message: String) -> Self {
        Reject::new(ErrorCode::CanisterRejectedMessage, message)
    }

    /// The text as a calling canister reads it.
    pub fn message_for_canister(&self) -> String {
        match self.plain {
            true => self.message.clone(),
            false => format!("{}: {}", self.error_code, self.message),
        }
    }

    /// The text as a canister reads it in a composite query, where the error code is in front of
    /// every text but the callee's own.
    pub fn message_in_query(&self) -> String {
        match self.error_code {
            ErrorCode::CanisterRejectedMessage => self.message.clone(),
            code => format!("{code}: {}", self.message),
        }
    }
}

impl fmt::Display for Reject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Reject {
            code,
            error_code,
            message,
            ..
        } = self;
        write!(f, "reject code {}, {error_code}: {message}", *code as u64)
    }
}

impl std::error::Error for Reject {}

/// How a call was answered.
pub type CallResult = Result<Vec<u8>, Reject>;

/// A message from a user.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct IngressMessage {
    /// Where its status is kept.
    pub id: IngressId,
    /// Who sent it.
    pub sender: Principal,
    /// The canister that it calls.
    pub receiver: CanisterId,
    /// The method that it calls.
    pub method: String,
    /// The method's argument.
    #[serde(with = "serde_bytes")]
    pub argument: Vec<u8>,
}

/// A message from a canister that calls another one.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Request {
    /// The calling canister.
    pub sender: CanisterId,
    /// The callback that the response is for.
    pub callback: CallbackId,
    /// The called canister.
    pub receiver: CanisterId,
    /// The called method.
    pub method: String,
    /// The method's argument.
    #[serde(with = "serde_bytes")]
    pub argument: Vec<u8>,
    /// The cycles that the caller attached.
    pub cycles: Cycles,
    /// Of a bounded-wait call: when the caller stops waiting.
    pub deadline: Option<Time>,
}

/// A message that answers a [`Request`].
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Response {
    /// The canister that made the call.
    pub receiver: CanisterId,
    /// The callback that it is for.
    pub callback: CallbackId,
    /// The canister that was called.
    pub respondent: CanisterId,
    /// Its answer, or the system's.
    #[serde(with = "crate::bytes::result")]
    pub result: CallResult,
    /// The cycles that were attached and not accepted.
    pub refund: Cycles,
}

/// A message on its way to a canister.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum Message {
    /// From a user.
    Ingress(IngressMessage),
    /// A call.
    Request(Request),
    /// The answer to a call.
    Response(Response),
    /// The canister's heartbeat, timer or low-memory hook is due.
    Task(CanisterId, SystemTask),
}

impl Message {
    /// How many bytes it takes.
    pub fn size(&self) -> u64 {
        /// What a message has beside the bytes that it brings.
        const HEAD: usize = 200;
        let bytes = match self {
            Message::Ingress(ingress) => ingress.method.len() + ingress.argument.len(),
            Message::Request(request) => request.method.len() + request.argument.len(),
            Message::Response(response) => match &response.result {
                Ok(reply) => reply.len(),
                Err(reject) => reject.message.len(),
            },
            Message::Task(..) => 0,
        };
        (HEAD + bytes) as u64
    }

    /// The canister that the message is for.
    pub fn receiver(&self) -> CanisterId {
        match self {
            Message::Ingress(ingress) => ingress.receiver,
            Message::Request(request) => request.receiver,
            Message::Response(response) => response.receiver,
            Message::Task(canister, _) => *canister,
        }
    }
}

/// An execution that the system starts by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SystemTask {
    /// `canister_heartbeat`.
    Heartbeat,
    /// `canister_global_timer`.
    GlobalTimer,
    /// `canister_on_low_wasm_memory`.
    OnLowWasmMemory,
}

impl SystemTask {
    /// The name of the exported function.
    pub fn export(self) -> &'static str {
        match self {
            SystemTask::Heartbeat => "canister_heartbeat",
            SystemTask::GlobalTimer => "canister_global_timer",
            SystemTask::OnLowWasmMemory => "canister_on_low_wasm_memory",
        }
    }
}

/// Who waits for the answer of a call context.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum CallOrigin {
    /// A user.
    Ingress {
        /// Where the answer is kept.
        id: IngressId,
        /// Who sent the message.
        sender: Principal,
    },
    /// A canister.
    Canister {
        /// The calling canister.
        sender: CanisterId,
        /// The callback that the answer is for.
        callback: CallbackId,
        /// When the caller stops waiting.
        deadline: Option<Time>,
    },
    /// Nobody: the system started it.
    SystemTask,
}

impl CallOrigin {
    /// The principal that code in this call context sees as its caller.
    pub fn caller(&self) -> Principal {
        match self {
            CallOrigin::Ingress { sender, .. } | CallOrigin::Canister { sender, .. } => *sender,
            CallOrigin::SystemTask => Principal::management_canister(),
        }
    }

    /// When the caller stops waiting, if it does.
    pub fn deadline(&self) -> Option<Time> {
        match self {
            CallOrigin::Canister { deadline, .. } => *deadline,
            CallOrigin::Ingress { .. } | CallOrigin::SystemTask => None,
        }
    }
}

/// The processing of one call, from its first message until it is answered and no callback is
/// outstanding.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct CallContext {
    /// Who waits for the answer.
    pub origin: CallOrigin,
    /// Whether the answer was given.
    pub responded: bool,
    /// Set when the code was uninstalled: callbacks no longer run.
    pub deleted: bool,
    /// Attached cycles that were neither accepted nor refunded yet.
    pub available_cycles: Cycles,
    /// How many calls made in this context are not answered yet.
    pub outstanding_callbacks: usize,
    /// Instructions executed in this context.
    pub instructions: u64,
}

impl CallContext {
    /// A context in which nothing was executed yet. Nobody waits for an answer to the system.
    pub fn new(origin: CallOrigin, cycles: Cycles) -> Self {
        CallContext {
            responded: matches!(origin, CallOrigin::SystemTask),
            origin,
            deleted: false,
            available_cycles: cycles,
            outstanding_callbacks: 0,
            instructions: 0,
        }
    }
}

/// A function of a canister's table, and the value to call it with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Closure {
    /// The index in the table.
    pub function: u64,
    /// The value.
    pub environment: u64,
}

/// What a canister does when a call that it made is answered.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Callback {
    /// The call context in which the call was made.
    pub call_context: CallContextId,
    /// The canister that was called.
    pub respondent: CanisterId,
    /// The method that was called.
    pub method: String,
    /// Runs on a reply.
    pub on_reply: Closure,
    /// Runs on a reject.
    pub on_reject: Closure,
    /// Runs when one of the two trapped.
    pub on_cleanup: Option<Closure>,
    /// Cycles set aside for the response and its execution; what is not used is given back.
    pub prepaid: Cycles,
    /// Of a bounded-wait call: when the caller stops waiting.
    pub deadline: Option<Time>,
}

/// A call that a running message makes; it is sent when the message ends normally.
#[derive(Clone, Debug)]
pub struct OutgoingCall {
    /// The canister to call.
    pub receiver: CanisterId,
    /// The method to call.
    pub method: String,
    /// The method's argument.
    pub argument: Vec<u8>,
    /// The cycles attached.
    pub cycles: Cycles,
    /// Cycles set aside for the response and its execution.
    pub prepaid: Cycles,
    /// The cost of sending the request, already taken from the balance.
    pub fee: Cycles,
    /// Of a bounded-wait call: when the caller stops waiting.
    pub deadline: Option<Time>,
    /// Runs on a reply.
    pub on_reply: Closure,
    /// Runs on a reject.
    pub on_reject: Closure,
    /// Runs when one of the two trapped.
    pub on_cleanup: Option<Closure>,
}
