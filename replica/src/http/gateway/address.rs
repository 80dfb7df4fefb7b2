//! Which canister a request is for (HTTP Gateway Protocol, "Canister ID resolution").

use std::fs::File;
use std::io::Read;

use axum::http::{HeaderMap, StatusCode, Uri, header};
use candid::Principal;

use super::super::access::{self, Access};
use super::trouble::Trouble;
use crate::message::CanisterId;

/// How much of the file with the canisters' names is read, in bytes.
const MAX_NAMES: u64 = 1024 * 1024;

/// The canister that a request is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Address {
    /// The canister.
    pub(super) canister: CanisterId,
    /// Whether its answers are passed on as they are, without a look at their certificates.
    pub(super) raw: bool,
}

/// What a host is.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Host {
    /// One canister's own.
    Canister(Address),
    /// Below a domain, but of no canister.
    Nobody(String),
    /// The replica's.
    Replica,
}

impl Host {
    /// Of a request.
    pub(super) fn of(access: &Access, uri: &Uri, headers: &HeaderMap) -> Host {
        let Some(host) = access::host(uri, headers) else {
            return Host::Replica;
        };
        if access.domains().any(|domain| domain == host) {
            return Host::Replica;
        }
        // A domain may lie below another.
        let below = access.domains().filter_map(|domain| {
            let label = host.strip_suffix(domain)?.strip_suffix('.')?;
            Some(label.to_owned())
        });
        let below = below.min_by_key(String::len);
        if let Some(label) = &below {
            let (label, raw) = match label.strip_suffix(".raw") {
                Some(label) => (label, true),
                None => (label.as_str(), false),
            };
            if let Ok(canister) = Principal::from_text(label) {
                return Host::Canister(Address { canister, raw });
            }
        }
        match (named(access, &host), below) {
            (Some(canister), _) => Host::Canister(Address {
                canister,
                raw: false,
            }),
            (None, Some(_)) => Host::Nobody(host),
            (None, None) => Host::Replica,
        }
    }
}

/// The canister that a request is for, if any. Besides the host, `canisterId` in the query says so,
/// also that of the page from which a browser has the address.
pub(super) fn of(
    access: &Access,
    uri: &Uri,
    headers: &HeaderMap,
) -> Result<Option<Address>, Trouble> {
    match Host::of(access, uri, headers) {
        Host::Canister(address) => return Ok(Some(address)),
        Host::Nobody(host) => {
            return Err(Trouble::new(
                StatusCode::NOT_FOUND,
                format!(
                    "No canister of this network has the name {host}. The host of a canister is \
                     <its id>.localhost."
                ),
            ));
        }
        Host::Replica => {}
    }
    let own = canister_id(uri.query().unwrap_or_default());
    let id = match own {
        Some(id) => Some(id),
        None => referring(uri, headers).and_then(|page| canister_id(page.query()?)),
    };
    let Some(id) = id else { return Ok(None) };
    let canister = Principal::from_text(&id).map_err(|error| {
        Trouble::new(
            StatusCode::BAD_REQUEST,
            format!("canisterId='{id}' is no canister id: {error}"),
        )
    })?;
    Ok(Some(Address {
        canister,
        raw: false,
    }))
}

/// The value of `canisterId` in a query. An id has no character that a query would encode.
fn canister_id(query: &str) -> Option<String> {
    let mut pairs = query.split('&');
    let id = pairs.find_map(|pair| pair.strip_prefix("canisterId="));
    id.map(str::to_owned)
}

/// The page from which a browser has the address of the request, if it is at the same host.
fn referring(uri: &Uri, headers: &HeaderMap) -> Option<Uri> {
    let page = headers.get(header::REFERER)?.to_str().ok()?;
    let page: Uri = page.parse().ok()?;
    let there = access::host(&page, &HeaderMap::new())?;
    (there == access::host(uri, headers)?).then_some(page)
}

/// The canister with this name. A file that can't be read has no names.
fn named(access: &Access, host: &str) -> Option<CanisterId> {
    let file = File::open(access.names.as_ref()?).ok()?;
    let mut names = String::new();
    file.take(MAX_NAMES).read_to_string(&mut names).ok()?;
    names.lines().find_map(|line| {
        let (name, id) = line.rsplit_once(':')?;
        let is_this = name.trim().eq_ignore_ascii_case(host);
        is_this
            .then(|| Principal::from_text(id.trim()).ok())
            .flatten()
    })
}
