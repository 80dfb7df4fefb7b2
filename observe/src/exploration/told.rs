//! A schedule in words: who executes what, for which call, and what goes wrong.

use std::collections::BTreeMap;

use anyhow::{Result, anyhow};
use local_replica::explore::{Fault, Schedule, Step};
use local_replica::{MessageName, Replica};

use super::plan::Plan;
use crate::network::{Kind, WaitingMessage};
use crate::stage::Stage;

/// The steps of a schedule, and what is done afterwards.
///
/// # Errors
///
/// If it can't be followed.
pub fn tell(stage: &Stage, plan: &Plan, schedule: &Schedule) -> Result<Vec<String>> {
    let state_after = |steps: usize| -> Result<Replica> {
        let so_far = Schedule(schedule.0[..steps].to_vec());
        plan.explore.replay(&so_far).map_err(|why| anyhow!(why))
    };
    let mut waiting = state_after(0)?.waiting_messages();
    let calls = waiting.iter().filter(|one| one.kind == Kind::Ingress);
    // Which call a message belongs to: it was sent while one was executed that belongs to it.
    let mut calls: BTreeMap<MessageName, usize> = calls
        .enumerate()
        .map(|(place, one)| (one.name, place + 1))
        .collect();
    let several = calls.len() > 1;
    let mut told = Vec::new();
    for (place, step) in schedule.0.iter().enumerate() {
        let delivered = match step {
            Step::Deliver(name, _) => waiting.iter().find(|one| one.name == *name),
            Step::Late | Step::Wait => None,
        };
        let call = delivered.and_then(|one| calls.get(&one.name)).copied();
        let what = match (step, delivered) {
            (Step::Deliver(_, fault), Some(message)) => deliver(stage, message, *fault),
            (Step::Late, _) => "the clock moves on while messages wait".to_owned(),
            _ => "time passes; what was stopped is started again".to_owned(),
        };
        told.push(match call.filter(|_| several) {
            Some(call) => format!("call {call}: {what}"),
            None => what,
        });
        let next = state_after(place + 1)?.waiting_messages();
        if let Some(call) = call {
            for message in &next {
                if !waiting.iter().any(|one| one.name == message.name) {
                    calls.insert(message.name, call);
                }
            }
        }
        waiting = next;
    }
    for (canister, method) in &plan.afterwards {
        told.push(format!(
            "afterwards, {} executes {method}",
            stage.name(canister)
        ));
    }
    Ok(told)
}

fn deliver(stage: &Stage, message: &WaitingMessage, fault: Option<Fault>) -> String {
    let (from, to) = (stage.name(&message.from), stage.name(&message.to));
    let method = &message.method;
    let what = match message.kind {
        Kind::Ingress | Kind::Request | Kind::Task => format!("{to} executes {method}"),
        Kind::Response => format!("{to} gets the answer of {method}"),
    };
    match fault {
        None | Some(Fault::Late) => what,
        Some(Fault::Trap) => format!("{what}, and TRAPS"),
        Some(Fault::Reject) => format!("the system REJECTS the call of {to}.{method}"),
        Some(Fault::Lose) if message.kind == Kind::Response => {
            format!("the answer of {from}.{method} to {to} GETS LOST")
        }
        Some(Fault::Lose) => format!("the call of {to}.{method} GETS LOST"),
        Some(Fault::Stop) => format!("{to} is STOPPED before {} arrives", arriving(message)),
        Some(Fault::Upgrade) => format!("{to} is UPGRADED before {} arrives", arriving(message)),
    }
}

fn arriving(message: &WaitingMessage) -> String {
    let method = &message.method;
    match message.kind {
        Kind::Ingress | Kind::Request => format!("the call of {method}"),
        Kind::Response => format!("the answer of {method}"),
        Kind::Task => format!("its {method}"),
    }
}
