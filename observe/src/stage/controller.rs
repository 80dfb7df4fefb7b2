//! What a controller of the canisters does.

use anyhow::{Context, Result, bail};
use candid::Principal;
use candid::utils::ArgumentEncoder;
use ic_management_canister_types::{
    CanisterIdRecord, CanisterInstallMode, CanisterStatusResult, UpgradeFlags,
};

use super::calls::{Stage, decode};
use crate::deployment::install_args;
use crate::network::{Answer, Sent};

impl Stage {
    /// Upgrades one of the canisters to the module that it has.
    ///
    /// # Errors
    ///
    /// If there is no answer. A refusal is an answer.
    pub fn upgrade(&mut self, canister: Principal) -> Result<Answer> {
        self.upgrade_with(canister, None)
    }

    /// Does so with what such an upgrade may be told, as those of Motoko have to be.
    ///
    /// # Errors
    ///
    /// As of [`Stage::upgrade`].
    pub fn upgrade_with(
        &mut self,
        canister: Principal,
        flags: Option<UpgradeFlags>,
    ) -> Result<Answer> {
        let module = self.deployment.module(canister)?;
        let args = install_args(canister, module, CanisterInstallMode::Upgrade(flags))?;
        self.manage(canister, "install_code", (args,))
    }

    /// Installs its module in one of the canisters, which has none.
    ///
    /// # Errors
    ///
    /// If there is no answer. A refusal is an answer.
    pub fn install(&mut self, canister: Principal) -> Result<Answer> {
        let module = self.deployment.module(canister)?;
        let args = install_args(canister, module, CanisterInstallMode::Install)?;
        self.manage(canister, "install_code", (args,))
    }

    /// Starts a canister, or stops it and waits until it has stopped.
    ///
    /// # Errors
    ///
    /// If there is no answer. A refusal is an answer.
    pub fn command(&mut self, canister: Principal, method: &str) -> Result<Answer> {
        let args = CanisterIdRecord {
            canister_id: canister,
        };
        self.manage(canister, method, (args,))
    }

    /// Begins to do so: where messages are held back, the answer comes when it can.
    ///
    /// # Errors
    ///
    /// If messages are not held back.
    pub fn send_command(&mut self, canister: Principal, method: &str) -> Result<Sent> {
        self.check_holding()?;
        let args = CanisterIdRecord {
            canister_id: canister,
        };
        let management = Principal::management_canister();
        let sent = self.send_to(management, canister, method, (args,))?;
        self.deliver_ingress(management, method)?;
        Ok(sent)
    }

    /// The cycles that a canister has.
    ///
    /// # Errors
    ///
    /// If the user does not control it.
    pub fn cycles(&mut self, canister: Principal) -> Result<u128> {
        let args = CanisterIdRecord {
            canister_id: canister,
        };
        let answer = self.manage(canister, "canister_status", (args,))?;
        let status: CanisterStatusResult = decode("canister_status", &answer)?;
        u128::try_from(status.cycles.0).context("it has more cycles than there can be")
    }

    /// Calls a method of the management canister that concerns a canister.
    ///
    /// # Errors
    ///
    /// If there is no answer. A refusal is an answer.
    pub fn manage(
        &mut self,
        canister: Principal,
        method: &str,
        arguments: impl ArgumentEncoder,
    ) -> Result<Answer> {
        let management = Principal::management_canister();
        let sent = self.send_to(management, canister, method, arguments)?;
        if self.holding {
            self.deliver_ingress(management, method)?;
            return self.answer(&sent);
        }
        let answer = self.network.wait(&sent)?;
        self.record()?;
        Ok(answer)
    }
}

/// Nothing, if a controller's command was accepted.
///
/// # Errors
///
/// If it was refused.
pub fn accepted(answer: Answer) -> Result<()> {
    match answer {
        Ok(_) => Ok(()),
        Err(reject) => bail!("{}", reject.message),
    }
}
