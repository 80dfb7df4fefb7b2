//! The network that the pair is deployed to. Only this module talks to a replica.

use anyhow::{Context, Result, anyhow, bail};
use candid::{CandidType, Principal, utils::ArgumentEncoder};
use ic_management_canister_types::{
    CanisterIdRecord, CanisterInstallMode, CanisterSettings, EnvironmentVariable, InstallCodeArgs,
    ProvisionalCreateCanisterWithCyclesArgs, UpdateSettingsArgs,
};
use local_replica::message::Reject;
use local_replica::timeline::Event;
use local_replica::{Config, IngressStatus, Replica};
use serde::de::DeserializeOwned;

/// How a call was answered: with the Candid of a reply, or with a reject.
pub type Answer = Result<Vec<u8>, Reject>;

/// A network, used by one user.
pub struct Network {
    replica: Replica,
    user: Principal,
}

impl Network {
    /// A local replica inside this program, with nothing on it.
    pub fn local() -> Self {
        Network {
            replica: Replica::new(Config::default()),
            user: Principal::anonymous(),
        }
    }

    /// The principal whose calls these are.
    pub fn user(&self) -> Principal {
        self.user
    }

    /// Goes on as another user.
    pub fn become_user(&mut self, user: Principal) {
        self.user = user;
    }

    /// Creates an empty canister, controlled by the user.
    ///
    /// # Errors
    ///
    /// If the network refuses.
    pub fn create_canister(&mut self) -> Result<Principal> {
        let args = ProvisionalCreateCanisterWithCyclesArgs::default();
        let reply = self.manage("provisional_create_canister_with_cycles", (args,))?;
        let created: CanisterIdRecord = candid::decode_one(&reply)?;
        Ok(created.canister_id)
    }

    /// Sets a canister's environment variables.
    ///
    /// # Errors
    ///
    /// If the network refuses.
    pub fn set_environment_variables(
        &mut self,
        canister: Principal,
        variables: &[(&str, String)],
    ) -> Result<()> {
        let variables = variables.iter().map(|(name, value)| EnvironmentVariable {
            name: (*name).to_owned(),
            value: value.clone(),
        });
        let args = UpdateSettingsArgs {
            canister_id: canister,
            settings: CanisterSettings {
                environment_variables: Some(variables.collect()),
                ..CanisterSettings::default()
            },
            sender_canister_version: None,
        };
        self.manage("update_settings", (args,))?;
        Ok(())
    }

    /// Installs a module in an empty canister, or in the mode given.
    ///
    /// # Errors
    ///
    /// If the network refuses the module.
    pub fn install(
        &mut self,
        canister: Principal,
        wasm_module: Vec<u8>,
        mode: CanisterInstallMode,
    ) -> Result<()> {
        let args = InstallCodeArgs {
            mode,
            canister_id: canister,
            wasm_module,
            arg: candid::encode_args(())?,
            sender_canister_version: None,
        };
        self.manage("install_code", (args,))?;
        Ok(())
    }

    /// Calls a method without arguments, and looks on after every message that is executed until
    /// it is answered.
    ///
    /// # Errors
    ///
    /// If there will be no answer.
    pub fn call(
        &mut self,
        canister: Principal,
        method: &str,
        mut after_each: impl FnMut(&mut Network, &[Event]) -> Result<()>,
    ) -> Result<Answer> {
        let argument = candid::encode_args(())?;
        let submitted = self.replica.submit(self.user, canister, method, &argument);
        let id = match submitted {
            Ok(id) => id,
            Err(reject) => return Ok(Err(reject)),
        };
        loop {
            if let Some(IngressStatus::Answered(answer)) = self.replica.ingress_status(id) {
                return Ok(answer.clone());
            }
            let next = self.replica.timeline().next_number();
            if !self.replica.step() {
                bail!("{method} was not answered, and no message is left that could answer it");
            }
            let events: Vec<Event> = self.replica.timeline().since(next).cloned().collect();
            after_each(self, &events)?;
        }
    }

    /// Queries a method without arguments that returns one value.
    ///
    /// # Errors
    ///
    /// If it is rejected, or returns something else.
    pub fn query<T: CandidType + DeserializeOwned>(
        &mut self,
        canister: Principal,
        method: &str,
    ) -> Result<T> {
        let argument = candid::encode_args(())?;
        let reply = self.replica.query(self.user, canister, method, &argument);
        let reply = reply.map_err(|reject| anyhow!("{method}: {reject}"))?;
        candid::decode_one(&reply).with_context(|| format!("{method} returned something else"))
    }

    fn manage(&mut self, method: &str, arguments: impl ArgumentEncoder) -> Result<Vec<u8>> {
        let argument = candid::encode_args(arguments)?;
        let management = Principal::management_canister();
        match self.replica.call(self.user, management, method, &argument) {
            Some(Ok(reply)) => Ok(reply),
            Some(Err(reject)) => bail!("{method}: {}", reject.message),
            None => bail!("{method} was not answered"),
        }
    }
}
