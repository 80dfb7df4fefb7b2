//! canister1 and canister2, deployed on a network.

use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use candid::{Nat, Principal};
use ic_management_canister_types::CanisterInstallMode;
use serde::Serialize;

use crate::network::Network;

/// The pair.
#[derive(Clone, Debug)]
pub struct Pair {
    /// The caller.
    pub canister1: Principal,
    /// The callee.
    pub canister2: Principal,
    folders: Folders,
}

/// What a canister is written in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Language {
    /// As `canisters/canister1` and `canisters/canister2`.
    Rust,
    /// As `canisters/motoko`.
    Motoko,
}

/// Where the modules of a pair are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Folders {
    /// The folder with canister1.wasm.
    pub canister1: PathBuf,
    /// The folder with canister2.wasm.
    pub canister2: PathBuf,
}

impl Folders {
    /// Both in the same folder.
    pub fn both(folder: &Path) -> Self {
        Folders {
            canister1: folder.to_owned(),
            canister2: folder.to_owned(),
        }
    }
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

impl fmt::Display for Counters {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Counters {
            canister1,
            canister2,
            drops,
        } = self;
        write!(f, "+{canister1} +{canister2} +{drops}")
    }
}

impl Pair {
    /// Creates both canisters and installs the modules `canister1.wasm` and `canister2.wasm` of a
    /// folder, as `icp deploy` does: canister1 learns the id of canister2 from an environment
    /// variable.
    ///
    /// # Errors
    ///
    /// If a file can't be read, or the network refuses it.
    pub fn deploy(network: &mut Network, wasm_folder: &Path) -> Result<Self> {
        Pair::deploy_from(network, Folders::both(wasm_folder))
    }

    /// Does so with the modules of two folders.
    ///
    /// # Errors
    ///
    /// As of [`Pair::deploy`].
    pub fn deploy_from(network: &mut Network, folders: Folders) -> Result<Self> {
        let first = folders.canister1.join("canister1.wasm");
        let second = folders.canister2.join("canister2.wasm");
        let (module1, module2) = (read(&first)?, read(&second)?);
        let canister1 = network.create_canister()?;
        let canister2 = network.create_canister()?;
        let id = ("PUBLIC_CANISTER_ID:canister2", canister2.to_text());
        network.set_environment_variables(canister1, &[id])?;
        for (canister, module, path) in [(canister2, module2, second), (canister1, module1, first)]
        {
            network
                .install(canister, module, CanisterInstallMode::Install)
                .with_context(|| format!("can't install {}", path.display()))?;
        }
        Ok(Pair {
            canister1,
            canister2,
            folders,
        })
    }

    /// A pair that was deployed before, by icp or dfx. The modules of the folder are those that it
    /// is upgraded to, where a lesson does that.
    pub fn deployed(canister1: Principal, canister2: Principal, wasm_folder: &Path) -> Self {
        Pair {
            canister1,
            canister2,
            folders: Folders::both(wasm_folder),
        }
    }

    /// Where its modules are.
    pub fn folders(&self) -> &Folders {
        &self.folders
    }

    /// The module of canister1 or canister2.
    ///
    /// # Errors
    ///
    /// If it can't be read.
    pub fn module(&self, canister: Principal) -> Result<Vec<u8>> {
        let Folders {
            canister1,
            canister2,
        } = &self.folders;
        match canister == self.canister1 {
            true => read(&canister1.join("canister1.wasm")),
            false => read(&canister2.join("canister2.wasm")),
        }
    }

    /// Reads all counters.
    ///
    /// # Errors
    ///
    /// If one can't be read.
    pub fn counters(&self, network: &mut Network) -> Result<Counters> {
        let (canister1, canister2) = (self.canister1, self.canister2);
        let mut read = |canister, method| -> Result<u64> {
            let counter: Nat = network.query(canister, method, ())?;
            u64::try_from(counter.0).with_context(|| format!("{method} returned a huge number"))
        };
        Ok(Counters {
            canister1: read(canister1, "get")?,
            canister2: read(canister2, "get")?,
            drops: read(canister1, "get_drops")?,
        })
    }
}

fn read(path: &Path) -> Result<Vec<u8>> {
    fs::read(path).with_context(|| {
        format!(
            "can't read {}; ./scripts/observe.sh builds the canisters, and ./scripts/observe.sh \
             motoko builds them in Motoko",
            path.display()
        )
    })
}
