//! The experiment of the lesson `interleaving`: two withdrawals of 80 from an account with 100.
//!
//! The code that is observed: `canisters/canister1/src/interleaving.rs` and `guard.rs`.

use anyhow::{Context, Result};

use crate::answer::Got;
use crate::lesson::{Experiment, Fact, Layout, Lesson, Question, Side, fact};
use crate::network::{Delivery, Kind, Sent};
use crate::stage::Stage;

/// The lesson.
pub const LESSON: Lesson = Lesson {
    name: "interleaving",
    about: "While a method awaits, other calls run: check, await, act, and the guard.",
    experiments,
    layout: Layout::List,
};

/// What every withdrawal and transfer is about. An account has 100.
const AMOUNT: u64 = 80;

// ---- The facts -------------------------------------------------------------------------------

const PAID: &str = "paid by canister2";
const LEFT: &str = "left in the account";
const MOVED: &str = "moved to another account";
const FIRST: &str = "the first call got";
const SECOND: &str = "the second call got";
const NEXT: &str = "another withdrawal got";
const THIRD: &str = "one for a third account got";
const REST: &str = "a withdrawal of 20 got";

const OK: &str = "reply: Ok";
const ERR: &str = "reply: Err";
const TRAP: &str = "reject 5, IC0503";

fn open(stage: &mut Stage) -> Result<u64> {
    stage.reply(stage.canister1, "interleaving_open", ())
}

fn paid(stage: &mut Stage, account: u64) -> Result<u64> {
    let (canister1, canister2) = (stage.canister1, stage.canister2);
    stage.query(canister2, "interleaving_paid", (canister1, account))
}

fn left(stage: &mut Stage, account: u64) -> Result<u64> {
    let balance: Option<u64> = stage.query(stage.canister1, "interleaving_balance", (account,))?;
    balance.context("the account is gone")
}

/// What was paid for an account and what is left in it.
fn paid_and_left(stage: &mut Stage, account: u64, predicted: [u64; 2]) -> Result<[Fact; 2]> {
    Ok([
        fact(PAID, predicted[0], paid(stage, account)?),
        fact(LEFT, predicted[1], left(stage, account)?),
    ])
}

// ---- What is done ----------------------------------------------------------------------------

/// Lets a call begin: it is executed until it awaits, and what it calls waits.
fn begin_withdrawal(stage: &mut Stage, method: &str, account: u64) -> Result<Sent> {
    let sent = stage.send(stage.canister1, method, (account, AMOUNT))?;
    stage.deliver_call(method)?;
    Ok(sent)
}

fn got(stage: &mut Stage, sent: &Sent) -> Result<String> {
    Ok(Got::read(&stage.answer(sent)?).words())
}

fn withdraw(stage: &mut Stage, method: &str, account: u64, amount: u64) -> Result<String> {
    let answer = stage.call(stage.canister1, method, (account, amount))?;
    Ok(Got::read(&answer).words())
}

/// Two withdrawals: the second begins while the first awaits.
fn two_withdrawals(
    stage: &mut Stage,
    method: &str,
    answers: [&str; 2],
    predicted: [u64; 2],
) -> Result<Vec<Fact>> {
    let account = open(stage)?;
    stage.begin_scene()?;
    stage.hold()?;
    let first = begin_withdrawal(stage, method, account)?;
    let second = begin_withdrawal(stage, method, account)?;
    stage.deliver_all()?;
    let mut facts = vec![
        fact(FIRST, answers[0], got(stage, &first)?),
        fact(SECOND, answers[1], got(stage, &second)?),
    ];
    facts.extend(paid_and_left(stage, account, predicted)?);
    Ok(facts)
}

/// Two withdrawals from one account and one from each of two others, all at the same time.
fn four_withdrawals(stage: &mut Stage, method: &str) -> Result<Vec<Fact>> {
    let (account, other, third) = (open(stage)?, open(stage)?, open(stage)?);
    stage.begin_scene()?;
    stage.hold()?;
    let mut sent = Vec::new();
    for account in [account, account, other, third] {
        sent.push(begin_withdrawal(stage, method, account)?);
    }
    stage.deliver_all()?;
    let mut facts = vec![
        fact(FIRST, OK, got(stage, &sent[0])?),
        fact(SECOND, ERR, got(stage, &sent[1])?),
        fact("one for another account got", OK, got(stage, &sent[2])?),
        fact(THIRD, ERR, got(stage, &sent[3])?),
    ];
    facts.extend(paid_and_left(stage, account, [80, 20])?);
    Ok(facts)
}

