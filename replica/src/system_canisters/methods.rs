//! What the stand-ins have in common about their methods.

use crate::message::{ErrorCode, Reject};

/// The reject for a method that a stand-in does not have.
pub(super) fn missing(stand_in: &str, method: &str) -> Reject {
    Reject::new(
        ErrorCode::CanisterMethodNotFound,
        format!("the local replica's stand-in for the {stand_in} has no method '{method}'"),
    )
}
