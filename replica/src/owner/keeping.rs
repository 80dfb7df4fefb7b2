//! The files in which a state is kept: when they are compacted, and how far that is.

use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use super::request::{Request, RequestId};
use crate::journal::Journal;
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

    /// Whether the state should be compacted, with a journal of this length. While a snapshot is
    /// written, it should not.
    pub(super) fn wants_snapshot(&mut self, journal: &Journal) -> bool {
        self.look_after_writing();
        self.writing.is_none() && self.is_due(journal)
    }

    /// Begins a journal with the next number, after this one.
    pub(super) fn next_journal(&mut self, journal: &Journal) -> Result<Journal, String> {
        let next = self.folder.new_journal(self.number + 1)?;
        self.number += 1;
        self.earlier += journal.length();
        Ok(next)
    }

    /// Has another thread write the state with which the present journal begins.
    pub(super) fn write(
        &mut self,
        state: impl FnOnce() -> NodeState + Send + 'static,
    ) -> Result<(), String> {
        let (number, folder) = (self.number, Arc::clone(&self.folder));
        let thread = thread::Builder::new().name("snapshot".to_owned());
        let thread = thread.spawn(move || folder.write_snapshot(number, &state()));
        self.writing = Some(Writing {
            thread: thread.map_err(|error| format!("can't start a thread: {error}"))?,
            began: Instant::now(),
            bytes: self.earlier,
            work: std::mem::take(&mut self.work),
        });
        Ok(())
    }

    /// Whether it would take longer to replay the journals than to read a snapshot, or they are longer
    /// than it. Writing a snapshot so never costs more than a part of what happened since the last.
    fn is_due(&self, journal: &Journal) -> bool {
        let bytes = self.earlier + journal.length();
        let (size, duration) = self.snapshot;
        match self.folder.forced_compaction() {
            Some(most) => bytes > most && (self.earlier > 0 || !journal.is_new()),
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
