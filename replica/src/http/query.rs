//! Queries (the specification's section "Request: Query call").

use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::response::Response;
use ic_transport_types::{
    EnvelopeContent, NodeSignature, QueryResponse, RejectCode, RejectResponse, ReplyResponse,
    RequestId,
};

use super::answer::{Failure, cbor};
use super::authentication::authenticate;
use super::effective::{Effective, check_at_subnet, check_effective_id};
use super::shared::{NodeKey, Shared};
use crate::management::effective::queries_of_subnet;
use crate::message::{CallResult, Time};
use crate::owner::Node;

pub(super) async fn query(
    State(shared): State<Shared>,
    Path(id): Path<String>,
    body: Bytes,
) -> Result<Response, Failure> {
    answer(shared, Effective::canister(&id)?, &body).await
}

/// A query about this subnet.
pub(super) async fn at_subnet(
    State(shared): State<Shared>,
    Path(id): Path<String>,
    body: Bytes,
) -> Result<Response, Failure> {
    let subnet = Effective::subnet(&id, &shared)?;
    answer(shared, subnet, &body).await
}

async fn answer(shared: Shared, effective: Effective, body: &Bytes) -> Result<Response, Failure> {
    let root_key = shared.owner.subnet().public_key();
    let request = authenticate(body, root_key, shared.owner.now())?;
    let EnvelopeContent::Query {
        sender,
        canister_id,
        method_name,
        arg,
        ..
    } = request.content
    else {
        return Err(Failure::bad_request("this is not a query"));
    };
    match effective {
        Effective::Canister(id) => check_effective_id(id, canister_id, &method_name, &arg)?,
        Effective::Subnet(_) => check_at_subnet(canister_id, &method_name, &queries_of_subnet())?,
    }
    let evaluate =
        move |node: &mut Node| node.replica.query(sender, canister_id, &method_name, &arg);
    let result = shared.owner.read(evaluate).await?;
    let id = RequestId::new(&request.id);
    Ok(cbor(&sign(&shared.node, id, result, shared.owner.now())))
}

/// The answer with the node's signature.
fn sign(node: &NodeKey, request: RequestId, result: CallResult, timestamp: Time) -> QueryResponse {
    let mut response = match result {
        Ok(arg) => QueryResponse::Replied {
            reply: ReplyResponse { arg },
            signatures: Vec::new(),
        },
        Err(reject) => QueryResponse::Rejected {
            reject: RejectResponse {
                // Queries don't wait, so no reject of theirs is SYS_UNKNOWN.
                reject_code: RejectCode::try_from(reject.code as u64)
                    .unwrap_or(RejectCode::CanisterError),
                reject_message: reject.message,
                error_code: Some(reject.error_code.to_string()),
            },
            signatures: Vec::new(),
        },
    };
    let signable = response.signable(request, timestamp);
    let signature = NodeSignature {
        timestamp,
        signature: node.key.sign_message(&signable).to_vec(),
        identity: node.id,
    };
    match &mut response {
        QueryResponse::Replied { signatures, .. } | QueryResponse::Rejected { signatures, .. } => {
            signatures.push(signature);
        }
    }
    response
}
