//! A journal's replay: everything that it says is done again. Execution is deterministic, so that
//! this leads to the same state.

use std::time::{Duration, Instant};

use super::node::{Node, STEPS_BETWEEN_COMMANDS};
use super::record::{Change, Record, fingerprint};
use crate::journal::Recovery;

/// How it went to do everything again that a journal says.
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
    /// Does everything again that a journal says, and goes on from there.
    pub(super) fn resume(&mut self, mut recovery: Recovery) -> Result<Resumed, String> {
        let began = Instant::now();
        let mut messages = 0;
        while let Some(frame) = recovery.next_frame()? {
            for record in Record::decode_all(&frame) {
                let replayed = record.ok().and_then(|record| self.replay(record));
                messages += replayed.ok_or_else(|| {
                    format!(
                        "{} leads to another state now than when it was written, probably by \
                         another build of local-replica; start that one, or remove the file to \
                         begin anew",
                        recovery.path().display()
                    )
                })?;
            }
        }
        let (journal, cut) = recovery.finish()?;
        self.journal = Some(journal);
        Ok(Resumed {
            messages,
            duration: began.elapsed(),
            cut,
        })
    }

    /// Makes a change again. Returns how many messages were delivered, or nothing if it comes out
    /// differently.
    fn replay(&mut self, record: Record) -> Option<usize> {
        self.replica.set_time(record.time);
        for (id, statistics) in record.queried {
            if let Some(canister) = self.replica.canisters.get_mut(&id) {
                canister.query_statistics = statistics;
            }
        }
        let mut delivered = 0;
        match record.change {
            Change::Submitted(new) => {
                self.take_in(&new).ok()?;
            }
            Change::Delivered(messages) => {
                delivered = self.replica.run(STEPS_BETWEEN_COMMANDS);
                if delivered != messages {
                    return None;
                }
            }
            Change::Ticked => self.replica.tick(),
            Change::Advanced(nanoseconds) => {
                self.clock.advance(nanoseconds);
                self.replica.tick();
            }
            Change::Held(hold) => self.replica.hold_messages(hold),
            Change::DeliveredOne(message, how) => {
                self.replica.deliver_message(message, how).ok()?;
                delivered = 1;
            }
        }
        (fingerprint(&self.replica) == record.fingerprint).then_some(delivered)
    }
}

#[cfg(test)]
mod tests;
