//! A network that is reached over HTTP, through `ic-agent`.

mod control;
mod identity;

use std::fmt::Display;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, anyhow, bail};
use candid::Principal;
use ic_agent::agent::{AgentError, CallResponse, RejectResponse, RequestStatusResponse};
use ic_agent::{Agent, Identity, RequestId};
use local_replica::Replica;
use tokio::runtime::Runtime;

use self::control::Control;
use super::interface::{Answer, Call, Controls, Network, Reject, Sent, State, what_is_wrong};

/// The network itself, as dfx and icp name it.
const MAINNET: &str = "https://icp-api.io";

/// The hosts that lead to it. Their root key is known, and must not be taken from them.
const MAINNET_HOSTS: [&str; 4] = ["icp-api.io", "icp0.io", "ic0.app", "internetcomputer.org"];

/// How long a request may take. A network that takes longer does not answer.
const PATIENCE: Duration = Duration::from_secs(60);

/// A network somewhere.
pub struct Remote {
    agent: Agent,
    users: Vec<Arc<dyn Identity>>,
    /// Whose calls the agent signs now.
    signer: usize,
    control: Option<Control>,
    runtime: Arc<Runtime>,
}

impl Remote {
    /// The network at a URL, or mainnet if the URL is `ic`. Without the file of an identity, the
    /// first user is a new one. The token is for the controls of a local replica.
    ///
    /// # Errors
    ///
    /// If the file can't be read, the network does not answer, it is a local replica that needs
    /// another token, or one that holds messages back: then no call would be answered.
    pub fn at(url: &str, identity_file: Option<&Path>, token: Option<&str>) -> Result<Self> {
        let user = match identity_file {
            Some(file) => identity::from_pem_file(file)?,
            None => identity::new()?,
        };
        let url = if url == "ic" { MAINNET } else { url };
        // Paths are added to it: one that ends in no slash would lose its last part.
        let with_slash = if url.ends_with('/') {
            url.to_owned()
        } else {
            format!("{url}/")
        };
        let parsed = reqwest::Url::parse(&with_slash)
            .ok()
            .filter(|url| url.has_host() && matches!(url.scheme(), "http" | "https"))
            .with_context(|| {
                format!("'{url}' is no URL of a network; one is http://127.0.0.1:4943")
            })?;
        let runtime = Arc::new(runtime()?);
        let http = reqwest::Client::builder()
            .connect_timeout(PATIENCE)
            .timeout(PATIENCE)
            .build()?;
        let agent = Agent::builder()
            .with_url(parsed.as_str())
            .with_http_client(http.clone())
            .with_arc_identity(Arc::clone(&user))
            .build()
            .map_err(|error| anyhow!("{url}: {error}"))?;
        if !is_mainnet(&parsed) {
            runtime
                .block_on(agent.fetch_root_key())
                .map_err(|error| anyhow!("no network answers at {url}: {}", plain(&error)))?;
        }
        let (control, held) = Control::find(Arc::clone(&runtime), http, parsed, token)?
            .map_or((None, false), |(control, held)| (Some(control), held));
        if held {
            let authorization = match token {
                Some(_) => " -H 'authorization: Bearer <the token>'",
                None => "",
            };
            bail!(
                "messages are held back at {url}, by another observe or by one that was \
                 interrupted; to let them go: curl{authorization} -d '{{\"hold\": false}}' \
                 {}/local-replica/hold",
                url.trim_end_matches('/')
            );
        }
        Ok(Remote {
            agent,
            users: vec![user],
            signer: 0,
            control,
            runtime,
        })
    }

    /// Has a user sign what is sent next.
    fn sign_as(&mut self, number: usize) -> Result<()> {
        self.user(number)?;
        if self.signer != number {
            self.agent.set_arc_identity(Arc::clone(&self.users[number]));
            self.signer = number;
        }
        Ok(())
    }
}

impl Network for Remote {
    fn user(&mut self, number: usize) -> Result<Principal> {
        while self.users.len() <= number {
            self.users.push(identity::new()?);
        }
        let principal = self.users[number].sender();
        principal.map_err(|error| anyhow!("the identity has no principal: {error}"))
    }

    fn send(&mut self, call: Call<'_>) -> Result<Sent> {
        self.sign_as(call.user)?;
        let update = self
            .agent
            .update(&call.canister, call.method)
            .with_effective_canister_id(call.effective_canister_id)
            .with_arg(call.argument);
        let state = match self.runtime.block_on(async { update.call().await }) {
            Ok(CallResponse::Response((reply, _))) => State::Answered(Ok(reply)),
            Ok(CallResponse::Poll(id)) => State::Waiting(id.to_vec()),
            Err(error) => State::Answered(Err(rejected(call.method, error)?)),
        };
        Ok(Sent {
            method: call.method.to_owned(),
            user: call.user,
            effective_canister_id: call.effective_canister_id,
            state,
        })
    }

