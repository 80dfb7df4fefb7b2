//! Two withdrawals of 80 from an account with 100.
//!
//! The code that is observed: `lessons/03-interleaving`.

mod explorations;

use anyhow::{Context, Error, Result};

use crate::answer::Got;
use crate::lesson::{
    Canisters, Experiment, Fact, Layout, Lesson, Question, fact, mistake, right_way, rule,
};
use crate::network::{Delivery, Kind, Sent};
use crate::stage::Stage;

pub const LESSON: Lesson = Lesson {
    name: "interleaving",
    about: "While a method awaits, other calls run: check, await, act, and the guard.",
    canisters: Canisters::Room,
    introduction: None,
    experiments,
    explorations: explorations::all,
    layout: Layout::List,
};

/// What every withdrawal and transfer is about, and what an account has at first.
const AMOUNT: u64 = 80;
const DEPOSIT: u64 = 100;

const PAID: &str = "paid by the callee";
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

// ---- What is done ----------------------------------------------------------------------------

/// An account with 100, new for each experiment.
#[derive(Clone, Copy)]
struct Account(u64);

impl Account {
    fn open(stage: &mut Stage) -> Result<Self> {
        let opened: Result<u64, String> = stage.reply(stage.caller, "open", ())?;
        let account = Account(opened.map_err(Error::msg)?);
        stage.watch(stage.caller, "balance", (account.0,))?;
        stage.watch(stage.callee, "paid", (stage.caller, account.0))?;
        Ok(account)
    }

    /// What the callee paid for it.
    fn paid(self, stage: &mut Stage) -> Result<u64> {
        stage.query(stage.callee, "paid", (stage.caller, self.0))
    }

    fn left(self, stage: &mut Stage) -> Result<u64> {
        let balance: Option<u64> = stage.query(stage.caller, "balance", (self.0,))?;
        balance.context("the account is gone")
    }

    /// Lets a withdrawal begin: it is executed until it awaits, and what it calls waits.
    fn begin_withdrawal(self, stage: &mut Stage, method: &str) -> Result<Sent> {
        let sent = stage.send(stage.caller, method, (self.0, AMOUNT))?;
        stage.deliver_call(method)?;
        Ok(sent)
    }

    fn withdraw(self, stage: &mut Stage, method: &str, amount: u64) -> Result<String> {
        let answer = stage.call(stage.caller, method, (self.0, amount))?;
        Ok(Got::read(&answer).words())
    }
}

fn got(stage: &mut Stage, sent: &Sent) -> Result<String> {
    Ok(Got::read(&stage.answer(sent)?).words())
}

/// What is predicted, where methods differ.
#[derive(Clone, Copy)]
struct Predicted {
    /// What the second call gets.
    second: &'static str,
    /// What the callee pays.
    paid: u64,
    left: u64,
    /// What is moved to another account.
    moved: u64,
}

/// One withdrawal, and nothing else.
const ONE: Predicted = Predicted {
    second: ERR,
    paid: 80,
    left: 20,
    moved: 0,
};

/// One withdrawal too many.
const TWO: Predicted = Predicted {
    second: OK,
    paid: 160,
    left: 0,
    moved: 0,
};

/// Two withdrawals: the second begins while the first awaits.
fn two_withdrawals(stage: &mut Stage, method: &str, predicted: Predicted) -> Result<Vec<Fact>> {
    let account = Account::open(stage)?;
    stage.begin_scene()?;
    stage.hold()?;
    let first = account.begin_withdrawal(stage, method)?;
    let second = account.begin_withdrawal(stage, method)?;
    stage.deliver_all()?;
    Ok(vec![
        fact(FIRST, OK, got(stage, &first)?),
        fact(SECOND, predicted.second, got(stage, &second)?),
        fact(PAID, predicted.paid, account.paid(stage)?),
        fact(LEFT, predicted.left, account.left(stage)?),
    ])
}

/// The same, and a trap when the first goes on after its await.
fn two_withdrawals_and_a_trap(stage: &mut Stage, method: &str) -> Result<Vec<Fact>> {
    let account = Account::open(stage)?;
    stage.begin_scene()?;
    stage.hold()?;
    let first = account.begin_withdrawal(stage, method)?;
    let second = account.begin_withdrawal(stage, method)?;
    stage.deliver_call("pay")?;
    stage.deliver(|message| message.kind == Kind::Response, Delivery::Trap)?;
    stage.deliver_all()?;
    Ok(vec![
        fact(FIRST, TRAP, got(stage, &first)?),
        fact(SECOND, ERR, got(stage, &second)?),
        fact(PAID, 80, account.paid(stage)?),
        fact(LEFT, 20, account.left(stage)?),
    ])
}

