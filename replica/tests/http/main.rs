//! The replica as a network, through its HTTP interface: by `ic-agent` with all its checks on, and
//! by bytes that no client would send.

mod access;
mod authentication;
mod bad_input;
mod busy;
mod calls;
mod canister_signatures;
mod cbor;
mod certificates;
mod clock;
mod connections;
mod control;
mod cycles_ledger;
mod delegations;
mod dfx;
mod encodings;
mod fuzz;
mod gateway;
mod harness;
mod identities;
mod ledgers;
mod load;
mod options;
mod page;
mod panicking;
mod polling;
mod program;
mod raw;
mod rejects;
mod requests;
mod state;
mod subnet;
mod system_canisters;

#[path = "../support/agents.rs"]
mod agents;
#[path = "../support/canisters.rs"]
mod canisters;
#[path = "../support/deploying.rs"]
mod deploying;
