//! A canister that serves pages, as these tests want them.

use std::net::SocketAddr;

use candid::{CandidType, Func, Principal, encode_one};
use ic_agent::Agent;
use serde_bytes::ByteBuf;

use crate::canisters::PAGES;
use crate::harness::{Network, install};
use crate::raw::{Answer, exchange};

/// An answer of a canister that serves pages.
#[derive(CandidType, Clone)]
pub struct Page {
    pub status_code: u16,
    pub headers: Vec<(String, String)>,
    pub body: ByteBuf,
    pub upgrade: Option<bool>,
    pub streaming_strategy: Option<Strategy>,
}

#[derive(CandidType, Clone)]
pub enum Strategy {
    Callback { callback: Next, token: u8 },
}

candid::define_function!(pub Next : (u8) -> (Chunk) query);

#[derive(CandidType, Clone)]
pub struct Chunk {
    pub body: ByteBuf,
    pub token: Option<u8>,
}

/// A page with these headers and this body.
pub fn page(status: u16, headers: &[(&str, &str)], body: &[u8]) -> Page {
    let headers = headers.iter();
    Page {
        status_code: status,
        headers: headers
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect(),
        body: ByteBuf::from(body),
        upgrade: None,
        streaming_strategy: None,
    }
}

/// A canister that answers as it is told.
pub struct Pages {
    pub agent: Agent,
    pub canister: Principal,
    address: SocketAddr,
}

impl Pages {
    /// A new one, on a network.
    pub async fn on(network: &Network) -> Self {
        let agent = network.user().await;
        let canister = install(&agent, PAGES).await;
        Pages {
            agent,
            canister,
            address: network.address,
        }
    }

    /// Has it answer with these bytes. Number 0 is the answer to requests, 1 to those by update; the
    /// others are those to a callback's token, and to requests for a range that begins there.
    pub async fn say_bytes(&self, number: u8, bytes: &[u8]) {
        let argument = [&[number][..], bytes].concat();
        let say = self.agent.update(&self.canister, "say").with_arg(argument);
        say.await.unwrap();
    }

    /// Has it answer with this value.
    pub async fn say(&self, number: u8, answer: impl CandidType) {
        self.say_bytes(number, &encode_one(answer).unwrap()).await;
    }

    /// The page, with more of it to come by `next` with this token.
    pub fn with_next(&self, mut page: Page, token: u8) -> Page {
        page.streaming_strategy = Some(Strategy::Callback {
            callback: Next(Func {
                principal: self.canister,
                method: "next".to_owned(),
            }),
            token,
        });
        page
    }

    /// What the gateway says at the canister's raw host, where no certificates are needed.
    pub async fn raw(&self, path: &str) -> Answer {
        let host = format!("{}.raw.localhost", self.canister);
        get(self.address, &host, path, "").await
    }

    /// What it says at the canister's own host, where they are.
    pub async fn verified(&self, path: &str) -> Answer {
        let host = format!("{}.localhost", self.canister);
        get(self.address, &host, path, "").await
    }
}

/// Asks at a host, with further lines of headers.
pub async fn get(address: SocketAddr, host: &str, path: &str, headers: &str) -> Answer {
    let request =
        format!("GET {path} HTTP/1.1\r\nhost: {host}\r\n{headers}connection: close\r\n\r\n");
    Answer::parse(&exchange(address, request.as_bytes()).await)
}
