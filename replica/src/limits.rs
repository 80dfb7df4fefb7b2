//! How much canisters may do and send. The defaults are the network's, but for the instructions of
//! messages and installations. No price follows from them.

use serde::Serialize;

/// The limits of a replica. All can be changed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Limits {
    /// The instructions of an update, a callback or a system task.
    ///
    /// The default is lower than the network's 40 billion, so that a loop without end traps within
    /// a few seconds on a laptop.
    pub message_instructions: u64,
    /// The instructions of a query, with everything that a composite query calls.
    pub query_instructions: u64,
    /// The instructions of an installation or upgrade. (The network's: 300 billion.)
    pub install_instructions: u64,
    /// The instructions of `canister_inspect_message`.
    pub inspect_instructions: u64,
    /// The Wasm memory of a canister with 32-bit addresses, in bytes.
    pub wasm_memory: u64,
    /// The Wasm memory of a canister with 64-bit addresses, in bytes.
    pub wasm_memory64: u64,
    /// The stable memory of a canister, in bytes.
    pub stable_memory: u64,
    /// The argument of an ingress message, in bytes.
    pub ingress_size: usize,
    /// The argument of a call between canisters, in bytes.
    pub call_size: usize,
    /// A reply, or the text of a reject, in bytes.
    pub response_size: usize,
    /// The same of a query by a user, and of what it calls, in bytes.
    pub query_response_size: usize,
    /// How many calls from one canister to another may be open at the same time.
    pub queue_capacity: usize,
    /// How many bytes the messages may have that wait to be delivered. When it is more, no call is
    /// taken in: not from users, and not from canisters.
    pub waiting_size: u64,
    /// How many bytes of memory, stable memory, chunks and snapshots all canisters may have in use
    /// together. What was never written to does not count, and what a snapshot shares counts twice.
    pub memory_capacity: u64,
}

const MIB: usize = 1024 * 1024;
const GIB: u64 = 1024 * 1024 * 1024;

impl Default for Limits {
    fn default() -> Self {
        Limits {
            message_instructions: 2_000_000_000,
            query_instructions: 5_000_000_000,
            install_instructions: 10_000_000_000,
            inspect_instructions: 200_000_000,
            wasm_memory: 4 * GIB,
            wasm_memory64: 6 * GIB,
            stable_memory: 500 * GIB,
            ingress_size: 2 * MIB,
            call_size: 10 * MIB,
            response_size: 2 * MIB,
            query_response_size: 3 * MIB,
            queue_capacity: 500,
            waiting_size: GIB,
            memory_capacity: 16 * GIB,
        }
    }
}
