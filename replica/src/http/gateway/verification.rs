//! Checks that the state of the network says what a canister answered (HTTP Gateway Protocol,
//! "Response Verification").
//!
//! There is one node here, which gains nothing by lying. It is checked all the same: a canister whose
//! certificates are wrong is to be found out before the network refuses its pages.

use std::io::Read;

use axum::http::{HeaderName, Method, StatusCode};
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use flate2::read::{DeflateDecoder, GzDecoder};
use ic_http_certification::{HttpRequest, HttpResponse};
use ic_response_verification::types::VerificationInfo;
use ic_response_verification::{MIN_VERIFICATION_VERSION, verify_request_response_pair};
use serde_cbor::Value;
use tokio::task::spawn_blocking;

use super::super::shared::Shared;
use super::reply::header;
use super::trouble::Trouble;
use crate::message::{CanisterId, Time};

/// The version of response verification that canisters are told.
pub(super) const VERSION: u16 = ic_response_verification::MAX_VERIFICATION_VERSION as u16;

/// How old a certificate may be, in nanoseconds.
const MAX_AGE: u128 = 5 * 60 * 1_000_000_000;

/// How large a compressed body may be when it is not compressed, in bytes.
const MAX_BODY: u64 = 64 * 1024 * 1024;

/// How deep the expression that says what is certified may be nested.
const MAX_NESTING: usize = 32;

const CERTIFICATE: HeaderName = HeaderName::from_static("ic-certificate");
const EXPRESSION: HeaderName = HeaderName::from_static("ic-certificateexpression");

/// A request and the answer to it.
pub(super) struct Pair {
    pub(super) method: Method,
    pub(super) url: String,
    pub(super) request_headers: Vec<(String, String)>,
    pub(super) request_body: Vec<u8>,
    pub(super) status: StatusCode,
    pub(super) headers: Vec<(String, String)>,
    pub(super) body: Vec<u8>,
}

/// Checks the answer of a canister at a time of the replica's clock. Returns the headers to pass on:
/// those that are certified, as far as the answer says which are.
pub(super) async fn verify(
    shared: &Shared,
    canister: CanisterId,
    time: Time,
    pair: Pair,
) -> Result<Vec<(String, String)>, Trouble> {
    let root_key = shared.owner.subnet().root_key.der().to_vec();
    // It takes milliseconds of arithmetic. What panics in it has a thread of its own.
    let verified = spawn_blocking(move || {
        check_form(&pair)?;
        let Pair { headers, .. } = &pair;
        let fields = headers.clone();
        let status = pair.status;
        let info = checked(pair, canister, time, &root_key)?;
        to_pass_on(info, status, fields)
    });
    let fault = match verified.await {
        Ok(Ok(headers)) => return Ok(headers),
        Ok(Err(fault)) => fault,
        Err(_) => "its certificate can't be read".to_owned(),
    };
    Err(Trouble::new(
        StatusCode::BAD_GATEWAY,
        format!(
            "The canister's answer is not certified: {fault}. The host <canister id>.raw.localhost \
             shows it unverified."
        ),
    ))
}

fn checked(
    pair: Pair,
    canister: CanisterId,
    time: Time,
    root_key: &[u8],
) -> Result<VerificationInfo, String> {
    let request = HttpRequest::builder()
        .with_method(pair.method)
        .with_url(pair.url)
        .with_headers(pair.request_headers)
        .with_body(pair.request_body)
        .build();
    let response = HttpResponse::builder()
        .with_status_code(pair.status)
        .with_headers(pair.headers)
        .with_body(pair.body)
        .build();
    verify_request_response_pair(
        request,
        response,
        canister.as_slice(),
        time.into(),
        MAX_AGE,
        root_key,
        MIN_VERIFICATION_VERSION,
    )
    .map_err(|error| error.to_string())
}

/// The headers of a verified answer that are passed on, by the rules of the network's gateway.
fn to_pass_on(
    info: VerificationInfo,
    status: StatusCode,
    fields: Vec<(String, String)>,
) -> Result<Vec<(String, String)>, String> {
    match (info.verification_version, info.response) {
        // Version 1 certifies neither the status nor headers.
        (1, _) if status.is_redirection() => {
            Err("it redirects, which version 1 of certification can't certify".to_owned())
        }
        (1, _) => {
            let is_about_caches = |name: &str| name.eq_ignore_ascii_case("cache-control");
            let fields = fields.into_iter();
            Ok(fields.filter(|(name, _)| !is_about_caches(name)).collect())
        }
        (_, Some(certified)) => Ok(certified.headers),
        // The canister certifies that this answer needs no certificate.
        (_, None) => Ok(fields),
    }
}

/// Refuses what the verifying crate is not made for: it trusts the sizes and the depth that are
/// written in a certificate, and unpacks bodies of any size.
fn check_form(pair: &Pair) -> Result<(), String> {
    let unreadable = || "its certificate can't be read".to_owned();
    if let Some(certificate) = header(&pair.headers, &CERTIFICATE) {
        for field in certificate.split(',') {
            let Some((_, value)) = field.split_once("=:") else {
                continue;
            };
            let value = value.trim().trim_end_matches(':');
            let bytes = BASE64_STANDARD.decode(value).map_err(|_| unreadable())?;
            // This one knows a depth, and reads no more items than there are.
            let value = serde_cbor::from_slice(&bytes).map_err(|_| unreadable())?;
            if !is_plain(&value) {
                return Err(unreadable());
            }
        }
    }
    if let Some(expression) = header(&pair.headers, &EXPRESSION)
        && nesting(expression) > MAX_NESTING
    {
        return Err(format!(
            "what it says to be certified is nested deeper than {MAX_NESTING}"
        ));
    }
    let body = pair.body.as_slice();
    let size = match header(&pair.headers, &axum::http::header::CONTENT_ENCODING) {
        Some("gzip") => unpacked_size(GzDecoder::new(body)),
        Some("deflate") => unpacked_size(DeflateDecoder::new(body)),
        _ => 0,
    };
    match size > MAX_BODY {
        true => Err(format!("its body has more than {MAX_BODY} bytes unpacked")),
        false => Ok(()),
    }
}

/// Whether a value has only what certificates have. Of other kinds, the verifying crate takes what
/// comes next for their contents.
fn is_plain(value: &Value) -> bool {
    match value {
        Value::Integer(_) | Value::Bytes(_) | Value::Text(_) => true,
        Value::Array(items) => items.iter().all(is_plain),
        Value::Map(entries) => entries.iter().all(|(k, v)| is_plain(k) && is_plain(v)),
        _ => false,
    }
}

fn nesting(expression: &str) -> usize {
    let mut depth: usize = 0;
    let depths = expression.bytes().map(|byte| {
        match byte {
            b'(' | b'[' | b'{' => depth += 1,
            b')' | b']' | b'}' => depth = depth.saturating_sub(1),
            _ => {}
        }
        depth
    });
    depths.max().unwrap_or(0)
}

/// The size of a body unpacked, as far as it matters. A body that can't be unpacked has none.
fn unpacked_size(body: impl Read) -> u64 {
    std::io::copy(&mut body.take(MAX_BODY + 1), &mut std::io::sink()).unwrap_or(0)
}
