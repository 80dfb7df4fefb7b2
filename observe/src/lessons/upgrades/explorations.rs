//! What is gone through in every order: an order, and upgrades just before a message.

use anyhow::{Error, Result};
use candid::CandidType;
use serde::Deserialize;

use crate::exploration::{Exploration, FAULTS, Fault, Plan, finds, holds};
use crate::stage::Stage;

/// `OrderStatus` in the caller's interface, as far as it matters.
#[derive(CandidType, Deserialize)]
struct OrderStatus {
    order: Order,
}

#[derive(CandidType, Deserialize)]
struct Order {
    locked: bool,
    journal: Step,
}

#[derive(CandidType, Deserialize, PartialEq)]
enum Step {
    New,
    Sent,
    Done,
}

pub fn all() -> Vec<Exploration> {
    vec![
        finds(
            "order",
            "an order; a canister may be upgraded while it waits",
            "leave the order locked for ever",
            |stage| {
                let plan = order(stage, "order")?.faults(&[Fault::Upgrade], 1);
                Ok(plan.at_end(|seen| {
                    let status: Result<OrderStatus, String> = seen.look(0)?;
                    Ok(status.is_ok_and(|status| !status.order.locked))
                }))
            },
        ),
        holds(
            "order_with_journal",
            "an order with a journal, resumed afterwards",
            "the work is done exactly once and the journal says so, or nothing was begun",
            |stage| Ok(resumed(stage)?.faults(FAULTS, 2)),
        ),
    ]
}

fn order(stage: &mut Stage, method: &str) -> Result<Plan> {
    let number: Result<u64, String> = stage.reply(stage.caller, "open", ())?;
    let number = number.map_err(Error::msg)?;
    Plan::from(stage)?
        .call(stage.caller, method, (number,))?
        .afterwards(stage.caller, "resume", (number,))?
        .look(stage.caller, "look", (number,))?
        .look(stage.callee, "done", (stage.caller, number))
}

fn resumed(stage: &mut Stage) -> Result<Plan> {
    Ok(order(stage, "order_with_journal")?.at_end(|seen| {
        let status: Result<OrderStatus, String> = seen.look(0)?;
        let journal = status.map_err(Error::msg)?.order.journal;
        let done: u64 = seen.look(1)?;
        Ok((journal == Step::Done && done == 1) || (journal == Step::New && done == 0))
    }))
}
