//! Runs the lessons of this project: each is a set of experiments with predictions, done on real
//! Wasm on a network.
//!
//! ```text
//! network      where canisters live: inside this program, or reached over HTTP
//! deployment   a caller and a callee, deployed on a network
//! answer       what a user got
//! stage        where experiments are done: two canisters, their messages, their clock
//! exploration  calls that are made at the same time, gone through in every order
//! lesson       what a lesson is: experiments, predictions, findings
//! story        a timeline as text; diagram: as a Mermaid sequence diagram
//! lessons      the lessons, one file each
//! legend       what the columns of all tables mean
//! table        how findings are shown; predict: how the reader is asked before
//! ```

#![warn(missing_docs)]

pub mod answer;
pub mod deployment;
pub mod diagram;
pub mod exploration;
pub mod legend;
pub mod lesson;
pub mod lessons;
pub mod network;
pub mod predict;
pub mod stage;
pub mod story;
pub mod style;
pub mod table;
