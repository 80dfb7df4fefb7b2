//! The pair itself: upgrades, and finding each other.

mod support;

use std::fs;

use ic_management_canister_types::CanisterInstallMode;
use observe::answer::Got;
use observe::network::Network;
use observe::pair::Counters;
use observe::stage::Stage;
use support::{stage, wasm};

fn call(stage: &mut Stage, method: &str) -> Got {
    Got::read(&stage.call(stage.canister1, method, ()).unwrap())
}

#[test]
fn all_counters_survive_an_upgrade() {
    let mut stage = stage();
    call(&mut stage, "increment_both");
    call(&mut stage, "increment_both_then_trap_with_guard");
    let counted = Counters {
        canister1: 2,
        canister2: 2,
        drops: 1,
    };
    assert_eq!(stage.counters().unwrap(), counted);
    for canister in [stage.canister1, stage.canister2] {
        stage.upgrade(canister).unwrap().unwrap();
    }
    assert_eq!(stage.counters().unwrap(), counted);
    call(&mut stage, "increment_both");
    assert_eq!(stage.counters().unwrap().canister2, 3);
}

#[test]
fn canister1_rejects_calls_until_it_knows_canister2_and_says_what_to_do() {
    let mut network = Network::local().unwrap();
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
        let answer = network.call(canister, "increment_both", ());
        let Got::Reject { code, message, .. } = Got::read(&answer.unwrap()) else {
            panic!("it is not rejected");
        };
        assert_eq!(code, 4);
        assert!(message.contains(expected), "{message}");
        let counter: candid::Nat = network.query(canister, "get", ()).unwrap();
        assert_eq!(counter, 0u8);
    }
}

#[test]
fn anybody_may_call_the_pair_and_only_the_controller_may_change_it() {
    let mut stage = stage();
    stage.network.become_user(1).unwrap();
    call(&mut stage, "increment_both");
    assert_eq!(stage.counters().unwrap().canister1, 1);
    let refused = stage.upgrade(stage.canister1).unwrap().unwrap_err();
    assert!(refused.reject_message.contains("Only the controllers"));
    assert_eq!(stage.counters().unwrap().canister1, 1);
}
