//! Why executions are ended, and what callers are told.

use std::fmt;

use crate::message::{CanisterId, ErrorCode, Reject};
use crate::wasm::Fault;

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
    pub(super) fn violation(message: impl Into<String>) -> Self {
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