/// A transfer while a withdrawal with a guard awaits.
fn transfer_during_withdrawal(
    stage: &mut Stage,
    transfer: &str,
    answer: &str,
    predicted: [u64; 3],
) -> Result<Vec<Fact>> {
    let (account, other) = (open(stage)?, open(stage)?);
    stage.begin_scene()?;
    stage.hold()?;
    let withdrawal = begin_withdrawal(stage, "interleaving_withdraw", account)?;
    let moving = stage.send(stage.canister1, transfer, (account, other, AMOUNT))?;
    stage.deliver_call(transfer)?;
    stage.deliver_all()?;
    let moved = left(stage, other)?.saturating_sub(100);
    let mut facts = vec![
        fact("the withdrawal got", OK, got(stage, &withdrawal)?),
        fact("the transfer got", answer, got(stage, &moving)?),
        fact(MOVED, predicted[2], moved),
    ];
    facts.extend(paid_and_left(stage, account, [predicted[0], predicted[1]])?);
    Ok(facts)
}

/// A withdrawal that traps, and another one after it.
fn withdraw_after_trap(
    stage: &mut Stage,
    method: &str,
    answer: &str,
    predicted: [u64; 2],
) -> Result<Vec<Fact>> {
    let account = open(stage)?;
    stage.begin_scene()?;
    let mut facts = vec![
        fact(FIRST, TRAP, withdraw(stage, method, account, AMOUNT)?),
        fact(
            "paid and charged by then",
            "80 and 0",
            format!(
                "{} and {}",
                paid(stage, account)?,
                100u64.saturating_sub(left(stage, account)?)
            ),
        ),
    ];
    let next = withdraw(stage, "interleaving_withdraw", account, AMOUNT)?;
    facts.push(fact(NEXT, answer, next));
    facts.extend(paid_and_left(stage, account, predicted)?);
    Ok(facts)
}

/// A withdrawal that traps, a settlement by the owner, and two withdrawals after it.
fn settle_after_trap(stage: &mut Stage, method: &str) -> Result<Vec<Fact>> {
    let account = open(stage)?;
    stage.begin_scene()?;
    let first = withdraw(stage, method, account, AMOUNT)?;
    let settled = stage.call(stage.canister1, "interleaving_settle", (account,))?;
    let settled = Got::read(&settled).words();
    let again = withdraw(stage, "interleaving_withdraw", account, AMOUNT)?;
    let rest = withdraw(stage, "interleaving_withdraw", account, 100 - AMOUNT)?;
    let mut facts = vec![
        fact(FIRST, TRAP, first),
        fact("the settlement got", OK, settled),
        fact("another withdrawal of 80 got", ERR, again),
        fact(REST, OK, rest),
    ];
    facts.extend(paid_and_left(stage, account, [100, 0])?);
    Ok(facts)
}

/// Two withdrawals at the same time, and a trap when the first goes on after its await.
fn two_withdrawals_and_a_trap(stage: &mut Stage, method: &str) -> Result<Vec<Fact>> {
    let account = open(stage)?;
    stage.begin_scene()?;
    stage.hold()?;
    let first = begin_withdrawal(stage, method, account)?;
    let second = begin_withdrawal(stage, method, account)?;
    stage.deliver_call("interleaving_pay")?;
    stage.deliver(|message| message.kind == Kind::Response, Delivery::Trap)?;
    stage.deliver_all()?;
    let mut facts = vec![
        fact(FIRST, TRAP, got(stage, &first)?),
        fact(SECOND, ERR, got(stage, &second)?),
    ];
    facts.extend(paid_and_left(stage, account, [80, 20])?);
    Ok(facts)
}

