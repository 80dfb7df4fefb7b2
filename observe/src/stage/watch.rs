//! What users can see of the canisters' states, looked at between two messages.

use anyhow::Result;
use candid::Principal;
use candid::utils::ArgumentEncoder;

use super::calls::{Moment, Stage};
use super::value::{Value, Watched};
use crate::network::timeline::{Ending, Step};

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
        let mut new = Watched {
            user: self.user,
            canister,
            method: method.to_owned(),
            argument: candid::encode_args(arguments)?,
            value: None,
        };
        if self.watched.iter().any(|known| known.is_same(&new)) {
            return Ok(());
        }
        new.value = self.see(&new)?;
        self.watched.push(new);
        Ok(())
    }

    /// What is watched, as it was when it was looked at last.
    pub fn values(&self) -> Vec<Option<Value>> {
        self.watched.iter().map(|one| one.value.clone()).collect()
    }

    fn see(&mut self, watched: &Watched) -> Result<Option<Value>> {
        let (canister, argument) = (watched.canister, watched.argument.clone());
        let answer = self.ask(watched.user, canister, &watched.method, argument)?;
        Ok(answer.ok().map(Value))
    }

    /// Looks at everything that is watched. What changed was changed by the last message that its
    /// canister executed and kept, among the moments from number `first` on; or by time alone, if it
    /// executed none.
    pub(super) fn look(&mut self, first: usize) -> Result<()> {
        let mut changed_canisters = Vec::new();
        let mut watched = std::mem::take(&mut self.watched);
        for one in &mut watched {
            let value = self.see(one)?;
            let before = std::mem::replace(&mut one.value, value);
            // While it could not be seen, nobody knows which message changed it.
            if one.value.is_some() && before.is_some() && one.value != before {
                changed_canisters.push(one.canister);
            }
        }
        self.watched = watched;
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
            let is_kept = event.ending == Ending::Committed
                && !matches!(event.step, Step::AnsweredBySystem(_));
            if is_kept {
                let before = changed_canisters.len();
                changed_canisters.retain(|canister| *canister != event.canister);
                *changed = changed_canisters.len() < before;
            }
        }
        Ok(())
    }
}
