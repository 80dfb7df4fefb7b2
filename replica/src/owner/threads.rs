//! Threads that execute messages.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Instant;

use tokio::sync::Notify;

use crate::ahead::Known;
use crate::message_name::MessageName;

/// A message that takes more instructions is executed by another thread, from its beginning: it holds
/// up the others for a fraction of a second.
const PATIENCE: u64 = 50_000_000;

/// So many threads execute messages. More messages wait for one of them.
pub(super) const THREADS: usize = 4;

/// The messages that other threads execute.
pub(super) struct Long {
    /// How many instructions are few.
    pub(super) patience: u64,
    pub(super) threads: BTreeMap<MessageName, Running>,
    /// Told when one of them is done.
    pub(super) done: Arc<Notify>,
}

impl Default for Long {
    fn default() -> Self {
        Long {
            patience: PATIENCE,
            threads: BTreeMap::new(),
            done: Arc::default(),
        }
    }
}

impl Long {
    /// Waits until all threads are done.
    #[cfg(test)]
    pub(super) fn wait(&self) {
        while !self
            .threads
            .values()
            .all(|running| running.thread.is_finished())
        {
            std::thread::yield_now();
        }
    }
}

/// A thread that executes a message.
pub(super) struct Running {
    pub(super) thread: JoinHandle<VecDeque<Known>>,
    pub(super) began: Instant,
}

/// Tells that a thread is done, also if it panics.
pub(super) struct Done(pub(super) Arc<Notify>);

impl Drop for Done {
    fn drop(&mut self) {
        self.0.notify_one();
    }
}
