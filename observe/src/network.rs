//! The network that the pair is deployed to, reached through `ic-agent`. Only this module and the
//! files in its folder talk to a network.

mod control;
mod identity;
mod local;

use std::fmt::Display;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, anyhow, bail};
use candid::utils::{ArgumentDecoder, ArgumentEncoder};
use candid::{CandidType, Principal};
use ic_agent::agent::{AgentError, CallResponse, RejectResponse, RequestStatusResponse};
use ic_agent::{Agent, Identity, RequestId};
use ic_management_canister_types::{
    CanisterIdRecord, CanisterInstallMode, CanisterSettings, CanisterStatusResult,
    EnvironmentVariable, InstallCodeArgs, ProvisionalCreateCanisterWithCyclesArgs,
    UpdateSettingsArgs,
};
use serde::de::DeserializeOwned;
use tokio::runtime::Runtime;

pub use control::Control;
pub use local_replica::hold::{Delivery, Kind, WaitingMessage};
pub use local_replica::timeline;

/// How a call was answered: with the Candid of a reply, or with a reject.
pub type Answer = Result<Vec<u8>, RejectResponse>;

/// The network itself, as dfx and icp name it.
const MAINNET: &str = "https://icp-api.io";

/// The hosts that lead to it. Their root key is known, and must not be taken from them.
const MAINNET_HOSTS: [&str; 4] = ["icp-api.io", "icp0.io", "ic0.app", "internetcomputer.org"];

/// Where a network that names no other place creates canisters: the first canister id of all.
const FIRST_CANISTER: Principal = Principal::from_slice(&[0, 0, 0, 0, 0, 0, 0, 0, 1, 1]);

/// How long a request may take. A network that takes longer does not answer.
const PATIENCE: Duration = Duration::from_secs(60);

/// A network, used by one user at a time.
pub struct Network {
    agent: Agent,
    users: Vec<Arc<dyn Identity>>,
    control: Option<Control>,
    runtime: Runtime,
}

/// A call that was sent.
pub struct Sent {
    effective_canister_id: Principal,
    method: String,
    state: State,
}

enum State {
    Answered(Answer),
    Waiting(RequestId),
}

impl Sent {
    /// The method that is called.
    pub fn method(&self) -> &str {
        &self.method
    }
}

impl Network {
    /// A local replica inside this program, with nothing on it.
    ///
    /// # Errors
    ///
    /// If it can't be started: no port is free, say.
    pub fn local() -> Result<Self> {
        let runtime = runtime()?;
        let url = runtime.block_on(local::start())?;
        Network::on(runtime, &url, identity::new()?)
    }

    /// The network at a URL, or mainnet if the URL is `ic`. Without the file of an identity, the
    /// user is a new one.
    ///
    /// # Errors
    ///
    /// If the file can't be read, the network does not answer, or it is a local replica that holds
    /// messages back: then no call would be answered.
    pub fn at(url: &str, identity_file: Option<&std::path::Path>) -> Result<Self> {
        let url = if url == "ic" { MAINNET } else { url };
        let identity = match identity_file {
            Some(file) => identity::from_pem_file(file)?,
            None => identity::new()?,
        };
        let network = Network::on(runtime()?, url, identity)?;
        if let Ok((control, runtime)) = network.control()
            && runtime.block_on(control.holds_messages())?
        {
            bail!(
                "messages are held back at {url}, by another observe or by one that was \
                 interrupted; to let them go: curl -d '{{\"hold\": false}}' \
                 {}/local-replica/hold",
                url.trim_end_matches('/')
            );
        }
        Ok(network)
    }

    fn on(runtime: Runtime, url: &str, user: Arc<dyn Identity>) -> Result<Self> {
        let parsed = reqwest::Url::parse(url)
            .ok()
            .filter(|url| url.has_host() && matches!(url.scheme(), "http" | "https"))
            .with_context(|| {
                format!("'{url}' is no URL of a network; one is http://127.0.0.1:4943")
            })?;
        let http = reqwest::Client::builder()
            .connect_timeout(PATIENCE)
            .timeout(PATIENCE)
            .build()?;
        let agent = Agent::builder()
            .with_url(url)
            .with_http_client(http.clone())
            .with_arc_identity(Arc::clone(&user))
            .build()
            .map_err(|error| anyhow!("{url}: {error}"))?;
        let control = runtime.block_on(async {
            if !is_mainnet(&parsed) {
                agent
                    .fetch_root_key()
                    .await
                    .map_err(|error| anyhow!("no network answers at {url}: {}", plain(&error)))?;
            }
            anyhow::Ok(Control::find(http, parsed).await)
        })?;
        Ok(Network {
            agent,
            users: vec![user],
            control,
            runtime,
        })
    }

