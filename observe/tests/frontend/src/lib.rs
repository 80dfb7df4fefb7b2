//! DFINITY's asset canister, without upgrades.

use ic_certified_assets::types::AssetCanisterArgs;

#[ic_cdk::init]
fn init(args: Option<AssetCanisterArgs>) {
    ic_certified_assets::init(args);
}

ic_certified_assets::export_canister_methods!();
