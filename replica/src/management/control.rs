//! Settings, starting, stopping and deleting.

use std::sync::Arc;

use ic_management_canister_types::{ChangeDetails, ControllersChangeRecord, UpdateSettingsArgs};

use super::call::{Answer, Call};
use super::canisters::controlled;
use crate::canister::{Status, StopCall};
use crate::encoding::empty_reply;
use crate::explanations::with_help;
use crate::message::{CallResult, ErrorCode, Reject};
use crate::rejects::invalid_settings;
use crate::replica::Replica;

pub(super) fn update_settings(replica: &mut Replica, call: &mut Call<'_>) -> CallResult {
    let args: UpdateSettingsArgs = call.decode()?;
    call.check_sender_version(replica, args.sender_canister_version)?;
    let time = replica.environment.time;
    let canister = controlled(replica, args.canister_id, call.caller)?;
    let controllers_given = args.settings.controllers.is_some();
    let settings = canister.settings.changed(args.settings);
    let settings = settings.map_err(|fault| invalid_settings(&fault))?;
    let memory = canister.wasm_memory_size();
    if (1..memory).contains(&settings.wasm_memory_limit) {
        return Err(invalid_settings(&format!(
            "'wasm_memory_limit' is {}, but the canister's Wasm memory has {memory} bytes already",
            settings.wasm_memory_limit
        )));
    }
    let before = std::mem::replace(&mut canister.settings, Arc::new(settings));
    if canister.freezing_limit() > canister.balance
        && canister.settings.memory_allocation > before.memory_allocation
    {
        canister.settings = before;
        return Err(Reject::new(
            ErrorCode::InsufficientCyclesInMemoryAllocation,
            "Cannot increase memory allocation due to insufficient cycles.",
        ));
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

pub(super) fn start_canister(replica: &mut Replica, call: &mut Call<'_>) -> CallResult {
    let id = call.canister_id()?;
    let canister = controlled(replica, id, call.caller)?;
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
    Ok(empty_reply())
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