/// Two withdrawals from one account and one from each of two others, all at the same time.
fn four_withdrawals(stage: &mut Stage, method: &str) -> Result<Vec<Fact>> {
    let account = Account::open(stage)?;
    let (other, third) = (Account::open(stage)?, Account::open(stage)?);
    stage.begin_scene()?;
    stage.hold()?;
    let first = account.begin_withdrawal(stage, method)?;
    let second = account.begin_withdrawal(stage, method)?;
    let other = other.begin_withdrawal(stage, method)?;
    let third = third.begin_withdrawal(stage, method)?;
    stage.deliver_all()?;
    Ok(vec![
        fact(FIRST, OK, got(stage, &first)?),
        fact(SECOND, ERR, got(stage, &second)?),
        fact("one for another account got", OK, got(stage, &other)?),
        fact(THIRD, ERR, got(stage, &third)?),
        fact(PAID, 80, account.paid(stage)?),
        fact(LEFT, 20, account.left(stage)?),
    ])
}

/// A transfer while a withdrawal with a guard awaits.
fn transfer_during_withdrawal(
    stage: &mut Stage,
    transfer: &str,
    predicted: Predicted,
) -> Result<Vec<Fact>> {
    let (account, other) = (Account::open(stage)?, Account::open(stage)?);
    stage.begin_scene()?;
    stage.hold()?;
    let withdrawal = account.begin_withdrawal(stage, "withdraw")?;
    let moving = stage.send(stage.caller, transfer, (account.0, other.0, AMOUNT))?;
    stage.deliver_call(transfer)?;
    stage.deliver_all()?;
    let moved = other.left(stage)?.saturating_sub(DEPOSIT);
    Ok(vec![
        fact("the withdrawal got", OK, got(stage, &withdrawal)?),
        fact("the transfer got", predicted.second, got(stage, &moving)?),
        fact(MOVED, predicted.moved, moved),
        fact(PAID, predicted.paid, account.paid(stage)?),
        fact(LEFT, predicted.left, account.left(stage)?),
    ])
}

/// A withdrawal that traps, and another one after it.
fn withdraw_after_trap(stage: &mut Stage, method: &str, predicted: Predicted) -> Result<Vec<Fact>> {
    let account = Account::open(stage)?;
    stage.begin_scene()?;
    let first = account.withdraw(stage, method, AMOUNT)?;
    let charged = DEPOSIT.saturating_sub(account.left(stage)?);
    let by_then = format!("{} and {charged}", account.paid(stage)?);
    let next = account.withdraw(stage, "withdraw", AMOUNT)?;
    Ok(vec![
        fact(FIRST, TRAP, first),
        fact("paid and charged by then", "80 and 0", by_then),
        fact(NEXT, predicted.second, next),
        fact(PAID, predicted.paid, account.paid(stage)?),
        fact(LEFT, predicted.left, account.left(stage)?),
    ])
}

/// A withdrawal that traps, a settlement by the owner, and two withdrawals after it.
fn settle_after_trap(stage: &mut Stage, method: &str) -> Result<Vec<Fact>> {
    let account = Account::open(stage)?;
    stage.begin_scene()?;
    let first = account.withdraw(stage, method, AMOUNT)?;
    let settled = stage.call(stage.caller, "settle", (account.0,))?;
    let again = account.withdraw(stage, "withdraw", AMOUNT)?;
    let rest = account.withdraw(stage, "withdraw", DEPOSIT - AMOUNT)?;
    Ok(vec![
        fact(FIRST, TRAP, first),
        fact("the settlement got", OK, Got::read(&settled).words()),
        fact("another withdrawal of 80 got", ERR, again),
        fact(REST, OK, rest),
        fact(PAID, 100, account.paid(stage)?),
        fact(LEFT, 0, account.left(stage)?),
    ])
}

// ---- The experiments -------------------------------------------------------------------------

