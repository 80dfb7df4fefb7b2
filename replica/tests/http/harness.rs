//! What the tests share: a network in this process, agents for it, and canisters on it.

use std::net::SocketAddr;

use axum::Router;
use candid::Principal;
use ic_agent::agent::AgentError;
use ic_agent::{Agent, Identity};
use ic_transport_types::RejectResponse;
use local_replica::MessageName;
use local_replica::http::Access;
use local_replica::owner::Handle;
use local_replica::pool::{OldestFirst, Policy, Pool};
use local_replica::{Config, Replica, http, system_canisters};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

pub use crate::agents::{add, create, get, install, install_code, number};
pub use crate::deploying::MANAGEMENT;
use crate::{canisters, identities};

/// A network that runs until it is dropped.
pub struct Network {
    pub address: SocketAddr,
    pub owner: Handle,
    pub root_key: Vec<u8>,
    /// The id of its only subnet.
    pub subnet: Principal,
    server: JoinHandle<()>,
}

impl Network {
    pub async fn start() -> Self {
        Network::behind(|router| router).await
    }

    /// A network whose keys are others.
    pub async fn start_with_seed(seed: &[u8]) -> Self {
        let config = Config {
            seed: seed.to_vec(),
            ..Config::default()
        };
        Network::made(config, Access::default(), |router| router).await
    }

    /// A network that is reached in these ways.
    pub async fn with(access: Access) -> Self {
        Network::made(Config::default(), access, |router| router).await
    }

    /// A network whose interface was changed.
    pub async fn behind(change: impl FnOnce(Router) -> Router) -> Self {
        Network::made(Config::default(), Access::default(), change).await
    }

    async fn made(config: Config, access: Access, change: impl FnOnce(Router) -> Router) -> Self {
        let start = |replica| Handle::start(replica).unwrap();
        Network::owned(replica(config), start, access, change).await
    }

    /// A network with this replica, owned in this way.
    pub async fn of(replica: Replica, own: impl FnOnce(Replica) -> Handle) -> Self {
        Network::owned(replica, own, Access::default(), |router| router).await
    }

    async fn owned(
        replica: Replica,
        own: impl FnOnce(Replica) -> Handle,
        access: Access,
        change: impl FnOnce(Router) -> Router,
    ) -> Self {
        let root_key = replica.root_key().to_vec();
        let subnet = replica.subnet_id();
        let owner = own(replica);
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let router = change(http::router_with(owner.clone(), access));
        let server = tokio::spawn(http::serve(listener, router));
        Network {
            address,
            owner,
            root_key,
            subnet,
            server,
        }
    }

    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// An agent that checks everything that agents can check.
    pub async fn agent(&self, identity: impl Identity + 'static) -> Agent {
        let agent = Agent::builder()
            .with_url(self.url())
            .with_identity(identity)
            .build()
            .unwrap();
        agent.fetch_root_key().await.unwrap();
        assert_eq!(agent.read_root_key(), self.root_key);
        agent
    }

    /// An agent of the user that most tests are about.
    pub async fn user(&self) -> Agent {
        self.agent(identities::ed25519(1)).await
    }

    /// From now on, no message is delivered.
    pub async fn hold_messages(&self) {
        self.follow(Box::new(Nothing)).await;
    }

    /// Delivers the messages that were held back, and those that come.
    pub async fn release_messages(&self) {
        self.follow(Box::new(OldestFirst)).await;
    }

    async fn follow(&self, policy: Box<dyn Policy>) {
        let set = move |node: &mut local_replica::owner::Node| node.replica.set_policy(policy);
        self.owner.with(set).await.unwrap();
    }
}

/// A replica with the stand-ins that every network has.
pub fn replica(config: Config) -> Replica {
    let mut replica = Replica::new(config);
    system_canisters::add_to(&mut replica);
    replica
}

impl Drop for Network {
    fn drop(&mut self) {
        self.server.abort();
    }
}

/// Delivers nothing.
struct Nothing;

impl Policy for Nothing {
    fn next(&mut self, _: &Pool) -> Option<MessageName> {
        None
    }
}

/// A new counter of the agent's user.
pub async fn counter(agent: &Agent) -> Principal {
    install(agent, canisters::COUNTER).await
}

/// The principal that a canister says called it.
pub fn caller(reply: &[u8]) -> Principal {
    Principal::from_slice(reply)
}

/// The reject of a call that was executed: the certificate says so.
pub fn certified<T: std::fmt::Debug>(result: Result<T, AgentError>) -> RejectResponse {
    match result {
        Err(AgentError::CertifiedReject { reject, .. }) => reject,
        other => panic!("expected a certified reject, got {other:?}"),
    }
}

/// The reject of a query, or of a call that was not taken in.
pub fn uncertified<T: std::fmt::Debug>(result: Result<T, AgentError>) -> RejectResponse {
    match result {
        Err(AgentError::UncertifiedReject { reject, .. }) => reject,
        other => panic!("expected an uncertified reject, got {other:?}"),
    }
}

/// The status and the text of a request that was refused.
pub fn refused<T: std::fmt::Debug>(result: Result<T, AgentError>) -> (u16, String) {
    match result {
        Err(AgentError::HttpError(error)) => {
            (error.status, String::from_utf8(error.content).unwrap())
        }
        other => panic!("expected an HTTP error, got {other:?}"),
    }
}
