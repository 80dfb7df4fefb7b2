//! Requests made by hand, one field at a time.

use std::time::Duration;

use candid::Principal;
use ic_agent::Identity;
use ic_transport_types::{Envelope, EnvelopeContent, RequestId};
use local_replica::owner::now;

/// A part of a path in the state tree.
pub type Label = ic_agent::hash_tree::Label<Vec<u8>>;

/// When a request expires that is made now and lives so long.
pub fn expiry_in(duration: Duration) -> u64 {
    now() + u64::try_from(duration.as_nanos()).unwrap()
}

fn soon() -> u64 {
    expiry_in(Duration::from_secs(60))
}

pub fn call(sender: Principal, canister: Principal, method: &str, arg: &[u8]) -> EnvelopeContent {
    EnvelopeContent::Call {
        nonce: None,
        ingress_expiry: soon(),
        sender,
        canister_id: canister,
        method_name: method.to_owned(),
        arg: arg.to_vec(),
        sender_info: None,
    }
}

pub fn query(sender: Principal, canister: Principal, method: &str, arg: &[u8]) -> EnvelopeContent {
    EnvelopeContent::Query {
        ingress_expiry: soon(),
        sender,
        canister_id: canister,
        method_name: method.to_owned(),
        arg: arg.to_vec(),
        nonce: None,
        sender_info: None,
    }
}

pub fn read(sender: Principal, paths: Vec<Vec<Label>>) -> EnvelopeContent {
    EnvelopeContent::ReadState {
        ingress_expiry: soon(),
        sender,
        paths,
    }
}

/// The path where the status of a request is.
pub fn status_path(id: &RequestId) -> Vec<Label> {
    vec!["request_status".into(), id.to_vec().into()]
}

/// The same request, with another expiry.
pub fn expiring(mut content: EnvelopeContent, at: u64) -> EnvelopeContent {
    let (EnvelopeContent::Call { ingress_expiry, .. }
    | EnvelopeContent::Query { ingress_expiry, .. }
    | EnvelopeContent::ReadState { ingress_expiry, .. }) = &mut content;
    *ingress_expiry = at;
    content
}

/// The same call or query, with a nonce.
pub fn with_nonce(mut content: EnvelopeContent, bytes: &[u8]) -> EnvelopeContent {
    if let EnvelopeContent::Call { nonce, .. } | EnvelopeContent::Query { nonce, .. } = &mut content
    {
        *nonce = Some(bytes.to_vec());
    }
    content
}

/// An envelope, signed as `identity` does, whoever the sender is.
pub fn envelope(content: EnvelopeContent, identity: &dyn Identity) -> Envelope<'static> {
    let signature = identity.sign(&content).unwrap();
    Envelope {
        content: std::borrow::Cow::Owned(content),
        sender_pubkey: signature.public_key,
        sender_sig: signature.signature,
        sender_delegation: signature.delegations,
    }
}

/// The bytes of a signed request.
pub fn signed(content: EnvelopeContent, identity: &dyn Identity) -> Vec<u8> {
    envelope(content, identity).encode_bytes()
}
