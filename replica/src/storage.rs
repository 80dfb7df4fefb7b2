//! What a canister stores, and what it pays for that.

use crate::canister::{CHUNK_SIZE, Canister};
use crate::fees;
use crate::message::Cycles;
use crate::module::CanisterModule;
use crate::wasm::PAGE_SIZE;

/// What the network keeps for each global that can change, in bytes.
const GLOBAL_SIZE: u64 = 32;

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
        } = self;
        wasm + stable + globals + binary + custom_sections + history + chunks + log
    }
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
            globals: module.map_or(0, |module| GLOBAL_SIZE * module.mutable_globals),
            binary: module.map_or(0, |module| module.size),
            custom_sections: module.map_or(0, |module| module.custom_sections_size()),
            history: self.history_size(),
            chunks: (self.chunks.len() * CHUNK_SIZE) as u64,
            log: self.log.size(),
        }
    }

    /// Everything that it stores, in bytes.
    pub fn memory_size(&self) -> u64 {
        self.memory_usage().total()
    }

    /// What it costs for a day, if it does nothing: what it stores or has allocated, and its
    /// compute allocation.
    pub fn idle_cost_per_day(&self) -> Cycles {
        self.cost_per_day_of(self.memory_size())
    }

    fn cost_per_day_of(&self, stored: u64) -> Cycles {
        let bytes = stored.max(self.settings.memory_allocation);
        fees::idle_per_day(bytes, self.settings.compute_allocation)
    }

    /// The cycles that must stay in its balance: what it costs in the time of its freezing
    /// threshold.
    pub fn freezing_limit(&self) -> Cycles {
        self.freezing_limit_of(self.memory_size())
    }

    /// The cycles that would have to stay in its balance if it stored so many bytes.
    pub fn freezing_limit_of(&self, stored: u64) -> Cycles {
        let per_day = self.cost_per_day_of(stored);
        fees::idle(per_day, self.settings.freezing_threshold)
    }

    /// The cycles that it can spend.
    pub fn liquid_balance(&self) -> Cycles {
        self.balance.saturating_sub(self.freezing_limit())
    }
}
