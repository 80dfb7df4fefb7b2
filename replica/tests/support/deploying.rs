//! The calls with which canisters are created and code is installed, whichever way they are sent.

use candid::{Principal, decode_one, encode_one};
use ic_management_canister_types::{
    CanisterIdRecord, CanisterInstallMode, InstallCodeArgs, ProvisionalCreateCanisterWithCyclesArgs,
};

/// The management canister.
pub const MANAGEMENT: Principal = Principal::management_canister();

/// The method that creates a canister for anybody.
pub const CREATE: &str = "provisional_create_canister_with_cycles";

/// The argument of [`CREATE`].
pub fn creation(args: ProvisionalCreateCanisterWithCyclesArgs) -> Vec<u8> {
    encode_one(args).unwrap()
}

/// The canister that a reply of [`CREATE`] names.
pub fn created(reply: &[u8]) -> Principal {
    decode_one::<CanisterIdRecord>(reply).unwrap().canister_id
}

/// The argument of `install_code`.
pub fn installation(
    canister_id: Principal,
    wasm: &[u8],
    mode: CanisterInstallMode,
    argument: &[u8],
) -> Vec<u8> {
    encode_one(InstallCodeArgs {
        mode,
        canister_id,
        wasm_module: wasm.to_vec(),
        arg: argument.to_vec(),
        sender_canister_version: None,
    })
    .unwrap()
}
