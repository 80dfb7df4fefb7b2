//! Settings, starting, stopping and deleting.

use std::sync::Arc;

use ic_management_canister_types::{ChangeDetails, ControllersChangeRecord, UpdateSettingsArgs};

use super::call::{Answer, Call};
use super::canisters::controlled;
use crate::canister::{Status, StopCall};
use crate::encoding::empty_reply;
use crate::explanations::with_help;
use crate::fees;
use crate::message::{CallResult, CanisterId, ErrorCode, Reject};
use crate::rejects::invalid_settings;
use crate::replica::Replica;

const UPDATE_SETTINGS: &str = "update_settings";

/// The longest argument of `update_settings` that is paid for later, in bytes.
const PAID_LATER: usize = 338;

/// Whether a user's call is paid for after it was executed.
pub(super) fn is_paid_later(method: &str, argument_length: usize) -> bool {
    method == UPDATE_SETTINGS && argument_length <= PAID_LATER
}

pub(super) fn update_settings(replica: &mut Replica, call: &mut Call<'_>) -> CallResult {
    let args: UpdateSettingsArgs = call.decode()?;
    let id = args.canister_id;
    let result = change_settings(replica, call, args);
    if !call.by_canister && is_paid_later(UPDATE_SETTINGS, call.argument.len()) {
        let fee = fees::ingress(UPDATE_SETTINGS.len() + call.argument.len());
        // Who can't pay even now gets it for nothing.
        if let Some(canister) = replica.canisters.get_mut(&id)
            && canister.liquid_balance() >= fee
        {
            canister.balance -= fee;
            canister.consumed.ingress += fee;
            replica.environment.consumed += fee;
        }
    }
    result
}

fn change_settings(replica: &mut Replica, call: &Call<'_>, args: UpdateSettingsArgs) -> CallResult {
    call.check_sender_version(replica, args.sender_canister_version)?;
    let time = replica.environment.time;
    let canister = controlled(replica, args.canister_id, call.caller)?;
    let controllers_given = args.settings.controllers.is_some();
    let settings = canister.settings.changed(args.settings)?;
    let memory = canister.wasm_memory_size();
    if (1..memory).contains(&settings.wasm_memory_limit) {
        return Err(invalid_settings(&format!(
            "'wasm_memory_limit' is {}, but the canister's Wasm memory has {memory} bytes already",
            settings.wasm_memory_limit
        )));
    }
    let before = std::mem::replace(&mut canister.settings, Arc::new(settings));
    let missing = canister.freezing_limit().saturating_sub(canister.balance);
    if missing > 0 {
        let now = &canister.settings;
        let refused = if now.memory_allocation > before.memory_allocation {
            Some((
                ErrorCode::InsufficientCyclesInMemoryAllocation,
                format!("memory allocation to {}", told_size(now.memory_allocation)),
                "insufficient-cycles-in-memory-allocation",
            ))
        } else if now.compute_allocation > before.compute_allocation {
            Some((
                ErrorCode::InsufficientCyclesInComputeAllocation,
                format!("compute allocation to {}%", now.compute_allocation),
                "insufficient-cycles-in-compute-allocation",
            ))
        } else {
            None
        };
        if let Some((code, what, section)) = refused {
            canister.settings = before;
            return Err(with_help(
                code,
                &format!(
                    "Cannot increase {what} due to insufficient cycles. At least {missing} \
                     additional cycles are required."
                ),
                "Top up the canister with more cycles.",
                section,
            ));
        }
    }
    canister.log.trim(canister.settings.log_memory_limit);
    if controllers_given {
        let details = ChangeDetails::ControllersChange(ControllersChangeRecord {
            controllers: canister.settings.controllers.iter().copied().collect(),
        });
        let origin = call.change_origin(args.sender_canister_version);
        canister.record_change(time, origin, details);
    } else {
        canister.version += 1;
    }
    replica.notice_low_memory(args.canister_id);
    Ok(empty_reply())
}

/// A size in bytes in the largest unit of which it is at least one.
fn told_size(bytes: u64) -> String {
    const UNITS: [&str; 6] = ["KiB", "MiB", "GiB", "TiB", "PiB", "EiB"];
    let mut size = bytes as f64;
    let mut unit = None;
    for larger in UNITS {
        if size < 1024.0 {
            break;
        }
        size /= 1024.0;
        unit = Some(larger);
    }
    match unit {
        None => format!("{bytes} B"),
        Some(unit) => format!("{size:.2} {unit}"),
    }
}

pub(super) fn start_canister(replica: &mut Replica, call: &mut Call<'_>) -> CallResult {
    let id = call.canister_id()?;
    controlled(replica, id, call.caller)?;
    start(replica, id);
    Ok(empty_reply())
}

/// Lets a canister take calls again.
pub(crate) fn start(replica: &mut Replica, id: CanisterId) {
    let Some(canister) = replica.canisters.get_mut(&id) else {
        return;
    };
    let before = std::mem::replace(&mut canister.status, Status::Running);
    canister.version += 1;
    replica.watch_timer(id);
    if let Status::Stopping { waiting } = before {
        let reject = Reject::new(
            ErrorCode::CanisterStoppingCancelled,
            format!("Canister {id} was started before it had stopped"),
        );
        replica.answer_stop_calls(waiting, &Err(reject));
    }
}

/// Has a canister take no more calls; nobody waits until it has stopped.
pub(crate) fn stop(replica: &mut Replica, id: CanisterId) {
    if let Some(canister) = replica.canisters.get_mut(&id)
        && canister.is_running()
    {
        canister.version += 1;
        canister.status = Status::Stopping {
            waiting: Vec::new(),
        };
        replica.stop_if_finished(id);
    }
}

/// Answers when the canister has stopped.
pub(super) fn stop_canister(replica: &mut Replica, call: &mut Call<'_>) -> Result<Answer, Reject> {
    let id = call.canister_id()?;
    let stop = StopCall {
        origin: call.origin.clone(),
        cycles: call.cycles,
        since: replica.environment.time,
    };
    let canister = controlled(replica, id, call.caller)?;
    canister.version += 1;
    match &mut canister.status {
        Status::Stopped => return Ok(Answer::Now(Ok(empty_reply()))),
        Status::Stopping { waiting } => waiting.push(stop),
        Status::Running => {
            canister.status = Status::Stopping {
                waiting: vec![stop],
            };
        }
    }
    replica.stop_if_finished(id);
    Ok(Answer::Later)
}

pub(super) fn delete_canister(replica: &mut Replica, call: &mut Call<'_>) -> CallResult {
    let id = call.canister_id()?;
    if call.caller == id {
        return Err(with_help(
            ErrorCode::CanisterInvalidController,
            &format!("Canister {id} cannot delete itself."),
            "Delete the canister from one of its other controllers.",
            "delete-canister-self",
        ));
    }
    let canister = controlled(replica, id, call.caller)?;
    if !matches!(canister.status, Status::Stopped) {
        return Err(with_help(
            ErrorCode::CanisterNotStopped,
            &format!("Canister {id} must be stopped before it is deleted."),
            "Stop the canister before deleting it.",
            "delete-canister-not-stopped",
        ));
    }
    replica.environment.instances.forget(id);
    if let Some(canister) = replica.canisters.remove(&id) {
        replica.burned += canister.balance;
        replica.deleted.insert(id);
    }
    Ok(empty_reply())
}
