//! canister1 and canister2, deployed on a network.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};
use candid::{Nat, Principal};
use ic_management_canister_types::CanisterInstallMode;
use local_replica::timeline::Event;
use serde::Serialize;

use crate::network::{Answer, Network};

/// The pair.
pub struct Pair {
    /// Where it is.
    pub network: Network,
    /// The caller.
    pub canister1: Principal,
    /// The callee.
    pub canister2: Principal,
}

/// What the two canisters have counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Counters {
    /// The counter of canister1.
    pub canister1: u64,
    /// The counter of canister2.
    pub canister2: u64,
    /// How often a guard's `Drop` ran in canister1 and was kept.
    pub drops: u64,
}

impl Counters {
    /// How much each has grown since `before`.
    pub fn since(self, before: Counters) -> Counters {
        Counters {
            canister1: self.canister1.saturating_sub(before.canister1),
            canister2: self.canister2.saturating_sub(before.canister2),
            drops: self.drops.saturating_sub(before.drops),
        }
    }
}

/// A call of canister1, seen from outside.
pub struct Observation {
    /// The counters before.
    pub before: Counters,
    /// What was executed, and the counters after each execution.
    pub steps: Vec<(Event, Counters)>,
    /// What the caller got.
    pub answer: Answer,
    /// The counters when everything that the call began had ended.
    pub after: Counters,
}

impl Pair {
    /// Creates both canisters and installs the modules `canister1.wasm` and `canister2.wasm` of a
    /// folder, as `icp deploy` does: canister1 learns the id of canister2 from an environment
    /// variable.
    ///
    /// # Errors
    ///
    /// If a file can't be read, or the network refuses it.
    pub fn deploy(mut network: Network, wasm_folder: &Path) -> Result<Self> {
        let modules = [1, 2].map(|number| {
            let path = wasm_folder.join(format!("canister{number}.wasm"));
            let module = fs::read(&path).with_context(|| {
                format!(
                    "can't read {}; ./scripts/observe.sh builds the canisters",
                    path.display()
                )
            });
            module.map(|module| (module, path))
        });
        let [first, second] = modules;
        let ((module1, path1), (module2, path2)) = (first?, second?);
        let canister1 = network.create_canister()?;
        let canister2 = network.create_canister()?;
        let id = ("PUBLIC_CANISTER_ID:canister2", canister2.to_text());
        network.set_environment_variables(canister1, &[id])?;
        for (canister, module, path) in [(canister2, module2, path2), (canister1, module1, path1)] {
            network
                .install(canister, module, CanisterInstallMode::Install)
                .with_context(|| format!("can't install {}", path.display()))?;
        }
        Ok(Pair {
            network,
            canister1,
            canister2,
        })
    }

    /// Reads all counters.
    ///
    /// # Errors
    ///
    /// If one can't be read.
    pub fn counters(&mut self) -> Result<Counters> {
        counters(&mut self.network, self.canister1, self.canister2)
    }

    /// Calls a method of canister1 and observes everything that comes of it.
    ///
    /// # Errors
    ///
    /// If the call is never answered, or a counter can't be read.
    pub fn observe(&mut self, method: &str) -> Result<Observation> {
        let before = self.counters()?;
        let mut steps = Vec::new();
        let (canister1, canister2) = (self.canister1, self.canister2);
        let answer = self.network.call(canister1, method, |network, events| {
            let now = counters(network, canister1, canister2)?;
            steps.extend(events.iter().map(|event| (event.clone(), now)));
            Ok(())
        })?;
        let after = self.counters()?;
        Ok(Observation {
            before,
            steps,
            answer,
            after,
        })
    }

    /// What to call a principal in a text: by its part in the lesson, if it has one.
    pub fn name(&self, principal: &Principal) -> String {
        match *principal {
            p if p == self.canister1 => "canister1".to_owned(),
            p if p == self.canister2 => "canister2".to_owned(),
            p if p == self.network.user() => "the user".to_owned(),
            p if p == Principal::management_canister() => "the management canister".to_owned(),
            p => p.to_text(),
        }
    }
}

fn counters(network: &mut Network, canister1: Principal, canister2: Principal) -> Result<Counters> {
    let mut read = |canister, method| -> Result<u64> {
        let counter: Nat = network.query(canister, method)?;
        u64::try_from(counter.0).with_context(|| format!("{method} returned a huge number"))
    };
    Ok(Counters {
        canister1: read(canister1, "get")?,
        canister2: read(canister2, "get")?,
        drops: read(canister1, "get_drops")?,
    })
}
