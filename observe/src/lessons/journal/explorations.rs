//! What is gone through in every order: a transfer of 40 of 100, whatever two messages suffer.

use anyhow::{Error, Result};
use candid::CandidType;
use serde::Deserialize;

use crate::exploration::{Exploration, FAULTS, Fault, Plan, Seen, finds, holds};
use crate::stage::Stage;

const BALANCE: u64 = 100;
const AMOUNT: u64 = 40;

/// An account that the callee does not have.
const NO_ACCOUNT: u64 = 999;

/// All but a trap: one in the timer's own message undoes that the timer is set again.
const OUTSIDE: &[Fault] = &[Fault::Reject, Fault::Lose, Fault::Stop, Fault::Upgrade];

/// With two faults a transfer may wait for its timer, for its patience and for a start, twice each.
const WAITS: usize = 10;

/// `TransferId` in the caller's interface.
#[derive(CandidType, Clone, Copy)]
struct TransferId {
    account: u64,
    number: u64,
}

/// `TrapAt` in the caller's interface, as far as it is used.
#[derive(CandidType, Clone, Copy)]
enum TrapAt {
    Nowhere,
}

/// `Progress` in the caller's interface.
#[derive(CandidType, Debug, Deserialize, PartialEq)]
enum Progress {
    Intended,
    Added,
    Finished,
    Refused(String),
}

/// An account in the caller, as it tells it.
#[derive(CandidType, Deserialize)]
struct Account {
    balance: u64,
    receipts: u64,
}

pub fn all() -> Vec<Exploration> {
    vec![
        finds(
            "transfer_without_journal",
            "a transfer of 40 of 100",
            "send 40 without a receipt: who tries again sends them twice",
            without_journal,
        ),
        holds(
            "transfer",
            "a transfer of 40 of 100, asked for again afterwards",
            "40 are transferred exactly once, with one receipt",
            |stage| Ok(accepted(stage, 1)?.faults(FAULTS, 2)),
        ),
        holds(
            "transfer",
            "the same by a user who does not wait and asks for it twice at the same time",
            "40 are transferred exactly once, with one receipt",
            |stage| Ok(accepted(stage, 2)?.faults(FAULTS, 2)),
        ),
        holds(
            "transfer",
            "a transfer that the callee refuses, asked for again afterwards",
            "the 40 are given back exactly once",
            |stage| Ok(refused(stage)?.faults(FAULTS, 2)),
        ),
        holds(
            "resume",
            "a transfer of 40 of 100 that nobody asks for again: the timer resumes it",
            "40 are transferred exactly once, or nothing was begun",
            |stage| Ok(alone(stage)?.faults(OUTSIDE, 2)),
        ),
        finds(
            "resume",
            "the same, and messages trap, the timer's own among them",
            "leave the transfer open until somebody asks, as nobody sets the timer again",
            |stage| Ok(alone(stage)?.faults(&[Fault::Trap], 2)),
        ),
    ]
}

fn open(stage: &mut Stage) -> Result<(u64, u64)> {
    let from: Result<u64, String> = stage.reply(stage.caller, "open", (BALANCE,))?;
    let to: Result<u64, String> = stage.reply(stage.callee, "open", (stage.caller,))?;
    Ok((from.map_err(Error::msg)?, to.map_err(Error::msg)?))
}

/// The first transfer from an account, asked for so often at the same time and perhaps once more.
fn transfer(stage: &Stage, (from, to): (u64, u64), together: usize, again: bool) -> Result<Plan> {
    let id = TransferId {
        account: from,
        number: 1,
    };
    let arguments = (id, to, AMOUNT, TrapAt::Nowhere);
    let mut plan = Plan::from(stage)?.most_waits(WAITS);
    for _ in 0..together {
        plan = plan.call(stage.caller, "transfer", arguments)?;
    }
    if again {
        plan = plan.afterwards(stage.caller, "transfer", arguments)?;
    }
    plan.look(stage.caller, "get_account", (from,))?
        .look(stage.caller, "get_progress", (id,))?
        .look(stage.callee, "get_balance", (to,))
}

/// What is here, the receipts, how far it has come, and what is there.
fn look(seen: &Seen<'_>) -> Result<(u64, u64, Option<Progress>, u64)> {
    let account: Option<Account> = seen.look(0)?;
    let (here, receipts) = account.map_or((0, 0), |account| (account.balance, account.receipts));
    let there: Option<u64> = seen.look(2)?;
    Ok((here, receipts, seen.look(1)?, there.unwrap_or(0)))
}

const DONE: (u64, u64, Option<Progress>, u64) =
    (BALANCE - AMOUNT, 1, Some(Progress::Finished), AMOUNT);
const NOTHING: (u64, u64, Option<Progress>, u64) = (BALANCE, 0, None, 0);

fn accepted(stage: &mut Stage, together: usize) -> Result<Plan> {
    let accounts = open(stage)?;
    let plan = transfer(stage, accounts, together, true)?;
    Ok(plan.at_end(|seen| Ok(look(seen)? == DONE)))
}

fn refused(stage: &mut Stage) -> Result<Plan> {
    let (from, _) = open(stage)?;
    let plan = transfer(stage, (from, NO_ACCOUNT), 1, true)?;
    Ok(plan.at_end(|seen| {
        let (here, receipts, progress, _) = look(seen)?;
        Ok((here, receipts) == (BALANCE, 0) && matches!(progress, Some(Progress::Refused(_))))
    }))
}

fn alone(stage: &mut Stage) -> Result<Plan> {
    let accounts = open(stage)?;
    let plan = transfer(stage, accounts, 1, false)?
        .sometimes("it is transferred", |seen| Ok(look(seen)? == DONE));
    Ok(plan.at_end(|seen| Ok([DONE, NOTHING].contains(&look(seen)?))))
}

/// The mistake, and a user who tries again if there is no receipt.
fn without_journal(stage: &mut Stage) -> Result<Plan> {
    let (from, to) = open(stage)?;
    let arguments = (from, to, AMOUNT, TrapAt::Nowhere);
    let plan = Plan::from(stage)?
        .call(stage.caller, "transfer_without_journal", arguments)?
        .look(stage.caller, "get_account", (from,))?
        .look(stage.callee, "get_balance", (to,))?
        .faults(&[Fault::Trap], 1);
    Ok(plan.at_end(|seen| {
        let account: Option<Account> = seen.look(0)?;
        let receipts = account.map_or(0, |account| account.receipts);
        let there: Option<u64> = seen.look(1)?;
        Ok(receipts * AMOUNT == there.unwrap_or(0))
    }))
}
