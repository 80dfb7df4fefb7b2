//! When a state is compacted, and how: the owner goes on while another thread writes the snapshot.

use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use super::node::Node;
use super::request::{Request, RequestId};
use crate::snapshot::Snapshot;
use crate::state_folder::StateFolder;

/// So many bytes of journals are left as they are, however small the state is: 4 MiB.
const FEW_BYTES: u64 = 4 * 1024 * 1024;

/// So much work is left to be done again at the next start, however small the state is.
const LITTLE_WORK: Duration = Duration::from_millis(250);

/// The state of a node.
#[derive(Serialize, Deserialize)]
pub(super) struct NodeState {
    pub(super) replica: Snapshot,
    pub(super) requests: Vec<(RequestId, Request)>,
    pub(super) clock_offset: u64,
}

/// What is known of the files of a state.
pub(super) struct Keeping {
    folder: Arc<StateFolder>,
    /// The number of the journal that records go to.
    number: u64,
    /// How many bytes the journals had before this one, since the last snapshot.
    earlier: u64,
    /// How long it took to do what the journals say, since the last snapshot.
    pub(super) work: Duration,
    /// The size of the last snapshot, and how long it took to write.
    snapshot: (u64, Duration),
    writing: Option<Writing>,
}

/// A snapshot that is being written.
struct Writing {
    thread: JoinHandle<Result<u64, String>>,
    began: Instant,
    /// What belonged to the journals that it replaces.
    bytes: u64,
    work: Duration,
}

impl Keeping {
    /// The state is in `folder`, where a journal with this number is written; the older ones since the
    /// last snapshot have so many bytes.
    pub(super) fn new(
        folder: StateFolder,
        number: u64,
        earlier: u64,
        snapshot: (u64, Duration),
    ) -> Self {
        Keeping {
            folder: Arc::new(folder),
            number,
            earlier,
            work: Duration::ZERO,
            snapshot,
            writing: None,
        }
    }

    /// Whether it would take longer to replay the journals than to read a snapshot, or they are longer
    /// than it. Writing a snapshot so never costs more than a part of what happened since the last.
    fn is_due(&self, length: u64) -> bool {
        let bytes = self.earlier + length;
        let (size, duration) = self.snapshot;
        match self.folder.forced_compaction() {
            Some(most) => bytes > most,
            None => {
                bytes > FEW_BYTES.max(size) || self.work > LITTLE_WORK.saturating_add(duration * 2)
            }
        }
    }

    /// Notices that a snapshot was written, or failed.
    fn look_after_writing(&mut self) {
        let finished = self.writing.take_if(|writing| writing.thread.is_finished());
        let Some(Writing {
            thread,
            began,
            bytes,
            work,
        }) = finished
        else {
            return;
        };
        let written = thread.join();
        match written.unwrap_or_else(|_| Err("writing a snapshot failed".to_owned())) {
            Ok(size) => {
                self.snapshot = (size, began.elapsed());
                self.earlier -= bytes;
            }
            // Nothing is lost: the journals are still there. They are compacted when they have doubled.
            Err(error) => {
                eprintln!("warning: {error}; the state is kept in journals until that works");
                self.snapshot = (self.earlier * 2, (self.work + work) * 2);
                self.work += work;
            }
        }
    }
}

impl Drop for Keeping {
    /// The folder is in use until the snapshot is written.
    fn drop(&mut self) {
        if let Some(writing) = self.writing.take() {
            // Whether that worked, the next start will see.
            let _ended = writing.thread.join();
        }
    }
}

impl Node {
    /// Begins to compact the state, if that is due. Everything must be saved.
    pub(super) fn compact(&mut self) -> Result<(), String> {
        let (Some(keeping), Some(journal)) = (&mut self.keeping, &self.journal) else {
            return Ok(());
        };
        keeping.look_after_writing();
        if keeping.writing.is_some() || !keeping.is_due(journal.length()) {
            return Ok(());
        }
        self.begin_journal()?;
        self.begin_snapshot()
    }

    /// Has records go to a journal with the next number.
    pub(super) fn begin_journal(&mut self) -> Result<(), String> {
        let (Some(keeping), Some(journal)) = (&mut self.keeping, &mut self.journal) else {
            return Ok(());
        };
        let next = keeping.folder.new_journal(keeping.number + 1)?;
        keeping.number += 1;
        keeping.earlier += std::mem::replace(journal, next).length();
        Ok(())
    }

    /// Has another thread write the present state, with which the journal begins.
    fn begin_snapshot(&mut self) -> Result<(), String> {
        let Some(keeping) = &mut self.keeping else {
            return Ok(());
        };
        let (number, folder) = (keeping.number, Arc::clone(&keeping.folder));
        let (replica, requests) = (self.replica.fork(), self.requests.clone());
        let clock_offset = self.clock_offset;
        let write = move || {
            let state = NodeState {
                replica: Snapshot::of(replica),
                requests: requests.into_iter().collect(),
                clock_offset,
            };
            folder.write_snapshot(number, &state)
        };
        let thread = thread::Builder::new().name("snapshot".to_owned());
        let thread = thread.spawn(write);
        keeping.writing = Some(Writing {
            thread: thread.map_err(|error| format!("can't start a thread: {error}"))?,
            began: Instant::now(),
            bytes: keeping.earlier,
            work: std::mem::take(&mut keeping.work),
        });
        Ok(())
    }
}
