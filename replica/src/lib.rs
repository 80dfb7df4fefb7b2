//! A local replica of the Internet Computer, for learning and testing.
//!
//! It executes real canister Wasm under the message rules of the Interface Specification: one
//! message at a time, all or nothing. It is one subnet with one node. Consensus, other subnets,
//! threshold signatures and HTTPS outcalls are outside it, and what is outside says so when it is
//! asked for.
//!
//! [`Replica`] is the door. Everything is deterministic: the same calls in the same order give the
//! same state, ids and timeline.
//!
//! The modules stand in layers, and every import goes down: data and the engine, what code may do,
//! code, canisters, one execution, the replica's state, what happens to it, a network around it.
//! `tests/imports.rs` has the order.
//!
//! ```
//! use candid::{Principal, decode_one, encode_one};
//! use ic_management_canister_types::{
//!     CanisterIdRecord, CanisterInstallMode, InstallCodeArgs,
//!     ProvisionalCreateCanisterWithCyclesArgs,
//! };
//! use local_replica::{Config, IngressStatus, Replica};
//!
//! let mut replica = Replica::new(Config::default());
//! let user = Principal::anonymous();
//! let management = Principal::management_canister();
//!
//! // Create a canister: `call` submits a message and delivers until it is answered.
//! let args = encode_one(ProvisionalCreateCanisterWithCyclesArgs::default())?;
//! let reply = replica.call(user, management, "provisional_create_canister_with_cycles", &args);
//! let created: CanisterIdRecord = decode_one(&reply.unwrap()?)?;
//! let canister = created.canister_id;
//!
//! // Install code: this one counts, and traps in `add_then_trap`.
//! let wasm = wat::parse_str(r#"
//!     (module
//!       (import "ic0" "msg_reply" (func $reply))
//!       (import "ic0" "msg_reply_data_append" (func $append (param i32 i32)))
//!       (memory 1)
//!       (func $add (i32.store8 (i32.const 0) (i32.add (i32.load8_u (i32.const 0)) (i32.const 1))))
//!       (func (export "canister_update add") (call $add) (call $reply))
//!       (func (export "canister_update add_then_trap") (call $add) unreachable)
//!       (func (export "canister_query get")
//!         (call $append (i32.const 0) (i32.const 1)) (call $reply)))
//! "#)?;
//! let args = encode_one(InstallCodeArgs {
//!     mode: CanisterInstallMode::Install,
//!     canister_id: canister,
//!     wasm_module: wasm,
//!     arg: vec![],
//!     sender_canister_version: None,
//! })?;
//! replica.call(user, management, "install_code", &args).unwrap()?;
//!
//! // Submit two messages, and run until nothing is deliverable.
//! let first = replica.submit(user, canister, "add", b"")?;
//! let second = replica.submit(user, canister, "add_then_trap", b"")?;
//! assert_eq!(replica.run(100), 2);
//! assert_eq!(replica.ingress_status(first), Some(&IngressStatus::Answered(Ok(vec![]))));
//! let Some(IngressStatus::Answered(Err(reject))) = replica.ingress_status(second) else {
//!     panic!("it trapped");
//! };
//! assert_eq!(reject.error_code.to_string(), "IC0502");
//!
//! // Query: the trap undid its own message, and only that.
//! assert_eq!(replica.query(user, canister, "get", b"")?, [1]);
//!
//! // Read the timeline.
//! for event in replica.timeline().since(0) {
//!     println!("{} {:?} {:?}", event.canister, event.step, event.ending);
//! }
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod ahead;
mod backtraces;
mod blocks;
mod bytes;
mod call_contexts;
pub mod canister;
pub mod canister_history;
pub mod canister_log;
pub mod canister_snapshot;
mod canisters;
#[cfg(feature = "certificates")]
mod cbor;
#[cfg(feature = "certificates")]
pub mod certificate;
mod clock;
mod cycles_account;
mod delivery;
pub mod diagram;
mod encoding;
pub mod environment;
pub mod execution;
mod explanations;
pub mod explore;
#[cfg(feature = "exploring")]
pub mod exploring;
pub mod fees;
#[cfg(feature = "server")]
mod giving_up;
pub mod hold;
#[cfg(feature = "server")]
pub mod http;
mod idle_costs;
mod ingress;
mod inspection;
mod instances;
#[cfg(feature = "server")]
pub mod journal;
pub mod limits;
mod management;
pub mod message;
mod message_name;
pub mod module;
mod non_replicated;
#[cfg(feature = "server")]
pub mod owner;
mod performing;
pub mod pool;
mod processing;
mod query;
mod rejects;
mod replica;
pub mod settings;
#[cfg(feature = "server")]
mod snapshot;
pub mod stable_memory;
#[cfg(feature = "server")]
pub mod state_folder;
mod statuses;
pub mod storage;
pub mod subnet;
pub mod system_api;
#[cfg(feature = "server")]
pub mod system_canisters;
pub mod timeline;
pub mod wasm;

pub use cycles_account::CyclesAccount;
pub use message_name::MessageName;
pub use replica::{Config, IngressStatus, NativeCanister, Replica};
