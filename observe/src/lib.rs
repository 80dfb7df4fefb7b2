//! Runs the lessons of this project: each is a set of experiments with predictions, done on real
//! Wasm on a network.
//!
//! ```text
//! network   where canisters live, through ic-agent
//! pair      canister1 and canister2, deployed on a network
//! answer    what a caller got
//! stage     where experiments are done: the pair, its messages, its clock, and what happens
//! lesson    what a lesson is: experiments, predictions, findings
//! story     a timeline as text; diagram: as a Mermaid sequence diagram
//! lessons   the lessons, one file each
//! table     how findings are shown; predict: how the reader is asked before
//! ```

pub mod answer;
pub mod diagram;
pub mod lesson;
pub mod lessons;
pub mod network;
pub mod pair;
pub mod predict;
pub mod stage;
pub mod story;
pub mod style;
pub mod table;
