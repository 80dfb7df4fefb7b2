//! The harness of `support::faults`: it hits every message, and notices what goes wrong.

use std::sync::Mutex;

use observe::lessons::rollback::LESSON;

use crate::support::faults::{FAULTS, Fault, Scenario, World, try_all};

/// One call of `increment_both`, which nobody tries again: a request and its response.
fn scenario(check: fn(&mut World, &()) -> Result<(), String>) -> Scenario<()> {
    Scenario {
        lesson: &LESSON,
        prepare: |_| (),
        act: |world, ()| world.send(world.caller, "increment_both", ()),
        recover: |_, ()| (),
        check,
    }
}

/// What canister1 and canister2 have counted.
fn counted(world: &mut World) -> [u64; 2] {
    [world.caller, world.callee].map(|canister| {
        let counter: candid::Nat = world.query(canister, "get", ());
        u64::try_from(counter.0).expect("it is small")
    })
}

#[test]
fn each_of_the_three_messages_gets_the_faults_that_fit_it() {
    for (fault, fits) in [
        (Fault::Trap, 3),
        (Fault::Reject, 1),
        (Fault::Lose, 0), // It waits without bound.
        (Fault::Stop, 3),
        (Fault::Upgrade, 3),
        (Fault::UpgradeInFlight, 3),
    ] {
        let runs = try_all(&scenario(|_, ()| Ok(())), &[fault], 1);
        assert_eq!(runs, 1 + fits, "{fault:?}");
    }
}

#[test]
fn a_fault_changes_what_happens_from_its_message_on() {
    static COUNTED: Mutex<Vec<[u64; 2]>> = Mutex::new(Vec::new());
    let remember = |world: &mut World, _: &()| {
        COUNTED.lock().unwrap().push(counted(world));
        Ok(())
    };
    try_all(&scenario(remember), &[Fault::Trap], 1);
    let mut counted = COUNTED.lock().unwrap().clone();
    counted.sort_unstable();
    // The method traps; canister2 traps; the callback traps, or nothing does.
    assert_eq!(counted, [[0, 0], [1, 0], [1, 1], [1, 1]]);
}

#[test]
#[should_panic(expected = "with [(1, Reject)]: [1, 0]")]
fn what_goes_wrong_is_told_with_the_faults_that_caused_it() {
    let both_counted = |world: &mut World, _: &()| match counted(world) {
        [1, 1] => Ok(()),
        other => Err(format!("{other:?}")),
    };
    try_all(&scenario(both_counted), &[Fault::Reject], 1);
}

#[test]
fn a_pair_of_faults_hits_two_messages() {
    let singles = try_all(&scenario(|_, ()| Ok(())), FAULTS, 1);
    let pairs = try_all(&scenario(|_, ()| Ok(())), FAULTS, 2);
    println!("{singles} runs with one fault or none, {pairs} with up to two");
    assert!(pairs > singles);
}
