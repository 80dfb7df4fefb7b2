//! What the gateway says when it has no page: a page of its own for browsers, a text for others.

use std::fmt::Display;

use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};

use crate::message::{CanisterId, ErrorCode, Reject};
use crate::owner::Stopped;

/// Why there is no page.
#[derive(Debug)]
pub(super) struct Trouble {
    status: StatusCode,
    text: String,
}

impl Trouble {
    pub(super) fn new(status: StatusCode, text: impl Display) -> Self {
        let text = text.to_string();
        Trouble { status, text }
    }

    /// The canister's answer is none that can be passed on.
    pub(super) fn bad_answer(text: impl Display) -> Self {
        Trouble::new(
            StatusCode::BAD_GATEWAY,
            format!("The canister's answer can't be passed on: {text}"),
        )
    }

    /// The canister gave no answer.
    pub(super) fn rejected(canister: CanisterId, method: &str, reject: &Reject) -> Self {
        match reject.error_code {
            ErrorCode::CanisterNotFound => Trouble::new(
                StatusCode::NOT_FOUND,
                format!("There is no canister {canister} on this network."),
            ),
            ErrorCode::CanisterMethodNotFound | ErrorCode::CanisterWasmModuleNotFound => {
                Trouble::new(
                    StatusCode::NOT_FOUND,
                    format!("The canister {canister} serves no pages: it has no {method}."),
                )
            }
            ErrorCode::CanisterStopped | ErrorCode::CanisterStopping => Trouble::new(
                StatusCode::SERVICE_UNAVAILABLE,
                format!("{}.", reject.message),
            ),
            code => Trouble::new(
                StatusCode::BAD_GATEWAY,
                format!(
                    "{method} of the canister {canister} failed: reject code {}, {code}: {}",
                    reject.code as u64, reject.message
                ),
            ),
        }
    }

    /// What there is to say.
    pub(super) fn text(self) -> String {
        self.text
    }

    /// A page, if the request's headers ask for one.
    pub(super) fn answer(&self, to: &HeaderMap) -> Response {
        let wanted = to.get(header::ACCEPT).and_then(|value| value.to_str().ok());
        let (kind, body) = match wanted.is_some_and(|wanted| wanted.contains("text/html")) {
            true => ("text/html; charset=utf-8", self.page()),
            false => ("text/plain; charset=utf-8", format!("{}\n", self.text)),
        };
        let headers = [
            (header::CONTENT_TYPE, kind),
            (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
            (header::CONTENT_SECURITY_POLICY, "default-src 'none'"),
            (header::CACHE_CONTROL, "no-store"),
        ];
        (self.status, headers, body).into_response()
    }

    fn page(&self) -> String {
        // Parts of the text are a canister's.
        let text = self.text.replace('&', "&amp;").replace('<', "&lt;");
        let status = self.status;
        format!(
            "<!DOCTYPE html>\n<title>{status}</title>\n<h1>{status}</h1>\n<p>{text}</p>\n\
             <p>This is the HTTP gateway of the local replica.</p>\n"
        )
    }
}

impl From<Stopped> for Trouble {
    fn from(_: Stopped) -> Self {
        Trouble::new(StatusCode::SERVICE_UNAVAILABLE, "The replica is stopping.")
    }
}
