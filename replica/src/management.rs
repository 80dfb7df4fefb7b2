//! The management canister `aaaaa-aa` (Interface Specification, "The IC management canister").
//!
//! It is called like a canister, by users and by canisters, but it is a part of the replica. What it
//! can be asked is in one table.

mod call;
mod canisters;
mod chunks;
mod control;
pub(crate) mod create;
pub(crate) mod effective;
mod information;
mod install;
mod installation;
mod network;
mod raw_rand;
mod snapshot_data;
mod snapshots;
mod table;

use candid::Principal;

use crate::message::{CallOrigin, CallResult, CanisterId, Cycles, ErrorCode, Reject};
use crate::rejects::memory_is_full;
use crate::replica::Replica;
use call::{Answer, Call};
use canisters::controlled;
pub(crate) use control::{start, stop};
pub(crate) use install::upgrade_to_same;
use table::{Handler, Method, Modes, Users};

/// Answers a call, now or later.
pub(crate) fn call(
    replica: &mut Replica,
    origin: CallOrigin,
    method: &str,
    argument: &[u8],
    cycles: Cycles,
) {
    let caller = origin.caller();
    let mut call = Call {
        caller,
        by_canister: matches!(origin, CallOrigin::Canister { .. }),
        origin,
        argument,
        cycles,
    };
    let answer = dispatch(replica, method, &mut call);
    replica.count_memory();
    if let Answer::Now(result) = answer.unwrap_or_else(|reject| Answer::Now(Err(reject))) {
        let time = replica.environment.time;
        replica.timeline.management(caller, time, method, &result);
        let id = Principal::management_canister();
        replica.respond(call.origin, id, result, call.cycles);
    }
}

/// The methods that take memory, and so work only where some is left.
const GROWING: [&str; 7] = [
    "install_code",
    "install_chunked_code",
    "upload_chunk",
    "take_canister_snapshot",
    "load_canister_snapshot",
    "upload_canister_snapshot_metadata",
    "upload_canister_snapshot_data",
];

fn dispatch(replica: &mut Replica, name: &str, call: &mut Call<'_>) -> Result<Answer, Reject> {
    let method = find_update(name)?;
    let environment = &replica.environment;
    let capacity = environment.limits.memory_capacity;
    if GROWING.contains(&name) && environment.memory_in_use >= capacity {
        return Err(memory_is_full(call.canister_id()?, capacity));
    }
    if !call.by_canister && method.users == Users::Nobody {
        return Err(only_canisters(name));
    }
    Ok(Answer::Now(match method.handler {
        Handler::Now(answer) => answer(replica, call),
        Handler::NowOrLater(answer) => return answer(replica, call),
        Handler::Read(answer) => answer(replica, call.caller, call.argument),
        Handler::Missing(feature) => Err(missing(name, feature)),
    }))
}

/// Answers a query call.
///
/// # Errors
///
/// A reject, also for methods that are not queries.
pub(crate) fn query(
    replica: &mut Replica,
    caller: Principal,
    name: &str,
    argument: &[u8],
) -> CallResult {
    match table::find(name).filter(|method| method.modes != Modes::Update) {
        Some(Method {
            handler: Handler::Read(answer),
            ..
        }) => answer(replica, caller, argument),
        Some(Method {
            handler: Handler::Missing(feature),
            ..
        }) => Err(missing(name, feature)),
        _ => Err(Reject::new(
            ErrorCode::CanisterMethodNotFound,
            format!("Management canister has no query method '{name}'"),
        )),
    }
}

/// Refuses a user's call that would be rejected anyway, before anything is done with it.
///
/// # Errors
///
/// The reject.
pub(crate) fn accept(
    replica: &mut Replica,
    sender: Principal,
    name: &str,
    argument: &[u8],
) -> Result<(), Reject> {
    let method = find_update(name)?;
    match method.users {
        Users::Nobody => Err(only_canisters(name)),
        Users::Everybody => Ok(()),
        Users::Named => method.effective.read(argument).map(|_| ()),
        Users::Controllers => match method.effective.read(argument)? {
            Some(id) => controlled(replica, id, sender).map(|_| ()),
            None => Ok(()),
        },
    }
}

/// The canister that pays for taking in a user's call: the one that it is about. Cycles for
/// everybody cost nobody anything, and new settings are paid for when they are in force, so that
/// they can free a canister that is frozen.
pub(crate) fn payer(name: &str, argument: &[u8]) -> Option<CanisterId> {
    let method = table::find(name)?;
    let is_free = match method.users {
        Users::Nobody | Users::Everybody => true,
        Users::Controllers | Users::Named => control::is_paid_later(name, argument.len()),
    };
    match is_free {
        true => None,
        false => method.effective.read(argument).ok()?,
    }
}

/// A method that can be called as an update. Of those that exist on the network, says why they
/// don't exist here.
fn find_update(name: &str) -> Result<&'static Method, Reject> {
    match table::find(name) {
        Some(Method {
            handler: Handler::Missing(feature),
            ..
        }) => Err(missing(name, feature)),
        Some(method) if method.modes == Modes::Query => Err(Reject::new(
            ErrorCode::CanisterRejectedMessage,
            format!("{name} can be called only as a query"),
        )),
        Some(method) => Ok(method),
        None => Err(Reject::new(
            ErrorCode::CanisterMethodNotFound,
            format!("Management canister has no method '{name}'"),
        )),
    }
}

fn only_canisters(method: &str) -> Reject {
    Reject::new(
        ErrorCode::CanisterRejectedMessage,
        format!("{method} can be called only by canisters, not by users"),
    )
}

fn missing(method: &str, feature: &str) -> Reject {
    Reject::new(
        ErrorCode::UnknownManagementMessage,
        format!("'{method}' is not available: this local replica does not have {feature}"),
    )
}
