//! Messages that take long: another thread executes them on a fork, while everything else goes on. The
//! journal says when each began and when it ended.

use std::sync::Arc;
use std::thread;
use std::time::Instant;

use super::base::Panicked;
use super::node::Node;
use super::record::Change;
use super::threads::{Done, Running, THREADS};
use crate::message_name::MessageName;

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
