//! What is gone through in every order: a point, whatever two messages suffer.

use anyhow::{Error, Result};
use candid::{CandidType, Principal};
use serde::de::DeserializeOwned;

use crate::exploration::{Exploration, FAULTS, Fault, Plan, Seen, finds, holds};
use crate::stage::Stage;

/// The caller may wait for three lost answers, and for a start.
const WAITS: usize = 10;

const ONE: &str = "there is exactly one point, and the caller knows it";

pub fn all() -> Vec<Exploration> {
    vec![
        finds(
            "add_point_without_id",
            "a point; an answer may get lost",
            "add two points",
            |stage| {
                let account = open(stage, stage.callee, (stage.caller,))?;
                let plan = Plan::from(stage)?
                    .call(stage.caller, "add_point_without_id", (account,))?
                    .look(stage.callee, "points", (account,))?
                    .faults(&[Fault::Lose], 1);
                Ok(plan.at_end(|seen| Ok(points(seen)? <= 1)))
            },
        ),
        holds(
            "add_point_once",
            "a point with an id, called for again afterwards",
            ONE,
            |stage| Ok(once(stage, 1)?.faults(FAULTS, 2)),
        ),
        holds(
            "add_point_once",
            "the same by a user who does not wait and calls twice at the same time",
            ONE,
            |stage| Ok(once(stage, 2)?.faults(FAULTS, 2)),
        ),
    ]
}

fn open(
    stage: &mut Stage,
    canister: Principal,
    arguments: impl candid::utils::ArgumentEncoder,
) -> Result<u64> {
    begun(stage, canister, "open", arguments)
}

fn begun<T: CandidType + DeserializeOwned>(
    stage: &mut Stage,
    canister: Principal,
    method: &str,
    arguments: impl candid::utils::ArgumentEncoder,
) -> Result<T> {
    let begun: Result<T, String> = stage.reply(canister, method, arguments)?;
    begun.map_err(Error::msg)
}

fn points(seen: &Seen<'_>) -> Result<u64> {
    let points: Option<u64> = seen.look(0)?;
    Ok(points.unwrap_or(0))
}

/// A point that was begun, called for so often at the same time and once more.
fn once(stage: &mut Stage, together: usize) -> Result<Plan> {
    let account = open(stage, stage.callee, (stage.caller,))?;
    let number: u64 = begun(stage, stage.caller, "begin", (account,))?;
    let mut plan = Plan::from(stage)?.most_waits(WAITS);
    for _ in 0..together {
        plan = plan.call(stage.caller, "add_point_once", (number,))?;
    }
    let plan = plan
        .afterwards(stage.caller, "add_point_once", (number,))?
        .look(stage.callee, "points", (account,))?
        .look(stage.caller, "result", (number,))?;
    Ok(plan.at_end(|seen| {
        let result: Result<Option<u64>, String> = seen.look(1)?;
        Ok(points(seen)? == 1 && result == Ok(Some(1)))
    }))
}
