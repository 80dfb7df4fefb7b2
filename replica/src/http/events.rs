//! What happens, as it happens.
//!
//! `GET /local-replica/events?since=N` answers with a line of JSON now, and another one whenever
//! something happened or waits: `{"next": N, "events": […], "held": …, "waiting": […], "time": …}`, with
//! the events since the line before. Who begins anew says with `since` where.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{RawQuery, State};
use axum::http::StatusCode;
use axum::response::Response;
use axum::routing::get;
use serde::Serialize;
use tokio::sync::{Semaphore, mpsc};
use tokio::time::sleep;

use super::answer::Failure;
use super::explore::{line, lines_of};
use super::shared::Shared;
use crate::hold::{Delivery, WaitingMessage};
use crate::message::Time;
use crate::owner::Node;
use crate::timeline::Event;

/// How many read along at the same time.
const MAX_READERS: usize = 16;

/// How long it waits for more that goes into the same line.
const PAUSE: Duration = Duration::from_millis(50);

pub(super) fn router() -> Router<Shared> {
    let places = Arc::new(Semaphore::new(MAX_READERS));
    let events = move |state, query| events(state, query, Arc::clone(&places));
    Router::new().route("/local-replica/events", get(events))
}

/// The number of the event that somebody wants to begin with.
pub(super) fn since(query: Option<&str>) -> Result<u64, Failure> {
    match query.unwrap_or("since=0").strip_prefix("since=") {
        Some(number) => number.parse().map_err(|_| {
            Failure::bad_request(format!("since is the number of an event, not '{number}'"))
        }),
        None => Err(Failure::bad_request("the only parameter is since=<number>")),
    }
}

#[derive(Serialize)]
struct News {
    next: u64,
    events: Vec<Event>,
    held: bool,
    waiting: Vec<Waiting>,
    time: Time,
}

#[derive(Serialize)]
struct Waiting {
    message: WaitingMessage,
    ways: Vec<Delivery>,
}

async fn events(
    State(shared): State<Shared>,
    RawQuery(query): RawQuery,
    places: Arc<Semaphore>,
) -> Result<Response, Failure> {
    let mut since = since(query.as_deref())?;
    let Ok(place) = places.try_acquire_owned() else {
        let text = format!("{MAX_READERS} read the events already");
        return Err(Failure::new(StatusCode::TOO_MANY_REQUESTS, text));
    };
    let (lines, received) = mpsc::channel::<Bytes>(1);
    let mut pulse = shared.owner.pulse();
    tokio::spawn(async move {
        loop {
            pulse.mark_unchanged();
            let read = move |node: &mut Node| news(node, since);
            let Ok(news) = shared.owner.with(read).await else {
                break;
            };
            since = news.next;
            if lines.send(line(&news)).await.is_err() {
                break;
            }
            sleep(PAUSE).await;
            tokio::select! {
                changed = pulse.changed() => if changed.is_err() { break },
                () = lines.closed() => break,
            }
        }
        drop(place);
    });
    Ok(lines_of(received))
}

fn news(node: &Node, since: u64) -> News {
    let replica = &node.replica;
    let waiting = replica.waiting_messages().into_iter();
    News {
        next: replica.timeline().next_number(),
        events: replica.timeline().since(since).cloned().collect(),
        held: replica.holds_messages(),
        waiting: waiting
            .map(|message| Waiting {
                ways: replica.ways(message.name),
                message,
            })
            .collect(),
        time: replica.time(),
    }
}
