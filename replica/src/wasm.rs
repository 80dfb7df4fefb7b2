//! The Wasm engine: compile a module, make an instance, load a state into it, call, and keep what
//! became of the state or not.
//!
//! Nothing outside this room knows which engine runs. It knows nothing of canisters either: the
//! functions that a module may import are given to [`Engine::new`] as a table.

mod backtrace;
mod engine;
mod globals;
mod growth;
mod host;
mod instance;
#[cfg(unix)]
mod mapped;
#[cfg(not(unix))]
#[path = "wasm/unmapped.rs"]
mod mapped;
mod state;
#[cfg(test)]
mod tests;
mod trace;
mod tracking;

pub use backtrace::Backtrace;
pub use engine::{CompiledModule, Engine};
pub use globals::{Number, Unfit};
pub use host::{
    Allowance, Entry, Fault, Host, HostCall, HostCallback, HostFunction, MEMORY, PAGE_SIZE,
    PRIVATE_EXPORT, ValueType,
};
pub use instance::{Instance, Room};
pub use state::State;
pub use trace::{TRACE_DEPTH, TRACE_STACK, TRACE_STACK_PAGES, Trace};
