//! What is gone through in every order: an order that waits, and a deposit.

use anyhow::{Error, Result};

use crate::exploration::{Exploration, Plan, finds, holds};
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
    ]
}

fn deposit_meanwhile(stage: &mut Stage, method: &str) -> Result<Plan> {
    let opened: Result<u64, String> = stage.reply(stage.caller, "open", ())?;
    let account = opened.map_err(Error::msg)?;
    let plan = Plan::from(stage)?
        .call(stage.caller, method, (account,))?
        .call(stage.caller, "deposit", (account, 1u32))?;
    Ok(plan.at_end(|seen| {
        let replies: Vec<Result<(), String>> = seen.replies()?;
        Ok(replies == [Ok(()), Ok(())])
    }))
}
