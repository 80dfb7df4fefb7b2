//! What things cost, in cycles: the network's published prices for a subnet of 13 nodes.
//!
//! A price never depends on a limit of this replica: where that is lower than the network's, what
//! is set aside is still what the network sets aside.

use crate::message::{Cycles, Time};

/// The fee of creating a canister.
pub const CREATE_CANISTER: Cycles = 500_000_000_000;

/// The freezing threshold of a new canister, in seconds: 30 days.
pub const DEFAULT_FREEZING_THRESHOLD: u64 = 2_592_000;

/// The most instructions of an update, a callback or a system task on the network.
const MESSAGE_INSTRUCTIONS: u64 = 40_000_000_000;

/// The most instructions of a query on the network, also of one that is called like an update.
const QUERY_INSTRUCTIONS: u64 = 5_000_000_000;

/// The most instructions of an installation on the network.
const INSTALL_INSTRUCTIONS: u64 = 300_000_000_000;

/// The largest response on the network, in bytes.
const RESPONSE_SIZE: usize = 2 * 1024 * 1024;

const EXECUTION_BASE: Cycles = 5_000_000;
const COMPILED_INSTRUCTION: u64 = 6_000;
const UPLOAD_INSTRUCTIONS: u64 = 200_000_000;
const SNAPSHOT_INSTRUCTIONS: u64 = 2_000_000_000;
const SNAPSHOT_DATA_INSTRUCTIONS: u64 = 5_000_000;
const CALL_BASE: Cycles = 260_000;
const CALL_BYTE: Cycles = 1_000;
const INGRESS_BASE: Cycles = 1_200_000;
const INGRESS_BYTE: Cycles = 2_000;

/// What an envelope has beside method and argument: sender, canister, expiry, nonce, key and
/// signature.
const ENVELOPE: usize = 285;

/// Since May 2026.
const GIB_SECOND: Cycles = 317_500;
const COMPUTE_PERCENT_SECOND: Cycles = 10_000_000;
const DAY: Cycles = 24 * 60 * 60;
const GIB: u128 = 1024 * 1024 * 1024;

/// The cost of this many instructions; with 64-bit memory each costs double.
pub fn instructions(instructions: u64, memory64: bool) -> Cycles {
    Cycles::from(instructions) * if memory64 { 2 } else { 1 }
}

/// The cost of an execution of this many instructions.
pub fn execution(instructions: u64, memory64: bool) -> Cycles {
    EXECUTION_BASE + self::instructions(instructions, memory64)
}

/// What is set aside for an update, a callback or a system task.
pub fn reserved_for_execution(memory64: bool) -> Cycles {
    execution(MESSAGE_INSTRUCTIONS, memory64)
}

/// What is set aside for a query that is called like an update.
pub fn reserved_for_query(memory64: bool) -> Cycles {
    execution(QUERY_INSTRUCTIONS, memory64)
}

/// What is set aside for an installation.
pub fn reserved_for_install(memory64: bool) -> Cycles {
    execution(INSTALL_INSTRUCTIONS, memory64)
}

/// The cost of putting a chunk into the chunk store.
pub fn upload_chunk(memory64: bool) -> Cycles {
    execution(UPLOAD_INSTRUCTIONS, memory64)
}

/// The cost of making a snapshot of this many bytes.
pub fn make_snapshot(bytes: u64) -> Cycles {
    execution(SNAPSHOT_INSTRUCTIONS.saturating_add(bytes), false)
}

/// The cost of loading a snapshot, before its size and its module count.
pub fn load_snapshot() -> Cycles {
    execution(SNAPSHOT_INSTRUCTIONS, false)
}

/// The cost of reading this many bytes of a snapshot.
pub fn read_snapshot(bytes: u64) -> Cycles {
    execution(SNAPSHOT_DATA_INSTRUCTIONS.saturating_add(bytes), false)
}

/// The cost of writing this many bytes to a snapshot.
pub fn write_snapshot(bytes: u64) -> Cycles {
    execution(bytes, false)
}

/// What compiling costs in instructions, for so many instructions of a module.
pub fn compilation(code_instructions: u64) -> u64 {
    code_instructions.saturating_mul(COMPILED_INSTRUCTION)
}

/// The cost of taking in an ingress message of this many bytes.
pub fn ingress(bytes: usize) -> Cycles {
    INGRESS_BASE + INGRESS_BYTE * bytes as Cycles
}

/// How many bytes a call by a user is, signed with an Ed25519 key and without a delegation.
pub fn envelope_size(method: &str, argument: &[u8]) -> usize {
    ENVELOPE + method.len() + argument.len()
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
pub fn reserved_for_response(memory64: bool) -> Cycles {
    response(RESPONSE_SIZE) + reserved_for_execution(memory64)
}

/// How many bytes are kept free for the response to a call with this deadline. That of a bounded-wait
/// call may get lost, so nothing is kept free for it.
pub fn kept_for_response(deadline: Option<Time>) -> u64 {
    match deadline {
        None => RESPONSE_SIZE as u64,
        Some(_) => 0,
    }
}

/// What it costs for a day to store `bytes` and to have a compute allocation.
pub fn idle_per_day(bytes: u64, compute_percent: u64) -> Cycles {
    let storage = Cycles::from(bytes) * GIB_SECOND * DAY / GIB;
    storage + Cycles::from(compute_percent) * COMPUTE_PERCENT_SECOND * DAY
}

/// What something costs in `seconds` that costs so much in a day.
pub fn idle(per_day: Cycles, seconds: u64) -> Cycles {
    per_day.saturating_mul(Cycles::from(seconds)) / DAY
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
