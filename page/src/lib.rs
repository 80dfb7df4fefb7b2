//! The replica as the page's worker has it: requests in JSON, answered one after the other.
//!
//! [`Desk`] answers them. In WebAssembly the worker asks for room for a request, writes it there, and reads
//! the answer. Elsewhere there are the [`scenes`], and the folder with the page: [`site`].

mod desk;
#[cfg(not(target_family = "wasm"))]
pub mod scenes;
#[cfg(not(target_family = "wasm"))]
pub mod site;
#[cfg(target_family = "wasm")]
mod wasm;

pub use desk::Desk;