fn experiments() -> Vec<Experiment> {
    vec![
        mistake(
            "withdraw_unguarded",
            "two withdrawals at the same time, without a guard",
            |stage| two_withdrawals(stage, "withdraw_unguarded", TWO),
        )
        .asks(paid_question(
            "An account has 100. Two calls withdraw 80 each: both are executed up to their await, \
             then the callee pays. How much does it pay?",
            "The second call checked while the first awaited. The account was not charged yet, so \
             both found 100.",
        ))
        .on_local_replica(),
        mistake(
            "withdraw_guard_dropped_at_once",
            "two withdrawals at the same time, with let _ = Guard::new(..)",
            |stage| two_withdrawals(stage, "withdraw_guard_dropped_at_once", TWO),
        )
        .asks(paid_question(
            "The same with let _ = Guard::new(..)? as the first line. How much does the callee pay?",
            "_ is not a variable: a value assigned to it is dropped at once, and so is the guard.",
        ))
        .on_local_replica(),
        right_way(
            "withdraw",
            "two withdrawals at the same time, with a guard for each account",
            |stage| two_withdrawals(stage, "withdraw", ONE),
        )
        .asks(paid_question(
            "The same with let guard = Guard::new(..)?, one for each account. How much does the \
             callee pay?",
            "The guard is state like any other: the commit point keeps it, and the second call finds \
             it.",
        ))
        .on_local_replica(),
        right_way(
            "withdraw_one_per_caller",
            "two withdrawals at the same time, with a guard for each user",
            |stage| two_withdrawals(stage, "withdraw_one_per_caller", ONE),
        )
        .asks(paid_question(
            "The same with a guard for each user who calls; both calls come from the owner. How \
             much does the callee pay?",
            "Only the owner may withdraw, so a guard that refuses the owner's second call refuses \
             every second call.",
        ))
        .on_local_replica(),
        right_way(
            "withdraw_at_most_two",
            "four withdrawals, with a guard for each account and at most two in all",
            |stage| four_withdrawals(stage, "withdraw_at_most_two"),
        )
        .asks(Question::new(
            "Two withdrawals from one account, then one from another and one from a third. At most \
             two may run at a time. What does the one for the third account get?",
            [OK, ERR, TRAP],
            THIRD,
            "Two run already: the first, and the one from the other account. The second was refused, \
             and holds nothing.",
        ))
        .on_local_replica(),
        mistake(
            "transfer_unguarded",
            "a transfer without the guard, while a withdrawal holds it",
            |stage| {
                let predicted = Predicted {
                    second: OK,
                    moved: 80,
                    left: 0,
                    ..ONE
                };
                transfer_during_withdrawal(stage, "transfer_unguarded", predicted)
            },
        )
        .asks(moved_question(
            "A withdrawal of 80 has its guard and awaits. Now 80 are transferred to another \
             account, by a method without an await. How much is moved?",
            "A guard refuses only methods that ask for it. The transfer found 100, and 80 of them \
             were already on their way.",
        ))
        .on_local_replica(),
        right_way(
            "transfer",
            "a transfer that takes the same guard as the withdrawal",
            |stage| transfer_during_withdrawal(stage, "transfer", ONE),
        )
        .asks(moved_question(
            "The same, but the transfer takes the guard of the withdrawal. How much is moved?",
            "The withdrawal holds the guard, so the transfer is refused. It can be tried again later.",
        ))
        .on_local_replica(),
        rule(
            "withdraw_then_trap",
            "a trap after the payout: cleanup drops the guard, and the charge is undone",
            |stage| {
                let predicted = Predicted { left: 20, ..TWO };
                withdraw_after_trap(stage, "withdraw_then_trap", predicted)
            },
        )
        .asks(paid_question(
            "A withdrawal with a guard traps after the payout, in its last line. Then another one \
             withdraws 80. How much has the callee paid?",
            "Cleanup dropped the guard, so the account is free. But the trap undid the charge, and \
             the account has 100 again.",
        )),
        mistake(
            "withdraw_then_trap_in_cleanup_too",
            "a trap after the payout, and one in cleanup: the guard stays",
            |stage| {
                let predicted = Predicted { left: 100, ..ONE };
                withdraw_after_trap(stage, "withdraw_then_trap_in_cleanup_too", predicted)
            },
        )
        .asks(Question::new(
            "The same, and another local variable's Drop traps in cleanup. What does a later \
             withdrawal get?",
            [OK, ERR, TRAP],
            NEXT,
            "Cleanup is a message like any other. It trapped, so the release of the guard was undone. \
             No line of the method will ever run again.",
        )),
        right_way(
            "settle",
            "after a trap that released the guard, the owner settles first",
            |stage| settle_after_trap(stage, "withdraw_then_trap"),
        )
        .asks(Question::new(
            "A withdrawal of 80 from 100 trapped after the payout, and cleanup released its guard. \
             Then the owner settles: the callee is asked what it paid, and that is charged. What \
             does a withdrawal of 20 get?",
            [OK, ERR, TRAP],
            REST,
            "The callee paid 80, so 20 are left to be withdrawn.",
        )),
        right_way(
            "settle",
            "after a trap that left the guard behind, the owner settles",
            |stage| settle_after_trap(stage, "withdraw_then_trap_in_cleanup_too"),
        )
        .asks(Question::new(
            "A withdrawal of 80 from 100 trapped after the payout, and its guard was left behind. \
             Then the owner settles: the callee is asked what it paid, and that is charged. What \
             does a withdrawal of 20 get?",
            [OK, ERR, TRAP],
            REST,
            "The settlement takes the guard over and releases it when it knows what was paid. 20 \
             are left.",
        )),
        right_way(
            "withdraw_charge_first",
            "two withdrawals that charge before they await; the first then traps",
            |stage| two_withdrawals_and_a_trap(stage, "withdraw_charge_first"),
        )
        .asks(paid_question(
            "Two calls withdraw 80 each; each charges before it awaits, and holds no guard then. The \
             first traps after its await. How much does the callee pay?",
            "The account was checked and charged in one message, so the second call found 20. The \
             trap came later and could not undo it.",
        ))
        .on_local_replica(),
    ]
}

fn paid_question(ask: &str, why: &'static str) -> Question {
    Question::new(ask, ["0", "80", "100", "160"], PAID, why)
}

fn moved_question(ask: &str, why: &'static str) -> Question {
    Question::new(ask, ["0", "20", "80"], MOVED, why)
}
