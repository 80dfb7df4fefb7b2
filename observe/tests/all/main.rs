//! Everything that `observe` shows, on deployed Wasm: the lessons one by one, the program, and the
//! networks that it can run on.

mod support;

mod compensation;
#[cfg(feature = "network")]
mod deployment;
mod faults;
mod journal;
mod leftovers;
#[cfg(feature = "network")]
mod load;
#[cfg(feature = "network")]
mod network;
mod ordering;
mod pair;
mod reservation;
mod retries;
mod retries_faults;
mod rollback;
