//! The replica held against the Interface Specification, through its public door: each file names
//! the section that it is about.

#[path = "../support/deploying.rs"]
mod deploying;
mod harness;
mod puppet;

mod anything;
mod atomicity;
mod backtraces;
mod bad_input;
mod bounded_wait;
mod callbacks;
mod calls;
mod capacity;
mod composite;
mod cycles;
mod drawing;
mod environment;
mod exploring;
mod forking;
mod freezing;
mod history;
mod holding;
mod installing;
mod interleaving;
mod lifecycle;
mod limits;
mod logging;
mod low_memory;
mod management;
mod module_sizes;
mod permissions;
mod prices;
mod replying;
mod segments;
mod settings;
mod snapshots;
mod storing;
mod submitting;
mod texts;
mod timeline;
mod timers;
mod upgrading;
mod vectors;
