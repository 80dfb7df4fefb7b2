//! What is gone through in every order: responses, and items that are put into a basket.

use anyhow::{Error, Result};

use crate::exploration::{Exploration, Fault, Plan, Seen, finds, holds};
use crate::stage::Stage;

/// So many items are put into a basket.
const COUNT: u64 = 3;

/// All that can befall a call that waits without bound.
const FAULTS: &[Fault] = &[Fault::Trap, Fault::Reject, Fault::Stop, Fault::Upgrade];

pub fn all() -> Vec<Exploration> {
    vec![
        finds(
            "ask_prices_by_arrival",
            "the prices of an apple (10) and a pear (20)",
            "name a wrong price",
            |stage| prices(stage, "ask_prices_by_arrival"),
        ),
        holds(
            "ask_prices_by_call",
            "the prices of an apple (10) and a pear (20)",
            "nobody is told a wrong price",
            |stage| Ok(prices(stage, "ask_prices_by_call")?.faults(FAULTS, 2)),
        ),
        finds(
            "put_in_a_loop",
            "3 items, each with a call of its own",
            "leave a part of them in the basket",
            |stage| Ok(put(stage, "put_in_a_loop")?.faults(&[Fault::Trap], 1)),
        ),
        finds(
            "put_in_parallel",
            "3 items, each with a call of its own",
            "leave a part of them in the basket",
            |stage| Ok(put(stage, "put_in_parallel")?.faults(&[Fault::Trap], 1)),
        ),
        holds(
            "put_as_a_batch",
            "3 items with one call",
            "the basket has all of them, or none",
            |stage| Ok(put(stage, "put_as_a_batch")?.faults(FAULTS, 2)),
        ),
        holds(
            "put_as_a_batch",
            "3 items with one call, and two of others at the same time",
            "nothing comes between the items of the batch",
            |stage| {
                let mut plan = putting(stage, "put_as_a_batch")?;
                for other in [8u64, 9] {
                    plan = plan.call(stage.callee, "put", (stage.user(), other))?;
                }
                Ok(plan.at_end(|seen| {
                    let basket = basket(seen)?;
                    Ok(basket.len() == 5 && basket.windows(3).any(|part| part == [1, 2, 3]))
                }))
            },
        ),
    ]
}

fn prices(stage: &mut Stage, method: &str) -> Result<Plan> {
    let plan = Plan::from(stage)?
        .call(stage.caller, method, ())?
        .sometimes("both prices are told", |seen| Ok(!told(seen)?.is_empty()));
    Ok(plan.at_end(|seen| {
        let right = [("apple".to_owned(), 10), ("pear".to_owned(), 20)];
        Ok(told(seen)?.iter().all(|prices| *prices == right))
    }))
}

/// The prices that were told, if they were.
fn told(seen: &Seen<'_>) -> Result<Vec<Vec<(String, u64)>>> {
    let replies: Vec<Result<Vec<(String, u64)>, String>> = seen.replies()?;
    Ok(replies.into_iter().flatten().collect())
}

fn put(stage: &mut Stage, method: &str) -> Result<Plan> {
    let plan = putting(stage, method)?;
    let plan = plan.sometimes("all are in the basket", |seen| Ok(basket(seen)?.len() == 3));
    Ok(plan.at_end(|seen| Ok(matches!(basket(seen)?[..], [] | [1, 2, 3]))))
}

/// An empty basket of the user's, into which 1, 2, 3 are put.
fn putting(stage: &mut Stage, method: &str) -> Result<Plan> {
    let opened: Result<(), String> = stage.reply(stage.callee, "open_basket", (stage.caller,))?;
    opened.map_err(Error::msg)?;
    Plan::from(stage)?
        .call(stage.caller, method, (COUNT,))?
        .look(stage.callee, "basket", (stage.user(),))
}

fn basket(seen: &Seen<'_>) -> Result<Vec<u64>> {
    let basket: Option<Vec<u64>> = seen.look(0)?;
    Ok(basket.unwrap_or_default())
}
