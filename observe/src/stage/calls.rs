//! The stage: who plays on it, and calls.

use std::path::PathBuf;

use anyhow::{Context, Result, bail};
use candid::utils::ArgumentEncoder;
use candid::{CandidType, Principal};
use local_replica::Replica;
use serde::de::DeserializeOwned;

use super::value::{Value, Watched};
use crate::answer::{Got, values};
use crate::deployment::{Deployment, Modules};
use crate::network::timeline::Event;
use crate::network::{self, Answer, Call, Controls, Network, Sent, WaitingMessage};

/// Where Wasm is.
#[derive(Clone, Debug)]
pub struct Folders {
    /// What is built of Rust.
    pub rust: PathBuf,
    /// What `scripts/motoko.sh` builds.
    pub motoko: PathBuf,
}

/// A caller, a callee, and what happens to them.
pub struct Stage {
    /// The caller.
    pub caller: Principal,
    /// The callee.
    pub callee: Principal,
    pub(super) network: Box<dyn Network>,
    pub(super) folders: Folders,
    pub(super) deployment: Deployment,
    /// Further ones on the same network.
    pub(super) others: Vec<Deployment>,
    /// The users so far. Calls are those of the user with this number.
    users: Vec<Principal>,
    pub(super) user: usize,
    pub(super) scene: Vec<Moment>,
    /// The number of the next event of the network's timeline.
    next_event: u64,
    pub(super) holding: bool,
    /// What users could see of the canisters' states, and whether anybody looks at it.
    pub(super) watched: Vec<Watched>,
    pub(super) watching: bool,
}

/// A part of what happens in an experiment.
#[derive(Clone, Debug)]
pub enum Moment {
    /// Something was executed.
    Event {
        /// What the local replica tells of it.
        event: Box<Event>,
        /// Whether it changed anything that is watched.
        changed: bool,
        /// What is watched, after it; empty if nobody looked.
        values: Vec<Option<Value>>,
    },
    /// A message got lost on its way.
    Lost(WaitingMessage),
    /// The user learned the answer to a call.
    Answer {
        /// The method that was called.
        method: String,
        /// The answer.
        got: Got,
    },
}

impl Stage {
    /// A new deployment of these modules on a network.
    ///
    /// # Errors
    ///
    /// As of [`Deployment::new`].
    pub fn deploy(
        mut network: Box<dyn Network>,
        folders: Folders,
        modules: Modules,
    ) -> Result<Self> {
        let deployment = Deployment::new(network.as_mut(), modules)?;
        Stage::new(network, folders, deployment)
    }

    /// A stage for what is deployed on a network.
    ///
    /// # Errors
    ///
    /// If the network does not answer.
    pub fn new(
        mut network: Box<dyn Network>,
        folders: Folders,
        deployment: Deployment,
    ) -> Result<Self> {
        let first_user = network.user(0)?;
        let mut stage = Stage {
            caller: deployment.caller,
            callee: deployment.callee,
            network,
            folders,
            deployment,
            others: Vec::new(),
            users: vec![first_user],
            user: 0,
            scene: Vec::new(),
            next_event: 0,
            holding: false,
            watched: Vec::new(),
            watching: false,
        };
        stage.begin_scene()?;
        Ok(stage)
    }

    /// The network, for another stage.
    pub fn into_network(self) -> Box<dyn Network> {
        self.network
    }

    /// Whether the network is a local replica of this project, which has timelines and can hold
    /// messages back.
    pub fn is_local_replica(&mut self) -> bool {
        self.network.controls().is_some()
    }

    /// Does an experiment. Whatever it leaves behind, afterwards messages are no longer held back,
    /// the calls are again those of the first user, and all canisters run.
    ///
    /// # Errors
    ///
    /// Those of the experiment, or if the network does not answer.
    pub fn perform<T>(&mut self, experiment: impl FnOnce(&mut Stage) -> Result<T>) -> Result<T> {
        self.watched.clear();
        self.begin_scene()?;
        let result = experiment(self);
        let released = if self.holding { self.release() } else { Ok(()) };
        self.user = 0;
        if result.is_err() {
            // It may have been about to start a canister that it stopped.
            for canister in self.canisters() {
                // The error that is told is the experiment's.
                let _started = self.command(canister, "start_canister");
            }
        }
        let result = result?;
        released?;
        Ok(result)
    }

    /// What happened since the experiment began, in order.
    pub fn scene(&self) -> &[Moment] {
        &self.scene
    }

    /// What was executed since the experiment began, in order.
    pub fn events(&self) -> impl Iterator<Item = &Event> {
        self.scene.iter().filter_map(|moment| match moment {
            Moment::Event { event, .. } => Some(event.as_ref()),
            Moment::Lost(_) | Moment::Answer { .. } => None,
        })
    }

    /// Forgets what was recorded.
    ///
    /// # Errors
    ///
    /// If the network does not answer.
    pub fn begin_scene(&mut self) -> Result<()> {
        self.record()?;
        self.scene.clear();
        Ok(())
    }

    /// What to call a principal in a text: by its part in the lesson, if it has one.
    pub fn name(&self, principal: &Principal) -> String {
        if let Some(name) = self.deployments().find_map(|one| one.name(principal)) {
            return name.to_owned();
        }
        if *principal == Principal::management_canister() {
            return "the management canister".to_owned();
        }
        match self.number_of_user(principal) {
            Some(0) => "the user".to_owned(),
            Some(number) => format!("user {}", number + 1),
            None => principal.to_text(),
        }
    }

