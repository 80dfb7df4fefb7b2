//! What a journal's records say: the changes of a node that came from outside, in the order in which
//! they were made.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::request::NewRequest;
use crate::canister::QueryStatistics;
use crate::hold::Delivery;
use crate::message::{CanisterId, Time};
use crate::message_name::MessageName;
use crate::replica::Replica;

/// A change, and what else is needed to make it again.
#[derive(Serialize, Deserialize)]
pub(super) struct Record {
    /// Where the replica's clock stood.
    pub(super) time: Time,
    /// What queries had used, of the canisters whose figures grew since the record before.
    pub(super) queried: BTreeMap<CanisterId, QueryStatistics>,
    /// What was done.
    pub(super) change: Change,
    /// The [`fingerprint`] of the replica after it.
    pub(super) fingerprint: u32,
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
    DeliveredOne(MessageName, Delivery),
    /// The program had panicked over a message, which was given up.
    GaveUp(MessageName),
    /// The execution of a message began, of which nothing had happened yet.
    Began(MessageName),
    /// It ended, and the message was delivered.
    Ended(MessageName),
}

impl Record {
    /// The record as bytes.
    pub(super) fn encode(&self) -> Vec<u8> {
        serde_cbor::ser::to_vec_packed(self).expect("a record has nothing that can't be encoded")
    }

    /// The records in a frame of the journal.
    pub(super) fn decode_all(
        frame: &[u8],
    ) -> impl Iterator<Item = Result<Record, serde_cbor::Error>> {
        serde_cbor::Deserializer::from_slice(frame).into_iter()
    }
}

/// Figures of which some change with everything that happens in a replica. Cycles are the sharpest:
/// every instruction and every byte has its price.
pub(super) fn counters(replica: &Replica) -> [u128; 14] {
    let count = |count: usize| count as u128;
    [
        replica.minted,
        replica.environment.consumed,
        replica.burned,
        replica.lost,
        replica.charges.into(),
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
pub(super) fn fingerprint(replica: &Replica) -> u32 {
    let mut checksum = crc32fast::Hasher::new();
    for counter in counters(replica) {
        checksum.update(&counter.to_le_bytes());
    }
    checksum.finalize()
}
