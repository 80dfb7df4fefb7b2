//! `/api/v2/status` (the specification's section "Status endpoint").

use axum::extract::State;
use axum::response::Response;
use serde::Serialize;
use serde_bytes::ByteBuf;

use super::answer::cbor;
use super::shared::Shared;

#[derive(Serialize)]
struct Status {
    impl_version: &'static str,
    replica_health_status: &'static str,
    root_key: ByteBuf,
}

/// The status. It does not wait for the owner: a replica that works hard is healthy.
pub(super) async fn status(State(shared): State<Shared>) -> Response {
    cbor(&Status {
        impl_version: concat!("local-replica ", env!("CARGO_PKG_VERSION")),
        replica_health_status: "healthy",
        root_key: ByteBuf::from(shared.owner.subnet().root_key.der()),
    })
}
