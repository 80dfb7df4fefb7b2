//! What only a local replica has, beside `/api`: its timeline, and the hand on its clock.
//!
//! - `GET /local-replica/timeline?since=N`: the events from number N on, as JSON.
//! - `POST /local-replica/advance_time` with `{"seconds": N}`: moves the replica's clock ahead.

use std::time::Duration;

use axum::body::Bytes;
use axum::extract::{RawQuery, State};
use axum::http::header;
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};

use super::{Failure, Shared};

/// The most that the clock can be moved at once, in seconds: ten years.
const MAX_SECONDS: u64 = 10 * 365 * 24 * 60 * 60;

pub(super) async fn timeline(
    State(shared): State<Shared>,
    RawQuery(query): RawQuery,
) -> Result<Response, Failure> {
    let since = match query.as_deref().unwrap_or("since=0").strip_prefix("since=") {
        Some(number) => number.parse().map_err(|_| {
            Failure::bad_request(format!("since is the number of an event, not '{number}'"))
        })?,
        None => return Err(Failure::bad_request("the only parameter is since=<number>")),
    };
    let read = move |node: &mut crate::owner::Node| {
        let timeline = node.replica.timeline();
        let events: Vec<_> = timeline.since(since).cloned().collect();
        (timeline.next_number(), events)
    };
    let (next, events) = shared.owner.with(read).await?;
    Ok(json(&serde_json::json!({ "next": next, "events": events })))
}

#[derive(Deserialize)]
struct Advance {
    seconds: u64,
}

pub(super) async fn advance_time(
    State(shared): State<Shared>,
    body: Bytes,
) -> Result<Response, Failure> {
    let advance: Advance = serde_json::from_slice(&body)
        .map_err(|error| Failure::bad_request(format!("expected {{\"seconds\": N}}: {error}")))?;
    if advance.seconds > MAX_SECONDS {
        return Err(Failure::bad_request(format!(
            "the clock can be moved by at most {MAX_SECONDS} seconds at once"
        )));
    }
    let move_clock = move |node: &mut crate::owner::Node| {
        node.advance_clock(Duration::from_secs(advance.seconds));
        node.replica.time()
    };
    let time = shared.owner.with(move_clock).await?;
    Ok(json(&serde_json::json!({ "time": time })))
}

fn json(value: &impl Serialize) -> Response {
    let text = serde_json::to_string(value).unwrap_or_default();
    ([(header::CONTENT_TYPE, "application/json")], text).into_response()
}
