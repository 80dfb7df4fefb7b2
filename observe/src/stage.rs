//! Where experiments are done: the pair, a hand on its messages and its clock, and a record of
//! everything that happens.

mod pairs;

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Result, anyhow, bail};
use candid::utils::ArgumentEncoder;
use candid::{CandidType, Principal};
use ic_management_canister_types::{CanisterIdRecord, CanisterInstallMode, UpgradeFlags};
use serde::de::DeserializeOwned;

use crate::answer::Got;
use crate::lesson::Fact;
use crate::network::timeline::Event;
use crate::network::{Answer, Delivery, Kind, Network, Sent, WaitingMessage, install_args};
use crate::pair::{Counters, Pair};

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

    /// Does an experiment. Whatever it leaves behind, afterwards messages are no longer held back
    /// and the calls are again those of the first user.
    pub(crate) fn perform(
        &mut self,
        experiment: &dyn Fn(&mut Stage) -> Result<Vec<Fact>>,
    ) -> Result<Vec<Fact>> {
        self.begin_scene()?;
        let facts = experiment(self);
        let released = if self.holding { self.release() } else { Ok(()) };
        self.network.become_user(0)?;
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
            Moment::Answer { .. } => None,
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

    // ---- Messages that are held back -------------------------------------------------------------

    /// Holds all messages back from now on.
    ///
    /// # Errors
    ///
    /// If the network is not the local replica.
    pub fn hold(&mut self) -> Result<()> {
        let (control, runtime) = self.network.control()?;
        runtime.block_on(control.hold(true))?;
        self.holding = true;
        Ok(())
    }

    /// Delivers everything that waits, and holds nothing back any more.
    ///
    /// # Errors
    ///
    /// If the network does not answer.
    pub fn release(&mut self) -> Result<()> {
        self.deliver_all()?;
        let (control, runtime) = self.network.control()?;
        runtime.block_on(control.hold(false))?;
        self.holding = false;
        self.record()
    }

    /// Sends a call, which waits with all other messages.
    ///
    /// # Errors
    ///
    /// If messages are not held back: then nobody knows what happens when.
    pub fn send(
        &mut self,
        canister: Principal,
        method: &str,
        arguments: impl ArgumentEncoder,
    ) -> Result<Sent> {
        self.check_holding()?;
        self.network.send(canister, method, arguments)
    }

    /// Calls a method that awaits nothing, while all other messages go on waiting.
    ///
    /// # Errors
    ///
    /// If messages are not held back, or it is not answered at once.
    pub fn call_alone(
        &mut self,
        canister: Principal,
        method: &str,
        arguments: impl ArgumentEncoder,
    ) -> Result<Answer> {
        let sent = self.send(canister, method, arguments)?;
        self.deliver_ingress(canister, method)?;
        self.answer(&sent)
    }

    /// The messages that wait.
    ///
    /// # Errors
    ///
    /// If the network does not answer.
    pub fn waiting(&mut self) -> Result<Vec<WaitingMessage>> {
        let (control, runtime) = self.network.control()?;
        runtime.block_on(control.messages())
    }

    /// Delivers the oldest message that `is_it` describes and that may go next.
    ///
    /// # Errors
    ///
    /// If no such message waits, or it can't be delivered in this way.
    pub fn deliver(
        &mut self,
        is_it: impl Fn(&WaitingMessage) -> bool,
        how: Delivery,
    ) -> Result<()> {
        self.check_holding()?;
        let waiting = self.waiting()?;
        let found = waiting
            .iter()
            .find(|message| message.deliverable && is_it(message));
        let Some(message) = found else {
            bail!("the message that the experiment is about does not wait; these do: {waiting:?}");
        };
        let number = message.number;
        self.deliver_number(number, how)
    }

    /// Delivers the oldest call of a method.
    ///
    /// # Errors
    ///
    /// As of [`Stage::deliver`].
    pub fn deliver_call(&mut self, method: &str) -> Result<()> {
        let is_it = |message: &WaitingMessage| {
            matches!(message.kind, Kind::Ingress | Kind::Request) && message.method == method
        };
        self.deliver(is_it, Delivery::Normally)
    }

    /// Delivers the oldest response to a call of a method.
    ///
    /// # Errors
    ///
    /// As of [`Stage::deliver`].
    pub fn deliver_response(&mut self, method: &str) -> Result<()> {
        let is_it =
            |message: &WaitingMessage| message.kind == Kind::Response && message.method == method;
        self.deliver(is_it, Delivery::Normally)
    }

    /// Delivers the oldest message that may go next. Returns whether there was one.
    ///
    /// # Errors
    ///
    /// If the network does not answer.
    pub fn deliver_next(&mut self) -> Result<bool> {
        let next = self
            .waiting()?
            .into_iter()
            .find(|message| message.deliverable);
        match next {
            Some(message) => self.deliver_number(message.number, Delivery::Normally)?,
            None => return Ok(false),
        }
        Ok(true)
    }

    /// Delivers messages until none waits.
    ///
    /// # Errors
    ///
    /// If there is no end to them, or the network does not answer.
    pub fn deliver_all(&mut self) -> Result<()> {
        const MANY: usize = 1000;
        for _ in 0..MANY {
            if !self.deliver_next()? {
                return Ok(());
            }
        }
        bail!("{MANY} messages were delivered, and there are still more")
    }

    /// The answer to a call that was sent.
    ///
    /// # Errors
    ///
    /// If it is not answered yet.
    pub fn answer(&mut self, sent: &Sent) -> Result<Answer> {
        let answer = self.answer_so_far(sent)?.ok_or_else(|| {
            let method = sent.method();
            anyhow!("{method} was not answered, and no message that could answer it is left")
        })?;
        self.note(sent.method(), &answer);
        Ok(answer)
    }

    /// The answer to a call that was sent, if it has one by now.
    ///
    /// # Errors
    ///
    /// If the network does not answer.
    pub fn answer_so_far(&mut self, sent: &Sent) -> Result<Option<Answer>> {
        self.network.answer(sent)
    }

    /// Moves the local replica's clock ahead, by whole seconds.
    ///
    /// # Errors
    ///
    /// If the network is not the local replica.
    pub fn advance_time(&mut self, duration: Duration) -> Result<()> {
        let (control, runtime) = self.network.control()?;
        runtime.block_on(control.advance_time(duration))?;
        self.record()
    }

    // ---- What a controller does ------------------------------------------------------------------

    /// Upgrades canister1 or canister2 to the module that it has.
    ///
    /// # Errors
    ///
    /// If there is no answer. A refusal is an answer.
    pub fn upgrade(&mut self, canister: Principal) -> Result<Answer> {
        self.upgrade_with(canister, None)
    }

    /// Does so with what such an upgrade may be told, as those of Motoko have to be.
    ///
    /// # Errors
    ///
    /// As of [`Stage::upgrade`].
    pub fn upgrade_with(
        &mut self,
        canister: Principal,
        flags: Option<UpgradeFlags>,
    ) -> Result<Answer> {
        let module = self.pair.module(canister)?;
        let args = install_args(canister, module, CanisterInstallMode::Upgrade(flags))?;
        self.manage(canister, "install_code", (args,))
    }

    /// Starts a canister, or stops it and waits until it has stopped.
    ///
    /// # Errors
    ///
    /// If there is no answer. A refusal is an answer.
    pub fn command(&mut self, canister: Principal, method: &str) -> Result<Answer> {
        let args = CanisterIdRecord {
            canister_id: canister,
        };
        self.manage(canister, method, (args,))
    }

    /// Begins to do so: where messages are held back, the answer comes when it can.
    ///
    /// # Errors
    ///
    /// If messages are not held back.
    pub fn send_command(&mut self, canister: Principal, method: &str) -> Result<Sent> {
        self.check_holding()?;
        let args = CanisterIdRecord {
            canister_id: canister,
        };
        let sent = self.network.send_management(canister, method, (args,))?;
        self.deliver_ingress(Principal::management_canister(), method)?;
        Ok(sent)
    }

    /// The cycles that a canister has.
    ///
    /// # Errors
    ///
    /// If the user does not control it.
    pub fn cycles(&mut self, canister: Principal) -> Result<u128> {
        let args = CanisterIdRecord {
            canister_id: canister,
        };
        let answer = self.manage(canister, "canister_status", (args,))?;
        let status: ic_management_canister_types::CanisterStatusResult =
            decode("canister_status", &answer)?;
        u128::try_from(status.cycles.0).context("it has more cycles than there can be")
    }

    fn manage(
        &mut self,
        canister: Principal,
        method: &str,
        arguments: impl ArgumentEncoder,
    ) -> Result<Answer> {
        let sent = self.network.send_management(canister, method, arguments)?;
        if self.holding {
            self.deliver_ingress(Principal::management_canister(), method)?;
            return self.answer(&sent);
        }
        let answer = self.network.wait(sent)?;
        self.record()?;
        Ok(answer)
    }

    /// Delivers the user's call that was sent last, and no other message.
    fn deliver_ingress(&mut self, to: Principal, method: &str) -> Result<()> {
        // A call that was refused at once does not wait.
        let is_it = |message: &WaitingMessage| {
            message.kind == Kind::Ingress && message.to == to && message.method == method
        };
        match self.waiting()?.iter().any(is_it) {
            true => self.deliver(is_it, Delivery::Normally),
            false => Ok(()),
        }
    }

    fn deliver_number(&mut self, number: i64, how: Delivery) -> Result<()> {
        let (control, runtime) = self.network.control()?;
        runtime.block_on(control.deliver(number, how))?;
        self.record()
    }

    fn check_holding(&self) -> Result<()> {
        match self.holding {
            true => Ok(()),
            false => bail!("messages are not held back"),
        }
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

    /// Calls a method of canister1 without arguments and looks at the counters after every message.
    ///
    /// # Errors
    ///
    /// If it is not answered, or the network is not the local replica.
    pub fn call_step_by_step(&mut self, method: &str) -> Result<Answer> {
        self.hold()?;
        let sent = self.send(self.canister1, method, ())?;
        loop {
            let before = self.scene.len();
            if !self.deliver_next()? {
                break;
            }
            let now = self.counters()?;
            for moment in &mut self.scene[before..] {
                if let Moment::Event { counters, .. } = moment {
                    *counters = Some(now);
                }
            }
        }
        let answer = self.answer(&sent)?;
        self.release()?;
        Ok(answer)
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

/// Nothing, if a controller's command was accepted.
///
/// # Errors
///
/// If it was refused.
pub fn accepted(answer: Answer) -> Result<()> {
    match answer {
        Ok(_) => Ok(()),
        Err(reject) => bail!("{}", reject.reject_message),
    }
}
