//! Runs code for a message, or recalls what it did where a fork has run it ahead.

use crate::ahead::Done;
use crate::environment::{Environment, run};
use crate::system_api::{SystemApi, Trap};
use crate::wasm::{Allowance, Backtrace, Entry, Fault, Instance, State};

/// What code did. Nothing is kept or put back yet.
pub(crate) struct Performed {
    pub(crate) api: SystemApi,
    pub(crate) result: Result<(), Fault<Trap>>,
    pub(crate) instructions: u64,
    /// Where it trapped, if it need not be looked for.
    pub(crate) backtrace: Option<Option<Backtrace>>,
}

impl Environment {
    /// Runs `entry` in an instance that is loaded with `state`. If it takes too many instructions for
    /// the present patience, it ends there as if it were not allowed more, and that is noted.
    pub(crate) fn perform(
        &mut self,
        instance: &mut Instance<SystemApi>,
        state: &State,
        entry: Entry<'_>,
        api: SystemApi,
        allowance: Allowance,
    ) -> Performed {
        if let Some(done) = self.ahead.take(&api, state) {
            instance.load(&done.after);
            return Performed {
                api: done.api,
                result: done.result,
                instructions: done.instructions,
                backtrace: Some(done.backtrace),
            };
        }
        let note = self.ahead.note(&api, state);
        let patience = self.ahead.patience.unwrap_or(u64::MAX);
        let allowed = Allowance {
            instructions: allowance.instructions.min(patience),
            ..allowance
        };
        let (api, result, instructions) = run(instance, entry, api, allowed);
        let ran_out = allowed.instructions < allowance.instructions
            && matches!(result, Err(Fault::InstructionLimit(_)));
        self.ahead.ran_out |= ran_out;
        if let Some(note) = note {
            let known = note(Done {
                api: api.clone(),
                result: result.clone(),
                instructions,
                after: instance.present(state),
                backtrace: None,
            });
            self.ahead.known.push_back(known);
        }
        Performed {
            api,
            result,
            instructions,
            // Nobody will see it.
            backtrace: ran_out.then_some(None),
        }
    }

    /// Notes where the last execution trapped, if that is to be known.
    pub(crate) fn note_backtrace(&mut self, backtrace: Option<&Backtrace>) {
        if self.ahead.recording
            && let Some(known) = self.ahead.known.back_mut()
        {
            known.done.backtrace = backtrace.cloned();
        }
    }
}
