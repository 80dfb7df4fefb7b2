//! The rejects that the system makes in more than one place, each with its error code and text.

use crate::message::{CanisterId, ErrorCode, Reject};

/// There is no such canister.
pub(crate) fn not_found(canister: CanisterId) -> Reject {
    Reject::new(
        ErrorCode::CanisterNotFound,
        format!("Canister {canister} not found."),
    )
}

/// The canister can't pay for what it would have to do.
pub(crate) fn out_of_cycles(canister: CanisterId) -> Reject {
    Reject::new(
        ErrorCode::CanisterOutOfCycles,
        format!("Canister {canister} is out of cycles: please top it up"),
    )
}

/// The canister is stopping, and takes no calls.
pub(crate) fn stopping(canister: CanisterId) -> Reject {
    Reject::new(
        ErrorCode::CanisterStopping,
        format!("Canister {canister} is stopping"),
    )
}

/// The canister is stopped, and takes no calls.
pub(crate) fn stopped(canister: CanisterId) -> Reject {
    Reject::new(
        ErrorCode::CanisterStopped,
        format!("Canister {canister} is stopped"),
    )
}

/// The canister is empty.
pub(crate) fn no_module(canister: CanisterId) -> Reject {
    Reject::new(
        ErrorCode::CanisterWasmModuleNotFound,
        format!(
            "Error from Canister {canister}: Attempted to execute a message, but the canister \
             contains no Wasm module."
        ),
    )
}

/// The canister has no method of this name that can be called as an update.
pub(crate) fn no_update_method(canister: CanisterId, method: &str) -> Reject {
    Reject::new(
        ErrorCode::CanisterMethodNotFound,
        format!("Error from Canister {canister}: Canister has no update method '{method}'."),
    )
}

/// The canister has no method of this name that can be called as a query.
pub(crate) fn no_query_method(canister: CanisterId, method: &str) -> Reject {
    Reject::new(
        ErrorCode::CanisterMethodNotFound,
        format!("Error from Canister {canister}: Canister has no query method '{method}'."),
    )
}

/// The canister gave no answer, and nothing is left that could give one.
pub(crate) fn did_not_reply(canister: CanisterId) -> Reject {
    Reject::new(
        ErrorCode::CanisterDidNotReply,
        format!("Error from Canister {canister}: Canister did not reply to the call"),
    )
}

/// The argument of a call that the system answers is not one that it can be called with.
pub(crate) fn invalid_argument(fault: impl Into<String>) -> Reject {
    Reject::new(ErrorCode::InvalidManagementPayload, fault)
}

/// Settings that a canister can't have.
pub(crate) fn invalid_settings(fault: &str) -> Reject {
    invalid_argument(format!(
        "Could not validate the settings: Invalid settings: {fault}."
    ))
}

/// What the chunk store can't do.
pub(crate) fn chunk_store(fault: &str) -> Reject {
    Reject::new(
        ErrorCode::CanisterContractViolation,
        format!("Error from Wasm chunk store: {fault}."),
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

/// A message that would take more memory than all canisters together may have.
pub(crate) fn memory_is_full(canister: CanisterId, capacity: u64) -> Reject {
    Reject::new(
        ErrorCode::SubnetOversubscribed,
        format!(
            "Error from Canister {canister}: the canisters of this local replica can have {capacity} \
             bytes of memory together, and this would be more"
        ),
    )
}
