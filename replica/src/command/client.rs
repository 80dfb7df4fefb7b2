//! The way to a local replica: HTTP without encryption, as it is on this machine.

use std::collections::BTreeSet;
use std::path::Path;

use axum::http::{Method, Request, StatusCode, Uri, header};
use candid::Principal;
use http_body_util::{BodyExt, Full};
use hyper::body::{Bytes, Incoming};
use hyper_util::rt::TokioIo;
use local_replica::exploring::{networks, project};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use tokio::net::TcpStream;
use tokio::runtime::Runtime;

use super::arguments::Where;

/// Where a local replica may be, if nobody says where: where icp has it, and where it is by itself.
const USUAL: [&str; 2] = ["http://127.0.0.1:8000", "http://127.0.0.1:4943"];

/// A local replica.
pub(super) struct Client {
    runtime: Runtime,
    url: String,
    /// Its name or address, and its port.
    host: String,
    port: u16,
    /// What stands before every path.
    path: String,
    token: Option<String>,
}

#[derive(Deserialize)]
struct Canisters {
    canisters: BTreeSet<Principal>,
}

/// Why there is no answer.
enum Trouble {
    /// Nobody listens.
    Nobody(String),
    /// It was refused, or went wrong.
    Other(String),
}

impl Client {
    /// The local replica that is asked for, and the canisters that it has. If nobody says which, it is the
    /// one that icp has started for the project that `folder` is in, or else one at a usual port.
    ///
    /// # Errors
    ///
    /// In one line, if there is none.
    pub(super) fn find(at: &Where, folder: &Path) -> Result<(Self, BTreeSet<Principal>), String> {
        let urls: Vec<String> = match &at.network {
            Some(url) => vec![url.clone()],
            None => {
                let mut urls = project(folder).map(networks).unwrap_or_default();
                let others = USUAL.map(str::to_owned).into_iter();
                let others: Vec<String> = others.filter(|url| !urls.contains(url)).collect();
                urls.extend(others);
                urls
            }
        };
        let mut why = String::new();
        for url in &urls {
            let client = Client::at(url, at.token.clone())?;
            match client.json(Method::GET, "canisters", String::new()) {
                Ok(Canisters { canisters }) => return Ok((client, canisters)),
                Err(Trouble::Nobody(error)) => why = error,
                Err(Trouble::Other(error)) => return Err(format!("{url}: {error}")),
            }
        }
        let urls = urls.join(" or ");
        let advice = match &at.network {
            None => "; say where it is with --network",
            Some(_) => "",
        };
        Err(format!("no local replica answers at {urls}: {why}{advice}"))
    }

    fn at(url: &str, token: Option<String>) -> Result<Self, String> {
        let wrong =
            || format!("'{url}' is no URL of a local replica; one is http://127.0.0.1:4943");
        let uri: Uri = url.parse().map_err(|_| wrong())?;
        let (Some("http"), Some(host)) = (uri.scheme_str(), uri.host()) else {
            return Err(wrong());
        };
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(|error| format!("can't start: {error}"))?;
        Ok(Client {
            runtime,
            url: url.to_owned(),
            host: host.to_owned(),
            port: uri.port_u16().unwrap_or(80),
            path: uri.path().trim_end_matches('/').to_owned(),
            token,
        })
    }

    /// Sends a body, and gives each line of the answer to `line`.
    ///
    /// # Errors
    ///
    /// In one line, why that failed.
    pub(super) fn lines(
        &self,
        path: &str,
        body: String,
        line: &mut dyn FnMut(&[u8]) -> Result<(), String>,
    ) -> Result<(), String> {
        let asked = self.runtime.block_on(async {
            let mut answer = self.ask(Method::POST, path, body).await?;
            let mut begun = Vec::new();
            while let Some(frame) = answer.frame().await {
                let frame = frame.map_err(|error| Trouble::Other(broken(&error)))?;
                let Ok(data) = frame.into_data() else {
                    continue;
                };
                begun.extend_from_slice(&data);
                while let Some(end) = begun.iter().position(|byte| *byte == b'\n') {
                    let rest = begun.split_off(end + 1);
                    line(&begun[..end]).map_err(Trouble::Other)?;
                    begun = rest;
                }
            }
            Ok(())
        });
        asked.map_err(|trouble| self.tell(trouble))
    }

    /// Sends a body, and reads the answer.
    ///
    /// # Errors
    ///
    /// In one line, why that failed.
    pub(super) fn post<T: DeserializeOwned>(&self, path: &str, body: String) -> Result<T, String> {
        let answer = self.json(Method::POST, path, body);
        answer.map_err(|trouble| self.tell(trouble))
    }

    fn tell(&self, trouble: Trouble) -> String {
        match trouble {
            Trouble::Nobody(error) => format!("{} does not answer any more: {error}", self.url),
            Trouble::Other(error) => error,
        }
    }

    fn json<T: DeserializeOwned>(
        &self,
        method: Method,
        path: &str,
        body: String,
    ) -> Result<T, Trouble> {
        self.runtime.block_on(async {
            let answer = self.ask(method, path, body).await?;
            let answer = answer.collect().await;
            let answer = answer.map_err(|error| Trouble::Other(broken(&error)))?;
            serde_json::from_slice(&answer.to_bytes()).map_err(|error| {
                Trouble::Other(format!(
                    "the answer is not that of a local replica: {error}"
                ))
            })
        })
    }

    async fn ask(&self, method: Method, path: &str, body: String) -> Result<Incoming, Trouble> {
        let nobody = |error: std::io::Error| Trouble::Nobody(error.to_string());
        let host = self.host.trim_matches(['[', ']']);
        let stream = TcpStream::connect((host, self.port)).await;
        let stream = TokioIo::new(stream.map_err(nobody)?);
        let shaken = hyper::client::conn::http1::handshake(stream).await;
        let (mut sender, connection) = shaken.map_err(|error| Trouble::Other(broken(&error)))?;
        // It ends with the answer.
        tokio::spawn(connection);
        let mut request = Request::builder()
            .method(method)
            .uri(format!("{}/local-replica/{path}", self.path))
            .header(header::HOST, format!("{}:{}", self.host, self.port))
            .header(header::CONTENT_TYPE, "application/json");
        if let Some(token) = &self.token {
            request = request.header(header::AUTHORIZATION, format!("Bearer {token}"));
        }
        let request = request
            .body(Full::new(Bytes::from(body)))
            .map_err(|error| Trouble::Other(format!("this can't be sent: {error}")))?;
        let answer = sender.send_request(request).await;
        let answer = answer.map_err(|error| Trouble::Other(broken(&error)))?;
        let status = answer.status();
        if status.is_success() {
            return Ok(answer.into_body());
        }
        let text = answer.into_body().collect().await;
        let text = text.map(|text| text.to_bytes()).unwrap_or_default();
        let text = String::from_utf8_lossy(&text);
        Err(Trouble::Other(match status {
            StatusCode::NOT_FOUND => format!(
                "this is no local replica that can explore: it answers 404 at /local-replica/{path}"
            ),
            _ => text.lines().next().unwrap_or_default().to_owned(),
        }))
    }
}

fn broken(error: &hyper::Error) -> String {
    format!("the connection broke: {error}")
}
