//! The System API: what a running message may see, ask and do (Interface Specification, "Canister
//! interface").
//!
//! [`SystemApi`] lives as long as one execution. It holds what the message may see, and collects
//! what the message does; nothing of that takes effect here. `execution.rs` commits or discards it.

mod arguments;
mod calls;
mod certification;
mod cycles;
mod debugging;
mod environment;
mod memory;
mod responding;
mod stable;
mod table;
mod time;

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use candid::Principal;

pub use table::{EntryPoint, EntryPoints, functions};

use crate::certificate::RootKey;
use crate::fees;
use crate::limits::Limits;
use crate::message::{
    CallResult, CanisterId, Cycles, ErrorCode, OutgoingCall, Reject, RejectCode, Time,
};
use crate::settings::Settings;
use crate::stable_memory::StableMemory;
use crate::wasm::{Fault, Host, HostCall, HostFunction};
use calls::CallBuilder;

/// A host call of the System API.
pub(crate) type Call<'a> = HostCall<'a, SystemApi>;

/// What is the same for all canisters of a subnet.
pub struct Subnet {
    /// The key that certifies.
    pub root_key: RootKey,
    /// The subnet's id.
    pub id: Principal,
}

/// What an execution may see of its canister and of its message.
pub struct View {
    /// Where the execution starts.
    pub entry_point: EntryPoint,
    /// The subnet.
    pub subnet: Arc<Subnet>,
    /// The canister's id.
    pub canister: CanisterId,
    /// The canister's settings.
    pub settings: Arc<Settings>,
    /// `ic0.canister_version`.
    pub version: u64,
    /// `ic0.canister_status`: 1 running, 2 stopping, 3 stopped.
    pub status: u32,
    /// `ic0.time`.
    pub time: Time,
    /// The caller of the call context, or who installs.
    pub caller: Principal,
    /// The argument of the method, or the reply in a reply callback.
    pub argument: Vec<u8>,
    /// The reject in a reject callback, and in the cleanup of one.
    pub reject: Option<(RejectCode, String)>,
    /// The method that `canister_inspect_message` is asked about.
    pub method: String,
    /// When the caller stops waiting.
    pub deadline: Option<Time>,
    /// The cycles that came back with the response.
    pub refunded: Cycles,

    /// Whether the call was answered before this message, or needs no answer.
    pub responded: bool,
    /// Instructions executed in the call context before this message.
    pub context_instructions: u64,
    /// Whether the message goes through consensus (queries by users do not).
    pub replicated: bool,
    /// The certified data that a data certificate can be made of, where there is one.
    pub certified_data: Option<Vec<u8>>,
    /// Cycles that must stay in the balance.
    pub freezing_limit: Cycles,
    /// How much the canister may do and send.
    pub limits: Arc<Limits>,
}

/// What an execution has done so far.
pub struct Effects {
    /// The balance after what was attached, accepted and burned.
    pub balance: Cycles,
    /// The cycles of the call that were not accepted yet.
    pub available: Cycles,
    /// The answer to the call.
    pub response: Option<CallResult>,
    /// Calls to send, in order.
    pub calls: Vec<OutgoingCall>,
    /// The new certified data.
    pub certified_data: Option<Vec<u8>>,
    /// The new global timer; 0 is none.
    pub global_timer: Option<Time>,
    /// Cycles burned by `ic0.cycles_burn128`.
    pub burned: Cycles,
    /// Whether `canister_inspect_message` accepted.
    pub accepted: bool,
}

/// The host of a running canister.
pub struct SystemApi {
    pub(crate) view: View,
    pub(crate) effects: Effects,
    /// The canister's stable memory, which undoes by itself.
    pub(crate) stable: StableMemory,
    /// How many calls to each canister are open.
    pub(crate) open_calls: BTreeMap<CanisterId, usize>,
    /// The timer before the message, as `ic0.global_timer_set` returns it.
    pub(crate) global_timer: Time,
    /// What the message printed: it stays, whatever becomes of the message.
    pub(crate) log: debugging::Printed,
    reply: Vec<u8>,
    call: Option<CallBuilder>,
    data_certificate: Option<Vec<u8>>,
}

