//! The Wasm engine: compile a module, call into an instance, keep its state or put it back.
//!
//! Nothing outside this room knows which engine runs. It knows nothing of canisters either: the
//! functions that a module may import are given to [`Engine::new`] as a table.

mod backtrace;
mod engine;
mod host;
mod instance;
mod trace;

pub use backtrace::Backtrace;
pub use engine::{CompiledModule, Engine};
pub use host::{
    Allowance, Entry, Fault, Host, HostCall, HostCallback, HostFunction, PAGE_SIZE, PRIVATE_EXPORT,
    ValueType,
};
pub use instance::{Checkpoint, Instance};
pub use trace::{TRACE_DEPTH, TRACE_STACK, TRACE_STACK_PAGES, Trace};
