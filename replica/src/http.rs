//! The HTTP interface (Interface Specification, "HTTPS Interface"), the gateway to the pages that
//! canisters serve, and the controls that only a local replica has.

mod access;
mod answer;
mod authentication;
mod call;
mod certifier;
mod control;
mod effective;
mod envelope;
mod events;
mod explore;
mod gateway;
mod joint;
mod json;
mod page;
mod query;
mod read_state;
mod room;
mod server;
mod shared;
mod signatures;
mod status;
mod story;
mod tree;

use std::sync::Arc;

use axum::Router;
use axum::extract::{DefaultBodyLimit, Request};
use axum::http::{HeaderValue, Method, StatusCode, header};
use axum::middleware::{Next, from_fn, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use tower_http::cors::{AllowOrigin, CorsLayer};

pub use access::Access;
pub use server::serve;

use crate::owner::Handle;
use answer::Failure;
use certifier::Certifier;
use room::{limit_together, room};
use shared::{NodeKey, Shared};

/// The largest body of a request, in bytes.
const MAX_BODY: usize = 5 * 1024 * 1024;

/// The whole interface, in front of the replica that `owner` owns, for this machine.
pub fn router(owner: Handle) -> Router {
    router_with(owner, Access::default())
}

/// The whole interface, in front of the replica that `owner` owns.
pub fn router_with(owner: Handle, access: Access) -> Router {
    let shared = Shared {
        certifier: Certifier::new(owner.clone()),
        owner,
        node: Arc::new(NodeKey::from_seed(b"the only node of the local replica")),
        access: Arc::new(access),
    };
    // Pages of every site may use the interface of the specification and read canisters' pages, as
    // on the network: what matters is signed, and no cookie counts.
    let everybody = CorsLayer::permissive();
    let gateway = Router::new()
        .fallback(gateway::serve)
        .layer(from_fn(limit_body))
        .layer(everybody.clone());
    let controls = control::router(&shared)
        .layer(from_fn(limit_body))
        .layer(controls_cors(&shared));
    interface()
        .layer(from_fn(limit_body))
        .layer(everybody)
        .merge(controls)
        .merge(page::router(&shared))
        .fallback_service(gateway.with_state(shared.clone()))
        .layer(from_fn_with_state((room(), MAX_BODY), limit_together))
        .with_state(shared)
}

/// The pages that may use the controls: those of this machine, and with a token all.
fn controls_cors(shared: &Shared) -> CorsLayer {
    let access = Arc::clone(&shared.access);
    let allowed = move |origin: &HeaderValue, _: &_| access.allows(origin);
    CorsLayer::new()
        .allow_origin(AllowOrigin::predicate(allowed))
        .allow_methods([Method::GET, Method::POST])
        .allow_headers([header::CONTENT_TYPE, header::AUTHORIZATION])
}

/// The interface of the specification.
fn interface() -> Router<Shared> {
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
