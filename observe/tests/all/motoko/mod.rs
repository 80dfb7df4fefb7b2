//! The Motoko pair (`canisters/motoko`) on a local replica: the lesson, what every method keeps and
//! undoes, that it can take the place of the Rust pair, upgrades, and the script that compiles it.

mod interchange;
mod lesson;
mod rows;
mod script;
#[path = "../support/mod.rs"]
mod support;
mod upgrades;

use candid::Principal;
use observe::network::Network;
use observe::pair::Language;
use observe::stage::Stage;

/// A Motoko pair on a replica of its own.
fn stage() -> Stage {
    support::stage_in(Language::Motoko, Language::Motoko)
}

/// Tells canister1 an id of canister2, or none.
fn introduce(network: &mut Network, canister1: Principal, id: Option<&str>) {
    let variables = id.map(|id| ("PUBLIC_CANISTER_ID:canister2", id.to_owned()));
    let variables: Vec<_> = variables.into_iter().collect();
    network
        .set_environment_variables(canister1, &variables)
        .unwrap();
}
