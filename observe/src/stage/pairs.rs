//! Further pairs on the stage's network.

use anyhow::Result;
use candid::Principal;

use super::Stage;
use crate::pair::{Folders, Language, Pair};

/// Where `scripts/motoko.sh` builds the Motoko modules.
pub const MOTOKO_FOLDER: &str = "target/motoko";

impl Stage {
    /// A pair with its caller and its callee in these languages: the stage's own, which is in Rust,
    /// or one that it was used with before, or else a new one.
    ///
    /// # Errors
    ///
    /// As of [`Pair::deploy`].
    pub fn pair_in(&mut self, caller: Language, callee: Language) -> Result<Pair> {
        let folders = self.folders(caller, callee);
        let known = self.pairs().find(|pair| *pair.folders() == folders);
        match known.cloned() {
            Some(pair) => Ok(pair),
            None => self.new_pair_in(caller, callee),
        }
    }

    /// A new pair in these languages.
    ///
    /// # Errors
    ///
    /// As of [`Pair::deploy`].
    pub fn new_pair_in(&mut self, caller: Language, callee: Language) -> Result<Pair> {
        let folders = self.folders(caller, callee);
        Pair::deploy_from(&mut self.network, folders)
    }

    fn folders(&self, caller: Language, callee: Language) -> Folders {
        let Folders {
            canister1,
            canister2,
        } = self.pair.folders().clone();
        let choose = |language, rust| match language {
            Language::Rust => rust,
            Language::Motoko => self.motoko.clone(),
        };
        Folders {
            canister1: choose(caller, canister1),
            canister2: choose(callee, canister2),
        }
    }

    /// Does something with another pair on the same network, then goes on with the first. The stage
    /// goes on knowing the other one.
    ///
    /// # Errors
    ///
    /// Those of what is done.
    pub fn with_pair<T>(
        &mut self,
        pair: Pair,
        act: impl FnOnce(&mut Stage) -> Result<T>,
    ) -> Result<T> {
        let first = self.take_place(pair);
        let result = act(self);
        let other = self.take_place(first);
        if self.pairs().all(|known| known.canister1 != other.canister1) {
            self.others.push(other);
        }
        result
    }

    fn take_place(&mut self, pair: Pair) -> Pair {
        (self.canister1, self.canister2) = (pair.canister1, pair.canister2);
        std::mem::replace(&mut self.pair, pair)
    }

    /// What a canister of any of these pairs is written in.
    pub fn language(&self, canister: &Principal) -> Language {
        let is_in_motoko = self.pairs().any(|pair| {
            let Folders {
                canister1,
                canister2,
            } = pair.folders();
            (*canister == pair.canister1 && *canister1 == self.motoko)
                || (*canister == pair.canister2 && *canister2 == self.motoko)
        });
        match is_in_motoko {
            true => Language::Motoko,
            false => Language::Rust,
        }
    }

    /// The pair, and those beside it.
    pub(crate) fn pairs(&self) -> impl Iterator<Item = &Pair> {
        [&self.pair].into_iter().chain(&self.others)
    }
}
