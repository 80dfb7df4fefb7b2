//! What a local replica has beside the specification's interface: its timeline, and the hand on its
//! messages and its clock.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Result, bail};
use local_replica::MessageName;
use local_replica::hold::{Delivery, WaitingMessage};
use local_replica::timeline::Event;
use reqwest::{Client, Method, StatusCode, Url};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use tokio::runtime::Runtime;

use crate::network::interface::Controls;

/// The controls of a local replica.
pub struct Control {
    runtime: Arc<Runtime>,
    http: Client,
    /// The network's, with a slash at its end.
    url: Url,
    /// What a replica that others can reach asks for.
    token: Option<String>,
}

/// A part of a timeline.
#[derive(Deserialize)]
struct Events {
    /// The number that the next event will have.
    next: u64,
    events: Vec<Event>,
}

#[derive(Deserialize)]
struct Messages {
    held: bool,
    messages: Vec<WaitingMessage>,
}

impl Control {
    /// The controls of the network at `url`, if it is a local replica, and whether messages are held
    /// back there.
    ///
    /// # Errors
    ///
    /// If they need a token, and it is not this one.
    pub fn find(
        runtime: Arc<Runtime>,
        http: Client,
        url: Url,
        token: Option<&str>,
    ) -> Result<Option<(Self, bool)>> {
        let token = token.map(str::to_owned);
        let control = Control {
            runtime,
            http,
            url,
            token,
        };
        let Ok((status, body)) = control.send(Method::GET, "messages", String::new()) else {
            return Ok(None);
        };
        if status == StatusCode::UNAUTHORIZED {
            bail!(
                "the controls of {} need the token that the local replica printed when it started, \
                 or was started with: --token <TOKEN>",
                control.url
            );
        }
        let messages: Option<Messages> = serde_json::from_slice(&body).ok();
        Ok(messages.map(|messages| (control, messages.held)))
    }

    fn get<T: DeserializeOwned>(&self, path: &str) -> Result<T> {
        self.request(Method::GET, path, String::new())
    }

    fn post<T: DeserializeOwned>(&self, path: &str, body: Value) -> Result<T> {
        self.request(Method::POST, path, body.to_string())
    }

    fn request<T: DeserializeOwned>(&self, method: Method, path: &str, body: String) -> Result<T> {
        let (status, body) = self.send(method, path, body)?;
        if !status.is_success() {
            bail!("{path}: {}", String::from_utf8_lossy(&body).trim_end());
        }
        Ok(serde_json::from_slice(&body)?)
    }

    fn send(&self, method: Method, path: &str, body: String) -> Result<(StatusCode, Vec<u8>)> {
        let url = self.url.join(&format!("local-replica/{path}"))?;
        let mut request = self.http.request(method, url).body(body);
        if let Some(token) = &self.token {
            request = request.bearer_auth(token);
        }
        self.runtime.block_on(async {
            let response = request.send().await?;
            Ok((response.status(), response.bytes().await?.to_vec()))
        })
    }
}

impl Controls for Control {
    fn timeline(&mut self, first: u64) -> Result<(Vec<Event>, u64)> {
        let Events { next, events } = self.get(&format!("timeline?since={first}"))?;
        Ok((events, next))
    }

    fn hold(&mut self, hold: bool) -> Result<()> {
        let _held: Value = self.post("hold", json!({ "hold": hold }))?;
        Ok(())
    }

    fn messages(&mut self) -> Result<Vec<WaitingMessage>> {
        let Messages { messages, .. } = self.get("messages")?;
        Ok(messages)
    }

    fn deliver(&mut self, message: MessageName, how: Delivery) -> Result<()> {
        let _events: Value = self.post("deliver", json!({ "message": message, "how": how }))?;
        Ok(())
    }

    fn advance_time(&mut self, duration: Duration) -> Result<()> {
        let body = json!({ "seconds": duration.as_secs() });
        let _time: Value = self.post("advance_time", body)?;
        Ok(())
    }
}
