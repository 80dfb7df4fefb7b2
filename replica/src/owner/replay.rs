//! What the journal says: every change of a node that came from outside, in the order in which they
//! were made. Execution is deterministic, so that they lead to the same state again.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use super::{NewRequest, Node, STEPS_BETWEEN_COMMANDS};
use crate::Replica;
use crate::canister::QueryStatistics;
use crate::hold::Delivery;
use crate::journal::{Journal, Recovery};
use crate::message::{CanisterId, Time};
use crate::pool::Sequence;

/// A change, and what else is needed to make it again.
#[derive(Serialize, Deserialize)]
struct Record {
    /// Where the replica's clock stood.
    time: Time,
    /// What queries had used, of the canisters whose figures grew since the record before.
    queried: BTreeMap<CanisterId, QueryStatistics>,
    /// What was done.
    change: Change,
    /// The [`fingerprint`] of the replica after it.
    fingerprint: u32,
}

/// What can be done with a node. A new kind goes to the end: a journal knows them by their number.
#[derive(Serialize, Deserialize)]
pub(super) enum Change {
    /// A call was taken in.
    Submitted(NewRequest),
    /// So many messages were delivered.
    Delivered(usize),
    /// Something was due.
    Ticked,
    /// The clock was moved ahead by so many nanoseconds.
    Advanced(u64),
    /// Messages were held back from then on, or no longer.
    Held(bool),
    /// A message that was held back was delivered in this way.
    DeliveredOne(Sequence, Delivery),
}

impl Record {
    /// The record as bytes.
    fn encode(&self) -> Vec<u8> {
        serde_cbor::ser::to_vec_packed(self).expect("a record has nothing that can't be encoded")
    }

    /// The records in a frame of the journal.
    fn decode_all(frame: &[u8]) -> impl Iterator<Item = Result<Record, serde_cbor::Error>> {
        serde_cbor::Deserializer::from_slice(frame).into_iter()
    }
}

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
                self.clock_offset = self.clock_offset.saturating_add(nanoseconds);
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

    /// Records a change that was just made.
    pub(super) fn record(&mut self, change: Change) {
        let Some(journal) = &mut self.journal else {
            return;
        };
        let record = Record {
            time: self.replica.time(),
            queried: std::mem::take(&mut self.replica.queried),
            change,
            fingerprint: fingerprint(&self.replica),
        };
        journal.add(&record.encode());
    }

    pub(super) fn is_saved(&self) -> bool {
        self.journal.as_ref().is_none_or(Journal::is_saved)
    }

    pub(super) fn is_full(&self) -> bool {
        self.journal.as_ref().is_some_and(Journal::is_full)
    }

    /// Has the disk remember everything that was done.
    pub(super) fn save(&mut self) -> Result<(), String> {
        self.journal.as_mut().map_or(Ok(()), Journal::save)
    }
}

/// Figures of which some change with everything that happens in a replica. Cycles are the sharpest:
/// every instruction and every byte has its price.
pub(super) fn counters(replica: &Replica) -> [u128; 13] {
    let count = |count: usize| count as u128;
    [
        replica.minted,
        replica.environment.consumed,
        replica.burned,
        replica.lost,
        replica.drawn.into(),
        replica.next_ingress.into(),
        replica.next_canister.into(),
        replica.timeline.next_number().into(),
        count(replica.answered.len()),
        count(replica.answers_size),
        count(replica.pool.len()),
        count(replica.timers.len()),
        count(replica.postponed.len()),
    ]
}

/// A number that replicas with different pasts hardly have in common.
fn fingerprint(replica: &Replica) -> u32 {
    let mut checksum = crc32fast::Hasher::new();
    for counter in counters(replica) {
        checksum.update(&counter.to_le_bytes());
    }
    checksum.finalize()
}

#[cfg(test)]
mod tests;
