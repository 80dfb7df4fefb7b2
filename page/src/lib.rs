//! The replica as the page's worker has it: requests in JSON, answered one after the other.
//!
//! [`Desk`] answers them. In WebAssembly the worker asks for [room](wasm) for a request, writes it there,
//! and reads the answer.

mod desk;
#[cfg(target_arch = "wasm32")]
mod wasm;

pub use desk::Desk;
