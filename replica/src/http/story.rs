//! Stories: steps that somebody takes one after the other, on a fork of the network. It stays as it is.
//!
//! - `GET /local-replica/interfaces`: what can be called, as a list of [`Described`] canisters.
//! - `POST /local-replica/story` with `{"from": null, "story": …}`: tells a [`Story`]. It begins with the
//!   state that the network is in now, which is kept under a number; with this number as `from`, the next
//!   story begins with it too. Returns `{"from": N, "told": …}`. The last eight are kept.
//! - `POST /local-replica/story/explore` with `{"from": N, "story": …, "wanted": …}`: explores the calls
//!   that the story ends with, as [`Wanted`]. A line of JSON for each [`Line`], as for explorations.
//! - `POST /local-replica/story/mermaid`, as for a story: returns a diagram, as text.
//!
//! [`Described`]: crate::exploring::story::Described

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use serde::{Deserialize, Serialize};
use serde_json::json;
use tokio::sync::Semaphore;

use super::answer::Failure;
use super::explore::{aside, explored, fork};
use super::json::{json, read};
use super::shared::Shared;
use crate::exploring::story::{Found, Story, Wanted};
use crate::exploring::wire::Progress;
use crate::exploring::{Teller, describe};

/// How many beginnings of stories are kept.
const MAX_KEPT: usize = 8;

/// The beginnings of stories, those used last at the end.
#[derive(Default)]
struct Kept {
    next: u64,
    tellers: Vec<(u64, Arc<Mutex<Teller>>)>,
}

type Beginnings = Arc<Mutex<Kept>>;

pub(super) fn router(places: Arc<Semaphore>) -> Router<Shared> {
    let kept = Beginnings::default();
    let (for_mermaid, for_explore) = (Arc::clone(&kept), Arc::clone(&kept));
    Router::new()
        .route("/local-replica/interfaces", get(interfaces))
        .route(
            "/local-replica/story",
            post(move |state, body| tell(state, body, kept)),
        )
        .route(
            "/local-replica/story/mermaid",
            post(move |state, body| mermaid(state, body, for_mermaid)),
        )
        .route(
            "/local-replica/story/explore",
            post(move |state, body| explore(state, body, for_explore, places)),
        )
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Asked {
    from: Option<u64>,
    story: Story,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct AskedToExplore {
    from: Option<u64>,
    story: Story,
    wanted: Wanted,
}

/// One line of what an exploration says.
#[derive(Serialize)]
#[serde(rename_all = "snake_case")]
enum Line {
    Progress(Progress),
    Found(Box<Found>),
    /// Why there is nothing to be found.
    Error(String),
}

async fn interfaces(State(shared): State<Shared>) -> Result<Response, Failure> {
    let replica = fork(&shared).await?;
    Ok(json(&aside(move || Ok(describe(&replica))).await?))
}

async fn tell(
    State(shared): State<Shared>,
    body: Bytes,
    kept: Beginnings,
) -> Result<Response, Failure> {
    let Asked { from, story } = read(&body, r#"{"from": null, "story": {"steps": […]}}"#)?;
    let (from, teller) = beginning(&shared, &kept, from).await?;
    let told = aside(move || lock(&teller).tell(&story)).await?;
    Ok(json(&json!({ "from": from, "told": told })))
}

async fn mermaid(
    State(shared): State<Shared>,
    body: Bytes,
    kept: Beginnings,
) -> Result<Response, Failure> {
    let Asked { from, story } = read(&body, r#"{"from": null, "story": {"steps": […]}}"#)?;
    let (_, teller) = beginning(&shared, &kept, from).await?;
    let mermaid = aside(move || lock(&teller).draw(&story)).await?;
    Ok(mermaid.into_response())
}

async fn explore(
    State(shared): State<Shared>,
    body: Bytes,
    kept: Beginnings,
    places: Arc<Semaphore>,
) -> Result<Response, Failure> {
    let AskedToExplore {
        from,
        story,
        wanted,
    } = read(&body, r#"{"from": N, "story": …, "wanted": …}"#)?;
    let (_, teller) = beginning(&shared, &kept, from).await?;
    // Others may go on telling meanwhile.
    let mut teller = lock(&teller).fork();
    explored(places, move |watch| {
        let mut progress = |progress| watch(&Line::Progress(progress));
        match teller.explore(&story, &wanted, &mut progress) {
            Ok(found) => Line::Found(Box::new(found)),
            Err(fault) => Line::Error(fault),
        }
    })
}

/// Who tells what begins there; without a number, with the network as it is now.
async fn beginning(
    shared: &Shared,
    kept: &Beginnings,
    from: Option<u64>,
) -> Result<(u64, Arc<Mutex<Teller>>), Failure> {
    if let Some(number) = from {
        return kept_under(kept, number).ok_or_else(|| {
            let text = format!("the state {number} is not kept any more; begin anew");
            Failure::new(StatusCode::GONE, text)
        });
    }
    let teller = Arc::new(Mutex::new(Teller::new(&fork(shared).await?)));
    let mut kept = lock(kept);
    kept.next += 1;
    let beginning = (kept.next, teller);
    kept.tellers.push(beginning.clone());
    if kept.tellers.len() > MAX_KEPT {
        kept.tellers.remove(0);
    }
    Ok(beginning)
}

fn kept_under(kept: &Beginnings, number: u64) -> Option<(u64, Arc<Mutex<Teller>>)> {
    let mut kept = lock(kept);
    let place = kept
        .tellers
        .iter()
        .position(|(known, _)| *known == number)?;
    let beginning = kept.tellers.remove(place);
    kept.tellers.push(beginning.clone());
    Some(beginning)
}

/// What panicked over a story left it as it was: a step is kept when it is whole.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
