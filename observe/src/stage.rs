//! Where experiments are done: the pair, a hand on its messages and its clock, and a record of
//! everything that happens.

mod controller;
mod messages;
mod pairs;

use std::path::PathBuf;

use anyhow::{Context, Result, bail};
use candid::utils::ArgumentEncoder;
use candid::{CandidType, Principal};
use serde::de::DeserializeOwned;

use crate::answer::Got;
use crate::lesson::Fact;
use crate::network::timeline::Event;
use crate::network::{Answer, Network, WaitingMessage};
use crate::pair::{Counters, Pair};

pub use controller::accepted;
pub use pairs::MOTOKO_FOLDER;

/// The pair and what happens to it.
pub struct Stage {
    /// The network.
    pub network: Network,
    /// The caller.
    pub canister1: Principal,
    /// The callee.
    pub canister2: Principal,
    /// Where the Motoko modules are, for who needs them.
    pub motoko: PathBuf,
    pair: Pair,
    /// Further pairs on the same network.
    others: Vec<Pair>,
    scene: Vec<Moment>,
    /// The number of the next event of the network's timeline.
    next_event: u64,
    holding: bool,
}

/// A part of what happens in an experiment.
#[derive(Clone, Debug)]
pub enum Moment {
    /// Something was executed.
    Event {
        /// What the local replica tells of it.
        event: Box<Event>,
        /// The counters after it, if somebody looked.
        counters: Option<Counters>,
    },
    /// A message got lost on its way.
    Lost(WaitingMessage),
    /// The caller learned the answer to a call.
    Answer {
        /// The method that was called.
        method: String,
        /// The answer.
        got: Got,
    },
}

impl Stage {
    /// A stage for a pair on a network.
    ///
    /// # Errors
    ///
    /// If the network does not answer.
    pub fn new(network: Network, pair: Pair) -> Result<Self> {
        let mut stage = Stage {
            network,
            canister1: pair.canister1,
            canister2: pair.canister2,
            motoko: PathBuf::from(MOTOKO_FOLDER),
            pair,
            others: Vec::new(),
            scene: Vec::new(),
            next_event: 0,
            holding: false,
        };
        stage.begin_scene()?;
        Ok(stage)
    }

    /// Does an experiment. Whatever it leaves behind, afterwards messages are no longer held back,
    /// the calls are again those of the first user, and both canisters run.
    pub(crate) fn perform(
        &mut self,
        experiment: &dyn Fn(&mut Stage) -> Result<Vec<Fact>>,
    ) -> Result<Vec<Fact>> {
        self.begin_scene()?;
        let facts = experiment(self);
        let released = if self.holding { self.release() } else { Ok(()) };
        self.network.become_user(0)?;
        if facts.is_err() {
            // It may have been about to start a canister that it stopped.
            for canister in [self.canister1, self.canister2] {
                // The error that is told is the experiment's.
                let _started = self.command(canister, "start_canister");
            }
        }
        let facts = facts?;
        released?;
        Ok(facts)
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

    /// Reads all counters.
    ///
    /// # Errors
    ///
    /// If one can't be read.
    pub fn counters(&mut self) -> Result<Counters> {
        self.pair.counters(&mut self.network)
    }

    /// What to call a principal in a text: by its part in the lesson, if it has one.
    pub fn name(&self, principal: &Principal) -> String {
        for pair in self.pairs() {
            if *principal == pair.canister1 {
                return "canister1".to_owned();
            }
            if *principal == pair.canister2 {
                return "canister2".to_owned();
            }
        }
        if *principal == Principal::management_canister() {
            return "the management canister".to_owned();
        }
        match self.network.number_of_user(principal) {
            Some(0) => "the user".to_owned(),
            Some(number) => format!("user {}", number + 1),
            None => principal.to_text(),
        }
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
        let answer = self.network.call(canister, method, arguments)?;
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
        self.network.query(canister, method, arguments)
    }

    /// Adds what happened to the scene, as far as it concerns the pair.
    fn record(&mut self) -> Result<()> {
        let Ok((control, runtime)) = self.network.control() else {
            return Ok(());
        };
        let events = runtime.block_on(control.timeline(self.next_event))?;
        self.next_event = events.next;
        let pair = [self.canister1, self.canister2];
        let concerns = |event: &Event| {
            pair.contains(&event.canister)
                || pair.contains(&event.caller)
                || self.network.number_of_user(&event.caller).is_some()
        };
        let moments = events.events.into_iter().filter(concerns);
        self.scene.extend(moments.map(|event| Moment::Event {
            event: Box::new(event),
            counters: None,
        }));
        Ok(())
    }

    fn note(&mut self, method: &str, answer: &Answer) {
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
            candid::decode_one(reply).with_context(|| format!("{method} returned something else"))
        }
        Err(reject) => bail!("{method}: {}", reject.reject_message),
    }
}
