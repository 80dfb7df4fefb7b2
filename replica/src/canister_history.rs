//! The history of a canister (Interface Specification, "IC method `canister_info`").

use std::collections::VecDeque;
use std::sync::Arc;

use ic_management_canister_types::{Change, ChangeDetails};
use serde::{Deserialize, Serialize};

/// The most changes that a history keeps.
const MAX_CHANGES: usize = 100;

/// What the network keeps for a change, in bytes: the size of its record on a 64-bit machine.
const CHANGE_SIZE: u64 = 184;

/// What it keeps for each controller that a change names, in bytes.
const CONTROLLER_SIZE: u64 = 30;

/// The last changes of a canister. A clone shares them until one of the two gets another.
#[derive(Clone, Default, Serialize, Deserialize)]
pub struct History {
    changes: Arc<VecDeque<Change>>,
    /// What they take, in bytes.
    size: u64,
    total: u64,
}

impl History {
    /// The last changes, oldest first.
    pub fn changes(&self) -> &VecDeque<Change> {
        &self.changes
    }

    /// How many changes there ever were.
    pub fn total(&self) -> u64 {
        self.total
    }

    /// What the changes take, in bytes.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// Adds a change; the oldest gives way.
    pub fn add(&mut self, change: Change) {
        self.size += size_of_change(&change);
        self.total += 1;
        let changes = Arc::make_mut(&mut self.changes);
        changes.push_back(change);
        if changes.len() > MAX_CHANGES
            && let Some(oldest) = changes.pop_front()
        {
            self.size -= size_of_change(&oldest);
        }
    }

    /// Forgets the changes; how many there were is still known.
    pub fn forget(&mut self) {
        self.changes = Arc::default();
        self.size = 0;
    }
}

/// What a change takes, in bytes.
fn size_of_change(change: &Change) -> u64 {
    let controllers = match &change.details {
        Some(ChangeDetails::Creation(creation)) => creation.controllers.len(),
        Some(ChangeDetails::ControllersChange(change)) => change.controllers.len(),
        _ => 0,
    };
    CHANGE_SIZE + CONTROLLER_SIZE * controllers as u64
}
