//! Calls as bytes, and connections that carry them.

use candid::Principal;
use ic_agent::Agent;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// A call that is ready to be sent.
pub struct Prepared {
    call: Vec<u8>,
    /// How its answer is polled for, if it is.
    poll: Option<Vec<u8>>,
}

impl Prepared {
    pub fn new(
        address: &str,
        agent: &Agent,
        canister: Principal,
        method: &str,
        polls: bool,
    ) -> Self {
        let signed = agent.update(&canister, method).with_arg(b"DIDL\0\0");
        let signed = signed.sign().expect("it can be signed");
        let version = if polls { "v2" } else { "v4" };
        let post = |what: &str, body: &[u8]| {
            let length = body.len();
            let head = format!(
                "POST /api/{what} HTTP/1.1\r\nhost: {address}\r\ncontent-type: application/cbor\r\n\
                 content-length: {length}\r\n\r\n"
            );
            [head.as_bytes(), body].concat()
        };
        let poll = polls.then(|| {
            let status = agent.sign_request_status(canister, signed.request_id);
            let status = status.expect("it can be signed").signed_request_status;
            post(&format!("v2/canister/{canister}/read_state"), &status)
        });
        let call = post(
            &format!("{version}/canister/{canister}/call"),
            &signed.signed_update,
        );
        Prepared { call, poll }
    }
}

/// A connection that is kept.
pub struct Connection {
    stream: TcpStream,
    buffer: Vec<u8>,
}

impl Connection {
    pub async fn open(address: &str) -> Self {
        let stream = TcpStream::connect(address).await.expect("it listens");
        stream.set_nodelay(true).expect("the system can do that");
        Connection {
            stream,
            buffer: vec![0; 64 * 1024],
        }
    }

    /// Makes a call, and waits for its reply.
    pub async fn make(&mut self, call: &Prepared) {
        let (status, length) = self.exchange(&call.call).await;
        let Some(poll) = &call.poll else {
            let answer = &self.buffer[..length];
            let replied = contains(answer, b"replied") && !contains(answer, b"rejected");
            let text = String::from_utf8_lossy(answer);
            return assert!(status == 200 && replied, "{text}");
        };
        assert_eq!(status, 202);
        loop {
            let (status, length) = self.exchange(poll).await;
            assert_eq!(status, 200);
            if contains(&self.buffer[..length], b"replied") {
                return;
            }
            tokio::task::yield_now().await;
        }
    }

    /// Sends a request, and reads the answer. Returns its status, and how many bytes it has with its
    /// head.
    async fn exchange(&mut self, request: &[u8]) -> (u16, usize) {
        self.stream.write_all(request).await.expect("it listens");
        let mut filled = 0;
        let mut whole = None;
        loop {
            if let Some((status, length)) = whole
                && filled >= length
            {
                return (status, length);
            }
            let read = self.stream.read(&mut self.buffer[filled..]).await;
            let read = read.expect("it answers");
            assert!(read > 0, "the connection was closed");
            filled += read;
            whole = whole.or_else(|| head(&self.buffer[..filled]));
        }
    }
}

fn contains(bytes: &[u8], word: &[u8]) -> bool {
    bytes.windows(word.len()).any(|part| part == word)
}

/// The status, and how many bytes the whole answer has, if its head has come.
fn head(bytes: &[u8]) -> Option<(u16, usize)> {
    let end = bytes.windows(4).position(|part| part == b"\r\n\r\n")? + 4;
    let head = std::str::from_utf8(&bytes[..end]).ok()?;
    let status = head.split(' ').nth(1)?.parse().ok()?;
    let length = head.lines().find_map(|line| {
        let (name, value) = line.split_once(": ")?;
        let is_length = name.eq_ignore_ascii_case("content-length");
        is_length.then(|| value.parse::<usize>().ok())?
    });
    Some((status, end + length.unwrap_or(0)))
}