impl SystemApi {
    /// The host of one execution. `balance` and `available` are the canister's cycles and those of
    /// the call.
    pub fn new(
        view: View,
        balance: Cycles,
        available: Cycles,
        stable: StableMemory,
        open_calls: BTreeMap<CanisterId, usize>,
        global_timer: Time,
    ) -> Self {
        SystemApi {
            view,
            effects: Effects {
                balance,
                available,
                response: None,
                calls: Vec::new(),
                certified_data: None,
                global_timer: None,
                burned: 0,
                accepted: false,
            },
            stable,
            open_calls,
            global_timer,
            log: debugging::Printed::default(),
            reply: Vec::new(),
            call: None,
            data_certificate: None,
        }
    }

    /// Ends the execution: a call that was assembled but not performed is discarded, and its
    /// cycles are back in the balance.
    pub(crate) fn finish(&mut self) {
        self.discard_call();
    }

    /// The cycles that can be spent without freezing the canister.
    fn liquid_balance(&self) -> Cycles {
        let limit = self.view.freezing_limit;
        self.effects.balance.saturating_sub(limit)
    }

    /// Cycles that a call sets aside for its response.
    fn prepayment(&self) -> Cycles {
        let limits = &self.view.limits;
        fees::reserved_for_response(limits.response_size, limits.message_instructions)
    }
}

impl Host for SystemApi {
    type Trap = Trap;
    type Permission = EntryPoints;

    fn check(&self, function: &HostFunction<Self>) -> Result<(), Trap> {
        let entry_point = self.view.entry_point;
        match function.permission.contains(entry_point) {
            true => Ok(()),
            false => Err(Trap::violation(format!(
                "\"ic0.{}\" cannot be executed in {} mode",
                function.name, entry_point
            ))),
        }
    }
}

/// Why the System API ended an execution.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Trap {
    /// `ic0.trap` was called with this message.
    Called(String),
    /// The canister did what the specification does not allow.
    ContractViolation(String),
    /// An access outside the stable memory.
    StableMemoryOutOfBounds,
    /// The canister tried to spend more cycles than it has.
    InsufficientCycles(String),
}

impl Trap {
    fn violation(message: impl Into<String>) -> Self {
        Trap::ContractViolation(message.into())
    }
}

impl fmt::Display for Trap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Trap::Called(message) => {
                write!(f, "Canister called `ic0.trap` with message: '{message}'")
            }
            Trap::ContractViolation(message) => {
                write!(f, "Canister violated contract: {message}.")
            }
            Trap::StableMemoryOutOfBounds => {
                f.write_str("Canister trapped: stable memory out of bounds")
            }
            Trap::InsufficientCycles(message) => f.write_str(message),
        }
    }
}

/// A fault of a canister as the error that a caller gets.
pub fn reject_of_fault(canister: CanisterId, fault: &Fault<Trap>) -> Reject {
    let (code, message) = match fault {
        Fault::Trapped(reason) => (
            ErrorCode::CanisterTrapped,
            format!("Canister trapped: {reason}"),
        ),
        Fault::InstructionLimit(limit) => (
            ErrorCode::CanisterInstructionLimitExceeded,
            format!(
                "Canister exceeded the limit of {limit} instructions for single message execution. \
                 (A local replica's limits are lower than the network's, so that a loop without \
                 end traps soon.)"
            ),
        ),
        Fault::MemoryLimit(limit) => (
            ErrorCode::CanisterWasmMemoryLimitExceeded,
            format!(
                "Canister exceeded its current Wasm memory limit of {limit} bytes. \
                 Its controllers can raise it in the canister's settings."
            ),
        ),
        Fault::NoSuchFunction(index) => (
            ErrorCode::CanisterFunctionNotFound,
            format!(
                "Canister's table has no function at index {index}, which was given as a callback"
            ),
        ),
        Fault::Host(trap) => {
            let code = match trap {
                Trap::Called(_) => ErrorCode::CanisterCalledTrap,
                Trap::ContractViolation(_) => ErrorCode::CanisterContractViolation,
                Trap::StableMemoryOutOfBounds => ErrorCode::CanisterTrapped,
                Trap::InsufficientCycles(_) => ErrorCode::InsufficientCyclesInCall,
            };
            (code, trap.to_string())
        }
    };
    Reject::new(code, format!("Error from Canister {canister}: {message}"))
}
