//! The Motoko pair (`canisters/motoko`) on a local replica: the lesson, what every method keeps and
//! undoes, that it can take the place of the Rust pair, upgrades, and the script that compiles it.

mod interchange;
mod lesson;
mod rows;
mod script;
mod upgrades;

use ic_management_canister_types::{CanisterSettings, EnvironmentVariable, UpdateSettingsArgs};
use observe::stage::{Language, Stage};

use crate::support;

/// A Motoko pair on a replica of its own.
fn stage() -> Stage {
    support::stage_in(Language::Motoko, Language::Motoko)
}

/// Tells canister1 an id of canister2, or none.
fn introduce(stage: &mut Stage, id: Option<&str>) {
    let variables = id.map(|id| EnvironmentVariable {
        name: "PUBLIC_CANISTER_ID:canister2".to_owned(),
        value: id.to_owned(),
    });
    let canister1 = stage.caller;
    let args = UpdateSettingsArgs {
        canister_id: canister1,
        settings: CanisterSettings {
            environment_variables: Some(variables.into_iter().collect()),
            ..CanisterSettings::default()
        },
        sender_canister_version: None,
    };
    let updated = stage.manage(canister1, "update_settings", (args,));
    updated.unwrap().unwrap();
}
