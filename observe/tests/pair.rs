//! The pair itself: upgrades, and finding each other.

mod support;

use std::fs;

use candid::Principal;
use ic_management_canister_types::{CanisterInstallMode, CanisterStatusResult};
use observe::answer::Got;
use observe::network::Network;
use observe::pair::Counters;
use support::{pair, wasm};

#[test]
fn all_counters_survive_an_upgrade() {
    let mut pair = pair();
    pair.observe("increment_both").unwrap();
    pair.observe("increment_both_then_trap_with_guard").unwrap();
    let counted = Counters {
        canister1: 2,
        canister2: 2,
        drops: 1,
    };
    assert_eq!(pair.counters().unwrap(), counted);
    for (canister, file) in [(pair.canister1, "canister1"), (pair.canister2, "canister2")] {
        let module = fs::read(wasm().join(file).with_extension("wasm")).unwrap();
        let mode = CanisterInstallMode::Upgrade(None);
        pair.network.install(canister, module, mode).unwrap();
    }
    assert_eq!(pair.counters().unwrap(), counted);
    pair.observe("increment_both").unwrap();
    assert_eq!(pair.counters().unwrap().canister2, 3);
}

#[test]
fn canister1_rejects_calls_until_it_knows_canister2_and_says_what_to_do() {
    let mut network = Network::local();
    let canister = network.create_canister().unwrap();
    let module = fs::read(wasm().join("canister1.wasm")).unwrap();
    network
        .install(canister, module, CanisterInstallMode::Install)
        .unwrap();
    for (variables, expected) in [
        (vec![], "icp deploy"),
        (
            vec![("PUBLIC_CANISTER_ID:canister2", "canister2".to_owned())],
            "should be the id of canister2, but is 'canister2'",
        ),
    ] {
        network
            .set_environment_variables(canister, &variables)
            .unwrap();
        let answer = network.call(canister, "increment_both", |_, _| Ok(()));
        let Got::Reject { code, message, .. } = Got::read(&answer.unwrap()) else {
            panic!("it is not rejected");
        };
        assert_eq!(code, 4);
        assert!(message.contains(expected), "{message}");
        let counter: candid::Nat = network.query(canister, "get").unwrap();
        assert_eq!(counter, 0u8);
    }
}

#[test]
fn anybody_may_call_the_pair_and_only_the_controller_may_change_it() {
    let mut pair = pair();
    pair.network.become_user(Principal::from_slice(&[7; 29]));
    pair.observe("increment_both").unwrap();
    assert_eq!(pair.counters().unwrap().canister1, 1);
    let module = fs::read(wasm().join("canister1.wasm")).unwrap();
    let refused = pair
        .network
        .install(pair.canister1, module, CanisterInstallMode::Reinstall)
        .unwrap_err();
    assert!(refused.to_string().contains("Only the controllers"));
    let status: Result<CanisterStatusResult, _> = pair.network.query(pair.canister1, "nothing");
    assert!(status.is_err());
    assert_eq!(pair.counters().unwrap().canister1, 1);
}
