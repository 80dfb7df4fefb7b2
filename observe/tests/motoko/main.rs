//! The Motoko pair (`canisters/motoko`) on a local replica: what every method keeps and undoes, that
//! it can take the place of the Rust pair, upgrades, and the script that compiles it.

mod interchange;
mod pair;
mod rows;
mod script;
mod upgrades;
