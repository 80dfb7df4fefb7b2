//! Everything that `observe` shows, on deployed Wasm: the lessons one by one, the program, and the
//! networks that it can run on.

mod support;

mod awaits;
mod callees;
mod compensation;
mod cycles;
#[cfg(feature = "network")]
mod deployment;
mod exploring;
mod hostile;
mod imports;
mod interfaces;
mod interleaving;
mod journal;
mod ledger;
mod leftovers;
#[cfg(feature = "network")]
mod load;
mod loops;
mod map;
mod motoko;
#[cfg(feature = "network")]
mod network;
mod ordering;
mod pages;
mod pair;
mod program;
mod refund;
mod rejects;
mod reservation;
mod retries;
mod rollback;
#[cfg(feature = "network")]
mod script;
mod strangers;
mod upgrades;
mod watching;
