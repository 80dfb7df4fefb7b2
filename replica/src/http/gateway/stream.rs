//! Bodies that come in several answers: by a callback, or by ranges (HTTP Gateway Protocol, "Response
//! Body Streaming").

use std::future::Future;
use std::io;

use axum::body::{Body, Bytes};
use axum::http::header;
use candid::Func;
use candid::types::value::IDLArgs;
use futures_util::StreamExt;
use futures_util::stream::{once, try_unfold};
use tokio::task::yield_now;

use super::super::shared::Shared;
use super::interface::{Chunk, HttpResponse, StreamingStrategy, Token, read};
use super::reply::header;
use super::request::Question;
use super::trouble::Trouble;
use super::{canister, request};

/// The most answers after the first that one body may come in.
const MAX_PIECES: usize = 1000;

/// How many are collected before anything is passed on. A body that ends within them can be verified.
const MAX_COLLECTED: usize = 4;

/// A body, or its beginning and how to get the rest.
pub(super) enum Streamed {
    Whole(Vec<u8>),
    Endless(Body),
}

/// The answers that come after the first.
trait Pieces: Send + Sized + 'static {
    /// The next piece of the body, if there is one.
    fn next(&mut self) -> impl Future<Output = Result<Option<Bytes>, Trouble>> + Send;

    /// Whether that was the last.
    fn is_over(&self) -> bool;
}

/// A body that begins with these bytes.
async fn assemble(mut body: Vec<u8>, mut pieces: impl Pieces) -> Result<Streamed, Trouble> {
    for _ in 0..MAX_COLLECTED {
        match pieces.next().await? {
            Some(piece) => body.extend(piece),
            None => break,
        }
    }
    if pieces.is_over() {
        return Ok(Streamed::Whole(body));
    }
    let rest = try_unfold(pieces, |mut pieces| async {
        // What was given so far is sent before the rest may break it off.
        yield_now().await;
        // What is wrong can't be said any more. The answer breaks off, so that nobody takes it for a
        // whole one.
        let piece = pieces.next().await;
        let piece = piece.map_err(|trouble| io::Error::other(trouble.text()))?;
        Ok::<_, io::Error>(piece.map(|piece| (piece, pieces)))
    });
    let first = once(async { Ok(Bytes::from(body)) });
    Ok(Streamed::Endless(Body::from_stream(first.chain(rest))))
}

/// The body of an answer, with what a callback adds to it.
pub(super) async fn by_callback(
    shared: &Shared,
    body: Vec<u8>,
    strategy: Option<StreamingStrategy>,
) -> Result<Streamed, Trouble> {
    let Some(StreamingStrategy::Callback { callback, token }) = strategy else {
        return Ok(Streamed::Whole(body));
    };
    let pieces = ByCallback {
        shared: shared.clone(),
        callback: callback.0,
        token: Some(token),
        count: 0,
    };
    assemble(body, pieces).await
}

/// What a callback gives.
struct ByCallback {
    shared: Shared,
    callback: Func,
    token: Option<Token>,
    count: usize,
}

impl Pieces for ByCallback {
    async fn next(&mut self) -> Result<Option<Bytes>, Trouble> {
        let Some(Token(token)) = self.token.take() else {
            return Ok(None);
        };
        check_count(&mut self.count)?;
        let Func { principal, method } = &self.callback;
        let argument = IDLArgs::new(&[token]).to_bytes().map_err(|error| {
            Trouble::bad_answer(format!("its token can't be given back: {error}"))
        })?;
        let (reply, _) = canister::query(&self.shared, *principal, method, argument).await?;
        let Chunk { body, token } = read_chunk(&reply, method)?;
        self.token = token;
        Ok(Some(Bytes::from(body)))
    }

    fn is_over(&self) -> bool {
        self.token.is_none()
    }
}

/// A piece of a body. The specification has it in an `opt`, and most canisters have it without.
fn read_chunk(reply: &[u8], method: &str) -> Result<Chunk, Trouble> {
    if let Ok(Some(chunk)) = read::<Option<Chunk>>(reply, method) {
        return Ok(chunk);
    }
    read(reply, method)
}

/// The body of an answer that holds a range of it, although no range was asked for; and its size.
pub(super) async fn by_ranges(
    shared: &Shared,
    question: Question,
    first: HttpResponse,
) -> Result<(Streamed, u64), Trouble> {
    let range = Range::of(&first.headers)?;
    if range.first != 0 || range.length() != first.body.len() as u64 {
        return Err(Trouble::bad_answer(
            "the range in it is not the beginning of the body",
        ));
    }
    let pieces = ByRanges {
        shared: shared.clone(),
        question,
        position: range.last + 1,
        total: range.total,
        count: 0,
    };
    Ok((assemble(first.body, pieces).await?, range.total))
}

/// What is left of a body, as many bytes as the canister gives at once.
struct ByRanges {
    shared: Shared,
    question: Question,
    position: u64,
    total: u64,
    count: usize,
}

impl Pieces for ByRanges {
    async fn next(&mut self) -> Result<Option<Bytes>, Trouble> {
        if self.is_over() {
            return Ok(None);
        }
        check_count(&mut self.count)?;
        let position = self.position;
        let asked = format!("bytes={position}-");
        let question = self.question.with_header("Range", asked);
        let (response, time) = request::ask(&self.shared, &question).await?;
        let range = Range::of(&response.headers)?;
        let goes_on = range.first <= position
            && range.last >= position
            && range.total == self.total
            && range.length() == response.body.len() as u64;
        if response.status_code != 206 || response.streaming_strategy.is_some() || !goes_on {
            return Err(Trouble::bad_answer("a range in it does not go on"));
        }
        if !question.address.raw {
            request::verify(&self.shared, &question, &response, time).await?;
        }
        self.position = range.last + 1;
        let known = (position - range.first) as usize;
        Ok(Some(Bytes::from(response.body).slice(known..)))
    }

    fn is_over(&self) -> bool {
        self.position == self.total
    }
}

/// Counts another piece, if there may be one.
fn check_count(count: &mut usize) -> Result<(), Trouble> {
    if *count == MAX_PIECES {
        return Err(Trouble::bad_answer(format!(
            "its body comes in more than {MAX_PIECES} pieces"
        )));
    }
    *count += 1;
    Ok(())
}

/// A range of a body, both ends included.
struct Range {
    first: u64,
    last: u64,
    total: u64,
}

impl Range {
    /// Of an answer's headers: `content-range: bytes 0-99/1000`.
    fn of(headers: &[(String, String)]) -> Result<Self, Trouble> {
        let written = header(headers, &header::CONTENT_RANGE).unwrap_or_default();
        let parse = || {
            let (range, total) = written.trim().strip_prefix("bytes ")?.split_once('/')?;
            let (first, last) = range.split_once('-')?;
            let range = Range {
                first: first.parse().ok()?,
                last: last.parse().ok()?,
                total: total.parse().ok()?,
            };
            let is_one = range.first <= range.last && range.last < range.total;
            is_one.then_some(range)
        };
        parse()
            .ok_or_else(|| Trouble::bad_answer(format!("'{written}' is not the range of a body")))
    }

    fn length(&self) -> u64 {
        self.last - self.first + 1
    }
}
