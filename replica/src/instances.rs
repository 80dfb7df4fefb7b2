//! Where canisters run: for each that ran lately, an instance.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use crate::canister::Code;
use crate::message::CanisterId;
use crate::module::CanisterModule;
use crate::system_api::SystemApi;
use crate::wasm::{Instance, Room};

/// So many canisters have an instance; of another one, it is made again when it is needed.
const MOST: usize = 1000;

/// The instances of canisters. They hold nothing that a canister's state does not have.
#[derive(Default)]
pub(crate) struct Instances {
    all: HashMap<CanisterId, Kept>,
    /// Counts uses, to find what was not used for longest.
    uses: u64,
    by_use: BTreeMap<u64, CanisterId>,
}

struct Kept {
    module: Arc<CanisterModule>,
    instance: Instance<SystemApi>,
    used: u64,
}

impl Instances {
    /// An instance in the canister's present state, to be given back with [`Instances::keep`].
    pub(crate) fn take(
        &mut self,
        canister: CanisterId,
        code: &Code,
        room: Room,
    ) -> Instance<SystemApi> {
        let mut instance = match self.remove(canister) {
            Some(kept) if Arc::ptr_eq(&kept.module, &code.module) => kept.instance,
            _ => {
                let fresh = code.module.compiled.instantiate(room);
                fresh.expect("the same module was instantiated when it was installed")
            }
        };
        instance.load(&code.state);
        instance
    }

    /// Keeps an instance for the next time, whatever state it is in.
    pub(crate) fn keep(
        &mut self,
        canister: CanisterId,
        module: &Arc<CanisterModule>,
        instance: Instance<SystemApi>,
    ) {
        self.uses += 1;
        let kept = Kept {
            module: Arc::clone(module),
            instance,
            used: self.uses,
        };
        self.remove(canister);
        self.by_use.insert(self.uses, canister);
        self.all.insert(canister, kept);
        if self.all.len() > MOST
            && let Some((_, oldest)) = self.by_use.pop_first()
        {
            self.all.remove(&oldest);
        }
    }

    /// Forgets the instance of a canister that has no code any more.
    pub(crate) fn forget(&mut self, canister: CanisterId) {
        self.remove(canister);
    }

    fn remove(&mut self, canister: CanisterId) -> Option<Kept> {
        let kept = self.all.remove(&canister)?;
        self.by_use.remove(&kept.used);
        Some(kept)
    }
}
