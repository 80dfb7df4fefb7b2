//! Management canister, "IC method `canister_info`": what the history of a canister has.

use candid::Principal;
use ic_management_canister_types::{
    CanisterInfoArgs, CanisterInfoResult, CanisterSettings, Change, ChangeDetails,
    CodeDeploymentMode,
};

use crate::harness::{MANAGEMENT, STRANGER, USER, World};
use crate::puppet::{self, call_method, script};

/// The history as another canister is told it.
fn history(world: &mut World, id: Principal) -> Vec<Change> {
    let asking = world.puppet();
    let args = CanisterInfoArgs {
        canister_id: id,
        num_requested_changes: Some(100),
    };
    let args = candid::encode_one(args).unwrap();
    let info = script().call(call_method(MANAGEMENT, "canister_info", &args));
    let info = world.run(asking, info).unwrap();
    let info: CanisterInfoResult = candid::decode_one(&info).unwrap();
    assert_eq!(info.total_num_changes, info.recent_changes.len() as u64);
    info.recent_changes
}

fn set_controllers(world: &mut World, id: Principal, controllers: Option<Vec<Principal>>) {
    let settings = CanisterSettings {
        controllers,
        ..Default::default()
    };
    world.settings(id, settings).unwrap();
}

#[test]
fn creation_has_version_0_and_every_change_after_it_the_version_that_it_made() {
    let mut world = World::new();
    let id = world.create();
    assert_eq!(world.state(id).version, 0);
    let wasm = puppet::module(&[], "");
    world.install(id, &wasm, b"").unwrap();
    assert_eq!(world.state(id).version, 1);
    world.run(id, script().reply()).unwrap();
    world.upgrade(id, &wasm, b"").unwrap();
    world.command("uninstall_code", id).unwrap();
    let changes = history(&mut world, id);
    let versions: Vec<u64> = changes.iter().map(|c| c.canister_version).collect();
    assert_eq!(versions, [0, 1, 3, 4]);
    let [created, installed, upgraded, uninstalled] = &changes[..] else {
        panic!("{changes:?}");
    };
    let mode = |change: &Change| match &change.details {
        Some(ChangeDetails::CodeDeployment(record)) => record.mode,
        other => panic!("{other:?}"),
    };
    let Some(ChangeDetails::Creation(creation)) = &created.details else {
        panic!("{created:?}");
    };
    assert_eq!(creation.controllers, [USER]);
    assert_eq!(mode(installed), CodeDeploymentMode::Install);
    assert_eq!(mode(upgraded), CodeDeploymentMode::Upgrade);
    assert!(matches!(
        uninstalled.details,
        Some(ChangeDetails::CodeUninstall)
    ));
}

#[test]
fn controllers_change_is_recorded_whenever_controllers_are_given() {
    let mut world = World::new();
    let id = world.create();
    set_controllers(&mut world, id, Some(vec![USER]));
    set_controllers(&mut world, id, None);
    set_controllers(&mut world, id, Some(vec![USER, STRANGER]));
    let changes = history(&mut world, id);
    let given: Vec<_> = changes[1..]
        .iter()
        .map(|change| match &change.details {
            Some(ChangeDetails::ControllersChange(record)) => {
                (change.canister_version, record.controllers.len())
            }
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(
        given,
        [(1, 1), (3, 2)],
        "the change without them counts too"
    );
}
