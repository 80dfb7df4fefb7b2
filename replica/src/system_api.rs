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
mod entry_point;
mod environment;
mod host;
mod memory;
mod responding;
mod stable;
mod table;
mod time;
mod trap;

pub use entry_point::{EntryPoint, EntryPoints};
pub use host::{Effects, SystemApi, View};
pub use table::functions;
pub use trap::{Trap, reject_of_fault, trap_in_log};
