//! A canister's log: what messages printed, and why they trapped. The oldest lines give way.

use std::collections::VecDeque;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::message::Time;

/// What a line of a log takes beside its content, in bytes.
const RECORD_SIZE: u64 = 16;

/// A line of a canister's log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogRecord {
    /// Counts from 0.
    pub index: u64,
    /// When it was written.
    pub time: Time,
    /// What was printed, or why a message trapped.
    #[serde(with = "serde_bytes")]
    pub content: Vec<u8>,
}

/// What a line with this content takes, in bytes.
fn size_of(content: &[u8]) -> u64 {
    RECORD_SIZE + content.len() as u64
}

/// The log of one canister.
#[derive(Clone, Default, Serialize, Deserialize)]
pub struct CanisterLog {
    records: Arc<VecDeque<LogRecord>>,
    size: u64,
    next_index: u64,
}

impl CanisterLog {
    /// The lines.
    pub fn records(&self) -> impl Iterator<Item = &LogRecord> {
        self.records.iter()
    }

    /// Its size in bytes.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// The index that the next line will have.
    pub fn next_index(&self) -> u64 {
        self.next_index
    }

    /// Adds a line to a log that has at most `limit` bytes.
    pub fn write(&mut self, time: Time, mut content: Vec<u8>, limit: u64) {
        let longest = limit.saturating_sub(RECORD_SIZE);
        content.truncate(usize::try_from(longest).unwrap_or(usize::MAX));
        self.size += size_of(&content);
        Arc::make_mut(&mut self.records).push_back(LogRecord {
            index: self.next_index,
            time,
            content,
        });
        self.next_index += 1;
        self.trim(limit);
    }

    /// Counts lines that were printed but not kept: then no line before them is.
    pub(crate) fn skip(&mut self, lines: u64) {
        if lines > 0 {
            self.clear();
            self.next_index += lines;
        }
    }

    /// Drops the oldest lines until it has at most `limit` bytes.
    pub fn trim(&mut self, limit: u64) {
        while self.size > limit && self.drop_oldest() {}
    }

    fn drop_oldest(&mut self) -> bool {
        let oldest = Arc::make_mut(&mut self.records).pop_front();
        self.size -= oldest.as_ref().map_or(0, |oldest| size_of(&oldest.content));
        oldest.is_some()
    }

    /// Forgets the lines before the one with this index.
    pub fn forget_before(&mut self, index: u64) {
        let is_before = |log: &Self| log.records.front().is_some_and(|r| r.index < index);
        while is_before(self) && self.drop_oldest() {}
    }

    /// Forgets all lines.
    pub fn clear(&mut self) {
        self.records = Arc::default();
        self.size = 0;
    }
}

/// What an execution printed. Only the end of a log is kept, so a canister that prints without end
/// needs no more than that.
#[derive(Clone, Default)]
pub(crate) struct Printed {
    pub(crate) lines: VecDeque<Vec<u8>>,
    /// How many lines came before these and are not kept.
    pub(crate) dropped: u64,
    size: u64,
}

impl Printed {
    /// Adds a line, for a log that has at most `limit` bytes.
    pub(crate) fn push(&mut self, line: Vec<u8>, limit: u64) {
        self.size += size_of(&line);
        self.lines.push_back(line);
        while self.size > limit
            && self.lines.len() > 1
            && let Some(oldest) = self.lines.pop_front()
        {
            self.size -= size_of(&oldest);
            self.dropped += 1;
        }
    }
}
