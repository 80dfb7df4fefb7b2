//! Explorations for whoever has a canister on the network, in whatever language: calls and answers are
//! Candid text, checked against the canisters' own interfaces, and schedules are text to keep.
//!
//! A [`Case`](wire::Case) comes over HTTP; [`Prepared`] explores it; and for the command line there are
//! the words that it takes ([`words`]), the names that `icp` and `dfx` give to canisters ([`Names`]),
//! and the text that tells what was found ([`telling`]).
//!
//! For who takes the steps by hand there is the [`Teller`] of [stories](story).

mod answer;
mod calls;
mod compare;
mod describe;
mod diagram;
mod interface;
mod names;
mod numbers;
mod prepare;
mod project;
mod sentence;
mod steps;
pub mod story;
mod teller;
pub mod telling;
pub mod wire;
pub mod words;

pub use describe::describe;
pub use diagram::draw;
pub use names::Names;
pub use prepare::Prepared;
pub use project::{networks, project};
pub use teller::Teller;
