//! How far a memory may grow, and what is done before it does.

use wasmi::errors::{MemoryError, TableError};
use wasmi::{ResourceLimiter, StoreLimits, StoreLimitsBuilder};
use wasmi_core::LimiterError;

use super::tracking::Tracking;

/// What the engine asks before an instance grows.
pub(super) struct Growth {
    limits: StoreLimits,
    tracking: Tracking,
}

impl Growth {
    /// Without limits, of a memory that is tracked like this.
    pub(super) fn new(tracking: Tracking) -> Self {
        Growth {
            limits: limits(u64::MAX, None),
            tracking,
        }
    }

    /// Limits the memory to so many bytes; growing past the soft limit traps.
    pub(super) fn limit(&mut self, memory: u64, soft_memory: Option<u64>) {
        self.limits = limits(memory, soft_memory);
    }
}

fn limits(memory: u64, soft_memory: Option<u64>) -> StoreLimits {
    let bytes = soft_memory.map_or(memory, |soft| soft.min(memory));
    StoreLimitsBuilder::new()
        .memory_size(usize::try_from(bytes).unwrap_or(usize::MAX))
        .table_elements(1_000_000)
        // Growth that the module itself does not allow fails as always.
        .trap_on_grow_failure(soft_memory.is_some_and(|soft| soft < memory))
        .build()
}

impl ResourceLimiter for Growth {
    fn memory_growing(
        &mut self,
        current: usize,
        desired: usize,
        maximum: Option<usize>,
    ) -> Result<bool, LimiterError> {
        // The engine fills the new part with zeros, which is no change of the message's.
        Ok(self.limits.memory_growing(current, desired, maximum)?
            && self.tracking.open(current, desired))
    }

    fn table_growing(
        &mut self,
        current: usize,
        desired: usize,
        maximum: Option<usize>,
    ) -> Result<bool, LimiterError> {
        self.limits.table_growing(current, desired, maximum)
    }

    fn memory_grow_failed(&mut self, error: &MemoryError) -> Result<(), LimiterError> {
        self.limits.memory_grow_failed(error)
    }

    fn table_grow_failed(&mut self, error: &TableError) -> Result<(), LimiterError> {
        self.limits.table_grow_failed(error)
    }

    fn instances(&self) -> usize {
        self.limits.instances()
    }

    fn tables(&self) -> usize {
        self.limits.tables()
    }

    fn memories(&self) -> usize {
        self.limits.memories()
    }
}
