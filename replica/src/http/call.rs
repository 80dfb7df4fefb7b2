//! Calls (the specification's sections "Request: Call" and "Request: Asynchronous Call").

use std::time::Duration;

use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use ic_transport_types::EnvelopeContent;
use serde::Serialize;
use serde_bytes::ByteBuf;
use tokio::time::timeout;

use super::answer::{Failure, cbor};
use super::authentication::authenticate;
use super::effective::{Effective, check_at_subnet, check_effective_id};
use super::read_state;
use super::shared::Shared;
use crate::management::effective::updates_of_subnet;
use crate::message::Reject;
use crate::owner::{NewRequest, Node};

/// How long a synchronous call waits for its answer; not at all while messages are held back.
const PATIENCE: Duration = Duration::from_secs(10);

/// Takes in a call; its answer is polled for.
pub(super) async fn asynchronous(
    State(shared): State<Shared>,
    Path(id): Path<String>,
    body: Bytes,
) -> Result<Response, Failure> {
    let request = read(&shared, Effective::canister(&id)?, &body)?;
    let submitted = shared.owner.with(move |node| node.submit(request)).await?;
    Ok(match submitted {
        Ok(_) => StatusCode::ACCEPTED.into_response(),
        Err(reject) => cbor(&Rejection::new(&reject, None)),
    })
}

/// Takes in a call and waits for its answer for a while.
pub(super) async fn synchronous(
    State(shared): State<Shared>,
    Path(id): Path<String>,
    body: Bytes,
) -> Result<Response, Failure> {
    answer(shared, Effective::canister(&id)?, &body).await
}

/// Takes in a call that creates a canister on this subnet, and waits for its answer for a while.
pub(super) async fn at_subnet(
    State(shared): State<Shared>,
    Path(id): Path<String>,
    body: Bytes,
) -> Result<Response, Failure> {
    let subnet = Effective::subnet(&id, &shared)?;
    answer(shared, subnet, &body).await
}

async fn answer(shared: Shared, effective: Effective, body: &Bytes) -> Result<Response, Failure> {
    let request = read(&shared, effective, body)?;
    let request_id = request.id;
    let submit = move |node: &mut Node| (node.submit(request), node.replica.holds_messages());
    let (submitted, held) = shared.owner.with(submit).await?;
    let answered = match submitted {
        Ok(answered) => answered,
        Err(reject) => {
            return Ok(cbor(&Rejection::new(
                &reject,
                Some("non_replicated_rejection"),
            )));
        }
    };
    let patience = if held { Duration::ZERO } else { PATIENCE };
    let Ok(answered) = timeout(patience, answered).await else {
        return Ok(StatusCode::ACCEPTED.into_response());
    };
    let tree = read_state::status_of(&request_id, answered.ok().as_deref());
    let certificate = shared.certifier.certify(tree).await?;
    Ok(cbor(&Replied {
        status: "replied",
        certificate: ByteBuf::from(certificate),
    }))
}

#[derive(Serialize)]
struct Replied {
    status: &'static str,
    certificate: ByteBuf,
}

#[derive(Serialize)]
struct Rejection {
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<&'static str>,
    reject_code: u64,
    reject_message: String,
    error_code: String,
}

impl Rejection {
    fn new(reject: &Reject, status: Option<&'static str>) -> Self {
        Rejection {
            status,
            reject_code: reject.code as u64,
            reject_message: reject.message.clone(),
            error_code: reject.error_code.to_string(),
        }
    }
}

fn read(shared: &Shared, effective: Effective, body: &Bytes) -> Result<NewRequest, Failure> {
    let root_key = shared.owner.subnet().public_key();
    let request = authenticate(body, root_key, shared.owner.now())?;
    let EnvelopeContent::Call {
        sender,
        ingress_expiry,
        canister_id,
        method_name,
        arg,
        ..
    } = request.content
    else {
        return Err(Failure::bad_request("this is not a call"));
    };
    match effective {
        Effective::Canister(id) => check_effective_id(id, canister_id, &method_name, &arg)?,
        Effective::Subnet(_) => {
            check_at_subnet(canister_id, &method_name, &updates_of_subnet())?;
        }
    }
    Ok(NewRequest {
        id: request.id,
        sender,
        effective_canister_id: effective.id(),
        expiry: ingress_expiry,
        receiver: canister_id,
        method: method_name,
        argument: arg,
        size: body.len(),
    })
}
