//! Canisters of this project on a replica.

use candid::{Principal, encode_one};
use ic_management_canister_types::{
    CanisterInstallMode, CanisterSettings, EnvironmentVariable,
    ProvisionalCreateCanisterWithCyclesArgs, UpdateSettingsArgs,
};
use local_replica::Replica;

#[path = "../../tests/support/deploying.rs"]
mod deploying;

#[path = "building.rs"]
mod building;

pub use building::wasm;
use deploying::{CREATE, MANAGEMENT, created, creation};

pub const USER: Principal = Principal::anonymous();

pub fn manage(replica: &mut Replica, method: &str, argument: &[u8]) -> Vec<u8> {
    call(replica, MANAGEMENT, method, argument)
}

pub fn create(replica: &mut Replica) -> Principal {
    let args = ProvisionalCreateCanisterWithCyclesArgs::default();
    created(&manage(replica, CREATE, &creation(args)))
}

pub fn install(replica: &mut Replica, canister: Principal, wasm: &[u8], mode: CanisterInstallMode) {
    let args = deploying::installation(canister, wasm, mode, b"DIDL\0\0");
    manage(replica, "install_code", &args);
}

pub fn deploy(replica: &mut Replica, wasm: &[u8]) -> Principal {
    let canister = create(replica);
    install(replica, canister, wasm, CanisterInstallMode::Install);
    canister
}

/// A caller that knows its callee by this name.
pub fn pair(replica: &mut Replica, wasm: &[Vec<u8>; 2], callee: &str) -> (Principal, Principal) {
    let [one, other] = wasm.each_ref().map(|wasm| deploy(replica, wasm));
    let variable = EnvironmentVariable {
        name: format!("PUBLIC_CANISTER_ID:{callee}"),
        value: other.to_text(),
    };
    let settings = CanisterSettings {
        environment_variables: Some(vec![variable]),
        ..CanisterSettings::default()
    };
    let args = UpdateSettingsArgs {
        canister_id: one,
        settings,
        sender_canister_version: None,
    };
    manage(
        replica,
        "update_settings",
        &encode_one(args).expect("it can be encoded"),
    );
    (one, other)
}

/// The reply to a user's call.
pub fn call(replica: &mut Replica, canister: Principal, method: &str, argument: &[u8]) -> Vec<u8> {
    let answer = replica.call(USER, canister, method, argument);
    answer.expect("an answer").expect("a reply")
}
