//! A schedule in words: who executes what, for which call, and what goes wrong.

use std::collections::BTreeMap;

use anyhow::{Context, Result, anyhow};
use local_replica::MessageName;
use local_replica::explore::{Fault, Schedule, Step};

use super::plan::Plan;
use crate::network::{Kind, WaitingMessage};
use crate::stage::Stage;

/// The steps of a schedule, and what is done afterwards.
///
/// # Errors
///
/// If it can't be followed.
pub fn tell(stage: &Stage, plan: &Plan, schedule: &Schedule) -> Result<Vec<String>> {
    let Schedule(steps) = schedule;
    let waiting: Result<Vec<Vec<WaitingMessage>>> = (0..=steps.len())
        .map(|number| {
            let so_far = Schedule(steps[..number].to_vec());
            let replica = plan.explore.replay(&so_far).map_err(|why| anyhow!(why))?;
            Ok(replica.waiting_messages())
        })
        .collect();
    let waiting = waiting?;
    let calls = owners(&waiting, steps);
    let numbers = numbers(&waiting, &calls);
    let several = plan.calls > 1;
    let mut stopped: Vec<String> = Vec::new();
    let mut told = Vec::new();
    for (step, waiting) in steps.iter().zip(&waiting) {
        let (name, fault) = match step {
            Step::Deliver(name, fault) => (name, *fault),
            Step::Late => {
                told.push("the clock moves on while messages wait".to_owned());
                continue;
            }
            Step::Wait if stopped.is_empty() => {
                told.push("time passes".to_owned());
                continue;
            }
            Step::Wait => {
                let names = std::mem::take(&mut stopped).join(" and ");
                told.push(format!(
                    "nothing else can happen, and {names} is started again"
                ));
                continue;
            }
        };
        let message = waiting.iter().find(|one| one.name == *name);
        let mut message = message.context("the message does not wait")?.clone();
        if fault == Some(Fault::Stop) {
            stopped.push(stage.name(&message.to));
        }
        if let Some(number) = numbers.get(name) {
            message.method = format!("{} ({number})", message.method);
        }
        let what = deliver(stage, &message, fault);
        told.push(match calls.get(name).filter(|_| several) {
            Some(call) => format!("call {call}: {what}"),
            None => what,
        });
    }
    for (canister, method) in &plan.afterwards {
        let canister = stage.name(canister);
        told.push(format!("afterwards, {canister} executes {method}"));
    }
    Ok(told)
}

/// Which call each message belongs to: that of the message whose execution sent it.
fn owners(waiting: &[Vec<WaitingMessage>], steps: &[Step]) -> BTreeMap<MessageName, usize> {
    let first = waiting.first().into_iter().flatten();
    let calls = first.filter(|message| message.kind == Kind::Ingress);
    let calls = calls.enumerate().map(|(place, one)| (one.name, place + 1));
    let mut owners: BTreeMap<MessageName, usize> = calls.collect();
    for (step, pair) in steps.iter().zip(waiting.windows(2)) {
        let call = match step {
            Step::Deliver(name, _) => owners.get(name).copied(),
            Step::Late | Step::Wait => None,
        };
        let was_there = |one: &&WaitingMessage| pair[0].iter().any(|other| other.name == one.name);
        if let Some(call) = call {
            let sent = pair[1].iter().filter(|one| !was_there(one));
            owners.extend(sent.map(|one| (one.name, call)));
        }
    }
    owners
}

/// The numbers of a call's requests that can't be told from each other by canister and method: `1 of 2`.
/// A response has that of its request.
fn numbers(
    waiting: &[Vec<WaitingMessage>],
    calls: &BTreeMap<MessageName, usize>,
) -> BTreeMap<MessageName, String> {
    let mut sent: BTreeMap<_, Vec<MessageName>> = BTreeMap::new();
    let requests = waiting.iter().flatten();
    for message in requests.filter(|message| message.kind == Kind::Request) {
        let key = (calls.get(&message.name), message.to, &message.method);
        let alike = sent.entry(key).or_default();
        if !alike.contains(&message.name) {
            alike.push(message.name);
        }
    }
    let mut numbers = BTreeMap::new();
    for alike in sent.into_values().filter(|alike| alike.len() > 1) {
        for (place, name) in alike.iter().enumerate() {
            let number = format!("{} of {}", place + 1, alike.len());
            if let MessageName::Request(caller, callback) = *name {
                numbers.insert(MessageName::Response(caller, callback), number.clone());
            }
            numbers.insert(*name, number);
        }
    }
    numbers
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