// ---- All of them -----------------------------------------------------------------------------

fn experiments() -> Vec<Experiment> {
    vec![
        Experiment {
            method: "interleaving_withdraw_unguarded",
            what: "two withdrawals, and no guard",
            side: Side::Mistake,
            needs_local_replica: true,
            question: Some(paid_question(
                "An account has 100. Two calls withdraw 80 each: both are executed up to their await, then canister2 pays. How much does it pay?",
                "The second call checked while the first awaited. The account was not charged yet, so both found 100.",
            )),
            run: Box::new(|stage| {
                two_withdrawals(stage, "interleaving_withdraw_unguarded", [OK, OK], [160, 0])
            }),
        },
        Experiment {
            method: "interleaving_withdraw_guard_dropped_at_once",
            what: "two withdrawals, and let _ = Guard::new(..)",
            side: Side::Mistake,
            needs_local_replica: true,
            question: Some(paid_question(
                "The same with let _ = Guard::new(..)? as the first line. How much does canister2 pay?",
                "_ is no variable: what is assigned to it is dropped at once, and the guard with it.",
            )),
            run: Box::new(|stage| {
                let method = "interleaving_withdraw_guard_dropped_at_once";
                two_withdrawals(stage, method, [OK, OK], [160, 0])
            }),
        },
        Experiment {
            method: "interleaving_withdraw",
            what: "two withdrawals, and a guard for each account",
            side: Side::RightWay,
            needs_local_replica: true,
            question: Some(paid_question(
                "The same with let guard = Guard::new(..)?, one for each account. How much does canister2 pay?",
                "The guard is state like any other: it is kept at the await, and the second call finds it.",
            )),
            run: Box::new(|stage| {
                two_withdrawals(stage, "interleaving_withdraw", [OK, ERR], [80, 20])
            }),
        },
        Experiment {
            method: "interleaving_withdraw_one_per_caller",
            what: "two withdrawals, and a guard for each caller",
            side: Side::RightWay,
            needs_local_replica: true,
            question: Some(paid_question(
                "The same with a guard for each caller; both calls come from the owner. How much does canister2 pay?",
                "Only the owner may withdraw, so what keeps out the caller's second call keeps out every second call.",
            )),
            run: Box::new(|stage| {
                let method = "interleaving_withdraw_one_per_caller";
                two_withdrawals(stage, method, [OK, ERR], [80, 20])
            }),
        },
        Experiment {
            method: "interleaving_withdraw_at_most_two",
            what: "the same and two more, with a guard for each account and at most two in all",
            side: Side::RightWay,
            needs_local_replica: true,
            question: Some(Question {
                ask: "Two withdrawals from one account, then one from another and one from a third; no more than two may go on at a time. What does the one for the third account get?".to_owned(),
                choices: [OK, ERR, TRAP].map(str::to_owned).to_vec(),
                fact: THIRD,
                why: "The first and that for the other account go on already: these are two. The second was refused, and holds nothing.",
            }),
            run: Box::new(|stage| four_withdrawals(stage, "interleaving_withdraw_at_most_two")),
        },
        Experiment {
            method: "interleaving_transfer_unguarded",
            what: "a transfer without the guard, while a withdrawal with it awaits",
            side: Side::Mistake,
            needs_local_replica: true,
            question: Some(Question {
                ask: "A withdrawal of 80 has its guard and awaits. Now 80 are transferred to another account, by a method without an await. How much is moved?".to_owned(),
                choices: ["0", "20", "80"].map(str::to_owned).to_vec(),
                fact: MOVED,
                why: "A guard keeps out only those who ask for it. The transfer found 100, of which 80 were already on their way.",
            }),
            run: Box::new(|stage| {
                let method = "interleaving_transfer_unguarded";
                transfer_during_withdrawal(stage, method, OK, [80, 0, 80])
            }),
        },
        Experiment {
            method: "interleaving_transfer",
            what: "a transfer that shares the guard of the withdrawal",
            side: Side::RightWay,
            needs_local_replica: true,
            question: Some(Question {
                ask: "The same, but the transfer takes the guard of the withdrawal. How much is moved?"
                    .to_owned(),
                choices: ["0", "20", "80"].map(str::to_owned).to_vec(),
                fact: MOVED,
                why: "The guard is held by the withdrawal, so the transfer is refused and may be tried again.",
            }),
            run: Box::new(|stage| {
                transfer_during_withdrawal(stage, "interleaving_transfer", ERR, [80, 20, 0])
            }),
        },
        Experiment {
            method: "interleaving_withdraw_then_trap",
            what: "a trap after the payout: cleanup drops the guard, and the charge is undone",
            side: Side::Rule,
            needs_local_replica: false,
            question: Some(paid_question(
                "A withdrawal with a guard traps after the payout, in its last line. Then 80 are withdrawn once more. How much has canister2 paid?",
                "Cleanup dropped the guard, so the account is free. But the trap undid the charge, and the account has 100 again.",
            )),
            run: Box::new(|stage| {
                withdraw_after_trap(stage, "interleaving_withdraw_then_trap", OK, [160, 20])
            }),
        },
        Experiment {
            method: "interleaving_withdraw_then_trap_in_cleanup_too",
            what: "a trap after the payout, and one in cleanup: the guard stays",
            side: Side::Mistake,
            needs_local_replica: false,
            question: Some(Question {
                ask: "The same, and another local variable's Drop traps in cleanup. What does a later withdrawal get?".to_owned(),
                choices: [OK, ERR, TRAP].map(str::to_owned).to_vec(),
                fact: NEXT,
                why: "Cleanup is a message like any other: it trapped, so the release of the guard was undone. No line of the method will ever run again.",
            }),
            run: Box::new(|stage| {
                let method = "interleaving_withdraw_then_trap_in_cleanup_too";
                withdraw_after_trap(stage, method, ERR, [80, 100])
            }),
        },
        Experiment {
            method: "interleaving_settle",
            what: "after a trap that released the guard, the owner settles before anything else",
            side: Side::RightWay,
            needs_local_replica: false,
            question: Some(Question {
                ask: "A withdrawal of 80 from 100 trapped after the payout, and cleanup released its guard. Then the owner settles: canister2 is asked what it paid, and that is charged. What does a withdrawal of 20 get?".to_owned(),
                choices: [OK, ERR, TRAP].map(str::to_owned).to_vec(),
                fact: REST,
                why: "canister2 paid 80, so 20 are left, and these can be withdrawn.",
            }),
            run: Box::new(|stage| settle_after_trap(stage, "interleaving_withdraw_then_trap")),
        },
        Experiment {
            method: "interleaving_settle",
            what: "after a trap that left the guard behind, the owner settles",
            side: Side::RightWay,
            needs_local_replica: false,
            question: Some(Question {
                ask: "A withdrawal of 80 from 100 trapped after the payout, and its guard was left behind. Then the owner settles: canister2 is asked what it paid, and that is charged. What does a withdrawal of 20 get?".to_owned(),
                choices: [OK, ERR, TRAP].map(str::to_owned).to_vec(),
                fact: REST,
                why: "The settlement takes the guard over and releases it when it knows what was paid. 20 are left.",
            }),
            run: Box::new(|stage| {
                settle_after_trap(stage, "interleaving_withdraw_then_trap_in_cleanup_too")
            }),
        },
        Experiment {
            method: "interleaving_withdraw_charge_first",
            what: "two withdrawals without a guard that charge before they await, and a trap",
            side: Side::RightWay,
            needs_local_replica: true,
            question: Some(paid_question(
                "Two calls withdraw 80 each, without a guard; each charges before it awaits. The first traps after its await. How much does canister2 pay?",
                "The account was checked and charged in one message, so the second call found 20. The trap came later and could not undo it.",
            )),
            run: Box::new(|stage| {
                two_withdrawals_and_a_trap(stage, "interleaving_withdraw_charge_first")
            }),
        },
    ]
}

fn paid_question(ask: &str, why: &'static str) -> Question {
    Question {
        ask: ask.to_owned(),
        choices: ["0", "80", "100", "160"].map(str::to_owned).to_vec(),
        fact: PAID,
        why,
    }
}
