//! How a state is found again: a snapshot is read, and everything is done again that journals say
//! since. Execution is deterministic, so that this leads to the same state.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::{Duration, Instant};

use super::keeping::{Keeping, NodeState};
use super::node::Node;
use super::record::{Change, Record, fingerprint};
use crate::journal::Recovery;
use crate::state_folder::StateFolder;

/// How it went to come back to a state.
#[derive(Clone, Copy, Debug)]
pub struct Resumed {
    /// How many messages were delivered again.
    pub messages: usize,
    /// How long that took.
    pub duration: Duration,
    /// How many bytes of an incomplete record were cut off.
    pub cut: u64,
}

impl Node {
    /// Takes the state that a folder keeps, does everything again that happened since, and goes on
    /// from there.
    pub(super) fn resume(&mut self, folder: StateFolder) -> Result<Resumed, String> {
        let began = Instant::now();
        let (first, journals) = folder.contents()?;
        let mut snapshot = (0, Duration::ZERO);
        if first > 0 {
            let saved = folder.snapshot(first)?;
            let size = saved.size();
            saved.read(|state| self.restore(state))?;
            snapshot = (size, began.elapsed());
        }
        let replayed = Instant::now();
        let (mut messages, mut earlier) = (0, 0);
        let mut last = None;
        for number in journals {
            if let Some((_, recovery)) = last.take() {
                let recovery: Recovery = recovery;
                earlier += recovery.length();
                recovery.finish_whole()?;
            }
            let mut recovery = folder.journal(number)?;
            messages += self.replay_all(&mut recovery)?;
            last = Some((number, recovery));
        }
        let Some((number, recovery)) = last else {
            unreachable!("there is at least one journal");
        };
        let (journal, cut) = recovery.finish()?;
        folder.tidy(first);
        self.journal = Some(journal);
        let mut keeping = Keeping::new(folder, number, earlier, snapshot);
        keeping.work = replayed.elapsed();
        self.keeping = Some(keeping);
        Ok(Resumed {
            messages,
            duration: began.elapsed(),
            cut,
        })
    }

    fn restore(&mut self, state: NodeState) -> Result<(), String> {
        let NodeState {
            replica,
            requests,
            clock_offset,
        } = state;
        replica.restore(&mut self.replica)?;
        *self.requests() = requests.into_iter().collect();
        self.clock.set_ahead(clock_offset);
        Ok(())
    }

    /// Does everything again that a journal says. Returns how many messages were delivered.
    fn replay_all(&mut self, recovery: &mut Recovery) -> Result<usize, String> {
        let mut messages = 0;
        while let Some(frame) = recovery.next_frame()? {
            for record in Record::decode_all(&frame) {
                let replay = AssertUnwindSafe(|| self.replay(&record.ok()?));
                // A panic is a difference too: none of what was recorded led to one.
                let replayed = catch_unwind(replay).unwrap_or_default();
                messages += replayed.ok_or_else(|| {
                    format!(
                        "{} leads to another state now than when it was written, probably by \
                         another build of local-replica; start that one, or remove the folder to \
                         begin anew",
                        recovery.path().display()
                    )
                })?;
            }
        }
        Ok(messages)
    }

    /// Makes a change again. Returns how many messages were delivered, or nothing if it comes out
    /// differently.
    pub(super) fn replay(&mut self, record: &Record) -> Option<usize> {
        self.replica.set_time(record.time);
        // The record took all there was.
        self.replica.queried.clear();
        for (id, statistics) in &record.queried {
            if let Some(canister) = self.replica.canisters.get_mut(id) {
                canister.query_statistics = *statistics;
            }
        }
        let mut delivered = 0;
        match &record.change {
            Change::Submitted(new) => {
                self.take_in(new).ok()?;
            }
            Change::Delivered(messages) => {
                delivered = self.replica.run(*messages);
                self.replica.schedule_due_timers();
                if delivered != *messages {
                    return None;
                }
            }
            Change::Ticked => self.replica.tick(),
            Change::Advanced(nanoseconds) => {
                self.clock.advance(*nanoseconds);
                self.replica.tick();
            }
            Change::Held(hold) => self.replica.hold_messages(*hold),
            Change::DeliveredOne(message, how) => {
                self.replica.deliver_message(*message, *how).ok()?;
                delivered = 1;
            }
            Change::Began(message) => self.replica.begin_message(*message),
            Change::Ended(message) => {
                self.replica.end_message(*message).then_some(())?;
                delivered = 1;
            }
            Change::GaveUp(message) => {
                self.replica.give_up(*message)?;
            }
        }
        (fingerprint(&self.replica) == record.fingerprint).then_some(delivered)
    }
}

#[cfg(test)]
mod tests;
