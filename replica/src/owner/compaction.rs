//! How a state is compacted: the owner goes on while another thread writes the snapshot.

use super::keeping::NodeState;
use super::node::Node;
use crate::snapshot::Snapshot;

impl Node {
    /// Begins to compact the state, if that is due. Everything must be saved.
    pub(super) fn compact(&mut self) -> Result<(), String> {
        let (Some(keeping), Some(journal)) = (&mut self.keeping, &self.journal) else {
            return Ok(());
        };
        if !keeping.wants_snapshot(journal) {
            return Ok(());
        }
        self.begin_journal()?;
        self.begin_snapshot()
    }

    /// Has records go to a journal with the next number.
    pub(super) fn begin_journal(&mut self) -> Result<(), String> {
        if let (Some(keeping), Some(journal)) = (&mut self.keeping, &mut self.journal) {
            *journal = keeping.next_journal(journal)?;
        }
        Ok(())
    }

    fn begin_snapshot(&mut self) -> Result<(), String> {
        let requests = self.requests().clone();
        let clock_offset = self.clock.ahead();
        let replica = self.replica.fork();
        let Some(keeping) = &mut self.keeping else {
            return Ok(());
        };
        keeping.write(move || NodeState {
            replica: Snapshot::of(replica),
            requests: requests.into_iter().collect(),
            clock_offset,
        })
    }
}
