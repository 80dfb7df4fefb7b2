//! Which blocks of a live memory may differ from the state that it was loaded with.

use std::sync::Arc;

use wasmi::{AsContextMut, Error, Memory, MemoryType};

use super::mapped::{Active, Region};
use crate::blocks::{BLOCK_SIZE, Blocks};

/// So many touched blocks are always compared with the state after a message: that is quicker than to
/// watch them.
const FEW: usize = 16;

/// How changes of a memory are found.
#[derive(Clone)]
pub(super) enum Tracking {
    /// By comparing everything: any platform can do that.
    Comparing,
    /// By the operating system, which says what was touched.
    Mapped(Arc<Region>),
}

impl Tracking {
    /// The best way for a memory of at most `capacity` bytes.
    pub(super) fn new(capacity: u64, mapped: bool) -> Self {
        match mapped.then(|| Region::reserve(capacity)).flatten() {
            Some(region) => Tracking::Mapped(region),
            None => Tracking::Comparing,
        }
    }

    /// Makes the memory that is tracked. `context` must keep the tracking as long as it.
    pub(super) fn memory(
        &self,
        context: impl AsContextMut,
        ty: MemoryType,
    ) -> Result<Memory, Error> {
        match self {
            Tracking::Comparing => Memory::new(context, ty),
            Tracking::Mapped(region) => region.memory(context, ty),
        }
    }

    /// The memory is about to have the bytes `start..end` too. Returns whether it can.
    pub(super) fn open(&self, start: usize, end: usize) -> bool {
        match self {
            Tracking::Comparing => true,
            Tracking::Mapped(region) => region.open(start, end),
        }
    }

    /// Whether a block of the memory may be read and written as it is.
    pub(super) fn is_filled(&self, block: usize) -> bool {
        match self {
            Tracking::Comparing => true,
            Tracking::Mapped(region) => region.is_filled(block),
        }
    }

    /// The blocks of a memory of `size` bytes that may differ.
    pub(super) fn touched(&self, size: usize) -> Vec<usize> {
        match self {
            Tracking::Comparing => (0..size / BLOCK_SIZE).collect(),
            Tracking::Mapped(region) => region.touched().collect(),
        }
    }

    /// The memory is again what it was loaded with: of so many blocks that were
    /// touched, so many had changed. Where most had not, all are watched anew.
    pub(super) fn settle(&self, touched: usize, changed: usize) {
        if let Tracking::Mapped(region) = self
            && touched > FEW
            && changed < touched / 4
        {
            region.watch();
        }
    }

    /// Gives up what the memory holds, to be filled from the state when it is touched. Returns
    /// whether that is possible.
    pub(super) fn empty(&self, size: usize) -> bool {
        match self {
            Tracking::Comparing => false,
            Tracking::Mapped(region) => region.empty(size),
        }
    }

    /// Lets this thread use a memory that was loaded with `source`.
    pub(super) fn activate<'a>(&'a self, source: &'a Blocks) -> Option<Active<'a>> {
        match self {
            Tracking::Comparing => None,
            Tracking::Mapped(region) => Some(region.activate(source)),
        }
    }
}
