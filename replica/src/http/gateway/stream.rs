//! Bodies that come in several answers: by a callback, or by ranges (HTTP Gateway Protocol, "Response
//! Body Streaming").

use std::io;

use axum::body::{Body, Bytes};
use axum::http::header;
use candid::Func;
use candid::types::value::IDLArgs;
use futures_util::StreamExt;
use futures_util::stream::{Stream, once, try_unfold};

use super::super::shared::Shared;
use super::interface::{Chunk, HttpResponse, StreamingStrategy, Token, read};
use super::reply::header;
use super::request::Question;
use super::trouble::Trouble;
use super::{canister, request};

/// The most answers that one body may come in.
const MAX_CHUNKS: usize = 1000;

/// How many are collected before anything is passed on. A body that ends within them can be verified.
const MAX_COLLECTED: usize = 4;

/// A body, or its beginning and how to get the rest.
pub(super) enum Streamed {
    Whole(Vec<u8>),
    Endless(Body),
}

/// What is to be asked next of a callback.
struct Next {
    shared: Shared,
    callback: Func,
    token: Option<Token>,
    chunks: usize,
}

impl Next {
    /// The next piece of the body, if there is one.
    async fn chunk(&mut self) -> Result<Option<Vec<u8>>, Trouble> {
        let Some(Token(token)) = self.token.take() else {
            return Ok(None);
        };
        if self.chunks == MAX_CHUNKS {
            return Err(Trouble::bad_answer(format!(
                "its body comes in more than {MAX_CHUNKS} pieces"
            )));
        }
        self.chunks += 1;
        let Func { principal, method } = &self.callback;
        let argument = IDLArgs::new(&[token]).to_bytes().map_err(|error| {
            Trouble::bad_answer(format!("its token can't be given back: {error}"))
        })?;
        let (reply, _) = canister::query(&self.shared, *principal, method, argument).await?;
        let Chunk { body, token } = read_chunk(&reply, method)?;
        self.token = token;
        Ok(Some(body))
    }
}

/// A piece of a body. The specification has it in an `opt`, and most canisters have it without.
fn read_chunk(reply: &[u8], method: &str) -> Result<Chunk, Trouble> {
    if let Ok(Some(chunk)) = read::<Option<Chunk>>(reply, method) {
        return Ok(chunk);
    }
    read(reply, method)
}

/// The body of an answer, with what a callback adds to it.
pub(super) async fn by_callback(
    shared: &Shared,
    mut body: Vec<u8>,
    strategy: Option<StreamingStrategy>,
) -> Result<Streamed, Trouble> {
    let Some(StreamingStrategy::Callback { callback, token }) = strategy else {
        return Ok(Streamed::Whole(body));
    };
    let mut next = Next {
        shared: shared.clone(),
        callback: callback.0,
        token: Some(token),
        chunks: 0,
    };
    for _ in 0..MAX_COLLECTED {
        match next.chunk().await? {
            Some(chunk) => body.extend(chunk),
            None => break,
        }
    }
    if next.token.is_none() {
        return Ok(Streamed::Whole(body));
    }
    let rest = try_unfold(next, |mut next| async {
        let chunk = next.chunk().await.map_err(broken)?;
        Ok(chunk.map(|chunk| (Bytes::from(chunk), next)))
    });
    Ok(Streamed::Endless(beginning_with(body, rest)))
}

/// The body of an answer that holds a range of it, although no range was asked for; and its size.
pub(super) fn by_ranges(
    shared: &Shared,
    question: Question,
    first: &HttpResponse,
) -> Result<(Body, u64), Trouble> {
    let range = Range::of(&first.headers)?;
    if range.first != 0 || range.length() != first.body.len() as u64 {
        return Err(Trouble::bad_answer(
            "the range in it is not the beginning of the body",
        ));
    }
    let state = (shared.clone(), question, range.last + 1, 1);
    let total = range.total;
    let rest = try_unfold(
        state,
        move |(shared, question, position, chunks)| async move {
            if position == total {
                return Ok(None);
            }
            let chunk = next_range(&shared, &question, position, total, chunks);
            let chunk = chunk.await.map_err(broken)?;
            let position = position + chunk.len() as u64;
            Ok(Some((chunk, (shared, question, position, chunks + 1))))
        },
    );
    Ok((beginning_with(first.body.clone(), rest), total))
}

/// The bytes of a body from a position on, as many as the canister gives at once.
async fn next_range(
    shared: &Shared,
    question: &Question,
    position: u64,
    total: u64,
    chunks: usize,
) -> Result<Bytes, Trouble> {
    let question = question.with_header("Range", format!("bytes={position}-"));
    let (response, time) = request::ask(shared, &question).await?;
    let range = Range::of(&response.headers)?;
    let fits = range.first <= position
        && range.last >= position
        && range.total == total
        && range.length() == response.body.len() as u64
        && chunks < MAX_CHUNKS;
    if response.status_code != 206 || response.streaming_strategy.is_some() || !fits {
        return Err(Trouble::bad_answer("a range in it does not go on"));
    }
    if !question.address.raw {
        request::verify(shared, &question, &response, time).await?;
    }
    let known = (position - range.first) as usize;
    Ok(Bytes::from(response.body).slice(known..))
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

/// What is wrong with the rest of a body can't be said any more: the answer breaks off, so that
/// nobody takes it for a whole one.
fn broken(trouble: Trouble) -> io::Error {
    io::Error::other(trouble.text())
}

fn beginning_with(
    first: Vec<u8>,
    rest: impl Stream<Item = Result<Bytes, io::Error>> + Send + 'static,
) -> Body {
    let first = once(async { Ok(Bytes::from(first)) });
    Body::from_stream(first.chain(rest))
}
