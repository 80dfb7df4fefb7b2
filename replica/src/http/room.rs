//! How many bytes of requests are worked on at the same time.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::{StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use tokio::sync::Semaphore;

use super::answer::Failure;

/// The bodies of all requests together, in KiB: 256 MiB.
const ROOM: usize = 256 * 1024;

/// Room for bodies, in KiB.
pub(super) type Room = Arc<Semaphore>;

pub(super) fn room() -> Room {
    Arc::new(Semaphore::new(ROOM))
}

/// Refuses a request when the bodies of those that are worked on have too many bytes together. One
/// that does not say how long its body is counts as one of `longest` bytes.
pub(super) async fn limit_together(
    State((room, longest)): State<(Room, usize)>,
    request: Request,
    next: Next,
) -> Response {
    let headers = request.headers();
    let announced = headers.get(header::CONTENT_LENGTH);
    let announced = announced.and_then(|length| length.to_str().ok()?.parse::<usize>().ok());
    let length = match announced {
        Some(length) => length.min(longest),
        None if headers.contains_key(header::TRANSFER_ENCODING) => longest,
        None => 0,
    };
    let wanted = u32::try_from(length.div_ceil(1024)).unwrap_or(u32::MAX);
    match room.try_acquire_many(wanted) {
        Ok(_taken) => next.run(request).await,
        Err(_) => Failure::new(
            StatusCode::TOO_MANY_REQUESTS,
            "the requests that the local replica works on have too many bytes together; try again",
        )
        .into_response(),
    }
}
