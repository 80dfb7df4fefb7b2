//! What is gone through in every order: an order that waits, and a deposit.

use anyhow::{Error, Result};
use candid::CandidType;
use serde::Deserialize;

use crate::exploration::{Exploration, FAULTS, Fault, Plan, finds, holds};
use crate::stage::Stage;

pub fn all() -> Vec<Exploration> {
    vec![
        finds(
            "order_while_borrowed",
            "an order that borrows while it waits, and a deposit",
            "trap",
            |stage| deposit_meanwhile(stage, "order_while_borrowed"),
        ),
        holds(
            "order",
            "an order that borrows nothing while it waits, and a deposit",
            "both succeed",
            |stage| deposit_meanwhile(stage, "order"),
        ),
        finds(
            "order_with_lock_that_opens",
            "an order; a message may trap",
            "open a lock over an order without a receipt",
            |stage| {
                let account = open(stage)?;
                let plan = Plan::from(stage)?
                    .call(stage.caller, "order_with_lock_that_opens", (account,))?
                    .faults(&[Fault::Trap], 1);
                look_at(stage, plan, &[account])
            },
        ),
        holds(
            "order_for_all",
            "orders for two accounts, and their owner settles afterwards",
            "there are as many receipts as orders, and the locks are open",
            |stage| Ok(settled(stage)?.faults(FAULTS, 2)),
        ),
    ]
}

/// What an account has, as far as it matters.
#[derive(CandidType, Deserialize)]
struct Account {
    receipts: u64,
    lock: LockState,
}

#[derive(CandidType, Deserialize, PartialEq)]
enum LockState {
    Open,
    Held,
    LeftBehind,
}

fn open(stage: &mut Stage) -> Result<u64> {
    let opened: Result<u64, String> = stage.reply(stage.caller, "open", ())?;
    opened.map_err(Error::msg)
}

/// Looks whether each account has as many receipts as orders, and an open lock.
fn look_at(stage: &Stage, mut plan: Plan, accounts: &[u64]) -> Result<Plan> {
    for account in accounts {
        plan = plan.look(stage.caller, "get_account", (*account,))?.look(
            stage.callee,
            "get_orders",
            (stage.caller, *account),
        )?;
    }
    let number = accounts.len();
    Ok(plan.at_end(move |seen| {
        for place in 0..number {
            let account: Option<Account> = seen.look(2 * place)?;
            let orders: u64 = seen.look(2 * place + 1)?;
            let right =
                |account: Account| account.lock == LockState::Open && account.receipts == orders;
            if !account.is_some_and(right) {
                return Ok(false);
            }
        }
        Ok(true)
    }))
}

fn settled(stage: &mut Stage) -> Result<Plan> {
    let accounts = vec![open(stage)?, open(stage)?];
    let mut plan = Plan::from(stage)?.call(stage.caller, "order_for_all", (accounts.clone(),))?;
    for account in &accounts {
        plan = plan.afterwards(stage.caller, "settle", (*account,))?;
    }
    look_at(stage, plan, &accounts)
}

fn deposit_meanwhile(stage: &mut Stage, method: &str) -> Result<Plan> {
    let account = open(stage)?;
    let plan = Plan::from(stage)?
        .call(stage.caller, method, (account,))?
        .call(stage.caller, "deposit", (account, 1u32))?;
    Ok(plan.at_end(|seen| {
        let replies: Vec<Result<(), String>> = seen.replies()?;
        Ok(replies == [Ok(()), Ok(())])
    }))
}
