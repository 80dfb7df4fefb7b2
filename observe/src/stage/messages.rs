//! Messages that are held back, and delivered one by one; and the clock. Only a local replica can do
//! this.

use std::time::Duration;

use anyhow::{Result, anyhow, bail};
use candid::Principal;
use candid::utils::ArgumentEncoder;

use super::calls::{Moment, Stage};
use crate::network::{Answer, Delivery, Kind, Sent, WaitingMessage};

impl Stage {
    /// Holds all messages back from now on.
    ///
    /// # Errors
    ///
    /// If the network is not the local replica.
    pub fn hold(&mut self) -> Result<()> {
        self.controls()?.hold(true)?;
        self.holding = true;
        Ok(())
    }

    /// Delivers everything that waits, and holds nothing back any more.
    ///
    /// # Errors
    ///
    /// If there is no end to what waits, or the network does not answer.
    pub fn release(&mut self) -> Result<()> {
        let delivered = self.deliver_all();
        self.controls()?.hold(false)?;
        self.holding = false;
        delivered?;
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
        self.send_to(canister, canister, method, arguments)
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
        self.controls()?.messages()
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
        let message = message.clone();
        self.deliver_message(message, how)
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
            Some(message) => self.deliver_message(message, Delivery::Normally)?,
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
        self.controls()?.advance_time(duration)?;
        self.record()
    }

    fn deliver_message(&mut self, message: WaitingMessage, how: Delivery) -> Result<()> {
        self.controls()?.deliver(message.name, how)?;
        if how == Delivery::Lose {
            self.scene.push(Moment::Lost(message));
        }
        self.record()
    }

    pub(super) fn check_holding(&self) -> Result<()> {
        match self.holding {
            true => Ok(()),
            false => bail!("messages are not held back"),
        }
    }

    /// Delivers the user's call that was sent last, and no other message.
    pub(super) fn deliver_ingress(&mut self, to: Principal, method: &str) -> Result<()> {
        // A call that was refused at once does not wait.
        let is_it = |message: &WaitingMessage| {
            message.kind == Kind::Ingress && message.to == to && message.method == method
        };
        match self.waiting()?.iter().any(is_it) {
            true => self.deliver(is_it, Delivery::Normally),
            false => Ok(()),
        }
    }
}
