//! Asks canisters, as the anonymous user.

use std::borrow::Cow;
use std::time::Duration;

use axum::http::StatusCode;
use candid::Principal;
use ic_transport_types::{Envelope, EnvelopeContent};
use tokio::time::timeout;

use super::super::shared::Shared;
use super::trouble::Trouble;
use crate::message::{CanisterId, Time};
use crate::owner::{NewRequest, Node, now};
use crate::replica::IngressStatus;

/// How long an update may take.
const PATIENCE: Duration = Duration::from_secs(60);

/// For how long the network keeps what it answered, from now on, in nanoseconds.
const EXPIRY: Time = 4 * 60 * 1_000_000_000;

/// Calls a query method. Returns also the time of the replica's clock: certificates in the answer
/// have it.
pub(super) async fn query(
    shared: &Shared,
    canister: CanisterId,
    method: &str,
    argument: Vec<u8>,
) -> Result<(Vec<u8>, Time), Trouble> {
    let name = method.to_owned();
    let evaluate = move |node: &mut Node| {
        let anonymous = Principal::anonymous();
        let result = node.replica.query(anonymous, canister, &name, &argument);
        (result, node.replica.time())
    };
    let (result, time) = shared.owner.with(evaluate).await?;
    let reply = result.map_err(|reject| Trouble::rejected(canister, method, &reject))?;
    Ok((reply, time))
}

/// Calls an update method, and waits for its answer.
pub(super) async fn update(
    shared: &Shared,
    canister: CanisterId,
    method: &str,
    argument: Vec<u8>,
) -> Result<Vec<u8>, Trouble> {
    let request = request(canister, method, argument)?;
    let submitted = shared.owner.with(move |node| node.submit(request)).await?;
    let rejected = |reject| Trouble::rejected(canister, method, &reject);
    let answered = submitted.map_err(rejected)?;
    let late = || {
        Trouble::new(
            StatusCode::GATEWAY_TIMEOUT,
            format!(
                "{method} of the canister {canister} was called, and has not answered within {} \
                 seconds.",
                PATIENCE.as_secs()
            ),
        )
    };
    let answered = timeout(PATIENCE, answered).await.map_err(|_| late())?;
    match answered.as_deref() {
        Ok(IngressStatus::Answered(result)) => result.clone().map_err(rejected),
        Ok(IngressStatus::Processing) | Err(_) => Err(late()),
    }
}

/// A request as agents make them, of which no other is the same.
fn request(canister: CanisterId, method: &str, argument: Vec<u8>) -> Result<NewRequest, Trouble> {
    let mut nonce = [0; 16];
    getrandom::fill(&mut nonce)
        .map_err(|error| Trouble::new(StatusCode::INTERNAL_SERVER_ERROR, error))?;
    let expiry = now().saturating_add(EXPIRY);
    let content = EnvelopeContent::Call {
        nonce: Some(nonce.to_vec()),
        ingress_expiry: expiry,
        sender: Principal::anonymous(),
        canister_id: canister,
        method_name: method.to_owned(),
        arg: argument.clone(),
        sender_info: None,
    };
    let envelope = Envelope {
        content: Cow::Borrowed(&content),
        sender_pubkey: None,
        sender_sig: None,
        sender_delegation: None,
    };
    Ok(NewRequest {
        size: envelope.encode_bytes().len(),
        id: *content.to_request_id(),
        sender: Principal::anonymous(),
        effective_canister_id: canister,
        expiry,
        receiver: canister,
        method: method.to_owned(),
        argument,
    })
}
