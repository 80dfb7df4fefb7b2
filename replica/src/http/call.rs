//! Calls (the specification's sections "Request: Call", "Request: Asynchronous Call" and
//! "Effective canister id").

use std::time::Duration;

use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use candid::{CandidType, Deserialize, Principal};
use ic_transport_types::EnvelopeContent;
use serde::Serialize;
use serde_bytes::ByteBuf;
use tokio::time::timeout;

use super::authentication::authenticate;
use super::{Effective, Failure, Shared, cbor, read_state};
use crate::message::{CanisterId, Reject};
use crate::owner::{NewRequest, Node};

/// How long a synchronous call waits for its answer; not at all while messages are held back.
const PATIENCE: Duration = Duration::from_secs(10);

/// Takes in a call; its answer is polled for.
pub(super) async fn asynchronous(
    State(shared): State<Shared>,
    Path(id): Path<String>,
    body: Bytes,
) -> Result<Response, Failure> {
    let request = read(Effective::canister(&id)?, &body)?;
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
    let request = read(effective, body)?;
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
    if timeout(patience, answered).await.is_err() {
        return Ok(StatusCode::ACCEPTED.into_response());
    }
    let read = move |node: &mut Node| read_state::status_of(node, &request_id);
    let tree = shared.owner.with(read).await?;
    let certificate = read_state::certify(&shared.owner, tree);
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

/// The methods of the management canister that can be called at a subnet's path.
const CREATION: &[&str] = &["create_canister", "provisional_create_canister_with_cycles"];

fn read(effective: Effective, body: &Bytes) -> Result<NewRequest, Failure> {
    let request = authenticate(body)?;
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
        Effective::Subnet(_) => check_at_subnet(canister_id, &method_name, CREATION)?,
    }
    Ok(NewRequest {
        id: request.id,
        sender,
        effective_canister_id: effective.id(),
        expiry: ingress_expiry,
        receiver: canister_id,
        method: method_name,
        argument: arg,
    })
}

#[derive(CandidType, Deserialize)]
struct OfCanister {
    canister_id: CanisterId,
}

#[derive(CandidType, Deserialize)]
struct OfTarget {
    target_canister: CanisterId,
}

/// Refuses a request at a subnet's path that is not for one of these methods of the management
/// canister.
pub(super) fn check_at_subnet(
    receiver: CanisterId,
    method: &str,
    methods: &[&str],
) -> Result<(), Failure> {
    match receiver == Principal::management_canister() && methods.contains(&method) {
        true => Ok(()),
        false => Err(Failure::bad_request(format!(
            "at a subnet's path, only these methods of the management canister can be called like \
             this: {}; send this request to the path of its effective canister id",
            methods.join(", ")
        ))),
    }
}

/// Refuses a request that was sent to another canister's path.
pub(super) fn check_effective_id(
    effective: CanisterId,
    receiver: CanisterId,
    method: &str,
    argument: &[u8],
) -> Result<(), Failure> {
    let expected = if receiver != Principal::management_canister() {
        Some(receiver)
    } else {
        match method {
            "create_canister" | "provisional_create_canister_with_cycles" => None,
            "install_chunked_code" => crate::management::decode::<OfTarget>(argument)
                .ok()
                .map(|of| of.target_canister),
            _ => crate::management::decode::<OfCanister>(argument)
                .ok()
                .map(|of| of.canister_id),
        }
    };
    match expected {
        Some(expected) if expected != effective => Err(Failure::bad_request(format!(
            "the path names the canister {effective}, but the effective canister id of this \
             request is {expected}"
        ))),
        _ => Ok(()),
    }
}
