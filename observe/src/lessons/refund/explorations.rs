//! What is gone through in every order: withdrawals from 100, and what is given back.

use anyhow::{Error, Result};

use crate::exploration::{Exploration, FAULTS, Fault, Plan, Seen, finds, holds};
use crate::stage::Stage;

const DEPOSIT: u64 = 100;
const AMOUNT: u64 = 80;

/// More than the callee pays.
const REJECTED: u64 = 95;

const ONE: &str = "a withdrawal of 80 from 100";
const BOTH: &str = "give back what was paid";
const KNOWN: &str = "the account has what was not paid, and nothing is pending";

pub fn all() -> Vec<Exploration> {
    vec![
        finds("withdraw_giving_back_in_drop", ONE, BOTH, |stage| {
            Ok(withdraw(stage, "withdraw_giving_back_in_drop")?.faults(&[Fault::Trap], 1))
        }),
        finds("withdraw_giving_back_on_any_error", ONE, BOTH, |stage| {
            Ok(withdraw(stage, "withdraw_giving_back_on_any_error")?.faults(&[Fault::Lose], 1))
        }),
        finds("withdraw_giving_back_on_any_reject", ONE, BOTH, |stage| {
            Ok(withdraw(stage, "withdraw_giving_back_on_any_reject")?.faults(&[Fault::Trap], 1))
        }),
        holds(
            "withdraw",
            "a withdrawal of 80 from 100, settled afterwards",
            KNOWN,
            |stage| Ok(settled(stage, &[AMOUNT], 0)?.faults(FAULTS, 2)),
        ),
        holds(
            "withdraw",
            "two withdrawals at the same time, settled afterwards",
            KNOWN,
            |stage| Ok(settled(stage, &[AMOUNT, 15], 0)?.faults(FAULTS, 2)),
        ),
        holds(
            "settle",
            "a withdrawal and a settlement at the same time, and another settlement afterwards",
            KNOWN,
            |stage| Ok(settled(stage, &[AMOUNT], 1)?.faults(FAULTS, 2)),
        ),
        holds(
            "settle",
            "the same with two settlements at the same time",
            KNOWN,
            |stage| Ok(settled(stage, &[AMOUNT], 2)?.faults(FAULTS, 1)),
        ),
        holds(
            "settle",
            "a withdrawal that the callee rejects, another one and a settlement, at the same time",
            KNOWN,
            |stage| Ok(settled(stage, &[REJECTED, 10], 1)?.faults(FAULTS, 1)),
        ),
        holds(
            "withdraw_unbounded",
            ONE,
            "the account has what was not paid",
            |stage| {
                let plan = withdraw(stage, "withdraw_unbounded")?;
                Ok(plan.faults(&[Fault::Reject, Fault::Lose, Fault::Stop], 2))
            },
        ),
        finds(
            "withdraw_unbounded",
            "the same, and its price: there is no record",
            "lose what was neither paid nor given back",
            |stage| {
                let plan = account(stage, "withdraw_unbounded", &[AMOUNT])?
                    .1
                    .at_end(|seen| {
                        let (left, paid) = look(seen)?;
                        Ok(left + paid >= DEPOSIT)
                    });
                Ok(plan.faults(&[Fault::Trap], 2))
            },
        ),
    ]
}

/// What is left in the account, and what the callee paid.
fn look(seen: &Seen<'_>) -> Result<(u64, u64)> {
    let left: Option<u64> = seen.look(0)?;
    Ok((left.unwrap_or(0), seen.look(1)?))
}

/// An account, and withdrawals from it at the same time.
fn account(stage: &mut Stage, method: &str, amounts: &[u64]) -> Result<(u64, Plan)> {
    let opened: Result<u64, String> = stage.reply(stage.caller, "open", ())?;
    let account = opened.map_err(Error::msg)?;
    let mut plan = Plan::from(stage)?
        .look(stage.caller, "balance", (account,))?
        .look(stage.callee, "paid", (stage.caller, account))?
        .sometimes("something is paid", |seen| Ok(look(seen)?.1 > 0));
    for amount in amounts {
        plan = plan.call(stage.caller, method, (account, *amount))?;
    }
    Ok((account, plan))
}

fn withdraw(stage: &mut Stage, method: &str) -> Result<Plan> {
    let (_, plan) = account(stage, method, &[AMOUNT])?;
    Ok(plan.at_end(|seen| {
        let (left, paid) = look(seen)?;
        Ok(left + paid == DEPOSIT)
    }))
}

/// The right way, settled when all is over, and so often meanwhile as well.
fn settled(stage: &mut Stage, amounts: &[u64], meanwhile: usize) -> Result<Plan> {
    let (account, mut plan) = account(stage, "withdraw", amounts)?;
    for _ in 0..meanwhile {
        plan = plan.call(stage.caller, "settle", (account,))?;
    }
    let plan = plan.afterwards(stage.caller, "settle", (account,))?.look(
        stage.caller,
        "pending",
        (account,),
    )?;
    Ok(plan.at_end(|seen| {
        let (left, paid) = look(seen)?;
        let pending: Option<u64> = seen.look(2)?;
        Ok(left + paid == DEPOSIT && pending.is_none())
    }))
}
