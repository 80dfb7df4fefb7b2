//! What others see of the replica while its owner works: the state as it was when the owner last told
//! somebody something. Queries are evaluated and the state is read on it, by other threads.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::{Semaphore, watch};

use super::node::Node;
use crate::canister::QueryStatistics;
use crate::instances::Instances;
use crate::message::CanisterId;
use crate::replica::Replica;

/// How many readers work at the same time; more have to wait.
const READERS: usize = 8;

/// So many sets of instances are kept for the next readers.
const IDLE: usize = 2;

/// The present view, and who reads from it.
pub(super) struct Views {
    present: Mutex<View>,
    /// Where canisters ran for readers before: the next finds them there.
    idle: Mutex<Vec<Instances>>,
    pub(super) places: Semaphore,
    /// Follows what happens.
    pulse: watch::Sender<Pulse>,
}

/// Changes whenever something happens that can be seen on the timeline or among the messages.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Pulse {
    events: u64,
    sent: u64,
    waiting: usize,
    held: bool,
}

impl Pulse {
    fn of(replica: &Replica) -> Self {
        Pulse {
            events: replica.timeline.next_number(),
            sent: replica.pool.sent(),
            waiting: replica.pool.len(),
            held: replica.holds_messages(),
        }
    }
}

struct View {
    node: Node,
    /// What queries used, and the owner does not know yet.
    used: BTreeMap<CanisterId, QueryStatistics>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Views {
    pub(super) fn new(node: &Node) -> Self {
        let view = View {
            node: node.fork_to_read(),
            used: BTreeMap::new(),
        };
        Views {
            present: Mutex::new(view),
            idle: Mutex::default(),
            places: Semaphore::new(READERS),
            pulse: watch::Sender::new(Pulse::of(&node.replica)),
        }
    }

    /// Has the owner's node know what queries used.
    pub(super) fn report_use(&self, node: &mut Node) {
        let used = std::mem::take(&mut lock(&self.present).used);
        node.count_queries(used);
    }

    /// Who sees whenever something happens.
    pub(super) fn pulse(&self) -> watch::Receiver<Pulse> {
        self.pulse.subscribe()
    }

    /// Shows the present state.
    pub(super) fn publish(&self, node: &mut Node) {
        // Nobody's query is counted between the two.
        let mut present = lock(&self.present);
        node.count_queries(std::mem::take(&mut present.used));
        let old = std::mem::replace(&mut present.node, node.fork_to_read());
        drop(present);
        let now = Pulse::of(&node.replica);
        self.pulse
            .send_if_modified(|known| std::mem::replace(known, now) != now);
        // This takes a while where it was the last to have something.
        drop(old);
    }

    /// Reads from the present view. What is changed of it is not seen by others.
    pub(super) fn read<T>(&self, read: impl FnOnce(&mut Node) -> T) -> T {
        let mut node = lock(&self.present).node.fork_to_read();
        node.replica.environment.instances = lock(&self.idle).pop().unwrap_or_default();
        node.follow_the_clock();
        let before = node.replica.canisters.clone();
        let result = read(&mut node);
        let replica = &mut node.replica;
        let instances = std::mem::take(&mut replica.environment.instances);
        let queried = std::mem::take(&mut replica.queried).into_iter();
        let used = queried.map(|(id, total)| {
            let before = before.get(&id).map(|found| found.query_statistics);
            (id, total.since(before.unwrap_or_default()))
        });
        let used: BTreeMap<_, _> = used.collect();
        drop(node);
        let mut idle = lock(&self.idle);
        if idle.len() < IDLE {
            idle.push(instances);
        }
        drop(idle);
        if !used.is_empty() {
            self.count(used);
        }
        result
    }

    fn count(&self, just_used: BTreeMap<CanisterId, QueryStatistics>) {
        let mut present = lock(&self.present);
        let View { node, used } = &mut *present;
        for (id, more) in &just_used {
            let total = used.entry(*id).or_default();
            *total = total.plus(*more);
        }
        node.count_queries(just_used);
        node.replica.queried.clear();
    }
}
