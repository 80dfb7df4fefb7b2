//! Who sent a request (the specification's section "Authentication").

use std::collections::BTreeSet;

use axum::body::Bytes;
use candid::Principal;
use ic_transport_types::{
    DelegationPermissions, Envelope, EnvelopeContent, SignedDelegation, to_request_id,
};
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

use super::answer::Failure;
use super::envelope::decode;
use super::signatures::verify;
use crate::message::{CanisterId, Time};
use crate::owner::{RequestId, now};

/// How far in the future a request may expire, in nanoseconds: five minutes, and half a minute for
/// clocks that differ.
const MAX_EXPIRY: Time = (5 * 60 + 30) * 1_000_000_000;

/// The longest nonce, in bytes.
const MAX_NONCE: usize = 32;

/// The most delegations in a chain, and the most canisters that one can name.
const MAX_DELEGATIONS: usize = 20;
const MAX_TARGETS: usize = 1000;

/// A request whose sender is known.
pub(super) struct Authenticated {
    pub(super) id: RequestId,
    pub(super) content: EnvelopeContent,
    pub(super) targets: Targets,
}

/// The canisters that a chain of delegations extends to. By default, all.
#[derive(Default)]
pub(super) struct Targets(Option<BTreeSet<CanisterId>>);

impl Targets {
    /// Takes away the canisters that are not in `named`.
    fn narrow(&mut self, named: &[CanisterId]) {
        let named = named.iter().copied();
        self.0 = Some(match &self.0 {
            None => named.collect(),
            Some(before) => named.filter(|id| before.contains(id)).collect(),
        });
    }

    /// Refuses what is about a canister that the delegations don't extend to.
    pub(super) fn check(&self, canister: &CanisterId) -> Result<(), Failure> {
        match &self.0 {
            Some(targets) if !targets.contains(canister) => Err(Failure::forbidden(format!(
                "a delegation does not extend to the canister {canister}"
            ))),
            _ => Ok(()),
        }
    }
}

/// What a delegation must permit.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Use {
    Call,
    Read,
}

/// Reads an envelope, and checks that its sender sent it and that it is not too old `now`. `root_key` is
/// the network's.
pub(super) fn authenticate(
    body: &Bytes,
    root_key: &[u8],
    now: Time,
) -> Result<Authenticated, Failure> {
    let envelope: Envelope<'_> = decode(body)?;
    let content = envelope.content.into_owned();
    let mut id: RequestId = *content.to_request_id();
    let nonce_of_read;
    let (sender_info, nonce, used, target) = match &content {
        EnvelopeContent::Call {
            sender_info,
            nonce,
            canister_id,
            ..
        } => (sender_info, nonce, Use::Call, Some(*canister_id)),
        EnvelopeContent::Query {
            sender_info,
            nonce,
            canister_id,
            ..
        } => (sender_info, nonce, Use::Read, Some(*canister_id)),
        EnvelopeContent::ReadState { .. } => {
            nonce_of_read = nonce_beside(body, &content, &mut id)?;
            (&None, &nonce_of_read, Use::Read, None)
        }
    };
    if sender_info.is_some() {
        return Err(Failure::bad_request(
            "a local replica does not know sender_info",
        ));
    }
    if nonce.as_ref().is_some_and(|nonce| nonce.len() > MAX_NONCE) {
        return Err(Failure::bad_request("the nonce is longer than 32 bytes"));
    }
    let sender = *content.sender();
    let is_anonymous = sender == Principal::anonymous();
    if used == Use::Call || !is_anonymous {
        check_expiry(content.ingress_expiry(), now)?;
    }
    let signed = (envelope.sender_pubkey, envelope.sender_sig);
    let delegations = envelope.sender_delegation.unwrap_or_default();
    let mut targets = Targets::default();
    match signed {
        (None, None) if is_anonymous && delegations.is_empty() => {}
        _ if is_anonymous => {
            return Err(Failure::bad_request(
                "an anonymous request has no key, signature or delegation",
            ));
        }
        (Some(key), Some(signature)) => {
            if sender != Principal::self_authenticating(&key) {
                return Err(Failure::forbidden(format!(
                    "the sender {sender} is not the one that the public key belongs to"
                )));
            }
            let key = follow(key, &delegations, used, root_key, &mut targets, now)?;
            // Reading the state names no canister, but the paths do.
            target.map_or(Ok(()), |target| targets.check(&target))?;
            let mut signable = b"\x0Aic-request".to_vec();
            signable.extend_from_slice(&id);
            verify(&key, &signable, &signature, root_key, "the request")?;
        }
        _ => {
            return Err(Failure::forbidden(format!(
                "a request by {sender} needs sender_pubkey and sender_sig"
            )));
        }
    }
    Ok(Authenticated {
        id,
        content,
        targets,
    })
}

