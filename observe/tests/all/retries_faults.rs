//! The right way of the lesson `retries` with a fault at every message, one at a time and in pairs:
//! in the end there is exactly one increment, and the caller knows its result. And the mistake, which
//! the same treatment finds.

use crate::support::faults::{FAULTS, Fault, Scenario, World, try_all};
use observe::lessons::retries::LESSON;

/// The number of the first increment that the caller begins.
const NUMBER: u64 = 0;

fn open(world: &mut World) -> u64 {
    let opened: Result<u64, String> = world.call(world.callee, "open", (world.caller,));
    opened.expect("there is room")
}

/// How often the callee incremented.
fn count(world: &mut World, account: u64) -> Option<u64> {
    world.query(world.callee, "count", (account,))
}

/// The result, if the caller knows it; an error if the increment was not even begun.
fn result(world: &mut World) -> Result<Option<u64>, String> {
    world.query(world.caller, "result", (NUMBER,))
}

/// Begins the increment, and calls for it. If it was begun before, this begins another one, which
/// nobody calls for.
fn increment_once(world: &mut World, account: u64) {
    world.send(world.caller, "begin", (account,));
    world.send(world.caller, "increment_once", (NUMBER,));
}

fn exactly_one(world: &mut World, account: u64) -> Result<(), String> {
    match (count(world, account), result(world)) {
        (Some(1), Ok(Some(1))) => Ok(()),
        other => Err(format!(
            "the callee's count and the caller's result: {other:?}"
        )),
    }
}

/// One user who wants one increment, and calls for it until the result is there.
const PATIENT: Scenario<u64> = Scenario {
    lesson: &LESSON,
    prepare: open,
    act: |world, account| increment_once(world, *account),
    recover: |world, account| increment_once(world, *account),
    check: |world, account| exactly_one(world, *account),
};

/// The same user, who doesn't wait for the answer before calling again.
const IMPATIENT: Scenario<u64> = Scenario {
    act: |world, account| {
        increment_once(world, *account);
        increment_once(world, *account);
    },
    ..PATIENT
};

/// Tries everything, and says how many runs that was.
fn try_singles_and_pairs(scenario: &Scenario<u64>) -> (usize, usize) {
    let faults = [FAULTS, &[Fault::UpgradeInFlight]].concat();
    let singles = try_all(scenario, &faults, 1);
    let pairs = try_all(scenario, &faults, 2);
    println!("{singles} runs with one fault or none, {pairs} with up to two");
    (singles, pairs)
}

#[test]
fn with_an_id_there_is_one_increment_whatever_two_messages_suffer() {
    // Six messages, of which each has four faults at least: begin, the call, the request, the
    // response, and what the user does to be sure.
    let (singles, pairs) = try_singles_and_pairs(&PATIENT);
    assert!(singles > 24 && pairs > 10 * singles, "{singles}, {pairs}");
}

#[test]
fn with_an_id_it_may_be_called_again_before_it_is_answered() {
    let (singles, pairs) = try_singles_and_pairs(&IMPATIENT);
    assert!(singles > 40 && pairs > 10 * singles, "{singles}, {pairs}");
}

/// The mistake, which nobody has to call again for it to go wrong.
const WITHOUT_ID: Scenario<u64> = Scenario {
    lesson: &LESSON,
    prepare: open,
    act: |world, account| {
        world.send(world.caller, "increment_without_id", (*account,));
    },
    recover: |_, _| (),
    check: |world, account| match count(world, *account) {
        Some(1) => Ok(()),
        other => Err(format!("the callee's count: {other:?}")),
    },
};

#[test]
#[should_panic(expected = "with [(2, Lose)]: the callee's count: Some(2)")]
fn without_an_id_a_lost_answer_makes_two_increments() {
    try_all(&WITHOUT_ID, &[Fault::Lose], 1);
}
