//! The gateway to canisters' pages: where they are, how they are asked for, and what comes of answers
//! that no page should give.

mod addresses;
mod answers;
mod fuzz;
mod pages;
mod streaming;
mod verification;
