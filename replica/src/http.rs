//! The HTTP interface (Interface Specification, "HTTPS Interface").

mod authentication;
mod call;
mod control;
mod envelope;
mod query;
mod read_state;
mod server;
mod status;
mod tree;

use std::fmt::Display;
use std::sync::Arc;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, Request};
use axum::http::{StatusCode, header};
use axum::middleware::{Next, from_fn};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use candid::Principal;
use serde::Serialize;
use tower_http::cors::CorsLayer;

pub use server::serve;

use crate::message::CanisterId;
use crate::owner::{Handle, Stopped};

/// The largest body of a request, in bytes.
const MAX_BODY: usize = 5 * 1024 * 1024;

/// What the handlers share.
#[derive(Clone)]
struct Shared {
    owner: Handle,
    node: Arc<NodeKey>,
}

/// The node's own key, which signs the answers to queries.
struct NodeKey {
    key: ic_ed25519::PrivateKey,
    der: Vec<u8>,
    id: Principal,
}

impl NodeKey {
    fn from_seed(seed: &[u8]) -> Self {
        let key = ic_ed25519::PrivateKey::generate_from_seed(seed);
        let der = key.public_key().serialize_rfc8410_der();
        let id = Principal::self_authenticating(&der);
        NodeKey { key, der, id }
    }
}

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

/// Why a request was refused.
#[derive(Debug)]
struct Failure {
    status: StatusCode,
    text: String,
}

impl Failure {
    fn new(status: StatusCode, text: impl Display) -> Self {
        Failure {
            status,
            text: text.to_string(),
        }
    }

    fn bad_request(text: impl Display) -> Self {
        Failure::new(StatusCode::BAD_REQUEST, text)
    }

    fn forbidden(text: impl Display) -> Self {
        Failure::new(StatusCode::FORBIDDEN, text)
    }
}

impl From<Stopped> for Failure {
    fn from(_: Stopped) -> Self {
        Failure::new(StatusCode::SERVICE_UNAVAILABLE, "the replica is stopping")
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
fn cbor(value: &impl Serialize) -> Response {
    let bytes = Bytes::from(crate::certificate::to_cbor(value));
    ([(header::CONTENT_TYPE, "application/cbor")], bytes).into_response()
}

/// Where a request was sent: its effective canister id or effective subnet id.
#[derive(Clone, Copy)]
enum Effective {
    Canister(CanisterId),
    Subnet(Principal),
}

impl Effective {
    /// The canister in a path.
    fn canister(text: &str) -> Result<Self, Failure> {
        principal(text).map(Effective::Canister)
    }

    /// The subnet in a path, which is this one.
    fn subnet(text: &str, shared: &Shared) -> Result<Self, Failure> {
        let (subnet, this) = (principal(text)?, shared.owner.subnet().id);
        match subnet == this {
            true => Ok(Effective::Subnet(subnet)),
            false => Err(Failure::bad_request(format!(
                "there is no subnet {subnet} here; this one is {this}"
            ))),
        }
    }

    fn id(self) -> Principal {
        let (Effective::Canister(id) | Effective::Subnet(id)) = self;
        id
    }
}

/// The principal in a path.
fn principal(text: &str) -> Result<Principal, Failure> {
    Principal::from_text(text)
        .map_err(|error| Failure::bad_request(format!("'{text}' in the path is no id: {error}")))
}
