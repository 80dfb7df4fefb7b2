//! Messages that take long: another thread executes them on a fork, while everything else goes on. The
//! journal says when each began and when it ended.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::Instant;

use tokio::sync::Notify;

use super::base::Panicked;
use super::node::Node;
use super::record::Change;
use crate::ahead::Known;
use crate::message_name::MessageName;

/// A message that takes more instructions is executed by another thread, from its beginning: it holds
/// up the others for a fraction of a second.
const PATIENCE: u64 = 50_000_000;

/// So many threads execute messages. More messages wait for one of them.
const THREADS: usize = 4;

/// The messages that other threads execute.
pub(super) struct Long {
    /// How many instructions are few.
    pub(super) patience: u64,
    threads: BTreeMap<MessageName, Running>,
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
            thread::yield_now();
        }
    }
}

struct Running {
    thread: JoinHandle<VecDeque<Known>>,
    began: Instant,
}

/// Tells that a thread is done, also if it panics.
struct Done(Arc<Notify>);

impl Drop for Done {
    fn drop(&mut self) {
        self.0.notify_one();
    }
}

impl Node {
    /// Notes that the execution of a message has begun. Nothing of it has happened yet.
    pub(super) fn begin_long(&mut self, name: MessageName) {
        self.replica.begin_message(name);
        self.record(Change::Began(name));
    }

    /// Has other threads execute the messages whose execution has begun.
    ///
    /// # Errors
    ///
    /// If a thread can't be started.
    pub(super) fn execute_long(&mut self) -> Result<(), String> {
        let begun: Vec<MessageName> = self.replica.pool.begun().collect();
        for name in begun {
            if self.long.threads.len() == THREADS || self.long.threads.contains_key(&name) {
                continue;
            }
            let mut fork = self.replica.fork();
            fork.environment.ahead.recording = true;
            let done = Done(Arc::clone(&self.long.done));
            let execute = move || {
                let _done = done;
                fork.end_message(name);
                fork.environment.ahead.recorded()
            };
            let thread = thread::Builder::new().name("message".to_owned());
            let thread = thread.spawn(execute);
            let running = Running {
                thread: thread.map_err(|error| format!("can't start a thread: {error}"))?,
                began: Instant::now(),
            };
            self.long.threads.insert(name, running);
        }
        Ok(())
    }

    /// Delivers the messages whose execution has ended. Returns how many.
    pub(super) fn end_long(&mut self) -> usize {
        let is_done = |_: &MessageName, running: &mut Running| running.thread.is_finished();
        let done: Vec<_> = self.long.threads.extract_if(.., is_done).collect();
        let ended = done.len();
        for (name, Running { thread, began }) in done {
            self.follow_the_clock();
            if let Some(keeping) = &mut self.keeping {
                keeping.work += began.elapsed();
            }
            let delivered = match thread.join() {
                Ok(known) => self.guarded(|node| {
                    node.replica.environment.ahead.known = known;
                    node.replica.end_message(name);
                }),
                Err(_) => Err(Panicked),
            };
            self.replica.environment.ahead.known.clear();
            match delivered {
                Ok(()) => self.record(Change::Ended(name)),
                Err(Panicked) => self.give_up(name),
            }
            // To go back to before it would take as long again.
            self.base = None;
            self.renew_base();
        }
        ended
    }
}
