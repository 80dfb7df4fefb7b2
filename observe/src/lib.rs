//! Runs the lessons of this project: each is an experiment with a prediction, done on real Wasm.
//!
//! ```text
//! network   where canisters live: the one module that talks to a replica
//! pair      canister1 and canister2, deployed on a network
//! answer    what a caller got
//! lessons   the experiments, one file each
//! table     how rows of an experiment are shown
//! story     how a timeline is shown
//! ```

pub mod answer;
pub mod lessons;
pub mod network;
pub mod pair;
pub mod story;
pub mod style;
pub mod table;
