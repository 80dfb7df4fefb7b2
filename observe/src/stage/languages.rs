//! The pair in both languages, on the stage's network.

use anyhow::Result;
use candid::Principal;

use super::calls::Stage;
use crate::deployment::{Deployment, Modules};

/// What a canister is written in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Language {
    /// As `canisters/canister1` and `canisters/canister2`.
    Rust,
    /// As `canisters/motoko`.
    Motoko,
}

impl Stage {
    /// A pair with its caller and its callee in these languages: the stage's own, or one that it
    /// was used with before, or else a new one.
    ///
    /// # Errors
    ///
    /// As of [`Deployment::new`].
    pub fn pair_in(&mut self, caller: Language, callee: Language) -> Result<Deployment> {
        let modules = self.modules(caller, callee);
        let known = self.deployments().find(|known| known.modules == modules);
        match known.cloned() {
            Some(known) => Ok(known),
            None => Deployment::new(self.network.as_mut(), modules),
        }
    }

    /// A new pair in these languages.
    ///
    /// # Errors
    ///
    /// As of [`Deployment::new`].
    pub fn new_pair_in(&mut self, caller: Language, callee: Language) -> Result<Deployment> {
        let modules = self.modules(caller, callee);
        Deployment::new(self.network.as_mut(), modules)
    }

    fn modules(&self, caller: Language, callee: Language) -> Modules {
        let folder = |language| match language {
            Language::Rust => &self.folders.rust,
            Language::Motoko => &self.folders.motoko,
        };
        Modules::pair(folder(caller), folder(callee))
    }

    /// Does something with another pair on the same network, then goes on with the first. The stage
    /// goes on knowing the other one.
    ///
    /// # Errors
    ///
    /// Those of what is done.
    pub fn with_pair<T>(
        &mut self,
        pair: Deployment,
        act: impl FnOnce(&mut Stage) -> Result<T>,
    ) -> Result<T> {
        let first = self.take_place(pair);
        let result = act(self);
        let other = self.take_place(first);
        if self.deployments().all(|known| known.caller != other.caller) {
            self.others.push(other);
        }
        result
    }

    fn take_place(&mut self, pair: Deployment) -> Deployment {
        (self.caller, self.callee) = (pair.caller, pair.callee);
        std::mem::replace(&mut self.deployment, pair)
    }

    /// What a canister is written in.
    pub fn language(&self, canister: &Principal) -> Language {
        let is_in_motoko = self.deployments().any(|one| {
            let in_motoko = |module: &std::path::Path| module.starts_with(&self.folders.motoko);
            (*canister == one.caller && in_motoko(&one.modules.caller))
                || (*canister == one.callee && in_motoko(&one.modules.callee))
        });
        match is_in_motoko {
            true => Language::Motoko,
            false => Language::Rust,
        }
    }
}
