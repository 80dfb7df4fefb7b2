//! Executions in non-replicated mode, outside consensus: nothing of what they change stays.

use std::collections::BTreeMap;

use crate::canister::{Canister, Code};
use crate::environment::{Environment, run};
use crate::message::{Cycles, Reject, Time};
use crate::stable_memory::StableMemory;
use crate::system_api::{SystemApi, View};
use crate::wasm::{Allowance, Entry};

/// What an execution finds of a canister. A clone shares the memory that neither changes.
#[derive(Clone)]
pub(crate) struct Found {
    code: Code,
    stable: StableMemory,
    balance: Cycles,
    timer: Time,
}

/// How an execution ended: what it did, whether it trapped, and how many instructions it took.
pub(crate) type Ended = (SystemApi, Result<(), Reject>, u64);

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
        let ended = run(&mut instance, entry, self.api(view), allowance);
        environment.instances.keep(canister, module, instance);
        ended
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
        (api, result, instructions)
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
