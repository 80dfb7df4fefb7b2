//! What the journal says: every change of a node that came from outside, in the order in which they
//! were made. Execution is deterministic, so that they lead to the same state again.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::NewRequest;
use crate::Replica;
use crate::canister::QueryStatistics;
use crate::message::{CanisterId, Time};

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
    /// The clock was moved ahead.
    Advanced(Duration),
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

/// A number that replicas with different pasts hardly have in common.
pub(super) fn fingerprint(replica: &Replica) -> u32 {
    let mut checksum = crc32fast::Hasher::new();
    for counter in replica.counters() {
        checksum.update(&counter.to_le_bytes());
    }
    checksum.finalize()
}
