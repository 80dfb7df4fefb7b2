//! What a local replica has beside the specification's interface: its timeline, and the hand on its
//! messages and its clock.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Result, bail};
use local_replica::MessageName;
use local_replica::hold::{Delivery, WaitingMessage};
use local_replica::timeline::Event;
use reqwest::{Client, Method, Url};
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
    pub fn find(runtime: Arc<Runtime>, http: Client, url: Url) -> Option<(Self, bool)> {
        let control = Control { runtime, http, url };
        let messages: Messages = control.get("messages").ok()?;
        Some((control, messages.held))
    }

    fn get<T: DeserializeOwned>(&self, path: &str) -> Result<T> {
        self.request(Method::GET, path, String::new())
    }

    fn post<T: DeserializeOwned>(&self, path: &str, body: Value) -> Result<T> {
        self.request(Method::POST, path, body.to_string())
    }

    fn request<T: DeserializeOwned>(&self, method: Method, path: &str, body: String) -> Result<T> {
        let url = self.url.join(&format!("local-replica/{path}"))?;
        let request = self.http.request(method, url).body(body);
        let (status, body) = self.runtime.block_on(async {
            let response = request.send().await?;
            anyhow::Ok((response.status(), response.bytes().await?))
        })?;
        if !status.is_success() {
            bail!("{path}: {}", String::from_utf8_lossy(&body).trim_end());
        }
        Ok(serde_json::from_slice(&body)?)
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
