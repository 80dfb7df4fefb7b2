//! What is gone through in every order: where 1000 attached cycles are, whatever two messages suffer.

use anyhow::Result;
use candid::utils::ArgumentEncoder;

use super::interface::{Account, Work};
use crate::exploration::{Exploration, FAULTS, Fault, Plan, Seen, finds, holds};
use crate::stage::Stage;

/// What the callee's service costs.
const PRICE: u128 = 400;

const SERVED: &str = "the callee has 400 cycles if it did the work, else none, and none get lost";

pub fn all() -> Vec<Exploration> {
    vec![
        finds(
            "call_rejecting_callee",
            "the callee accepts, then rejects",
            "cost 400 cycles for no work",
            |stage| served(stage, "call_rejecting_callee", ()),
        ),
        finds(
            "call_awaiting_callee",
            "the callee accepts, awaits, then traps",
            "cost 400 cycles for no work",
            |stage| served(stage, "call_awaiting_callee", ()),
        ),
        careful("the callee works, then accepts", Work::Succeeds),
        careful("the same, and the work is rejected", Work::Rejects),
        careful("the same, and the work traps", Work::Traps),
        finds(
            "call_bounded_wait",
            "bounded wait with more than the price; a message may get lost",
            "cost more than the price",
            |stage| Ok(costs_the_price(stage, "call_bounded_wait")?.faults(&[Fault::Lose], 1)),
        ),
        holds(
            "call_bounded_wait_with_the_price",
            "bounded wait with the price",
            "the caller loses the price at most, and the callee has it only if it did the work",
            |stage| {
                let plan = costs_the_price(stage, "call_bounded_wait_with_the_price")?;
                Ok(plan.faults(FAULTS, 2))
            },
        ),
    ]
}

fn careful(what: &'static str, work: Work) -> Exploration {
    let method = "call_careful_callee";
    holds(method, what, SERVED, move |stage| {
        Ok(served(stage, method, (work,))?.faults(FAULTS, 2))
    })
}

/// A call of a method, and the caller's account before it.
fn call(
    stage: &mut Stage,
    method: &str,
    arguments: impl ArgumentEncoder,
) -> Result<(Plan, Account)> {
    let before = stage.query(stage.callee, "account", (stage.caller,))?;
    let plan = Plan::from(stage)?
        .call(stage.caller, method, arguments)?
        .look(stage.callee, "account", (stage.caller,))?;
    Ok((plan, before))
}

/// What became of the attached cycles: what the callee has accepted, whether that is for its work, and
/// what got lost.
fn cycles(seen: &Seen<'_>, before: &Account) -> Result<(u128, bool, u128)> {
    let after: Account = seen.look(0)?;
    let accepted = after.accepted - before.accepted;
    let served = accepted == PRICE * u128::from(after.served - before.served);
    Ok((accepted, served, seen.lost_cycles()))
}

/// The callee takes its price for its work, and for nothing else; all else comes back.
fn served(stage: &mut Stage, method: &str, arguments: impl ArgumentEncoder) -> Result<Plan> {
    let (plan, before) = call(stage, method, arguments)?;
    Ok(plan.at_end(move |seen| {
        let (_, served, lost) = cycles(seen, &before)?;
        Ok(served && lost == 0)
    }))
}

/// The call costs the price at most, whether that is accepted or gets lost.
fn costs_the_price(stage: &mut Stage, method: &str) -> Result<Plan> {
    let (plan, before) = call(stage, method, ())?;
    Ok(plan.at_end(move |seen| {
        let (accepted, served, lost) = cycles(seen, &before)?;
        Ok(served && accepted + lost <= PRICE)
    }))
}
