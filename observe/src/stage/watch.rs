//! What users can see of the canisters' states, looked at between two messages.

use anyhow::Result;
use candid::Principal;
use candid::utils::ArgumentEncoder;

use super::calls::{Moment, Stage};
use super::value::{Value, Watched};
use crate::network::timeline::Ending;

impl Stage {
    /// From now on, what happens is looked at message by message, where the network can do that.
    pub fn look_closely(&mut self, closely: bool) {
        self.watching = closely && self.is_local_replica();
    }

    /// Has the stage ask a query after each message of this experiment, if anybody looks: a message
    /// changes the state, for those who tell of it, if it changes what such a query replies.
    ///
    /// # Errors
    ///
    /// If the network does not answer.
    pub fn watch(
        &mut self,
        canister: Principal,
        method: &str,
        arguments: impl ArgumentEncoder,
    ) -> Result<()> {
        if !self.watching {
            return Ok(());
        }
        let argument = candid::encode_args(arguments)?;
        let value = self.value(canister, method, &argument)?;
        self.watched.push(Watched {
            canister,
            method: method.to_owned(),
            argument,
            value,
        });
        Ok(())
    }

    /// What is watched, as it was when it was looked at last.
    pub fn values(&self) -> Vec<Option<Value>> {
        self.watched.iter().map(|one| one.value.clone()).collect()
    }

    fn value(
        &mut self,
        canister: Principal,
        method: &str,
        argument: &[u8],
    ) -> Result<Option<Value>> {
        let answer = self.ask(canister, method, argument.to_vec())?;
        Ok(answer.ok().map(Value))
    }

    /// Looks at everything that is watched. What changed was changed by the last message that its
    /// canister executed and kept, among the moments from number `first` on.
    pub(super) fn look(&mut self, first: usize) -> Result<()> {
        if self.watched.is_empty() || self.scene.len() == first {
            return Ok(());
        }
        let mut changed_canisters = Vec::new();
        for index in 0..self.watched.len() {
            let Watched {
                canister,
                method,
                argument,
                ..
            } = &self.watched[index];
            let (canister, method, argument) = (*canister, method.clone(), argument.clone());
            let value = self.value(canister, &method, &argument)?;
            let before = std::mem::replace(&mut self.watched[index].value, value.clone());
            // While it could not be seen, nobody knows which message changed it.
            if value.is_some() && before.is_some() && value != before {
                changed_canisters.push(canister);
            }
        }
        let now = self.values();
        for moment in self.scene[first..].iter_mut().rev() {
            let Moment::Event {
                event,
                changed,
                values,
            } = moment
            else {
                continue;
            };
            values.clone_from(&now);
            if event.ending == Ending::Committed {
                let before = changed_canisters.len();
                changed_canisters.retain(|canister| *canister != event.canister);
                *changed = changed_canisters.len() < before;
            }
        }
        Ok(())
    }
}
