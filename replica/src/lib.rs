//! A local replica of the Internet Computer, for learning and testing.
//!
//! It executes real canister Wasm under the message rules of the Interface Specification: one
//! message at a time, all or nothing. It is one subnet with one node. Consensus, other subnets,
//! threshold signatures and HTTPS outcalls are outside it, and what is outside says so when it is
//! asked for.
//!
//! [`Replica`] is the door. Everything is deterministic: the same calls in the same order give the
//! same state, ids and timeline.

pub mod canister;
pub mod certificate;
mod delivery;
pub mod execution;
pub mod fees;
#[cfg(feature = "server")]
pub mod http;
pub mod limits;
mod management;
pub mod message;
pub mod module;
#[cfg(feature = "server")]
pub mod owner;
pub mod pool;
mod query;
mod replica;
pub mod settings;
pub mod stable_memory;
pub mod system_api;
#[cfg(feature = "server")]
pub mod system_canisters;
pub mod timeline;
pub mod wasm;

pub use replica::{Config, CyclesAccount, IngressStatus, NativeCanister, Replica};
