//! The HTTP gateway: it shows the pages that canisters serve (HTTP Gateway Protocol Specification).
//!
//! There is a crate with a gateway, `ic-http-gateway`. It reaches canisters through an agent, over
//! HTTP: this replica would call itself, with a second version of the agent's crates. So only what
//! verifies answers is a crate here.

mod address;
mod canister;
mod interface;
mod reply;
mod request;
mod stream;
mod trouble;
mod verification;

use axum::body::{Body, Bytes};
use axum::extract::{FromRequest, Request, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};

use self::address::{Address, Host};
use self::request::Question;
use self::stream::Streamed;
use self::trouble::Trouble;
use super::access::Access;
use super::answer::Failure;
use super::shared::Shared;

/// Answers a request that is for no other part of the interface.
pub(super) async fn serve(State(shared): State<Shared>, request: Request) -> Response {
    let to = request.headers().clone();
    let address = match address::of(&shared.access, request.uri(), &to) {
        Ok(Some(address)) => address,
        Ok(None) => return unknown(request.uri()).into_response(),
        Err(trouble) => return trouble.answer(&to),
    };
    let (parts, body) = request.into_parts();
    let body = Request::from_parts(parts.clone(), body);
    let body = match Bytes::from_request(body, &()).await {
        Ok(body) => body,
        Err(rejection) => return rejection.into_response(),
    };
    let answer = async {
        let question = Question::new(address, parts, body)?;
        answer(&shared, question).await
    };
    match answer.await {
        Ok(response) => response,
        Err(trouble) => trouble.answer(&to),
    }
}

/// Whether a request was sent to a canister's own host.
pub(super) fn is_at_a_canister(access: &Access, uri: &Uri, headers: &HeaderMap) -> bool {
    matches!(Host::of(access, uri, headers), Host::Canister(_))
}

fn unknown(uri: &Uri) -> Failure {
    Failure::new(
        StatusCode::NOT_FOUND,
        format!(
            "there is nothing at {uri}; the interface begins at /api/v2/status, and a canister's \
             pages at /?canisterId=<its id>"
        ),
    )
}

async fn answer(shared: &Shared, question: Question) -> Result<Response, Trouble> {
    let (mut response, time) = request::ask(shared, &question).await?;
    let is_upgraded = response.upgrade == Some(true);
    if is_upgraded {
        response = request::ask_by_update(shared, &question).await?;
    }
    let mut status = reply::status(response.status_code)?;
    let body = std::mem::take(&mut response.body);
    let strategy = response.streaming_strategy.take();
    let body = match stream::by_callback(shared, body, strategy).await? {
        Streamed::Whole(body) => body,
        // It would have to be collected to be verified, and so much is not collected.
        Streamed::Endless(body) => {
            let headers = reply::headers(&response.headers)?;
            return Ok(reply::response(status, headers, body));
        }
    };
    response.body = body;
    // The answer to a call needs no certificate of the canister's: the network agreed on it.
    let Address { raw, .. } = question.address;
    let fields = match is_upgraded || raw {
        true => response.headers.clone(),
        false => request::verify(shared, &question, &response, time).await?,
    };
    let mut headers = reply::headers(&fields)?;
    let is_first_range = status == StatusCode::PARTIAL_CONTENT && !question.is_for_a_range();
    let body = match is_first_range {
        true => {
            let (body, size) = stream::by_ranges(shared, question, response).await?;
            headers.remove(header::CONTENT_RANGE);
            headers.insert(header::CONTENT_LENGTH, HeaderValue::from(size));
            status = StatusCode::OK;
            match body {
                Streamed::Whole(body) => Body::from(body),
                Streamed::Endless(body) => body,
            }
        }
        false => Body::from(response.body),
    };
    Ok(reply::response(status, headers, body))
}
