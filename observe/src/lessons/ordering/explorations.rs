//! What is gone through in every order: responses, and entries that are appended.

use anyhow::{Error, Result};

use crate::exploration::{Exploration, Fault, Plan, Seen, finds, holds};
use crate::stage::Stage;

/// So many entries are appended.
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
            "who is told two prices is told the right ones",
            |stage| Ok(prices(stage, "ask_prices_by_call")?.faults(FAULTS, 2)),
        ),
        finds(
            "append_in_a_loop",
            "3 entries, each with a call of its own",
            "leave a part of the list",
            |stage| Ok(append(stage, "append_in_a_loop")?.faults(&[Fault::Trap], 1)),
        ),
        finds(
            "append_in_parallel",
            "3 entries, each with a call of its own",
            "leave a part of the list",
            |stage| Ok(append(stage, "append_in_parallel")?.faults(&[Fault::Trap], 1)),
        ),
        holds(
            "append_as_a_batch",
            "3 entries with one call",
            "the list has all of them, or none",
            |stage| Ok(append(stage, "append_as_a_batch")?.faults(FAULTS, 2)),
        ),
        holds(
            "append_as_a_batch",
            "3 entries with one call, and two of others at the same time",
            "nothing comes between the entries of the batch",
            |stage| {
                let mut plan = appending(stage, "append_as_a_batch")?;
                for other in [8u64, 9] {
                    plan = plan.call(stage.callee, "append", (stage.user(), other))?;
                }
                Ok(plan.at_end(|seen| {
                    let list = list(seen)?;
                    Ok(list.len() == 5 && list.windows(3).any(|part| part == [1, 2, 3]))
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

fn append(stage: &mut Stage, method: &str) -> Result<Plan> {
    let plan =
        appending(stage, method)?.sometimes("all are appended", |seen| Ok(list(seen)?.len() == 3));
    Ok(plan.at_end(|seen| Ok(matches!(list(seen)?[..], [] | [1, 2, 3]))))
}

/// An empty list of the user's, to which 1, 2, 3 are appended.
fn appending(stage: &mut Stage, method: &str) -> Result<Plan> {
    let opened: Result<(), String> = stage.reply(stage.callee, "open_list", (stage.caller,))?;
    opened.map_err(Error::msg)?;
    Plan::from(stage)?
        .call(stage.caller, method, (COUNT,))?
        .look(stage.callee, "list", (stage.user(),))
}

fn list(seen: &Seen<'_>) -> Result<Vec<u64>> {
    let list: Option<Vec<u64>> = seen.look(0)?;
    Ok(list.unwrap_or_default())
}
