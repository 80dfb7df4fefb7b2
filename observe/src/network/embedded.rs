//! A local replica inside this program.

use std::time::Duration;

use anyhow::{Context, Result, anyhow, bail};
use candid::Principal;
use local_replica::hold::{Delivery, WaitingMessage};
use local_replica::message::{CallResult, IngressId};
use local_replica::timeline::Event;
use local_replica::{Config, IngressStatus, MessageName, Replica};

use super::interface::{Answer, Call, Controls, Network, Reject, Sent, State};

/// More messages than any call leads to.
const MANY: usize = 10_000;

/// A replica of its own, with nothing on it at first. Nothing happens in it between two calls, and
/// its clock stands still unless it is moved.
pub struct Embedded {
    replica: Replica,
}

impl Embedded {
    /// A new one.
    pub fn new() -> Self {
        Embedded {
            // What is told of a reject is its first line: where a message trapped would be found out
            // for nothing.
            replica: Replica::new(Config {
                backtraces: false,
                ..Config::default()
            }),
        }
    }

    /// Executes all that there is to execute.
    fn run(&mut self) -> Result<()> {
        match self.replica.run(MANY) {
            MANY => bail!("{MANY} messages were executed, and there are still more"),
            _ => Ok(()),
        }
    }
}

impl Default for Embedded {
    fn default() -> Self {
        Embedded::new()
    }
}

impl Network for Embedded {
    fn user(&mut self, number: usize) -> Result<Principal> {
        // Nobody signs here, so any key will do.
        Ok(Principal::self_authenticating(format!("user {number}")))
    }

    fn send(&mut self, call: Call<'_>) -> Result<Sent> {
        let user = self.user(call.user)?;
        let submitted = self
            .replica
            .submit(user, call.canister, call.method, &call.argument);
        Ok(Sent {
            method: call.method.to_owned(),
            #[cfg(feature = "network")]
            user: call.user,
            #[cfg(feature = "network")]
            effective_canister_id: call.effective_canister_id,
            state: match submitted {
                Ok(id) => State::Waiting(id.0.to_be_bytes().to_vec()),
                Err(reject) => State::Answered(answer(Err(reject))),
            },
        })
    }

    fn answer(&mut self, sent: &Sent) -> Result<Option<Answer>> {
        let id = match &sent.state {
            State::Answered(answer) => return Ok(Some(answer.clone())),
            State::Waiting(id) => id
                .as_slice()
                .try_into()
                .context("the call is of another network")?,
        };
        match self
            .replica
            .ingress_status(IngressId(u64::from_be_bytes(id)))
        {
            None => bail!("{}: the replica has forgotten the answer", sent.method),
            Some(IngressStatus::Processing) => Ok(None),
            Some(IngressStatus::Answered(result)) => Ok(Some(answer(result.clone()))),
        }
    }

    fn wait(&mut self, sent: &Sent) -> Result<Answer> {
        self.run()?;
        let answer = self.answer(sent)?;
        answer.ok_or_else(|| anyhow!("{}: nothing is left that could answer it", sent.method))
    }

    fn query(&mut self, call: Call<'_>) -> Result<Answer> {
        let user = self.user(call.user)?;
        let result = self
            .replica
            .query(user, call.canister, call.method, &call.argument);
        Ok(answer(result))
    }

    fn controls(&mut self) -> Option<&mut dyn Controls> {
        Some(self)
    }

    fn replica(&self) -> Option<&Replica> {
        Some(&self.replica)
    }
}

impl Controls for Embedded {
    fn timeline(&mut self, first: u64) -> Result<(Vec<Event>, u64)> {
        let timeline = self.replica.timeline();
        Ok((
            timeline.since(first).cloned().collect(),
            timeline.next_number(),
        ))
    }

    fn hold(&mut self, hold: bool) -> Result<()> {
        self.replica.hold_messages(hold);
        if hold { Ok(()) } else { self.run() }
    }

    fn messages(&mut self) -> Result<Vec<WaitingMessage>> {
        Ok(self.replica.waiting_messages())
    }

    fn deliver(&mut self, message: MessageName, how: Delivery) -> Result<()> {
        let delivered = self.replica.deliver_message(message, how);
        delivered.map_err(|why| anyhow!(why))?;
        // A timer that is due joins the messages that wait; nothing else happens, as they are held.
        self.run()
    }

    fn advance_time(&mut self, duration: Duration) -> Result<()> {
        self.replica.advance_time(duration);
        self.run()
    }
}

fn answer(result: CallResult) -> Answer {
    result.map_err(|reject| Reject {
        code: reject.code as u64,
        error_code: reject.error_code.to_string(),
        message: reject.message,
    })
}
