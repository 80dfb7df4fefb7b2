//! Executions in non-replicated mode, outside consensus: nothing of what they change stays.

use std::collections::BTreeMap;

use crate::backtraces::Failed;
use crate::canister::{Canister, Code};
use crate::environment::{Environment, run};
use crate::message::{Cycles, Reject, Time};
use crate::stable_memory::StableMemory;
use crate::system_api::{Effects, SystemApi, Trap, View, reject_of_fault};
use crate::wasm::{Allowance, Entry, Fault};

/// What an execution finds of a canister. A clone shares the memory that neither changes.
#[derive(Clone)]
pub(crate) struct Found {
    code: Code,
    stable: StableMemory,
    balance: Cycles,
    timer: Time,
}

/// How an execution ended: what it did, or why it did nothing, and how many instructions it took.
pub(crate) type Ended = (Result<Effects, Reject>, u64);

impl Found {
    /// What there is now; nothing if the canister has no code.
    pub(crate) fn of(canister: &Canister) -> Option<Self> {
        Some(Found {
            code: canister.code.clone()?,
            stable: canister.stable.clone(),
            balance: canister.balance,
            timer: canister.global_timer,
        })
    }

    /// Runs something that finds this, and changes nothing of it.
    pub(crate) fn run(
        &self,
        environment: &mut Environment,
        entry: Entry<'_>,
        view: View,
        limit: u64,
    ) -> Ended {
        let (canister, module) = (view.canister, &self.code.module);
        let mut instance = environment.instance(canister, &self.code);
        let allowance = self.allowance(&view, limit);
        let (api, result, used) = run(&mut instance, entry, self.api(view), allowance);
        environment.instances.keep(canister, module, instance);
        self.told(environment, entry, api, result, used)
    }

    /// Runs something that finds this. Unless it traps, what it changes is found by the next.
    pub(crate) fn run_and_keep(
        &mut self,
        environment: &mut Environment,
        entry: Entry<'_>,
        view: View,
        limit: u64,
    ) -> Ended {
        let canister = view.canister;
        let mut instance = environment.instance(canister, &self.code);
        let allowance = self.allowance(&view, limit);
        let (mut api, result, instructions) = run(&mut instance, entry, self.api(view), allowance);
        if result.is_ok() {
            instance.commit(&mut self.code.state);
            self.stable = std::mem::take(&mut api.stable);
        }
        environment
            .instances
            .keep(canister, &self.code.module, instance);
        self.told(environment, entry, api, result, instructions)
    }

    /// The end of an execution as its caller is told. Where it trapped is found out for a caller who may
    /// know.
    fn told(
        &self,
        environment: &Environment,
        entry: Entry<'_>,
        api: SystemApi,
        result: Result<(), Fault<Trap>>,
        instructions: u64,
    ) -> Ended {
        let SystemApi { view, effects, .. } = api;
        let Err(fault) = result else {
            return (Ok(effects), instructions);
        };
        let (canister, module) = (view.canister, &self.code.module);
        let may_know = view.settings.may_read_log(&view.caller);
        let mut backtrace = None;
        if may_know && environment.can_trace(module, &fault) {
            let failed = Failed {
                module,
                before: &self.code.state,
                used: self.allowance(&view, instructions),
                fault: &fault,
            };
            backtrace = environment.trace(&failed, entry, self.api(view));
        }
        let reject = reject_of_fault(canister, &fault, backtrace.as_ref());
        (Err(reject), instructions)
    }

    fn api(&self, view: View) -> SystemApi {
        let stable = self.stable.clone();
        SystemApi::new(view, self.balance, 0, stable, BTreeMap::new(), self.timer)
    }

    fn allowance(&self, view: &View, instructions: u64) -> Allowance {
        Allowance {
            instructions,
            memory: self.code.module.memory_limit(&view.limits),
            soft_memory: None,
        }
    }
}