    /// The canisters: the caller, the callee, and the proxy if there is one.
    fn canisters(&self) -> Vec<Principal> {
        let canisters = self.deployment.canisters();
        canisters.map(|(canister, _)| canister).collect()
    }

    /// The lesson's proxy.
    ///
    /// # Errors
    ///
    /// If it has none.
    pub fn proxy(&self) -> Result<Principal> {
        self.deployment.proxy.context("this lesson has no proxy")
    }

    /// All deployments that the stage knows.
    pub(crate) fn deployments(&self) -> impl Iterator<Item = &Deployment> {
        [&self.deployment].into_iter().chain(&self.others)
    }

    // ---- Users -----------------------------------------------------------------------------------

    /// The principal whose calls these are.
    pub fn user(&self) -> Principal {
        self.users[self.user]
    }

    /// Goes on as another user. Number 0 is the first, who deployed; the others are new.
    ///
    /// # Errors
    ///
    /// If no random key can be had.
    pub fn become_user(&mut self, number: usize) -> Result<()> {
        while self.users.len() <= number {
            let user = self.network.user(self.users.len())?;
            self.users.push(user);
        }
        self.user = number;
        Ok(())
    }

    /// Which of the users a principal is.
    pub fn number_of_user(&self, principal: &Principal) -> Option<usize> {
        self.users.iter().position(|user| user == principal)
    }

    // ---- Calls ---------------------------------------------------------------------------------

    /// Calls a method and waits for the answer.
    ///
    /// # Errors
    ///
    /// If there is none.
    pub fn call(
        &mut self,
        canister: Principal,
        method: &str,
        arguments: impl ArgumentEncoder,
    ) -> Result<Answer> {
        if self.holding {
            let sent = self.send(canister, method, arguments)?;
            self.deliver_all()?;
            return self.answer(&sent);
        }
        if self.watching {
            // To see what each message changes, one is delivered after the other.
            self.hold()?;
            let answer = self.call(canister, method, arguments)?;
            self.release()?;
            return Ok(answer);
        }
        let sent = self.send_to(canister, canister, method, arguments)?;
        let answer = self.network.wait(&sent)?;
        self.record()?;
        self.note(method, &answer);
        Ok(answer)
    }

    /// Calls a method and returns its reply of one value.
    ///
    /// # Errors
    ///
    /// If there is another answer, or none.
    pub fn reply<T: CandidType + DeserializeOwned>(
        &mut self,
        canister: Principal,
        method: &str,
        arguments: impl ArgumentEncoder,
    ) -> Result<T> {
        let answer = self.call(canister, method, arguments)?;
        decode(method, &answer)
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
        let answer = self.ask(self.user, canister, method, argument)?;
        decode(method, &answer)
    }

    pub(super) fn ask(
        &mut self,
        user: usize,
        canister: Principal,
        method: &str,
        argument: Vec<u8>,
    ) -> Result<Answer> {
        self.network.query(Call {
            user,
            canister,
            effective_canister_id: canister,
            method,
            argument,
        })
    }

    pub(super) fn send_to(
        &mut self,
        canister: Principal,
        effective_canister_id: Principal,
        method: &str,
        arguments: impl ArgumentEncoder,
    ) -> Result<Sent> {
        self.network.send(Call {
            user: self.user,
            canister,
            effective_canister_id,
            method,
            argument: candid::encode_args(arguments)?,
        })
    }

    /// The replica of the network.
    ///
    /// # Errors
    ///
    /// If it is not inside this program.
    pub fn replica(&self) -> Result<&Replica> {
        let replica = self.network.replica();
        replica.context("only the local replica inside can be explored; leave out --network")
    }

    pub(super) fn controls(&mut self) -> Result<&mut dyn Controls> {
        network::controls(self.network.as_mut())
    }

    /// Adds what happened to the scene, as far as it concerns these canisters.
    pub(super) fn record(&mut self) -> Result<()> {
        let next_event = self.next_event;
        let Ok(controls) = self.controls() else {
            return Ok(());
        };
        let (events, next) = controls.timeline(next_event)?;
        self.next_event = next;
        let ours = self.canisters();
        let concerns = |event: &Event| {
            ours.contains(&event.canister)
                || ours.contains(&event.caller)
                || self.number_of_user(&event.caller).is_some()
        };
        let moments = events.into_iter().filter(concerns);
        let moments = moments.map(|event| Moment::Event {
            event: Box::new(event),
            changed: false,
            values: Vec::new(),
        });
        let moments: Vec<Moment> = moments.collect();
        let first = self.scene.len();
        self.scene.extend(moments);
        self.look(first)
    }

    pub(super) fn note(&mut self, method: &str, answer: &Answer) {
        self.scene.push(Moment::Answer {
            method: method.to_owned(),
            got: Got::read(answer),
        });
    }
}

/// The one value of a reply.
///
/// # Errors
///
/// If the answer is a reject, or something else was replied.
pub fn decode<T: CandidType + DeserializeOwned>(method: &str, answer: &Answer) -> Result<T> {
    match answer {
        Ok(reply) => {
            let (value,) =
                values(reply).with_context(|| format!("{method} returned something else"))?;
            Ok(value)
        }
        Err(reject) => bail!("{method}: {}", reject.message),
    }
}
