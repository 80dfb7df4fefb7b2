//! The replica held against the Interface Specification, through its public door: each file names
//! the section that it is about.

mod harness;
mod puppet;

mod atomicity;
mod bounded_wait;
mod calls;
mod composite;
mod cycles;
mod installing;
mod interleaving;
mod lifecycle;
mod permissions;
mod replying;
