//! What a canister stores, and what it pays for that.

use candid::Principal;

use crate::canister::{CHUNK_SIZE, Canister};
use crate::fees;
use crate::message::{CallOrigin, Cycles, Reject};
use crate::module::CanisterModule;
use crate::rejects;
use crate::wasm::PAGE_SIZE;

/// What the network keeps for the value of a global, in bytes.
pub(crate) const GLOBAL_SIZE: u64 = 32;

/// Everything that a canister stores, in bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct MemoryUsage {
    /// The Wasm memory.
    pub wasm: u64,
    /// The stable memory.
    pub stable: u64,
    /// The globals.
    pub globals: u64,
    /// The module, as it was uploaded.
    pub binary: u64,
    /// The module's custom sections that others can read.
    pub custom_sections: u64,
    /// The history.
    pub history: u64,
    /// The chunk store.
    pub chunks: u64,
    /// The log.
    pub log: u64,
    /// The snapshots.
    pub snapshots: u64,
}

impl MemoryUsage {
    /// All of it together.
    pub fn total(&self) -> u64 {
        let MemoryUsage {
            wasm,
            stable,
            globals,
            binary,
            custom_sections,
            history,
            chunks,
            log,
            snapshots,
        } = self;
        wasm + stable + globals + binary + custom_sections + history + chunks + log + snapshots
    }
}

/// What the globals of a module take, in bytes.
fn globals_size(module: &CanisterModule) -> u64 {
    // The network's counter of instructions is one more.
    GLOBAL_SIZE * (module.globals.len() as u64 + 1)
}

impl Canister {
    /// What it stores.
    pub fn memory_usage(&self) -> MemoryUsage {
        let module = self.code.as_ref().map(|code| code.module.as_ref());
        self.memory_usage_of(module, self.wasm_memory_size())
    }

    /// What it would store with this module and so many bytes of Wasm memory.
    pub fn memory_usage_of(&self, module: Option<&CanisterModule>, wasm: u64) -> MemoryUsage {
        MemoryUsage {
            wasm,
            stable: self.stable.pages() * PAGE_SIZE,
            globals: module.map_or(0, globals_size),
            binary: module.map_or(0, |module| module.size),
            custom_sections: module.map_or(0, |module| module.custom_sections_size()),
            history: self.history.size(),
            chunks: (self.chunks.len() * CHUNK_SIZE) as u64,
            log: self.log.size(),
            snapshots: self.snapshots.size(),
        }
    }

    /// The bytes that are kept free for responses: those to its calls, and its own.
    pub fn reserved_for_responses(&self) -> u64 {
        let callbacks = self.callbacks.values();
        let to_it = callbacks.map(|call| fees::kept_for_response(call.deadline));
        let contexts = self.call_contexts.values();
        let of_it = contexts.map(|context| match context.origin {
            CallOrigin::Canister { deadline, .. } if !context.responded => {
                fees::kept_for_response(deadline)
            }
            _ => 0,
        });
        to_it.chain(of_it).sum()
    }

    /// What it stores beside both of its memories, in bytes.
    pub fn stored_beside_memory(&self) -> u64 {
        let usage = self.memory_usage();
        usage.total() - usage.wasm - usage.stable
    }

    /// What a snapshot of it would take, in bytes.
    pub fn size_of_snapshot(&self) -> u64 {
        let MemoryUsage {
            wasm,
            stable,
            globals,
            binary,
            chunks,
            ..
        } = self.memory_usage();
        wasm + stable + globals + binary + chunks + self.certified_data.len() as u64
    }

    /// What it would no longer store without its code, in bytes.
    pub fn size_of_code(&self) -> u64 {
        let MemoryUsage {
            history, snapshots, ..
        } = self.memory_usage();
        self.memory_size() - history - snapshots
    }

    /// Everything that it stores, in bytes.
    pub fn memory_size(&self) -> u64 {
        self.memory_usage().total()
    }

    /// What it costs for a day, if it does nothing: what it stores or has allocated, and its
    /// compute allocation.
    pub fn idle_cost_per_day(&self) -> Cycles {
        let reserved = self.reserved_for_responses();
        self.settings.cost_per_day(self.memory_size(), reserved)
    }

    /// The part of that which is for what it stores or has allocated.
    pub fn storage_cost_per_day(&self) -> Cycles {
        let stored = self.settings.paid_bytes(self.memory_size());
        fees::idle_per_day(stored + self.reserved_for_responses(), 0)
    }

    /// The cycles that must stay in its balance: what it costs in the time of its freezing
    /// threshold.
    pub fn freezing_limit(&self) -> Cycles {
        self.freezing_limit_of(self.memory_size())
    }

    /// The cycles that would have to stay in its balance if it stored so many bytes.
    pub fn freezing_limit_of(&self, stored: u64) -> Cycles {
        self.settings
            .freezing_limit(stored, self.reserved_for_responses())
    }

    /// The cycles that it can spend.
    pub fn liquid_balance(&self) -> Cycles {
        self.balance.saturating_sub(self.freezing_limit())
    }

    /// Refuses what it can't pay for.
    ///
    /// # Errors
    ///
    /// The reject that `caller` gets.
    pub fn check_affordable(&self, cost: Cycles, caller: &Principal) -> Result<(), Reject> {
        let needed = self.freezing_limit().saturating_add(cost);
        match needed.saturating_sub(self.balance) {
            0 => Ok(()),
            missing => {
                let told = self.settings.controllers.contains(caller);
                Err(rejects::out_of_cycles(self.id, told.then_some(missing)))
            }
        }
    }
}
