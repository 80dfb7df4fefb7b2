//! All canisters of a replica, which forks of it share until one changes its own.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::canister::Canister;
use crate::message::CanisterId;

/// Canisters by their ids. A clone shares all of them.
#[derive(Clone, Default)]
pub(crate) struct Canisters(Arc<BTreeMap<CanisterId, Arc<Canister>>>);

impl Canisters {
    pub(crate) fn get(&self, id: &CanisterId) -> Option<&Canister> {
        self.0.get(id).map(Arc::as_ref)
    }

    /// A canister, to be changed. What forks share of it is copied before: look with
    /// [`Canisters::get`] first where a change is rare.
    pub(crate) fn get_mut(&mut self, id: &CanisterId) -> Option<&mut Canister> {
        if !self.contains(id) {
            return None;
        }
        Arc::make_mut(&mut self.0).get_mut(id).map(Arc::make_mut)
    }

    pub(crate) fn contains(&self, id: &CanisterId) -> bool {
        self.0.contains_key(id)
    }

    pub(crate) fn insert(&mut self, id: CanisterId, canister: Canister) {
        Arc::make_mut(&mut self.0).insert(id, Arc::new(canister));
    }

    pub(crate) fn remove(&mut self, id: &CanisterId) -> Option<Canister> {
        let canister = Arc::make_mut(&mut self.0).remove(id)?;
        Some(Arc::unwrap_or_clone(canister))
    }

    /// In the order of their ids, as forks share them.
    #[cfg(feature = "server")]
    pub(crate) fn shared(&self) -> impl Iterator<Item = &Arc<Canister>> {
        self.0.values()
    }

    /// In the order of their ids.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &Canister> {
        self.0.values().map(Arc::as_ref)
    }
}
