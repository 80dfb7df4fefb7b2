//! Where a message trapped, as its canister's log and those who may read the log are told.

use crate::canister::Canister;
use crate::environment::Environment;

use crate::module::CanisterModule;
use crate::system_api::{SystemApi, Trap, trap_in_log};
use crate::wasm::{Allowance, Backtrace, Entry, Fault, State};

/// A message that ended with a fault.
pub(crate) struct Failed<'a> {
    pub(crate) module: &'a CanisterModule,
    /// The state that it began with.
    pub(crate) before: &'a State,
    /// What it used.
    pub(crate) used: Allowance,
    pub(crate) fault: &'a Fault<Trap>,
}

impl Environment {
    /// Writes into a canister's log why and where it trapped: all that stays of what was undone.
    pub(crate) fn log_trap(
        &self,
        canister: &mut Canister,
        fault: &Fault<Trap>,
        backtrace: Option<&Backtrace>,
    ) {
        let Some(why) = trap_in_log(fault) else {
            return;
        };
        let mut line = format!("[TRAP]: {why}");
        if let Some(backtrace) = backtrace {
            line += &format!("\n{backtrace}");
        }
        canister.write_log(self.time, line.into_bytes());
    }

    /// Whether a fault is a trap whose place can be found.
    pub(crate) fn can_trace(&self, module: &CanisterModule, fault: &Fault<Trap>) -> bool {
        self.backtraces && module.traceable.is_some() && trap_in_log(fault).is_some()
    }

    /// Runs a message that trapped once more, to find where. `api` is as it was at first; nothing of
    /// what happens to it stays. There is no backtrace if the message does not trap again in the same
    /// way, as one can that looks at the performance counter.
    pub(crate) fn trace(
        &self,
        failed: &Failed<'_>,
        entry: Entry<'_>,
        api: SystemApi,
    ) -> Option<Backtrace> {
        let traceable = failed.module.traceable.as_ref()?;
        let compiled = traceable.compiled(&self.engine, &failed.module.compiled)?;
        let (_, result, trace) = compiled.trace(failed.before, entry, api, failed.used);
        if result.as_ref().err().and_then(trap_in_log) != trap_in_log(failed.fault) {
            return None;
        }
        // The network implements access to stable memory within the module.
        let in_import = matches!(failed.fault, Fault::Host(Trap::StableMemoryOutOfBounds));
        traceable.backtrace(&trace, in_import)
    }
}
