//! What is gone through in every order: a stop while the callee dawdles, and a reply that harms.

use anyhow::{Error, Result};
use candid::Principal;
use ic_management_canister_types::StopCanisterArgs;

use super::interface::NameReply;
use crate::exploration::{Exploration, FAULTS, Fault, Plan, finds, holds};
use crate::stage::Stage;

pub fn all() -> Vec<Exploration> {
    vec![
        finds(
            "wait_for_ever",
            "a call of a callee that dawdles, and a controller who stops the caller; time passes",
            "end without the caller stopped: the command gives up",
            |stage| stop_meanwhile(stage, "wait_for_ever"),
        ),
        holds(
            "wait_with_deadline",
            "a call of a callee that dawdles, and a controller who stops the caller; time passes",
            "the caller is stopped",
            |stage| stop_meanwhile(stage, "wait_with_deadline"),
        ),
        finds(
            "ask_trusting",
            "a callee that replies with a number for a name",
            "leave the account waiting",
            |stage| ask(stage, "ask_trusting", NameReply::WrongType),
        ),
        careful("a callee that replies with a name", NameReply::Honest),
        careful("with a number for a name", NameReply::WrongType),
        careful("with a name of a million letters", NameReply::Huge),
        careful("with a bomb", NameReply::Bomb),
    ]
}

/// The clock runs ahead once, to the next deadline, while messages wait.
fn stop_meanwhile(stage: &mut Stage, method: &str) -> Result<Plan> {
    let management = Principal::management_canister();
    let caller = StopCanisterArgs {
        canister_id: stage.caller,
    };
    let plan = Plan::from(stage)?
        .call(stage.caller, method, ())?
        .call(management, "stop_canister", (caller,))?
        .faults(&[Fault::Late], 1);
    Ok(plan.at_end(|seen| Ok(seen.answers()[1].as_ref().is_some_and(Result::is_ok))))
}

fn careful(what: &'static str, reply: NameReply) -> Exploration {
    let free = "the account waits no more";
    holds("ask_careful", what, free, move |stage| {
        Ok(ask(stage, "ask_careful", reply)?.faults(FAULTS, 2))
    })
}

/// Asks for a reply, with a new account. In the end that waits no more.
fn ask(stage: &mut Stage, method: &str, reply: NameReply) -> Result<Plan> {
    let account: Result<u64, String> = stage.reply(stage.caller, "open", ())?;
    let account = account.map_err(Error::msg)?;
    let plan = Plan::from(stage)?
        .call(stage.caller, method, (account, reply))?
        .look(stage.caller, "waits", (account,))?;
    Ok(plan.at_end(|seen| {
        let waits: Result<bool, String> = seen.look(0)?;
        Ok(waits == Ok(false))
    }))
}
