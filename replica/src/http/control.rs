//! What only a local replica has, beside `/api`: its timeline, and the hand on its clock and its
//! messages. All answers are JSON. Requests carry no signature: [`Access`] says who may send them.
//!
//! - `GET /local-replica/`: the page on which messages are delivered by hand.
//! - `GET /local-replica/timeline?since=N`: the events from number N on.
//! - `POST /local-replica/advance_time` with `{"seconds": N}`: moves the replica's clock ahead.
//! - `POST /local-replica/hold` with `{"hold": true}`: messages wait from now on; `false` lets them
//!   go. While they wait, a synchronous call returns 202 at once.
//! - `GET /local-replica/messages`: the messages that wait.
//! - `POST /local-replica/deliver` with `{"message": N, "how": "normally"}`: delivers one of them, and
//!   returns the events that this caused. Other ways are `trap`, `reject` and `lose`: see [`Delivery`].
//! - `GET /local-replica/events?since=N`: [`events`] as they come.
//! - `GET /local-replica/interfaces` and `POST /local-replica/story`: see [`story`].
//! - `POST /local-replica/explore`, `POST /local-replica/replay` and `GET /local-replica/canisters`: see
//!   [`explore`].

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{RawQuery, Request, State};
use axum::http::{StatusCode, header};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use serde::{Deserialize, Serialize};

use super::access::{self, Access};
use super::answer::Failure;
use super::events::{self, since};
use super::explore;
use super::gateway;
use super::json::{json, read};
use super::shared::Shared;
use super::story;
use crate::hold::Delivery;
use crate::message_name::MessageName;
use crate::owner::Node;
use crate::timeline::Event;

/// The most that the clock can be moved at once, in seconds: ten years.
const MAX_SECONDS: u64 = 10 * 365 * 24 * 60 * 60;

pub(super) fn router(shared: &Shared) -> Router<Shared> {
    let places = explore::places();
    Router::new()
        .route("/local-replica/timeline", get(timeline))
        .route("/local-replica/advance_time", post(advance_time))
        .route("/local-replica/messages", get(messages))
        .route("/local-replica/hold", post(hold))
        .route("/local-replica/deliver", post(deliver))
        .merge(events::router())
        .merge(explore::router(Arc::clone(&places)))
        .merge(story::router(places))
        .route_layer(from_fn_with_state(shared.clone(), guard))
}

/// Refuses what a page of another site asks a browser to send: whoever looks at a web page should
/// not have the local replica moved by it. At a canister's own host, there are no controls: all
/// pages there are the canister's.
async fn guard(State(shared): State<Shared>, request: Request, next: Next) -> Response {
    let (uri, headers) = (request.uri(), request.headers());
    if gateway::is_at_a_canister(&shared.access, uri, headers) {
        return gateway::serve(State(shared), request).await;
    }
    match check(&shared.access, &request) {
        Ok(()) => next.run(request).await,
        Err(failure) => failure.into_response(),
    }
}

fn check(access: &Access, request: &Request) -> Result<(), Failure> {
    let headers = request.headers();
    if !access.admits(headers) {
        return Err(Failure::new(
            StatusCode::UNAUTHORIZED,
            "the controls need the token that the local replica printed when it started, or was \
             started with: authorization: Bearer <token>",
        ));
    }
    let host = access::host(request.uri(), headers).unwrap_or_default();
    if access.token.is_none() && !access.knows(&host) {
        return Err(Failure::forbidden(format!(
            "the controls are at localhost and the domains given with --domain, and not at '{host}'"
        )));
    }
    match headers.get(header::ORIGIN) {
        Some(origin) if !access.allows(origin) => Err(Failure::forbidden(
            "only pages of this machine may use the local replica's controls",
        )),
        _ => Ok(()),
    }
}

async fn timeline(
    State(shared): State<Shared>,
    RawQuery(query): RawQuery,
) -> Result<Response, Failure> {
    let since = since(query.as_deref())?;
    let read = move |node: &mut Node| events_since(node, since);
    Ok(json(&shared.owner.with(read).await?))
}

/// A part of the timeline.
#[derive(Serialize)]
struct Events {
    /// The number that the next event will have.
    next: u64,
    events: Vec<Event>,
}

fn events_since(node: &Node, first: u64) -> Events {
    let timeline = node.replica.timeline();
    Events {
        next: timeline.next_number(),
        events: timeline.since(first).cloned().collect(),
    }
}

#[derive(Deserialize)]
struct Advance {
    seconds: u64,
}

async fn advance_time(State(shared): State<Shared>, body: Bytes) -> Result<Response, Failure> {
    let advance: Advance = read(&body, r#"{"seconds": N}"#)?;
    if advance.seconds > MAX_SECONDS {
        return Err(Failure::bad_request(format!(
            "the clock can be moved by at most {MAX_SECONDS} seconds at once"
        )));
    }
    let move_clock = move |node: &mut Node| {
        node.advance_clock(Duration::from_secs(advance.seconds));
        node.replica.time()
    };
    let time = shared.owner.with(move_clock).await?;
    Ok(json(&serde_json::json!({ "time": time })))
}

#[derive(Deserialize)]
struct Hold {
    hold: bool,
}

async fn hold(State(shared): State<Shared>, body: Bytes) -> Result<Response, Failure> {
    let Hold { hold } = read(&body, r#"{"hold": true}"#)?;
    let set = move |node: &mut Node| node.hold(hold);
    shared.owner.with(set).await?;
    Ok(json(&serde_json::json!({ "held": hold })))
}

async fn messages(State(shared): State<Shared>) -> Result<Response, Failure> {
    let read = |node: &mut Node| {
        let held = node.replica.holds_messages();
        (held, node.replica.waiting_messages())
    };
    let (held, messages) = shared.owner.with(read).await?;
    Ok(json(
        &serde_json::json!({ "held": held, "messages": messages }),
    ))
}

#[derive(Deserialize)]
struct Deliver {
    message: MessageName,
    #[serde(default)]
    how: Delivery,
}

async fn deliver(State(shared): State<Shared>, body: Bytes) -> Result<Response, Failure> {
    let Deliver { message, how } = read(&body, r#"{"message": N, "how": "normally"}"#)?;
    let deliver = move |node: &mut Node| {
        let first = node.replica.timeline().next_number();
        node.deliver(message, how)?;
        Ok(events_since(node, first))
    };
    let delivered: Result<Events, String> = shared.owner.with(deliver).await?;
    let conflict = |why| Failure::new(StatusCode::CONFLICT, why);
    Ok(json(&delivered.map_err(conflict)?))
}
