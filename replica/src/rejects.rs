//! The rejects that the system makes in more than one place, each with its error code and text.

use crate::explanations::{Help, error_from, with_help};
use crate::message::{CanisterId, Cycles, ErrorCode, Reject};

/// There is no such canister to call.
pub(crate) fn not_found(canister: CanisterId) -> Reject {
    Reject::in_place_of_callee(
        ErrorCode::CanisterNotFound,
        format!("Canister {canister} not found"),
    )
}

/// The canister can't pay for what it would have to do. Only its controllers are told how much is
/// missing.
pub(crate) fn out_of_cycles(canister: CanisterId, missing: Option<Cycles>) -> Reject {
    let mut text = format!("Canister {canister} is out of cycles");
    if let Some(missing) = missing {
        text += &format!(": please top up the canister with at least {missing} additional cycles");
    }
    Reject::new(ErrorCode::CanisterOutOfCycles, text)
}

/// The canister can't pay for its storage, and answers no queries.
pub(crate) fn frozen(canister: CanisterId) -> Reject {
    Reject::new(
        ErrorCode::CanisterOutOfCycles,
        format!(
            "Canister {canister} is unable to process query calls because it's frozen. Please top \
             up the canister with cycles and try again."
        ),
    )
}

/// The canister is stopping, and takes no calls.
pub(crate) fn stopping(canister: CanisterId) -> Reject {
    Reject::in_place_of_callee(
        ErrorCode::CanisterStopping,
        format!("Canister {canister} is stopping"),
    )
}

/// The canister is stopped, and takes no calls.
pub(crate) fn stopped(canister: CanisterId) -> Reject {
    Reject::in_place_of_callee(
        ErrorCode::CanisterStopped,
        format!("Canister {canister} is stopped"),
    )
}

/// The canister is empty.
pub(crate) fn no_module(canister: CanisterId) -> Reject {
    error_from(
        canister,
        ErrorCode::CanisterWasmModuleNotFound,
        "Attempted to execute a message, but the canister contains no Wasm module.",
        &Help::Developer(
            "Please install code to this canister before calling it.",
            "wasm-module-not-found",
        ),
    )
}

/// The canister is empty, and takes in no message from a user.
pub(crate) fn no_module_to_take_in() -> Reject {
    Reject::new(
        ErrorCode::CanisterWasmModuleNotFound,
        "Requested canister has no wasm module",
    )
}

/// The canister has no method of this name that can be called as an update.
pub(crate) fn no_update_method(canister: CanisterId, method: &str) -> Reject {
    no_method(canister, "update", method)
}

/// The canister has no method of this name that can be called as a query.
pub(crate) fn no_query_method(canister: CanisterId, method: &str) -> Reject {
    no_method(canister, "query", method)
}

fn no_method(canister: CanisterId, kind: &str, method: &str) -> Reject {
    error_from(
        canister,
        ErrorCode::CanisterMethodNotFound,
        &format!("Canister has no {kind} method '{method}'."),
        &Help::Developer(
            "Check that the method being called is exported by the target canister.",
            "method-not-found",
        ),
    )
}

/// The canister gave no answer, and nothing is left that could give one.
pub(crate) fn did_not_reply(canister: CanisterId) -> Reject {
    Reject::new(
        ErrorCode::CanisterDidNotReply,
        format!("Canister {canister} did not reply to the call"),
    )
}

/// The same, as a canister is told that called it.
pub(crate) fn no_response() -> Reject {
    Reject::in_place_of_callee(ErrorCode::CanisterDidNotReply, "No response")
}

/// The argument of a call that the system answers is not one that it can be called with.
pub(crate) fn invalid_argument(fault: impl Into<String>) -> Reject {
    Reject::new(ErrorCode::InvalidManagementPayload, fault)
}

/// A module that can't be installed. The fault says what can be done about it, too.
pub(crate) fn invalid_module(canister: CanisterId, fault: &str) -> Reject {
    Reject::new(
        ErrorCode::CanisterInvalidWasm,
        format!("Error from Canister {canister}: Canister's Wasm module is not valid: {fault}"),
    )
}

/// Settings that a canister can't have.
pub(crate) fn invalid_settings(fault: &str) -> Reject {
    with_help(
        ErrorCode::CanisterContractViolation,
        &format!("Could not validate the settings: Invalid settings: {fault}. "),
        "Apply the described changes to make the settings valid.",
        "invalid-settings",
    )
}

/// What the chunk store can't do.
pub(crate) fn chunk_store(fault: &str) -> Reject {
    with_help(
        ErrorCode::CanisterContractViolation,
        &format!("Error from Wasm chunk store: {fault}."),
        "Use the `stored_chunks` API to check which hashes are present or top up the canister if it \
         is low on cycles.",
        "wasm-chunk-store-error",
    )
}

/// A user's call for which there is no room, since the messages that wait have too many bytes.
pub(crate) fn too_much_waits() -> Reject {
    Reject::new(
        ErrorCode::IngressHistoryFull,
        "The messages that wait have too many bytes together; try again when some were delivered",
    )
}

/// The same of a canister's call.
pub(crate) fn no_room_for_call(receiver: CanisterId) -> Reject {
    Reject::new(
        ErrorCode::CanisterQueueFull,
        format!(
            "The messages that wait have too many bytes together, so that the call of {receiver} \
             was not sent"
        ),
    )
}

/// Something that takes memory, while the canisters have in use together what they may.
pub(crate) fn memory_is_full(canister: CanisterId, capacity: u64) -> Reject {
    Reject::new(
        ErrorCode::SubnetOversubscribed,
        format!(
            "Error from Canister {canister}: the canisters of this local replica can have {capacity} \
             bytes of memory in use together, and this would be more"
        ),
    )
}