/// The nonce of a request to read the state, and the id that it has with it: in `EnvelopeContent`
/// only calls and queries have a nonce.
fn nonce_beside(
    body: &Bytes,
    content: &EnvelopeContent,
    id: &mut RequestId,
) -> Result<Option<Vec<u8>>, Failure> {
    #[derive(Deserialize)]
    struct Beside {
        content: Nonce,
    }
    #[derive(Deserialize)]
    struct Nonce {
        #[serde(default, with = "serde_bytes")]
        nonce: Option<Vec<u8>>,
    }
    #[derive(Serialize)]
    struct Whole<'a> {
        #[serde(flatten)]
        content: &'a EnvelopeContent,
        #[serde(with = "serde_bytes")]
        nonce: &'a [u8],
    }
    let beside: Beside = decode(body)?;
    if let Some(nonce) = &beside.content.nonce {
        *id = *to_request_id(&Whole { content, nonce }).map_err(Failure::bad_request)?;
    }
    Ok(beside.content.nonce)
}

/// Refuses a request that is too old, or lives too long.
///
/// Too long is said by the replica's clock. Too old is said by the machine's: most programs have no
/// other clock, and would be shut out when the replica's is moved ahead.
fn check_expiry(expiry: Time, replica_time: Time) -> Result<(), Failure> {
    let now = now();
    let latest = replica_time.saturating_add(MAX_EXPIRY);
    match (now..=latest).contains(&expiry) {
        true => Ok(()),
        // With these words agents see that their clock is wrong.
        false => Err(Failure::bad_request(format!(
            "Invalid request expiry: Specified ingress_expiry not within expected range: Minimum \
             allowed expiry: {}, Maximum allowed expiry: {}, Provided expiry: {}",
            utc(now),
            utc(latest),
            utc(expiry)
        ))),
    }
}

/// A point in time for a person to read.
fn utc(time: Time) -> String {
    match OffsetDateTime::from_unix_timestamp_nanos(i128::from(time)) {
        Ok(t) => format!(
            "{:04}-{:02}-{:02} {:02}:{:02}:{:02}.{:09} UTC",
            t.year(),
            u8::from(t.month()),
            t.day(),
            t.hour(),
            t.minute(),
            t.second(),
            t.nanosecond()
        ),
        Err(_) => format!("{time} ns since 1970"),
    }
}

/// The key at the end of a chain of delegations, which narrows the targets.
fn follow(
    first: Vec<u8>,
    delegations: &[SignedDelegation],
    used: Use,
    root_key: &[u8],
    allowed: &mut Targets,
    now: Time,
) -> Result<Vec<u8>, Failure> {
    if delegations.len() > MAX_DELEGATIONS {
        return Err(Failure::bad_request("there are more than 20 delegations"));
    }
    let mut keys = vec![first];
    for SignedDelegation {
        delegation,
        signature,
    } in delegations
    {
        let key = &keys[keys.len() - 1];
        let signable = delegation.signable();
        verify(key, &signable, signature, root_key, "a delegation")?;
        if keys.contains(&delegation.pubkey) {
            return Err(Failure::bad_request("the delegations go in a circle"));
        }
        if delegation.expiration < now {
            return Err(Failure::forbidden("a delegation has expired"));
        }
        if let Some(targets) = &delegation.targets {
            if targets.len() > MAX_TARGETS {
                return Err(Failure::bad_request(
                    "a delegation names more than 1000 canisters",
                ));
            }
            allowed.narrow(targets);
        }
        let only_queries = matches!(delegation.permissions, Some(DelegationPermissions::Queries));
        if only_queries && used == Use::Call {
            return Err(Failure::forbidden("a delegation permits only queries"));
        }
        keys.push(delegation.pubkey.clone());
    }
    Ok(keys.swap_remove(keys.len() - 1))
}
