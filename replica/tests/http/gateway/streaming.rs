//! Bodies that come in several answers.

use candid::{Func, Principal};
use serde_bytes::ByteBuf;

use super::pages::{Chunk, Next, Pages, Strategy, get, page};
use crate::harness::Network;
use crate::raw::Answer;

impl Answer {
    /// The body that was sent in chunks.
    fn unchunked(&self) -> Vec<u8> {
        assert!(
            self.head.contains("transfer-encoding: chunked"),
            "{}",
            self.head
        );
        let (mut rest, mut body) = (self.body.as_slice(), Vec::new());
        while let Some(end) = rest.windows(2).position(|two| two == b"\r\n") {
            let size = std::str::from_utf8(&rest[..end]).unwrap();
            let size = usize::from_str_radix(size, 16).unwrap();
            body.extend_from_slice(&rest[end + 2..end + 2 + size]);
            rest = &rest[end + 2 + size + 2..];
            if size == 0 {
                assert_eq!(rest, b"");
                return body;
            }
        }
        panic!("it breaks off after {} bytes", body.len());
    }
}

#[tokio::test]
async fn body_comes_in_pieces_by_callback() {
    let network = Network::start().await;
    let pages = Pages::on(&network).await;
    let chunk = |body: &[u8], token| Chunk {
        body: ByteBuf::from(body),
        token,
    };
    pages
        .say(0, pages.with_next(page(200, &[], b"one "), 2))
        .await;
    pages.say(2, chunk(b"two ", Some(3))).await;
    // As the specification writes it.
    pages.say(3, Some(chunk(b"three", None))).await;
    let answer = pages.raw("/").await;
    assert_eq!(
        (answer.status, answer.text().as_str()),
        (200, "one two three")
    );

    // More pieces than are collected are passed on as they come.
    for number in 2..9 {
        let token = (number < 8).then_some(number + 1);
        pages.say(number, chunk(&[b'0' + number], token)).await;
    }
    let answer = pages.raw("/").await;
    assert_eq!(
        (answer.status, answer.unchunked()),
        (200, b"one 2345678".to_vec())
    );
}

#[tokio::test]
async fn body_without_end_breaks_off() {
    let network = Network::start().await;
    let pages = Pages::on(&network).await;
    pages.say(0, pages.with_next(page(200, &[], b""), 2)).await;
    let again = Chunk {
        body: ByteBuf::from(b"more".to_vec()),
        token: Some(2),
    };
    pages.say(2, again).await;
    let answer = pages.raw("/").await;
    let text = answer.text();
    let pieces = text.matches("more").count();
    // The last that were sent may be lost when the connection breaks.
    assert!((500..=1000).contains(&pieces), "{pieces}");
    assert!(!text.ends_with("0\r\n\r\n"), "it must not look complete");
    network.check().await;
}

#[tokio::test]
async fn callback_that_fails_is_told_while_nothing_was_sent() {
    let network = Network::start().await;
    let pages = Pages::on(&network).await;
    pages
        .say(0, pages.with_next(page(200, &[], b"one"), 2))
        .await;
    pages.raw("/").await.expect(502, "next of the canister");
    pages.say(2, "no chunk").await;
    pages
        .raw("/")
        .await
        .expect(502, "not what next of the HTTP gateway protocol answers");
    // Of another canister, which is not there.
    let nobody = Func {
        principal: Principal::from_slice(&[1, 1]),
        method: "next".to_owned(),
    };
    let mut elsewhere = page(200, &[], b"one");
    elsewhere.streaming_strategy = Some(Strategy::Callback {
        callback: Next(nobody),
        token: 2,
    });
    pages.say(0, elsewhere).await;
    pages.raw("/").await.expect(404, "There is no canister");
}

#[tokio::test]
async fn body_comes_in_ranges_that_nobody_asked_for() {
    let network = Network::start().await;
    let pages = Pages::on(&network).await;
    let part = |range: &str, body: &[u8]| page(206, &[("Content-Range", range)], body);
    pages.say(0, part("bytes 0-1/6", b"ab")).await;
    pages.say(2, part("bytes 2-3/6", b"cd")).await;
    // One that begins too early is cut.
    pages.say(4, part("bytes 3-5/6", b"def")).await;
    let answer = pages.raw("/").await;
    assert_eq!((answer.status, answer.text().as_str()), (200, "abcdef"));
    assert!(answer.head.contains("content-length: 6"), "{}", answer.head);
    assert!(!answer.head.contains("content-range"), "{}", answer.head);

    // Who asks for a range gets what there is.
    let host = format!("{}.raw.localhost", pages.canister);
    let answer = get(network.address, &host, "/", "range: bytes=2-3\r\n").await;
    assert_eq!((answer.status, answer.text().as_str()), (206, "cd"));
    assert!(
        answer.head.contains("content-range: bytes 2-3/6"),
        "{}",
        answer.head
    );

    for (range, body) in [
        ("", &b"ab"[..]),
        ("bytes 0-1/*", b"ab"),
        ("bytes 1-0/6", b"ab"),
        ("bytes 0-6/6", b"ab"),
        ("bytes 1-2/6", b"ab"),
        ("bytes 0-1/6", b"a"),
        ("bytes 0-18446744073709551615/18446744073709551615", b"ab"),
    ] {
        pages.say(0, part(range, body)).await;
        let answer = pages.raw("/").await;
        assert_eq!(answer.status, 502, "{range}: {}", answer.text());
    }
    for second in [
        part("bytes 0-1/6", b"ab"),
        part("bytes 3-5/6", b"def"),
        part("bytes 2-3/7", b"cd"),
        page(200, &[("content-range", "bytes 2-3/6")], b"cd"),
    ] {
        pages.say(0, part("bytes 0-1/6", b"ab")).await;
        pages.say(2, second).await;
        let answer = pages.raw("/").await;
        answer.expect(502, "a range in it does not go on");
    }
}

#[tokio::test]
async fn range_that_does_not_go_on_breaks_the_answer_off_when_others_were_sent() {
    let network = Network::start().await;
    let pages = Pages::on(&network).await;
    for position in 0..9 {
        let at = if position < 7 { position } else { 0 };
        let headers = [("content-range", format!("bytes {at}-{at}/9"))];
        let headers = headers
            .each_ref()
            .map(|(name, value)| (*name, value.as_str()));
        pages.say(position, page(206, &headers, b"x")).await;
    }
    let answer = pages.raw("/").await;
    assert!(answer.head.contains("content-length: 9"), "{}", answer.head);
    assert_eq!(answer.text(), "xxxxxxx");
    network.check().await;
}
