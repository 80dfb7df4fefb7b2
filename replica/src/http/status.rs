//! `/api/v2/status` (the specification's section "Status endpoint").

use axum::extract::State;
use axum::response::Response;
use serde::Serialize;
use serde_bytes::ByteBuf;

use super::{Failure, Shared, cbor};

#[derive(Serialize)]
struct Status {
    impl_version: &'static str,
    replica_health_status: &'static str,
    root_key: ByteBuf,
}

pub(super) async fn status(State(shared): State<Shared>) -> Result<Response, Failure> {
    let key = shared.owner.with(|node| node.replica.root_key().to_vec());
    Ok(cbor(&Status {
        impl_version: concat!("local-replica ", env!("CARGO_PKG_VERSION")),
        replica_health_status: "healthy",
        root_key: ByteBuf::from(key.await?),
    }))
}
