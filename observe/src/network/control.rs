//! What a local replica has beside the specification's interface: its timeline, and the hand on its
//! messages and its clock.

use std::time::Duration;

use anyhow::{Result, bail};
use local_replica::hold::{Delivery, WaitingMessage};
use local_replica::timeline::Event;
use reqwest::{Client, Method, Url};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

/// The controls of a local replica.
pub struct Control {
    http: Client,
    url: Url,
}

/// A part of a timeline.
#[derive(Deserialize)]
pub struct Events {
    /// The number that the next event will have.
    pub next: u64,
    /// The events.
    pub events: Vec<Event>,
}

#[derive(Deserialize)]
struct Messages {
    held: bool,
    messages: Vec<WaitingMessage>,
}

impl Control {
    /// The controls of the network at `url`, if it is a local replica.
    pub(super) async fn find(http: Client, url: Url) -> Option<Self> {
        let control = Control { http, url };
        control.messages().await.ok().map(|_| control)
    }

    /// The events from number `first` on.
    ///
    /// # Errors
    ///
    /// If the replica does not answer, as with all that follows.
    pub async fn timeline(&self, first: u64) -> Result<Events> {
        self.get(&format!("timeline?since={first}")).await
    }

    /// Holds messages back from now on, or lets them go.
    pub async fn hold(&self, hold: bool) -> Result<()> {
        let _held: Value = self.post("hold", json!({ "hold": hold })).await?;
        Ok(())
    }

    /// The messages that were sent and not delivered yet.
    pub async fn messages(&self) -> Result<Vec<WaitingMessage>> {
        let Messages { messages, .. } = self.get("messages").await?;
        Ok(messages)
    }

    /// Whether messages are held back.
    pub async fn holds_messages(&self) -> Result<bool> {
        let Messages { held, .. } = self.get("messages").await?;
        Ok(held)
    }

    /// Delivers one of them.
    pub async fn deliver(&self, message: i64, how: Delivery) -> Result<Events> {
        self.post("deliver", json!({ "message": message, "how": how }))
            .await
    }

    /// Moves the clock ahead by whole seconds.
    pub async fn advance_time(&self, duration: Duration) -> Result<()> {
        let body = json!({ "seconds": duration.as_secs() });
        let _time: Value = self.post("advance_time", body).await?;
        Ok(())
    }

    async fn get<T: DeserializeOwned>(&self, path: &str) -> Result<T> {
        self.request(Method::GET, path, String::new()).await
    }

    async fn post<T: DeserializeOwned>(&self, path: &str, body: Value) -> Result<T> {
        self.request(Method::POST, path, body.to_string()).await
    }

    async fn request<T: DeserializeOwned>(
        &self,
        method: Method,
        path: &str,
        body: String,
    ) -> Result<T> {
        let url = self.url.join(&format!("/local-replica/{path}"))?;
        let response = self.http.request(method, url).body(body).send().await?;
        let status = response.status();
        let body = response.bytes().await?;
        if !status.is_success() {
            bail!("{path}: {}", String::from_utf8_lossy(&body).trim_end());
        }
        Ok(serde_json::from_slice(&body)?)
    }
}
