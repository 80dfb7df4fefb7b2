//! The answers to requests: CBOR, or why a request was refused.

use std::fmt::Display;

use axum::body::Bytes;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;

use crate::cbor::to_cbor;
use crate::owner::{Panicked, Stopped};

/// Why a request was refused.
#[derive(Debug)]
pub(super) struct Failure {
    status: StatusCode,
    text: String,
}

impl Failure {
    pub(super) fn new(status: StatusCode, text: impl Display) -> Self {
        Failure {
            status,
            text: text.to_string(),
        }
    }

    pub(super) fn bad_request(text: impl Display) -> Self {
        Failure::new(StatusCode::BAD_REQUEST, text)
    }

    pub(super) fn forbidden(text: impl Display) -> Self {
        Failure::new(StatusCode::FORBIDDEN, text)
    }
}

impl From<Stopped> for Failure {
    fn from(_: Stopped) -> Self {
        Failure::new(StatusCode::SERVICE_UNAVAILABLE, "the replica is stopping")
    }
}

impl From<Panicked> for Failure {
    fn from(_: Panicked) -> Self {
        Failure::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            "the local replica failed over this request, and goes on; what it printed says more",
        )
    }
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        let mut text = self.text;
        text.push('\n');
        (self.status, text).into_response()
    }
}

/// An answer in CBOR.
pub(super) fn cbor(value: &impl Serialize) -> Response {
    let bytes = Bytes::from(to_cbor(value));
    ([(header::CONTENT_TYPE, "application/cbor")], bytes).into_response()
}
