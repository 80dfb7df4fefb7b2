//! The pair itself: upgrades, and finding each other.

use std::fs;

use observe::answer::Got;
use observe::deployment::Modules;
use observe::lessons::rollback::{Counters, LESSON};
use observe::stage::Stage;

use crate::support::{empty_folder, stage, stage_of, wasm};

fn call(stage: &mut Stage, method: &str) -> Got {
    Got::read(&stage.call(stage.caller, method, ()).unwrap())
}

#[test]
fn all_counters_survive_an_upgrade() {
    let mut stage = stage(&LESSON);
    call(&mut stage, "increment_both");
    call(&mut stage, "increment_both_then_trap_with_guard");
    let counted = Counters {
        canister1: 2,
        canister2: 2,
        drops: 1,
    };
    assert_eq!(Counters::read(&mut stage).unwrap(), counted);
    for canister in [stage.caller, stage.callee] {
        stage.upgrade(canister).unwrap().unwrap();
    }
    assert_eq!(Counters::read(&mut stage).unwrap(), counted);
    call(&mut stage, "increment_both");
    assert_eq!(Counters::read(&mut stage).unwrap().canister2, 3);
}

#[test]
fn a_canister1_that_does_not_know_canister2_does_nothing_and_says_what_to_do() {
    // Deployed under another name, canister2 is not who canister1 looks for.
    let callee = empty_folder("unknown-callee").join("canister3.wasm");
    fs::copy(wasm().join("canister2.wasm"), &callee).unwrap();
    let caller = wasm().join("canister1.wasm");
    let mut stage = stage_of(Modules {
        caller,
        callee,
        proxy: None,
    });
    let Got::Reject { code, message, .. } = call(&mut stage, "increment_both") else {
        panic!("it is not rejected");
    };
    assert_eq!(code, 5);
    for hint in ["icp deploy", "dfx deploy", "PUBLIC_CANISTER_ID:canister2"] {
        assert!(message.contains(hint), "{message}");
    }
    assert_eq!(Counters::read(&mut stage).unwrap(), Counters::default());
}

#[test]
fn anybody_may_call_the_pair_and_only_the_controller_may_change_it() {
    let mut stage = stage(&LESSON);
    stage.become_user(1).unwrap();
    call(&mut stage, "increment_both");
    assert_eq!(Counters::read(&mut stage).unwrap().canister1, 1);
    let refused = stage.upgrade(stage.caller).unwrap().unwrap_err();
    assert!(refused.message.contains("Only the controllers"));
    assert_eq!(Counters::read(&mut stage).unwrap().canister1, 1);
}
