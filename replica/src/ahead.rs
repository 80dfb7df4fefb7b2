//! Messages that take long are executed ahead, by another thread on a fork, while everything else goes
//! on. When that is done they are delivered like all others, but what code did is not done again.
//!
//! What code does follows from what is given to it alone. So what a fork found out holds wherever the
//! same is given, and a message can be executed without it: only later is nothing else.

use std::collections::VecDeque;

use crate::message::{Cycles, Time};
use crate::system_api::{SystemApi, Trap};
use crate::wasm::{Backtrace, Fault, State};

/// What an environment knows of messages that take long.
#[derive(Default)]
pub(crate) struct Ahead {
    /// A message that takes more instructions than that is not executed to its end.
    pub(crate) patience: Option<u64>,
    /// Whether there was such a message.
    pub(crate) ran_out: bool,
    /// When the message began that is delivered, if that was before.
    pub(crate) began_at: Option<Time>,
    /// How many cycles its canister has more than then.
    pub(crate) gained: i128,
    /// What its executions came to, where that is known.
    pub(crate) known: VecDeque<Known>,
    /// Whether it is to be known.
    pub(crate) recording: bool,
}

/// What an execution came to.
pub(crate) struct Known {
    given: Given,
    pub(crate) done: Done,
}

/// The result of an execution.
pub(crate) struct Done {
    pub(crate) api: SystemApi,
    pub(crate) result: Result<(), Fault<Trap>>,
    pub(crate) instructions: u64,
    /// The state that it ended with.
    pub(crate) after: State,
    /// Where it trapped.
    pub(crate) backtrace: Option<Backtrace>,
}

/// What was given to an execution, as far as anything else could have changed it.
struct Given {
    api: SystemApi,
    state: State,
}

impl Given {
    /// Whether an execution with this host, from this state, does the same.
    fn is(&self, api: &SystemApi, state: &State) -> bool {
        self.api.begins_like(api) && self.state.is_same(state)
    }
}

impl Ahead {
    /// The cycles that a message is told of when its canister has so many.
    pub(crate) fn told_balance(&self, balance: Cycles) -> Cycles {
        balance.saturating_add_signed(self.gained.saturating_neg())
    }

    /// The cycles that a canister is left with that was told another balance, and by how many more it
    /// would have had to have.
    pub(crate) fn true_balance(&self, told: Cycles) -> (Cycles, Cycles) {
        match told.checked_add_signed(self.gained) {
            Some(balance) => (balance, 0),
            None => (0, self.gained.unsigned_abs().saturating_sub(told)),
        }
    }

    /// What the executions that were recorded came to.
    #[cfg(feature = "server")]
    pub(crate) fn recorded(&mut self) -> VecDeque<Known> {
        self.recording = false;
        std::mem::take(&mut self.known)
    }

    /// What is known of an execution with this host, from this state.
    pub(crate) fn take(&mut self, api: &SystemApi, state: &State) -> Option<Done> {
        if self.recording {
            return None;
        }
        let known = self.known.pop_front()?;
        known.given.is(api, state).then_some(known.done)
    }

    /// Remembers what is given to an execution, if what it comes to is to be known.
    pub(crate) fn note(
        &self,
        api: &SystemApi,
        state: &State,
    ) -> Option<impl FnOnce(Done) -> Known + use<>> {
        self.recording.then(|| {
            let given = Given {
                api: api.clone(),
                state: state.clone(),
            };
            move |done| Known { given, done }
        })
    }
}
