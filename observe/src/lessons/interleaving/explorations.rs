//! What is gone through in every order: two calls that want the same 80 of 100.

use anyhow::{Error, Result};

use crate::exploration::{Exploration, FAULTS, Fault, Plan, Seen, finds, holds};
use crate::stage::Stage;

/// What an account has at first, and what each call wants of it.
const DEPOSIT: u64 = 100;
const AMOUNT: u64 = 80;

const TWO: &str = "two withdrawals of 80 from 100";
const SETTLED: &str = "the account has what was not paid";
const PAID_ONCE: &str = "80 are paid at most once, and the account has what was not paid";

/// What a payout, the callee and the canisters can suffer. The charge is in the callback of a
/// withdrawal with a guard, and the guard in memory, so that a trap there or an upgrade in flight is
/// the subject of the lesson's second half.
const OUTSIDE: &[Fault] = &[Fault::Reject, Fault::Stop];

pub fn all() -> Vec<Exploration> {
    vec![
        finds("withdraw_unguarded", TWO, "pay twice", |stage| {
            withdrawals(stage, "withdraw_unguarded")
        }),
        finds(
            "withdraw_guard_dropped_at_once",
            TWO,
            "pay twice",
            |stage| withdrawals(stage, "withdraw_guard_dropped_at_once"),
        ),
        holds("withdraw", TWO, PAID_ONCE, |stage| {
            Ok(withdrawals(stage, "withdraw")?.faults(OUTSIDE, 2))
        }),
        holds("withdraw_one_per_caller", TWO, PAID_ONCE, |stage| {
            Ok(withdrawals(stage, "withdraw_one_per_caller")?.faults(OUTSIDE, 2))
        }),
        holds("withdraw_at_most_two", TWO, PAID_ONCE, |stage| {
            Ok(withdrawals(stage, "withdraw_at_most_two")?.faults(OUTSIDE, 2))
        }),
        finds(
            "transfer_unguarded",
            "a withdrawal with a guard and a transfer without it, 80 each of 100",
            "take 80 twice",
            |stage| transfer(stage, "transfer_unguarded"),
        ),
        holds(
            "transfer",
            "a withdrawal and a transfer, both with the guard, 80 each of 100",
            "80 are taken at most once",
            |stage| Ok(transfer(stage, "transfer")?.faults(OUTSIDE, 2)),
        ),
        finds(
            "withdraw",
            "two withdrawals with a guard, and a trap after the payout",
            "pay twice: the guard kept others out, and did not do the work",
            |stage| {
                let plan = two(stage, "withdraw")?.at_end(|seen| Ok(accounts(seen)?.1 <= AMOUNT));
                Ok(plan.faults(&[Fault::Trap], 1))
            },
        ),
        holds(
            "settle",
            "a withdrawal of 80 from 100 and a settlement, and another settlement afterwards",
            SETTLED,
            |stage| Ok(settled(stage, 1, 1)?.faults(FAULTS, 2)),
        ),
        holds(
            "settle",
            "the same with two withdrawals",
            SETTLED,
            |stage| Ok(settled(stage, 2, 1)?.faults(OUTSIDE, 1)),
        ),
        holds(
            "settle",
            "the same with two settlements",
            SETTLED,
            |stage| Ok(settled(stage, 1, 2)?.faults(FAULTS, 1)),
        ),
        holds(
            "withdraw_charge_first",
            "two withdrawals of 80 from 100 that charge before they await",
            "80 are paid at most once, and what was paid is charged",
            |stage| {
                let plan = two(stage, "withdraw_charge_first")?;
                let plan = plan.at_end(|seen| {
                    let (left, paid) = accounts(seen)?;
                    Ok(paid <= AMOUNT && left + paid <= DEPOSIT)
                });
                Ok(plan.faults(FAULTS, 2))
            },
        ),
    ]
}

fn open(stage: &mut Stage) -> Result<u64> {
    let opened: Result<u64, String> = stage.reply(stage.caller, "open", ())?;
    opened.map_err(Error::msg)
}

/// What is left in the account, and what the callee paid for it.
fn accounts(seen: &Seen<'_>) -> Result<(u64, u64)> {
    let left: Option<u64> = seen.look(0)?;
    Ok((left.unwrap_or(0), seen.look(1)?))
}

fn look_at(stage: &Stage, plan: Plan, account: u64) -> Result<Plan> {
    let plan = plan.look(stage.caller, "balance", (account,))?;
    plan.look(stage.callee, "paid", (stage.caller, account))
}

/// Two calls of a method that withdraws 80.
fn two(stage: &mut Stage, method: &str) -> Result<Plan> {
    let account = open(stage)?;
    let plan = Plan::from(stage)?
        .call(stage.caller, method, (account, AMOUNT))?
        .call(stage.caller, method, (account, AMOUNT))?
        .sometimes("80 are paid", |seen| Ok(accounts(seen)?.1 == AMOUNT));
    look_at(stage, plan, account)
}

fn withdrawals(stage: &mut Stage, method: &str) -> Result<Plan> {
    Ok(two(stage, method)?.at_end(|seen| {
        let (left, paid) = accounts(seen)?;
        Ok(paid <= AMOUNT && left + paid == DEPOSIT)
    }))
}

/// A withdrawal with a guard, and a transfer to another account.
fn transfer(stage: &mut Stage, method: &str) -> Result<Plan> {
    let (account, other) = (open(stage)?, open(stage)?);
    let plan = Plan::from(stage)?
        .call(stage.caller, "withdraw", (account, AMOUNT))?
        .call(stage.caller, method, (account, other, AMOUNT))?
        .sometimes("80 are paid", |seen| Ok(accounts(seen)?.1 == AMOUNT));
    let plan = look_at(stage, plan, account)?.look(stage.caller, "balance", (other,))?;
    Ok(plan.at_end(|seen| {
        let (left, paid) = accounts(seen)?;
        let other: Option<u64> = seen.look(2)?;
        Ok(left + paid + other.unwrap_or(0) == 2 * DEPOSIT)
    }))
}

/// Withdrawals with a guard and settlements at the same time, and a settlement afterwards.
fn settled(stage: &mut Stage, withdrawals: usize, settlements: usize) -> Result<Plan> {
    let account = open(stage)?;
    let mut plan = Plan::from(stage)?
        .afterwards(stage.caller, "settle", (account,))?
        .sometimes("80 are paid", |seen| Ok(accounts(seen)?.1 == AMOUNT));
    for _ in 0..withdrawals {
        plan = plan.call(stage.caller, "withdraw", (account, AMOUNT))?;
    }
    for _ in 0..settlements {
        plan = plan.call(stage.caller, "settle", (account,))?;
    }
    let plan = look_at(stage, plan, account)?;
    Ok(plan.at_end(|seen| {
        let (left, paid) = accounts(seen)?;
        Ok(left + paid == DEPOSIT)
    }))
}
