//! A request as canisters get it.

use axum::body::Bytes;
use axum::http::request::Parts;
use axum::http::{HeaderMap, Method, StatusCode, header};
use candid::encode_one;

use super::super::shared::Shared;
use super::address::Address;
use super::interface::{HttpRequest, HttpResponse, HttpUpdateRequest, read};
use super::trouble::Trouble;
use super::verification::{self, Pair};
use super::{canister, reply};
use crate::message::Time;

const QUERY: &str = "http_request";
const UPDATE: &str = "http_request_update";

/// A request, and for whom it is.
#[derive(Clone)]
pub(super) struct Question {
    pub(super) address: Address,
    method: Method,
    url: String,
    headers: Vec<(String, String)>,
    body: Bytes,
}

impl Question {
    pub(super) fn new(address: Address, parts: Parts, body: Bytes) -> Result<Self, Trouble> {
        let url = parts.uri.path_and_query();
        Ok(Question {
            address,
            method: parts.method,
            url: url.map_or("/", |url| url.as_str()).to_owned(),
            headers: fields(&parts.headers)?,
            body,
        })
    }

    /// The same with one header more.
    pub(super) fn with_header(&self, name: &str, value: String) -> Self {
        let mut question = self.clone();
        question.headers.push((name.to_owned(), value));
        question
    }

    /// Whether the client asks for a part of the body.
    pub(super) fn is_for_a_range(&self) -> bool {
        [header::RANGE, header::IF_RANGE]
            .iter()
            .any(|name| reply::header(&self.headers, name).is_some())
    }
}

/// The headers as texts.
fn fields(headers: &HeaderMap) -> Result<Vec<(String, String)>, Trouble> {
    let field = |(name, value): (&header::HeaderName, &header::HeaderValue)| {
        let Ok(value) = std::str::from_utf8(value.as_bytes()) else {
            return Err(Trouble::new(
                StatusCode::BAD_REQUEST,
                format!("The header {name} is no text: canisters get texts only."),
            ));
        };
        let mut value = value.to_owned();
        // A canister may always answer with a body that is not compressed.
        if name == header::ACCEPT_ENCODING && !value.to_lowercase().contains("identity") {
            value.push_str(", identity");
        }
        Ok((name.to_string(), value))
    };
    headers.iter().map(field).collect()
}

/// Asks the canister, and returns its answer and the time of the replica's clock.
pub(super) async fn ask(
    shared: &Shared,
    question: &Question,
) -> Result<(HttpResponse, Time), Trouble> {
    let argument = encode_one(HttpRequest {
        method: question.method.as_str(),
        url: &question.url,
        headers: &question.headers,
        body: serde_bytes::Bytes::new(&question.body),
        certificate_version: Some(verification::VERSION),
    });
    let argument = argument.map_err(|error| unsent(&error))?;
    let canister = question.address.canister;
    let (answer, time) = canister::query(shared, canister, QUERY, argument).await?;
    let response: HttpResponse = read(&answer, QUERY)?;
    reply::check_size(&response.headers)?;
    Ok((response, time))
}

/// Asks the canister by a call, which may change its state.
pub(super) async fn ask_by_update(
    shared: &Shared,
    question: &Question,
) -> Result<HttpResponse, Trouble> {
    let argument = encode_one(HttpUpdateRequest {
        method: question.method.as_str(),
        url: &question.url,
        headers: &question.headers,
        body: serde_bytes::Bytes::new(&question.body),
    });
    let argument = argument.map_err(|error| unsent(&error))?;
    let canister = question.address.canister;
    let answer = canister::update(shared, canister, UPDATE, argument).await?;
    let response: HttpResponse = read(&answer, UPDATE)?;
    reply::check_size(&response.headers)?;
    Ok(response)
}

fn unsent(error: &candid::Error) -> Trouble {
    Trouble::new(
        StatusCode::BAD_REQUEST,
        format!("The request can't be passed on to a canister: {error}."),
    )
}

/// Checks the certificate of an answer. Returns the headers to pass on.
pub(super) async fn verify(
    shared: &Shared,
    question: &Question,
    response: &HttpResponse,
    time: Time,
) -> Result<Vec<(String, String)>, Trouble> {
    let pair = Pair {
        method: question.method.clone(),
        url: question.url.clone(),
        request_headers: question.headers.clone(),
        request_body: question.body.to_vec(),
        status: reply::status(response.status_code)?,
        headers: response.headers.clone(),
        body: response.body.clone(),
    };
    verification::verify(shared, question.address.canister, time, pair).await
}
