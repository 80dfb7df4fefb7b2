//! What executions of all kinds share: the engine, the subnet, the clock and the limits; how an
//! execution gets what it may see of a canister, and how a canister gets back what was borrowed.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use candid::Principal;
use sha2::{Digest, Sha256};

use crate::ahead::Ahead;
use crate::canister::{Canister, Code};
use crate::instances::Instances;
use crate::limits::Limits;
use crate::message::{CanisterId, Closure, Cycles, Time};
use crate::module::CanisterModule;
use crate::subnet::Subnet;
use crate::system_api::{Effects, EntryPoint, SystemApi, Trap, View};
use crate::wasm::{Allowance, Engine, Entry, Fault, Instance, Room};

/// What executions share.
pub struct Environment {
    /// Compiles and instantiates modules.
    pub engine: Arc<Engine<SystemApi>>,
    /// The subnet.
    pub subnet: Arc<Subnet>,
    /// The replica's clock.
    pub time: Time,
    /// How much canisters may do and send.
    pub limits: Arc<Limits>,
    /// Cycles that fees have consumed.
    pub consumed: Cycles,
    /// How many bytes of memory all canisters have in use.
    pub memory_in_use: u64,
    /// Whether to find out where messages trap.
    pub backtraces: bool,
    /// Whether to look for changes of the memory, for the timeline.
    pub observe_memory: bool,
    /// The modules that canisters run, by hash: each is compiled once, for all forks.
    pub(crate) modules: Arc<Mutex<BTreeMap<[u8; 32], Weak<CanisterModule>>>>,
    /// Where canisters run.
    pub(crate) instances: Instances,
    /// Whether the operating system is asked which memory a message touched.
    pub(crate) mapped_memory: bool,
    /// How many executions trapped.
    pub(crate) trapped: u64,
    /// Whether the next execution, other than a cleanup, is to end with a trap.
    pub(crate) trap_at_end: bool,
    /// Of messages that take long.
    pub(crate) ahead: Ahead,
}

impl Environment {
    /// The same for a fork, in which no canister has run yet.
    pub(crate) fn fork(&self) -> Self {
        Environment {
            engine: Arc::clone(&self.engine),
            subnet: Arc::clone(&self.subnet),
            time: self.time,
            limits: Arc::clone(&self.limits),
            consumed: self.consumed,
            memory_in_use: self.memory_in_use,
            backtraces: self.backtraces,
            observe_memory: self.observe_memory,
            modules: Arc::clone(&self.modules),
            instances: Instances::default(),
            mapped_memory: self.mapped_memory,
            trapped: self.trapped,
            trap_at_end: self.trap_at_end,
            ahead: Ahead::default(),
        }
    }

    /// Compiles a module, or finds it if a canister runs it already.
    ///
    /// # Errors
    ///
    /// As of [`CanisterModule::new`].
    pub(crate) fn module(&self, bytes: &[u8]) -> Result<Arc<CanisterModule>, String> {
        let hash: [u8; 32] = Sha256::digest(bytes).into();
        let modules = || self.modules.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = modules().get(&hash).and_then(Weak::upgrade) {
            return Ok(known);
        }
        let module = Arc::new(CanisterModule::new(&self.engine, bytes)?);
        let mut modules = modules();
        modules.retain(|_, module| module.strong_count() > 0);
        modules.insert(hash, Arc::downgrade(&module));
        Ok(module)
    }

    /// The room that an instance of a module gets.
    pub(crate) fn room(&self, module: &CanisterModule) -> Room {
        Room {
            memory: module.memory_limit(&self.limits),
            mapped: self.mapped_memory,
        }
    }

    /// An instance with a canister's code and state, to be given back to [`Environment::instances`].
    pub(crate) fn instance(&mut self, canister: CanisterId, code: &Code) -> Instance<SystemApi> {
        let room = self.room(&code.module);
        self.instances.take(canister, code, room)
    }

    /// Puts back what an execution borrowed of the canister, and returns what it did and what it
    /// saw.
    pub(crate) fn take_back(&self, canister: &mut Canister, api: SystemApi) -> (Effects, View) {
        let SystemApi {
            effects,
            view,
            stable,
            open_calls,
            log,
            ..
        } = api;
        canister.stable = stable;
        canister.open_calls = open_calls;
        canister.log.skip(log.dropped);
        for content in log.lines {
            canister.write_log(self.time, content);
        }
        (effects, view)
    }

    /// The view of an execution that belongs to no call context.
    pub(crate) fn bare_view(
        &self,
        canister: &Canister,
        entry_point: EntryPoint,
        caller: Principal,
        argument: Vec<u8>,
    ) -> View {
        View {
            entry_point,
            subnet: Arc::clone(&self.subnet),
            canister: canister.id,
            settings: Arc::clone(&canister.settings),
            version: canister.version,
            status: canister.status.number(),
            time: self.ahead.began_at.unwrap_or(self.time),
            caller,
            argument,
            reject: None,
            method: String::new(),
            deadline: None,
            refunded: 0,
            responded: true,
            context_instructions: 0,
            replicated: true,
            certified_data: None,
            stored_beside_memory: canister.stored_beside_memory(),
            reserved_for_responses: canister.reserved_for_responses(),
            memory64: canister.memory64(),
            limits: Arc::clone(&self.limits),
        }
    }
}

/// Calls into an instance. Nothing is kept or put back here.
pub(crate) fn run(
    instance: &mut Instance<SystemApi>,
    entry: Entry<'_>,
    api: SystemApi,
    limits: Allowance,
) -> (SystemApi, Result<(), Fault<Trap>>, u64) {
    let (mut api, result, instructions) = instance.call(entry, api, limits);
    api.finish();
    (api, result, instructions)
}

/// Refuses a memory that is larger than the canister's settings allow.
pub(crate) fn check_memory_limit(memory: u64, limit: Option<u64>) -> Result<(), Fault<Trap>> {
    match limit {
        Some(limit) if memory > limit => Err(Fault::MemoryLimit(limit)),
        _ => Ok(()),
    }
}

/// A closure as what to call.
pub(crate) fn enter(closure: Closure) -> Entry<'static> {
    Entry::Closure {
        function: closure.function,
        environment: closure.environment,
    }
}
