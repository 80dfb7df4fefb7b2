//! HTTP by hand, for requests that no client would send.

use std::net::SocketAddr;

use serde::de::DeserializeOwned;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::harness::Network;

/// The answer to a request.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    /// The header fields, in lower case.
    pub head: String,
    pub body: Vec<u8>,
}

impl Answer {
    pub fn parse(bytes: &[u8]) -> Self {
        let end = bytes.windows(4).position(|four| four == b"\r\n\r\n");
        let end = end.unwrap_or_else(|| panic!("no head: {:?}", String::from_utf8_lossy(bytes)));
        let head = String::from_utf8(bytes[..end].to_vec())
            .unwrap()
            .to_lowercase();
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        let body = bytes[end + 4..].to_vec();
        Answer { status, head, body }
    }

    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// Checks that the request was refused with this status and a text with these words.
    #[track_caller]
    pub fn expect(&self, status: u16, words: &str) {
        let text = self.text();
        assert_eq!(self.status, status, "{text}");
        assert!(text.contains(words), "{text}");
        assert!(text.ends_with('\n'), "{text}");
    }

    /// The body, if all went well.
    #[track_caller]
    pub fn cbor<T: DeserializeOwned>(&self) -> T {
        assert_eq!(self.status, 200, "{}", self.text());
        assert!(
            self.head.contains("content-type: application/cbor"),
            "{}",
            self.head
        );
        serde_cbor::from_slice(&self.body).unwrap()
    }
}

/// Sends bytes and reads until the server has no more to say.
pub async fn exchange(address: SocketAddr, request: &[u8]) -> Vec<u8> {
    let stream = TcpStream::connect(address).await.unwrap();
    let (mut from, mut to) = stream.into_split();
    let mut answer = Vec::new();
    // The server may answer before it has read everything, and close.
    let sent = async {
        let _closed = to.write_all(request).await;
    };
    let (_, read) = tokio::join!(sent, from.read_to_end(&mut answer));
    read.unwrap();
    answer
}

/// A request with everything that HTTP needs.
pub fn request(method: &str, path: &str, body: &[u8]) -> Vec<u8> {
    let mut bytes = format!(
        "{method} {path} HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/cbor\r\n\
         connection: close\r\ncontent-length: {}\r\n\r\n",
        body.len()
    )
    .into_bytes();
    bytes.extend_from_slice(body);
    bytes
}

impl Network {
    pub async fn send(&self, method: &str, path: &str, body: &[u8]) -> Answer {
        Answer::parse(&exchange(self.address, &request(method, path, body)).await)
    }

    pub async fn post(&self, path: &str, body: &[u8]) -> Answer {
        self.send("POST", path, body).await
    }

    pub async fn fetch(&self, path: &str) -> Answer {
        self.send("GET", path, b"").await
    }

    /// Checks that the network still works.
    pub async fn check(&self) {
        assert_eq!(self.fetch("/api/v2/status").await.status, 200);
    }
}
