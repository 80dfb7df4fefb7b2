//! The right way of the lesson `ledger` with a fault at every message, one at a time and in pairs: in the
//! end there is one transfer, and the canister has what it owes. And the mistakes, which the same
//! treatment finds.

use crate::support::faults::{FAULTS, Fault, Scenario, World, try_all};
use candid::{Nat, Principal};
use observe::lessons::ledger::LESSON;
use observe::lessons::ledger::interface::{Account, Outcome, Progress, TransferArg, Transferred};

fn nat(number: u64) -> Nat {
    Nat::from(number)
}

fn is_done(outcome: &Outcome) -> bool {
    matches!(outcome, Ok(Progress::Done(_)))
}

/// A user who wants to withdraw 100 of 500, and calls until that is done.
const WITHDRAW: Scenario<()> = Scenario {
    lesson: &LESSON,
    prepare: |world| {
        prepare_deposit(world);
        let deposited: Outcome = world.call(world.caller, "deposit", (1u64, nat(500)));
        assert!(is_done(&deposited));
    },
    act: |world, ()| world.send(world.caller, "withdraw", (2u64, nat(100))),
    recover: |world, ()| world.send(world.caller, "withdraw", (2u64, nat(100))),
    check: |world, ()| check(world, 2, [390, 390, 580]),
};

/// A user who wants to deposit 500, and calls until that is done.
const DEPOSIT: Scenario<()> = Scenario {
    lesson: &LESSON,
    prepare: prepare_deposit,
    act: |world, ()| world.send(world.caller, "deposit", (1u64, nat(500))),
    recover: |world, ()| world.send(world.caller, "deposit", (1u64, nat(500))),
    check: |world, ()| check(world, 1, [500, 500, 480]),
};

fn prepare_deposit(world: &mut World) {
    let _gift: Result<Nat, String> = world.call(world.callee, "get_tokens", ());
    let to: Account = world.query(world.caller, "get_deposit_account", ());
    let arg = TransferArg::new(to, 510);
    let put: Transferred = world.call(world.callee, "icrc1_transfer", (arg,));
    put.unwrap();
}

fn check(world: &mut World, number: u64, expected: [u64; 3]) -> Result<(), String> {
    let user = Principal::anonymous();
    let outcome: Outcome = world.query(world.caller, "get_progress", (number,));
    let books = found_books(world, user);
    match is_done(&outcome) && books == expected.map(nat) {
        true => Ok(()),
        false => Err(format!("{books:?}, {outcome:?}")),
    }
}

fn found_books(world: &mut World, user: Principal) -> [Nat; 3] {
    let caller = world.caller;
    let mut tokens = |owner| world.query(world.callee, "icrc1_balance_of", (Account::of(owner),));
    let (has, users) = (tokens(caller), tokens(user));
    [world.query(caller, "get_balance", (user,)), has, users]
}

#[test]
fn any_two_faults_and_a_withdrawal_is_paid_once() {
    let faults = [FAULTS, &[Fault::UpgradeInFlight]].concat();
    let runs = try_all(&WITHDRAW, &faults, 2);
    println!("{runs} runs");
    assert!(runs > 100, "only {runs} runs");
}

#[test]
fn any_two_faults_and_a_deposit_is_credited_once() {
    let faults = [FAULTS, &[Fault::UpgradeInFlight]].concat();
    let runs = try_all(&DEPOSIT, &faults, 2);
    println!("{runs} runs");
    assert!(runs > 100, "only {runs} runs");
}

#[test]
fn any_two_faults_and_a_user_who_does_not_wait_is_paid_once() {
    let impatient = Scenario {
        act: |world, ()| {
            world.send(world.caller, "withdraw", (2u64, nat(100)));
            world.send(world.caller, "withdraw", (2u64, nat(100)));
        },
        ..WITHDRAW
    };
    let runs = try_all(&impatient, FAULTS, 2);
    println!("{runs} runs");
    assert!(runs > 100, "only {runs} runs");
}

/// The mistakes, which nobody has to call again for them to go wrong.
const WITHOUT_TIME: Scenario<()> = Scenario {
    act: |world, ()| world.send(world.caller, "withdraw_without_time", (nat(100),)),
    recover: |_, ()| (),
    check: |world, ()| match found_books(world, Principal::anonymous()) {
        books if books == [390, 390, 580].map(nat) => Ok(()),
        books => Err(format!("{books:?}")),
    },
    ..WITHDRAW
};

#[test]
#[should_panic(expected = "with [(2, Lose)]: [Nat(390), Nat(280), Nat(680)]")]
fn without_a_time_a_lost_answer_is_paid_twice() {
    try_all(&WITHOUT_TIME, &[Fault::Lose], 1);
}

#[test]
#[should_panic(expected = "with [(2, Lose)]: [Nat(390), Nat(280), Nat(680)]")]
fn with_a_new_time_a_lost_answer_is_paid_twice() {
    let new_time = Scenario {
        act: |world, ()| world.send(world.caller, "withdraw_with_new_time", (nat(100),)),
        ..WITHOUT_TIME
    };
    try_all(&new_time, &[Fault::Lose], 1);
}
