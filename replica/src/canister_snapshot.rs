//! Snapshots of canisters (Interface Specification, "IC method `take_canister_snapshot`").

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use candid::Principal;
use serde::{Deserialize, Serialize};

use crate::message::{CanisterId, Time};
use crate::stable_memory::StableMemory;
use crate::wasm::{Number, State};

/// How many bytes of an id are the snapshot's number; the others are the canister's id.
const NUMBER_LENGTH: usize = 8;

/// The longest id of a canister, in bytes.
const MAX_ID_LENGTH: usize = Principal::MAX_LENGTH_IN_BYTES;

/// Identifies a snapshot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SnapshotId {
    /// The canister that it is of.
    pub canister: CanisterId,
    /// Its number among the snapshots that were ever made of the canister.
    pub number: u64,
}

impl SnapshotId {
    /// The id that these bytes are.
    ///
    /// # Errors
    ///
    /// Why they are none.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, String> {
        let length = bytes.len();
        let Some((number, canister)) = bytes.split_first_chunk::<NUMBER_LENGTH>() else {
            return Err(format!(
                "a snapshot ID has at least {NUMBER_LENGTH} bytes, and this one {length}"
            ));
        };
        match canister.len() <= MAX_ID_LENGTH {
            true => Ok(SnapshotId {
                canister: Principal::from_slice(canister),
                number: u64::from_be_bytes(*number),
            }),
            false => Err(format!(
                "a snapshot ID has at most {} bytes, and this one {length}",
                NUMBER_LENGTH + MAX_ID_LENGTH
            )),
        }
    }

    /// The bytes that stand for it.
    pub fn to_bytes(self) -> Vec<u8> {
        let number: [u8; NUMBER_LENGTH] = self.number.to_be_bytes();
        [&number, self.canister.as_slice()].concat()
    }
}

impl fmt::Display for SnapshotId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.canister, self.number)
    }
}

/// Where the hook `canister_on_low_wasm_memory` stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum LowMemoryHook {
    /// There is memory enough.
    NotDue,
    /// It will be executed.
    Ready,
    /// It was executed since memory was last plenty.
    Executed,
}

/// What a canister had at some time, or what somebody uploaded as that. It shares with the canister
/// and its forks what none of them changed since.
#[derive(Clone, Serialize, Deserialize)]
pub struct CanisterSnapshot {
    /// When it was made.
    pub taken_at: Time,
    /// The version of the canister at that time.
    pub version: u64,
    /// What it takes, in bytes.
    pub size: u64,
    /// The module, as it was installed.
    #[serde(with = "crate::bytes::shared")]
    pub module: Arc<[u8]>,
    /// The Wasm memory, and unless it was uploaded all else that an instance has.
    pub state: State,
    /// The stable memory.
    pub stable: StableMemory,
    /// The chunk store.
    #[serde(with = "crate::bytes::chunks")]
    pub chunks: BTreeMap<[u8; 32], Arc<Vec<u8>>>,
    /// The certified data.
    #[serde(with = "serde_bytes")]
    pub certified_data: Vec<u8>,
    /// When the timer is due; 0 is never. If nobody said, there is nothing.
    pub global_timer: Option<Time>,
    /// Where the hook for low memory stands, unless nobody said.
    pub low_memory: Option<LowMemoryHook>,
    /// If it was uploaded, the values of the globals.
    pub uploaded: Option<Vec<Number>>,
}

impl CanisterSnapshot {
    /// The bytes that it has in use, if it shares none: what was never written to does not count.
    pub fn memory_in_use(&self) -> u64 {
        let chunks = self.chunks.values();
        self.module.len() as u64
            + self.state.memory_in_use()
            + self.stable.size_in_use()
            + chunks.map(|chunk| chunk.len() as u64).sum::<u64>()
    }
}

/// The snapshots of one canister, by number.
#[derive(Clone, Default, Serialize, Deserialize)]
pub struct CanisterSnapshots {
    all: BTreeMap<u64, Arc<CanisterSnapshot>>,
    /// How many there ever were: numbers are never used again.
    made: u64,
}

impl CanisterSnapshots {
    /// How many there are.
    pub fn count(&self) -> usize {
        self.all.len()
    }

    /// One of them.
    pub fn get(&self, number: u64) -> Option<&Arc<CanisterSnapshot>> {
        self.all.get(&number)
    }

    /// One of them, to be changed. What others share of it is copied before.
    pub fn get_mut(&mut self, number: u64) -> Option<&mut CanisterSnapshot> {
        self.all.get_mut(&number).map(Arc::make_mut)
    }

    /// All, the oldest first, with their numbers.
    pub fn iter(&self) -> impl Iterator<Item = (u64, &CanisterSnapshot)> {
        let all = self.all.iter();
        all.map(|(number, snapshot)| (*number, snapshot.as_ref()))
    }

    /// Adds one, and returns its number.
    pub fn add(&mut self, snapshot: CanisterSnapshot) -> u64 {
        let number = self.made;
        self.all.insert(number, Arc::new(snapshot));
        self.made += 1;
        number
    }

    /// Removes one.
    pub fn remove(&mut self, number: u64) {
        self.all.remove(&number);
    }

    /// Removes all.
    pub fn clear(&mut self) {
        self.all.clear();
    }

    /// What they take, in bytes.
    pub fn size(&self) -> u64 {
        self.all.values().map(|snapshot| snapshot.size).sum()
    }

    /// The bytes that they have in use, if they share none.
    pub fn memory_in_use(&self) -> u64 {
        let all = self.all.values();
        all.map(|snapshot| snapshot.memory_in_use()).sum()
    }
}