    /// The principal whose calls these are.
    pub fn user(&self) -> Principal {
        // Identities of this program all know their principal.
        self.agent.get_principal().unwrap_or(Principal::anonymous())
    }

    /// Which of the users of [`Network::become_user`] a principal is.
    pub fn number_of_user(&self, principal: &Principal) -> Option<usize> {
        let mut users = self.users.iter();
        users.position(|user| user.sender().as_ref() == Ok(principal))
    }

    /// Goes on as another user. Number 0 is the first, who deployed; the others are new.
    ///
    /// # Errors
    ///
    /// If no random key can be had.
    pub fn become_user(&mut self, number: usize) -> Result<()> {
        while self.users.len() <= number {
            self.users.push(identity::new()?);
        }
        self.agent.set_arc_identity(Arc::clone(&self.users[number]));
        Ok(())
    }

    /// Whether this is a local replica of this project, which has timelines and can hold messages
    /// back.
    pub fn is_local_replica(&self) -> bool {
        self.control.is_some()
    }

    /// What only a local replica has.
    ///
    /// # Errors
    ///
    /// If this network is another.
    pub fn control(&self) -> Result<(&Control, &Runtime)> {
        match &self.control {
            Some(control) => Ok((control, &self.runtime)),
            None => bail!("only this project's local replica can do this"),
        }
    }

    /// Creates an empty canister, controlled by the user.
    ///
    /// # Errors
    ///
    /// If the network refuses.
    pub fn create_canister(&mut self) -> Result<Principal> {
        let method = "provisional_create_canister_with_cycles";
        let args = ProvisionalCreateCanisterWithCyclesArgs::default();
        let created: (CanisterIdRecord,) = self
            .manage(FIRST_CANISTER, method, (args,))
            .context("this network lets nobody create canisters just so: deploy the pair with icp or dfx, and name it with --canister1 and --canister2")?;
        Ok(created.0.canister_id)
    }

    /// Sets a canister's environment variables.
    ///
    /// # Errors
    ///
    /// If the network refuses.
    pub fn set_environment_variables(
        &mut self,
        canister: Principal,
        variables: &[(&str, String)],
    ) -> Result<()> {
        let variables = variables.iter().map(|(name, value)| EnvironmentVariable {
            name: (*name).to_owned(),
            value: value.clone(),
        });
        let args = UpdateSettingsArgs {
            canister_id: canister,
            settings: CanisterSettings {
                environment_variables: Some(variables.collect()),
                ..CanisterSettings::default()
            },
            sender_canister_version: None,
        };
        self.manage(canister, "update_settings", (args,))
    }

    /// Installs a module in an empty canister, or in the mode given.
    ///
    /// # Errors
    ///
    /// If the network refuses the module.
    pub fn install(
        &mut self,
        canister: Principal,
        wasm_module: Vec<u8>,
        mode: CanisterInstallMode,
    ) -> Result<()> {
        let args = install_args(canister, wasm_module, mode)?;
        self.manage(canister, "install_code", (args,))
    }

    /// The status of a canister that the user controls.
    ///
    /// # Errors
    ///
    /// If the network refuses.
    pub fn canister_status(&mut self, canister: Principal) -> Result<CanisterStatusResult> {
        let args = CanisterIdRecord {
            canister_id: canister,
        };
        let (status,) = self.manage(canister, "canister_status", (args,))?;
        Ok(status)
    }

    /// Calls a method and waits for its answer.
    ///
    /// # Errors
    ///
    /// If there will be no answer.
    pub fn call(
        &mut self,
        canister: Principal,
        method: &str,
        arguments: impl ArgumentEncoder,
    ) -> Result<Answer> {
        let sent = self.send(canister, method, arguments)?;
        self.wait(sent)
    }

    /// Queries a method that returns one value.
    ///
    /// # Errors
    ///
    /// If it is rejected, or returns something else.
    pub fn query<T: CandidType + DeserializeOwned>(
        &mut self,
        canister: Principal,
        method: &str,
        arguments: impl ArgumentEncoder,
    ) -> Result<T> {
        let argument = candid::encode_args(arguments)?;
        let query = self.agent.query(&canister, method).with_arg(argument);
        let reply = self.runtime.block_on(query.call());
        let reply = reply.map_err(|error| anyhow!("{method}: {}", plain(&error)))?;
        candid::decode_one(&reply).with_context(|| format!("{method} returned something else"))
    }

