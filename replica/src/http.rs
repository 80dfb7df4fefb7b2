//! The HTTP interface (Interface Specification, "HTTPS Interface").

mod answer;
mod authentication;
mod call;
mod control;
mod effective;
mod envelope;
mod explore;
mod json;
mod query;
mod read_state;
mod server;
mod shared;
mod status;
mod tree;

use std::sync::Arc;

use axum::Router;
use axum::extract::{DefaultBodyLimit, Request};
use axum::http::{StatusCode, header};
use axum::middleware::{Next, from_fn};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use tower_http::cors::CorsLayer;

pub use server::serve;

use crate::owner::Handle;
use answer::Failure;
use shared::{NodeKey, Shared};

/// The largest body of a request, in bytes.
const MAX_BODY: usize = 5 * 1024 * 1024;

/// The whole interface, in front of the replica that `owner` owns.
pub fn router(owner: Handle) -> Router {
    let node = Arc::new(NodeKey::from_seed(b"the only node of the local replica"));
    Router::new()
        .route("/api/v2/status", get(status::status))
        .route("/api/v2/canister/{id}/call", post(call::asynchronous))
        .route("/api/v3/canister/{id}/call", post(call::synchronous))
        .route("/api/v4/canister/{id}/call", post(call::synchronous))
        .route("/api/v4/subnet/{id}/call", post(call::at_subnet))
        .route("/api/v2/canister/{id}/query", post(query::query))
        .route("/api/v3/canister/{id}/query", post(query::query))
        .route("/api/v3/subnet/{id}/query", post(query::at_subnet))
        .route(
            "/api/v2/canister/{id}/read_state",
            post(read_state::canister),
        )
        .route(
            "/api/v3/canister/{id}/read_state",
            post(read_state::canister),
        )
        .route("/api/v2/subnet/{id}/read_state", post(read_state::subnet))
        .route("/api/v3/subnet/{id}/read_state", post(read_state::subnet))
        .merge(control::router())
        .fallback(unknown)
        .layer(from_fn(limit_body))
        .layer(CorsLayer::very_permissive())
        .with_state(Shared { owner, node })
}

/// Refuses bodies that are too large: at once where their size is announced, else when too much has
/// come.
async fn limit_body(mut request: Request, next: Next) -> Response {
    let announced = request.headers().get(header::CONTENT_LENGTH);
    let announced = announced.and_then(|length| length.to_str().ok()?.parse().ok());
    if announced.is_some_and(|length: u64| length > MAX_BODY as u64) {
        return too_large().into_response();
    }
    DefaultBodyLimit::max(MAX_BODY).apply(&mut request);
    match next.run(request).await {
        response if response.status() == StatusCode::PAYLOAD_TOO_LARGE => {
            too_large().into_response()
        }
        response => response,
    }
}

fn too_large() -> Failure {
    Failure::new(
        StatusCode::PAYLOAD_TOO_LARGE,
        "the body of a request has at most 5 MiB",
    )
}

async fn unknown(uri: axum::http::Uri) -> Failure {
    Failure::new(
        StatusCode::NOT_FOUND,
        format!("there is nothing at {uri}; the interface begins at /api/v2/status"),
    )
}