    fn answer(&mut self, sent: &Sent) -> Result<Option<Answer>> {
        let id = match &sent.state {
            State::Answered(answer) => return Ok(Some(answer.clone())),
            State::Waiting(id) => request_id(id)?,
        };
        self.sign_as(sent.user)?;
        let status = self
            .agent
            .request_status_raw(&id, sent.effective_canister_id);
        match self.runtime.block_on(status) {
            Ok((RequestStatusResponse::Replied(reply), _)) => Ok(Some(Ok(reply.arg))),
            Ok((RequestStatusResponse::Rejected(reject), _)) => Ok(Some(Err(reject.into()))),
            Ok((RequestStatusResponse::Done, _)) => {
                bail!("{}: the network has forgotten the answer", sent.method)
            }
            Ok(_) => Ok(None),
            Err(error) => Ok(Some(Err(rejected(&sent.method, error)?))),
        }
    }

    fn wait(&mut self, sent: &Sent) -> Result<Answer> {
        let id = match &sent.state {
            State::Answered(answer) => return Ok(answer.clone()),
            State::Waiting(id) => request_id(id)?,
        };
        self.sign_as(sent.user)?;
        let waiting = self.agent.wait(&id, sent.effective_canister_id);
        match self.runtime.block_on(waiting) {
            Ok((reply, _)) => Ok(Ok(reply)),
            Err(error) => Ok(Err(rejected(&sent.method, error)?)),
        }
    }

    fn query(&mut self, call: Call<'_>) -> Result<Answer> {
        self.sign_as(call.user)?;
        let query = self
            .agent
            .query(&call.canister, call.method)
            .with_effective_canister_id(call.effective_canister_id)
            .with_arg(call.argument);
        match self.runtime.block_on(query.call()) {
            Ok(reply) => Ok(Ok(reply)),
            Err(error) => Ok(Err(rejected(call.method, error)?)),
        }
    }

    fn controls(&mut self) -> Option<&mut dyn Controls> {
        self.control.as_mut().map(|control| control as _)
    }

    fn replica(&self) -> Option<&Replica> {
        None
    }
}

impl From<RejectResponse> for Reject {
    fn from(reject: RejectResponse) -> Self {
        Reject {
            code: reject.reject_code as u64,
            error_code: reject.error_code.unwrap_or_default(),
            message: reject.reject_message,
        }
    }
}

fn request_id(bytes: &[u8]) -> Result<RequestId> {
    let bytes: [u8; 32] = bytes.try_into().context("the call is of another network")?;
    Ok(RequestId::new(&bytes))
}

/// The reject that an error is, or else the error.
fn rejected(method: &str, error: AgentError) -> Result<Reject> {
    match error {
        AgentError::CertifiedReject { reject, .. }
        | AgentError::UncertifiedReject { reject, .. } => Ok(reject.into()),
        error => bail!("{method} was not answered: {}", plain(&error)),
    }
}

/// An error in one line, with what caused it.
fn plain(error: &AgentError) -> impl Display {
    let mut text = match error {
        AgentError::CertifiedReject { reject, .. }
        | AgentError::UncertifiedReject { reject, .. } => {
            what_is_wrong(&reject.reject_message).to_owned()
        }
        error => error.to_string(),
    };
    let mut source = std::error::Error::source(error);
    while let Some(cause) = source {
        let cause_text = cause.to_string();
        if !text.contains(&cause_text) {
            text = format!("{text}: {cause_text}");
        }
        source = cause.source();
    }
    text.replace('\n', " ")
}

fn is_mainnet(url: &reqwest::Url) -> bool {
    let host = url.host_str().unwrap_or_default();
    MAINNET_HOSTS.iter().any(|known| {
        let rest = host.strip_suffix(known);
        rest.is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
    })
}

fn runtime() -> Result<Runtime> {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .context("can't start threads")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_mainnets_own_hosts_are_mainnet() {
        for (url, expected) in [
            ("https://icp-api.io", true),
            ("https://ic0.app/", true),
            ("https://bkyz2-fmaaa-aaaaa-qaaaq-cai.icp0.io", true),
            ("http://127.0.0.1:4943", false),
            ("http://localhost:8000", false),
            ("https://notic0.app", false),
            ("https://ic0.app.example.com", false),
        ] {
            assert_eq!(
                is_mainnet(&reqwest::Url::parse(url).unwrap()),
                expected,
                "{url}"
            );
        }
    }
}