    /// Sends a call. Where messages are held back it waits with them, else the network executes it.
    ///
    /// # Errors
    ///
    /// If the network does not answer.
    pub fn send(
        &mut self,
        canister: Principal,
        method: &str,
        arguments: impl ArgumentEncoder,
    ) -> Result<Sent> {
        self.send_to(canister, canister, method, arguments)
    }

    /// Sends a call of the management canister.
    ///
    /// # Errors
    ///
    /// If the network does not answer.
    pub fn send_management(
        &mut self,
        effective_canister_id: Principal,
        method: &str,
        arguments: impl ArgumentEncoder,
    ) -> Result<Sent> {
        let management = Principal::management_canister();
        self.send_to(management, effective_canister_id, method, arguments)
    }

    fn send_to(
        &mut self,
        canister: Principal,
        effective_canister_id: Principal,
        method: &str,
        arguments: impl ArgumentEncoder,
    ) -> Result<Sent> {
        let argument = candid::encode_args(arguments)?;
        let call = self
            .agent
            .update(&canister, method)
            .with_effective_canister_id(effective_canister_id)
            .with_arg(argument);
        let state = match self.runtime.block_on(async { call.call().await }) {
            Ok(CallResponse::Response((reply, _))) => State::Answered(Ok(reply)),
            Ok(CallResponse::Poll(id)) => State::Waiting(id),
            Err(error) => State::Answered(Err(rejected(method, error)?)),
        };
        Ok(Sent {
            effective_canister_id,
            method: method.to_owned(),
            state,
        })
    }

    /// The answer of a call, if it has one by now.
    ///
    /// # Errors
    ///
    /// If the network does not say.
    pub fn answer(&mut self, sent: &Sent) -> Result<Option<Answer>> {
        let id = match &sent.state {
            State::Answered(answer) => return Ok(Some(answer.clone())),
            State::Waiting(id) => id,
        };
        let status = self
            .agent
            .request_status_raw(id, sent.effective_canister_id);
        match self.runtime.block_on(status) {
            Ok((RequestStatusResponse::Replied(reply), _)) => Ok(Some(Ok(reply.arg))),
            Ok((RequestStatusResponse::Rejected(reject), _)) => Ok(Some(Err(reject))),
            Ok((RequestStatusResponse::Done, _)) => {
                bail!("{}: the network has forgotten the answer", sent.method)
            }
            Ok(_) => Ok(None),
            Err(error) => Ok(Some(Err(rejected(&sent.method, error)?))),
        }
    }

    /// Waits for the answer of a call.
    ///
    /// # Errors
    ///
    /// If there will be none.
    pub fn wait(&mut self, sent: Sent) -> Result<Answer> {
        let id = match sent.state {
            State::Answered(answer) => return Ok(answer),
            State::Waiting(id) => id,
        };
        let waiting = self.agent.wait(&id, sent.effective_canister_id);
        match self.runtime.block_on(waiting) {
            Ok((reply, _)) => Ok(Ok(reply)),
            Err(error) => Ok(Err(rejected(&sent.method, error)?)),
        }
    }

    fn manage<T: for<'a> ArgumentDecoder<'a>>(
        &mut self,
        effective_canister_id: Principal,
        method: &str,
        arguments: impl ArgumentEncoder,
    ) -> Result<T> {
        let sent = self.send_management(effective_canister_id, method, arguments)?;
        match self.wait(sent)? {
            Ok(reply) => Ok(candid::decode_args(&reply)?),
            Err(reject) => bail!("{method}: {}", reject.reject_message),
        }
    }
}

/// What installs a module without an argument.
///
/// # Errors
///
/// Never, as nothing is easy to encode.
pub fn install_args(
    canister_id: Principal,
    wasm_module: Vec<u8>,
    mode: CanisterInstallMode,
) -> Result<InstallCodeArgs> {
    Ok(InstallCodeArgs {
        mode,
        canister_id,
        wasm_module,
        arg: candid::encode_args(())?,
        sender_canister_version: None,
    })
}

/// The reject that an error is, or else the error.
fn rejected(method: &str, error: AgentError) -> Result<RejectResponse> {
    match error {
        AgentError::CertifiedReject { reject, .. }
        | AgentError::UncertifiedReject { reject, .. } => Ok(reject),
        error => bail!("{method} was not answered: {}", plain(&error)),
    }
}

/// An error in one line, with what caused it.
fn plain(error: &AgentError) -> impl Display {
    let mut text = match error {
        AgentError::CertifiedReject { reject, .. }
        | AgentError::UncertifiedReject { reject, .. } => reject.reject_message.clone(),
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
