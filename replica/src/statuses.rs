//! Where ingress messages stand, shared by forks until one changes its own.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::message::{CallResult, IngressId};

/// How many messages with neighbouring numbers are shared together.
const SHARED_TOGETHER: u64 = 64;

/// Where an ingress message stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum IngressStatus {
    /// It was not answered yet.
    Processing,
    /// It was answered.
    Answered(#[serde(with = "crate::bytes::result")] CallResult),
}

type Part = BTreeMap<IngressId, Arc<IngressStatus>>;

/// The statuses of ingress messages. A clone shares them, and costs little.
#[derive(Clone, Default, Serialize, Deserialize)]
pub(crate) struct Statuses(BTreeMap<u64, Arc<Part>>);

fn part(id: IngressId) -> u64 {
    id.0 / SHARED_TOGETHER
}

impl Statuses {
    pub(crate) fn get(&self, id: &IngressId) -> Option<&IngressStatus> {
        self.0.get(&part(*id))?.get(id).map(Arc::as_ref)
    }

    /// The same, to be kept.
    #[cfg(feature = "server")]
    pub(crate) fn shared(&self, id: &IngressId) -> Option<Arc<IngressStatus>> {
        self.0.get(&part(*id))?.get(id).cloned()
    }

    pub(crate) fn insert(&mut self, id: IngressId, status: IngressStatus) {
        let part = self.0.entry(part(id)).or_default();
        Arc::make_mut(part).insert(id, Arc::new(status));
    }

    pub(crate) fn remove(&mut self, id: &IngressId) -> Option<Arc<IngressStatus>> {
        let statuses = self.0.get_mut(&part(*id))?;
        let removed = Arc::make_mut(statuses).remove(id);
        if statuses.is_empty() {
            self.0.remove(&part(*id));
        }
        removed
    }

    /// Forgets all answers.
    pub(crate) fn keep_unanswered(&mut self) {
        self.0.retain(|_, part| {
            Arc::make_mut(part).retain(|_, status| **status == IngressStatus::Processing);
            !part.is_empty()
        });
    }
}
