//! Explorations: every order of messages, from the state that the network is in. It stays as it is, and
//! answers meanwhile.
//!
//! - `POST /local-replica/explore` with a [`Case`]: a line of JSON for each [`Line`], first how far it
//!   is, from time to time, and at the end the report. Whoever goes away ends it.
//! - `POST /local-replica/replay` with a [`Replay`]: follows one schedule, and tells what it did.
//! - `GET /local-replica/canisters`: the canisters that there are.

use std::convert::Infallible;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use futures_util::stream;
use serde::Serialize;
use tokio::sync::{Semaphore, mpsc};
use tokio::task::spawn_blocking;

use super::answer::Failure;
use super::json::{json, read};
use super::shared::Shared;
use crate::exploring::Prepared;
use crate::exploring::wire::{Case, Line, Replay};
use crate::owner::Node;
use crate::replica::Replica;

/// How many explorations go on at the same time.
const MAX_EXPLORATIONS: usize = 2;

/// How long one may take: a little less than a connection may.
const PATIENCE: Duration = Duration::from_secs(9 * 60);

/// How often it says how far it is.
const PROGRESS: Duration = Duration::from_millis(200);

/// Places for explorations. Whoever finds none is told so.
pub(super) fn places() -> Arc<Semaphore> {
    Arc::new(Semaphore::new(MAX_EXPLORATIONS))
}

pub(super) fn router(places: Arc<Semaphore>) -> Router<Shared> {
    let explore = move |state, body| explore(state, body, Arc::clone(&places));
    Router::new()
        .route("/local-replica/explore", post(explore))
        .route("/local-replica/replay", post(replay))
        .route("/local-replica/canisters", get(canisters))
}

async fn canisters(State(shared): State<Shared>) -> Result<Response, Failure> {
    let read = |node: &mut Node| -> Vec<String> {
        let canisters = node.replica.canisters();
        canisters.map(|canister| canister.id.to_text()).collect()
    };
    let canisters = shared.owner.with(read).await?;
    Ok(json(&serde_json::json!({ "canisters": canisters })))
}

async fn explore(
    State(shared): State<Shared>,
    body: Bytes,
    places: Arc<Semaphore>,
) -> Result<Response, Failure> {
    let case: Case = read(
        &body,
        r#"{"together": [{"canister": …, "method": …}, …], …}"#,
    )?;
    let replica = fork(&shared).await?;
    let prepared = aside(move || Prepared::new(&replica, &case)).await?;
    explored(places, move |watch| {
        let began = Instant::now();
        let mut report = prepared.run(&mut |progress| watch(&Line::Progress(progress)));
        report.seconds = began.elapsed().as_secs_f64();
        Line::Report(Box::new(report))
    })
}

/// What an exploration says while it runs, and at last, line by line. It says something through the
/// function that it is given; where that is false, it is to end.
pub(super) fn explored<T: Serialize>(
    places: Arc<Semaphore>,
    run: impl FnOnce(&mut dyn FnMut(&T) -> bool) -> T + Send + 'static,
) -> Result<Response, Failure> {
    let Ok(place) = places.try_acquire_owned() else {
        let text = format!("{MAX_EXPLORATIONS} explorations go on already; wait for one to end");
        return Err(Failure::new(StatusCode::TOO_MANY_REQUESTS, text));
    };
    let (lines, received) = mpsc::channel::<Bytes>(16);
    // A program that is told to stop does not wait for this thread.
    let explore = move || {
        let began = Instant::now();
        let mut told = Instant::now();
        let last = run(&mut |now| {
            if told.elapsed() >= PROGRESS {
                told = Instant::now();
                // Who reads slowly misses some.
                let _full = lines.try_send(line(now));
            }
            !lines.is_closed() && began.elapsed() < PATIENCE
        });
        let _gone = lines.blocking_send(line(&last));
        drop(place);
    };
    let begun = thread::Builder::new()
        .name("explore".to_owned())
        .spawn(explore);
    begun.map_err(|error| {
        let text = format!("can't start a thread: {error}");
        Failure::new(StatusCode::SERVICE_UNAVAILABLE, text)
    })?;
    Ok(lines_of(received))
}

/// An answer that comes line by line.
pub(super) fn lines_of(mut received: mpsc::Receiver<Bytes>) -> Response {
    let lines = stream::poll_fn(move |context| {
        let line = received.poll_recv(context);
        line.map(|line| line.map(Ok::<Bytes, Infallible>))
    });
    let body = Body::from_stream(lines);
    ([(header::CONTENT_TYPE, "application/x-ndjson")], body).into_response()
}

async fn replay(State(shared): State<Shared>, body: Bytes) -> Result<Response, Failure> {
    let replay: Replay = read(&body, r#"{"case": …, "schedule": ["deliver call 1", …]}"#)?;
    let replica = fork(&shared).await?;
    let replayed = aside(move || replay.run(&replica)).await?;
    Ok(json(&replayed))
}

pub(super) async fn fork(shared: &Shared) -> Result<Replica, Failure> {
    Ok(shared
        .owner
        .with(|node: &mut Node| node.replica.fork())
        .await?)
}

/// Does something that takes time, on a thread of its own.
pub(super) async fn aside<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, String> + Send + 'static,
) -> Result<T, Failure> {
    let done = spawn_blocking(work).await;
    let failed = |_| Failure::new(StatusCode::INTERNAL_SERVER_ERROR, "the exploration failed");
    done.map_err(failed)?.map_err(Failure::bad_request)
}

pub(super) fn line(value: &impl Serialize) -> Bytes {
    let mut text = serde_json::to_vec(value).unwrap_or_default();
    text.push(b'\n');
    Bytes::from(text)
}
