//! Why executions are ended, and what callers are told.

use std::fmt;

use super::entry_point::EntryPoint;
use crate::explanations::{HANDLE_FAILURES, Help, error_from};
use crate::message::{CanisterId, ErrorCode, Reject};
use crate::wasm::{Backtrace, Fault};

/// Why the System API ended an execution.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Trap {
    /// `ic0.trap` was called with this message.
    Called(String),
    /// The canister did what the specification does not allow.
    ContractViolation(String),
    /// The canister passed more than fits.
    TooLarge(String),
    /// A function was called from where it can't be: its name, and from where.
    WrongMode(&'static str, EntryPoint),
    /// An access outside the stable memory.
    StableMemoryOutOfBounds,
    /// The canister tried to spend more cycles than it has.
    InsufficientCycles(String),
    /// The canister asked for an environment variable that it does not have.
    NoSuchVariable(String),
    /// Its memory grew by so many bytes, and it can't pay for them.
    InsufficientCyclesForMemory(u64),
    /// All canisters together would have more than so many bytes in use.
    MemoryIsFull(u64),
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
                write!(f, "Canister violated contract: {message}")
            }
            Trap::TooLarge(message) => write!(f, "Canister violated contract: {message}."),
            Trap::WrongMode(function, mode) => write!(
                f,
                "Canister violated contract: \"ic0.{function}\" cannot be executed in {mode} mode"
            ),
            Trap::StableMemoryOutOfBounds => {
                f.write_str("Canister trapped: stable memory out of bounds")
            }
            Trap::InsufficientCycles(message) | Trap::NoSuchVariable(message) => {
                f.write_str(message)
            }
            Trap::InsufficientCyclesForMemory(bytes) => write!(
                f,
                "Canister cannot grow memory by {bytes} bytes due to insufficient cycles."
            ),
            Trap::MemoryIsFull(capacity) => write!(
                f,
                "The canisters of this local replica can have {capacity} bytes of memory in use \
                 together, and this would be more"
            ),
        }
    }
}

const TRAPPED: Help<'static> = Help::Developer(HANDLE_FAILURES, "trapped");

/// A fault of a canister as the error that a caller gets. `backtrace` is where it happened, if the
/// caller may know.
pub fn reject_of_fault(
    canister: CanisterId,
    fault: &Fault<Trap>,
    backtrace: Option<&Backtrace>,
) -> Reject {
    let (code, mut error, help) = match fault {
        Fault::Trapped(reason) => (
            ErrorCode::CanisterTrapped,
            format!("Canister trapped: {reason}"),
            TRAPPED,
        ),
        Fault::InstructionLimit(limit) => (
            ErrorCode::CanisterInstructionLimitExceeded,
            format!(
                "Canister exceeded the limit of {limit} instructions for single message execution."
            ),
            Help::Developer(
                "Try optimizing this method to consume fewer instructions or split the work across \
                 multiple messages.",
                "instruction-limit-exceeded",
            ),
        ),
        Fault::MemoryLimit(limit) => (
            ErrorCode::CanisterWasmMemoryLimitExceeded,
            format!(
                "Canister exceeded its current Wasm memory limit of {limit} bytes. If the canister \
                 reaches 4GiB, then it may stop functioning and may become unrecoverable. Please \
                 reach out to the canister owner to investigate the reason for the increased \
                 memory usage. It might be necessary to move data from the Wasm memory to the \
                 stable memory. If such high Wasm memory usage is expected and safe, then the \
                 developer can increase the Wasm memory limit in the canister settings."
            ),
            Help::Developer(
                "Try checking the canister for a possible memory leak or modifying it to use more \
                 stable memory instead of Wasm memory.",
                "wasm-memory-limit-exceeded",
            ),
        ),
        Fault::NoSuchFunction(index) => (
            ErrorCode::CanisterFunctionNotFound,
            format!(
                "Canister requested to invoke a non-existent Wasm function {index} from table 0"
            ),
            Help::Toolchain,
        ),
        Fault::Host(trap) => {
            let (code, help) = match trap {
                Trap::Called(_) => (
                    ErrorCode::CanisterCalledTrap,
                    Help::Developer(HANDLE_FAILURES, "trapped-explicitly"),
                ),
                Trap::ContractViolation(_) => {
                    (ErrorCode::CanisterContractViolation, Help::Toolchain)
                }
                Trap::WrongMode(..) => (
                    ErrorCode::CanisterContractViolation,
                    Help::Developer(
                        "Check the ICP documentation to make sure APIs are being called in the \
                         correct message types.",
                        "calling-a-system-api-from-the-wrong-mode",
                    ),
                ),
                Trap::StableMemoryOutOfBounds => (ErrorCode::CanisterTrapped, TRAPPED),
                Trap::InsufficientCycles(_) => (ErrorCode::InsufficientCyclesInCall, Help::None),
                Trap::MemoryIsFull(_) => (ErrorCode::SubnetOversubscribed, Help::None),
                Trap::NoSuchVariable(_) | Trap::TooLarge(_) => {
                    (ErrorCode::CanisterContractViolation, Help::None)
                }
                Trap::InsufficientCyclesForMemory(_) => (
                    ErrorCode::InsufficientCyclesInMemoryGrow,
                    Help::Developer(
                        "Try topping up the canister.",
                        "insufficient-cycles-in-memory-grow",
                    ),
                ),
            };
            (code, trap.to_string(), help)
        }
    };
    if let Some(backtrace) = backtrace {
        error = format!("{error}\n{backtrace}");
    }
    error_from(canister, code, &error, &help)
}

/// Why a fault is a trap, in the words of a canister's log; nothing if it is none, and the log says
/// nothing of it.
pub fn trap_in_log(fault: &Fault<Trap>) -> Option<&str> {
    match fault {
        Fault::Trapped(reason) => Some(reason),
        Fault::Host(Trap::StableMemoryOutOfBounds) => Some("stable memory out of bounds"),
        Fault::Host(Trap::Called(message)) if message.is_empty() => Some("(no message)"),
        Fault::Host(Trap::Called(message)) => Some(message),
        Fault::Host(
            Trap::ContractViolation(_)
            | Trap::TooLarge(_)
            | Trap::WrongMode(..)
            | Trap::InsufficientCycles(_)
            | Trap::NoSuchVariable(_)
            | Trap::InsufficientCyclesForMemory(_)
            | Trap::MemoryIsFull(_),
        )
        | Fault::InstructionLimit(_)
        | Fault::MemoryLimit(_)
        | Fault::NoSuchFunction(_) => None,
    }
}
