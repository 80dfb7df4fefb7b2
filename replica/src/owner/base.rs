//! A state to go back to, with everything that was done since.

use std::time::Duration;

use super::record::{Change, Record};
use crate::replica::Replica;

/// So much is done again at most when the node goes back, whatever that is.
const MUCH_WORK: Duration = Duration::from_millis(250);

/// So many changes are remembered.
const MANY_CHANGES: usize = 2000;

/// So many bytes of changes are remembered: 8 MiB.
const MANY_BYTES: usize = 8 * 1024 * 1024;

/// A state that a node was in, and how it went on.
pub(super) struct Base {
    pub(super) replica: Replica,
    pub(super) clock_offset: u64,
    pub(super) since: Vec<Record>,
    bytes: usize,
    pub(super) work: Duration,
}

/// The program panicked, and the node has gone back.
pub(super) struct Panicked;

impl Base {
    /// A state in which nothing was done yet.
    pub(super) fn new(replica: Replica, clock_offset: u64) -> Self {
        Base {
            replica,
            clock_offset,
            since: Vec::new(),
            bytes: 0,
            work: Duration::ZERO,
        }
    }

    /// Remembers a change.
    pub(super) fn add(&mut self, record: Record) {
        self.bytes += match &record.change {
            Change::Submitted(new) => new.method.len() + new.argument.len(),
            _ => 0,
        };
        self.since.push(record);
    }

    /// Whether it should be replaced by the present state.
    pub(super) fn is_old(&self) -> bool {
        self.work > MUCH_WORK || self.since.len() > MANY_CHANGES || self.bytes > MANY_BYTES
    }
}
