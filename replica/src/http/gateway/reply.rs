//! What of a canister's answer is passed on. A canister may answer anything: what HTTP does not have,
//! or what only the server may say, stays here.

use axum::body::Body;
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};

use super::trouble::Trouble;

/// The most headers that an answer may have, and the most bytes in their names and values.
const MAX_HEADERS: usize = 100;
const MAX_HEADER_BYTES: usize = 128 * 1024;

/// What is about the connection, and so the server's alone.
const OF_THE_CONNECTION: [HeaderName; 7] = [
    header::CONNECTION,
    header::CONTENT_LENGTH,
    header::PROXY_AUTHENTICATE,
    header::TE,
    header::TRAILER,
    header::TRANSFER_ENCODING,
    header::UPGRADE,
];

/// The status that a canister gave.
pub(super) fn status(code: u16) -> Result<StatusCode, Trouble> {
    match StatusCode::from_u16(code) {
        // Those below 200 announce an answer, and are none; above 599 there is nothing.
        Ok(status) if (200..600).contains(&code) => Ok(status),
        _ => Err(Trouble::bad_answer(format!(
            "its status code is {code}, and can be 200 to 599"
        ))),
    }
}

/// Refuses more headers than anybody needs.
pub(super) fn check_size(headers: &[(String, String)]) -> Result<(), Trouble> {
    let bytes: usize = headers.iter().map(|(n, v)| n.len() + v.len()).sum();
    match headers.len() <= MAX_HEADERS && bytes <= MAX_HEADER_BYTES {
        true => Ok(()),
        false => Err(Trouble::bad_answer(format!(
            "it has {} headers with {bytes} bytes, and may have {MAX_HEADERS} with \
             {MAX_HEADER_BYTES}",
            headers.len()
        ))),
    }
}

/// The headers, as HTTP has them.
pub(super) fn headers(fields: &[(String, String)]) -> Result<HeaderMap, Trouble> {
    let mut headers = HeaderMap::new();
    for (name, value) in fields {
        let parsed = (HeaderName::try_from(name), HeaderValue::try_from(value));
        let (Ok(field), Ok(value)) = parsed else {
            return Err(Trouble::bad_answer(format!(
                "its header {name:?} has a name or a value that HTTP does not have"
            )));
        };
        if !OF_THE_CONNECTION.contains(&field) && field != "keep-alive" {
            headers.append(field, value);
        }
    }
    Ok(headers)
}

/// The value of a header.
pub(super) fn header<'a>(fields: &'a [(String, String)], name: &HeaderName) -> Option<&'a str> {
    let mut fields = fields.iter();
    let found = fields.find(|(field, _)| field.eq_ignore_ascii_case(name.as_str()));
    found.map(|(_, value)| value.as_str())
}

/// The answer to the client.
pub(super) fn response(status: StatusCode, headers: HeaderMap, body: Body) -> Response {
    (status, headers, body).into_response()
}
