//! What things cost, in cycles: the network's published prices for a subnet of 13 nodes.
//!
//! Charged are ingress messages, calls, executions and the creation of canisters. Storage over time
//! and compute allocations are not charged: time on a local replica is the user's to move.

use crate::message::Cycles;

/// The fee of creating a canister.
pub const CREATE_CANISTER: Cycles = 500_000_000_000;

/// The freezing threshold of a new canister, in seconds: 30 days.
pub const DEFAULT_FREEZING_THRESHOLD: u64 = 2_592_000;

const EXECUTION_BASE: Cycles = 5_000_000;
const CALL_BASE: Cycles = 260_000;
const CALL_BYTE: Cycles = 1_000;
const INGRESS_BASE: Cycles = 1_200_000;
const INGRESS_BYTE: Cycles = 2_000;
const GIB_SECOND: Cycles = 127_000;
const GIB: u128 = 1024 * 1024 * 1024;

/// The cost of an execution of this many instructions.
pub fn execution(instructions: u64) -> Cycles {
    EXECUTION_BASE + Cycles::from(instructions)
}

/// The cost of taking in an ingress message.
pub fn ingress(method: &str, argument: &[u8]) -> Cycles {
    INGRESS_BASE + INGRESS_BYTE * (method.len() + argument.len()) as Cycles
}

/// The cost of sending a request, without its response.
pub fn request(method_length: u64, argument_length: u64) -> Cycles {
    let bytes = Cycles::from(method_length) + Cycles::from(argument_length);
    CALL_BASE + CALL_BYTE * bytes
}

/// The cost of sending a response of this many bytes.
pub fn response(bytes: usize) -> Cycles {
    CALL_BYTE * bytes as Cycles
}

/// What a call sets aside for the largest response and the longest callback
/// (`MAX_CYCLES_PER_RESPONSE` in the specification).
pub fn reserved_for_response(size: usize, instructions: u64) -> Cycles {
    response(size) + execution(instructions)
}

/// The cycles that storing `bytes` costs in `seconds`.
pub fn storage(bytes: u64, seconds: u64) -> Cycles {
    let byte_seconds = Cycles::from(bytes).saturating_mul(Cycles::from(seconds));
    byte_seconds.saturating_mul(GIB_SECOND) / GIB
}

/// The nodes of the subnet.
const NODES: Cycles = 13;

/// How many of the nodes must agree about the response of an HTTPS outcall.
const AGREEING: Cycles = 9;

/// The cost of an HTTPS outcall that pays for what it uses, at most.
pub fn http_request_by_use(
    request_bytes: u64,
    milliseconds: u64,
    raw_response_bytes: u64,
    response_bytes: u64,
    transform_instructions: u64,
) -> Cycles {
    let base = 1_000_000 + 50 * Cycles::from(request_bytes) + 140_000 * NODES + 800 * NODES * NODES;
    let usage = 50 * Cycles::from(raw_response_bytes)
        + 300 * Cycles::from(milliseconds)
        + Cycles::from(transform_instructions) / NODES;
    let agreement = (10 * NODES + 600) * NODES * Cycles::from(response_bytes);
    NODES * (base + usage + agreement.div_ceil(AGREEING))
}

/// The cost of an HTTPS outcall.
pub fn http_request(request_bytes: u64, max_response_bytes: u64) -> Cycles {
    (3_000_000 + 60_000 * NODES) * NODES
        + 400 * NODES * Cycles::from(request_bytes)
        + 800 * NODES * Cycles::from(max_response_bytes)
}
