//! What is gone through in every order: the two counters of the pair.

use anyhow::Result;
use candid::Nat;

use crate::exploration::{Exploration, Fault, Plan, Seen, finds, holds};
use crate::stage::Stage;

/// All that can befall a call that waits without bound.
const FAULTS: &[Fault] = &[Fault::Trap, Fault::Reject, Fault::Stop, Fault::Upgrade];

pub const COMMITTED_BEFORE: &str = "canister2 never counts what canister1 did not commit before";

pub fn all() -> Vec<Exploration> {
    vec![
        finds(
            "increment_both",
            "one call; a message may trap",
            "count in canister1 alone: a call is not one transaction",
            |stage| {
                let plan = calls(stage, "increment_both", 1)?.faults(&[Fault::Trap], 1);
                Ok(plan.at_end(|seen| {
                    let (here, there) = counters(seen)?;
                    Ok(here == there)
                }))
            },
        ),
        finds(
            "increment_both_then_trap",
            "one call, which traps after its await",
            "count although the caller gets a reject",
            |stage| all_or_nothing(stage, "increment_both_then_trap"),
        ),
        holds(
            "increment_both",
            "two calls at the same time",
            COMMITTED_BEFORE,
            two_calls,
        ),
    ]
}

/// One call of a method of a new pair that counts nothing if it gives the user a reject.
pub fn all_or_nothing(stage: &mut Stage, method: &str) -> Result<Plan> {
    let plan = calls(stage, method, 1)?;
    Ok(plan.at_end(|seen| {
        let rejected = seen.answers().iter().flatten().any(Result::is_err);
        Ok(!rejected || counters(seen)? == (0, 0))
    }))
}

/// Two calls of `increment_both` of a new pair.
pub fn two_calls(stage: &mut Stage) -> Result<Plan> {
    let plan = calls(stage, "increment_both", 2)?.faults(FAULTS, 2);
    Ok(plan.at_end(|seen| {
        let (here, there) = counters(seen)?;
        Ok(there <= here && here <= 2)
    }))
}

/// So many calls of a method of a new pair.
fn calls(stage: &mut Stage, method: &str, number: usize) -> Result<Plan> {
    let (caller, callee) = (stage.caller, stage.callee);
    let mut plan = Plan::from(stage)?
        .look(caller, "get", ())?
        .look(callee, "get", ())?
        .sometimes("both count", move |seen| {
            Ok(counters(seen)? == (number as u64, number as u64))
        });
    for _ in 0..number {
        plan = plan.call(caller, method, ())?;
    }
    Ok(plan)
}

/// What canister1 and canister2 have counted.
fn counters(seen: &Seen<'_>) -> Result<(u64, u64)> {
    let read = |place| -> Result<u64> {
        let counter: Nat = seen.look(place)?;
        Ok(u64::try_from(counter.0)?)
    };
    Ok((read(0)?, read(1)?))
}
