//! A caller and a callee, deployed on a network.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use candid::Principal;
use candid::utils::{ArgumentDecoder, ArgumentEncoder};
use ic_management_canister_types::{
    CanisterIdRecord, CanisterInstallMode, CanisterSettings, EnvironmentVariable, InstallCodeArgs,
    ProvisionalCreateCanisterWithCyclesArgs, UpdateSettingsArgs,
};

use crate::network::{Call, Network, what_is_wrong};

/// Where a network that names no other place creates canisters: the first canister id of all.
const FIRST_CANISTER: Principal = Principal::from_slice(&[0, 0, 0, 0, 0, 0, 0, 0, 1, 1]);

/// The files of a caller and a callee.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Modules {
    /// The caller's Wasm. Without its ending, the file's name is the canister's.
    pub caller: PathBuf,
    /// The callee's.
    pub callee: PathBuf,
}

impl Modules {
    /// The pair: canister1 in one folder, canister2 in another or the same.
    pub fn pair(canister1: &Path, canister2: &Path) -> Self {
        Modules {
            caller: canister1.join("canister1.wasm"),
            callee: canister2.join("canister2.wasm"),
        }
    }

    /// Those of a lesson's room.
    pub fn room(folder: &Path, lesson: &str) -> Self {
        Modules {
            caller: folder.join(format!("{lesson}_caller.wasm")),
            callee: folder.join(format!("{lesson}_callee.wasm")),
        }
    }
}

/// A caller and a callee.
#[derive(Clone, Debug)]
pub struct Deployment {
    /// The caller.
    pub caller: Principal,
    /// The callee.
    pub callee: Principal,
    /// What is installed in them.
    pub modules: Modules,
}

impl Deployment {
    /// Creates both canisters and installs their modules, as `icp deploy` does: the caller learns
    /// the id of the callee from an environment variable.
    ///
    /// # Errors
    ///
    /// If a file can't be read, or the network refuses it.
    pub fn new(network: &mut dyn Network, modules: Modules) -> Result<Self> {
        let (caller_wasm, callee_wasm) = (read(&modules.caller)?, read(&modules.callee)?);
        let caller = create_canister(network)?;
        let callee = create_canister(network)?;
        let name = format!("PUBLIC_CANISTER_ID:{}", name(&modules.callee));
        set_environment_variable(network, caller, name, callee.to_text())?;
        for (canister, wasm, path) in [
            (callee, callee_wasm, &modules.callee),
            (caller, caller_wasm, &modules.caller),
        ] {
            let args = install_args(canister, wasm, CanisterInstallMode::Install)?;
            manage::<()>(network, canister, "install_code", (args,))
                .with_context(|| format!("can't install {}", path.display()))?;
        }
        Ok(Deployment {
            caller,
            callee,
            modules,
        })
    }

    /// What to call one of the two in a text, if it is one of them: `canister1`, or `caller`.
    pub fn name(&self, canister: &Principal) -> Option<&str> {
        let name = match canister {
            canister if *canister == self.caller => name(&self.modules.caller),
            canister if *canister == self.callee => name(&self.modules.callee),
            _ => return None,
        };
        // Within its room, `journal_caller` is the caller.
        Some(name.rsplit_once('_').map_or(name, |(_, name)| name))
    }

    /// The module of the caller or the callee.
    ///
    /// # Errors
    ///
    /// If it can't be read.
    pub fn module(&self, canister: Principal) -> Result<Vec<u8>> {
        match canister == self.caller {
            true => read(&self.modules.caller),
            false => read(&self.modules.callee),
        }
    }
}

fn name(module: &Path) -> &str {
    let name = module.file_stem().and_then(|name| name.to_str());
    name.unwrap_or_default()
}

fn create_canister(network: &mut dyn Network) -> Result<Principal> {
    let method = "provisional_create_canister_with_cycles";
    let args = ProvisionalCreateCanisterWithCyclesArgs::default();
    let (created,): (CanisterIdRecord,) = manage(network, FIRST_CANISTER, method, (args,)).context(
        "this network lets nobody create canisters just so: deploy them with icp or dfx, and name \
         them with --canister1 and --canister2",
    )?;
    Ok(created.canister_id)
}

fn set_environment_variable(
    network: &mut dyn Network,
    canister: Principal,
    name: String,
    value: String,
) -> Result<()> {
    let args = UpdateSettingsArgs {
        canister_id: canister,
        settings: CanisterSettings {
            environment_variables: Some(vec![EnvironmentVariable { name, value }]),
            ..CanisterSettings::default()
        },
        sender_canister_version: None,
    };
    manage(network, canister, "update_settings", (args,))
}

/// What installs a module without an argument.
///
/// # Errors
///
/// Never, as nothing is easy to encode.
pub fn install_args(
    canister_id: Principal,
    wasm_module: Vec<u8>,
    mode: CanisterInstallMode,
) -> Result<InstallCodeArgs> {
    Ok(InstallCodeArgs {
        mode,
        canister_id,
        wasm_module,
        arg: candid::encode_args(())?,
        sender_canister_version: None,
    })
}

/// A call of the management canister by the user who deploys.
fn manage<T: for<'a> ArgumentDecoder<'a>>(
    network: &mut dyn Network,
    effective_canister_id: Principal,
    method: &str,
    arguments: impl ArgumentEncoder,
) -> Result<T> {
    let sent = network.send(Call {
        user: 0,
        canister: Principal::management_canister(),
        effective_canister_id,
        method,
        argument: candid::encode_args(arguments)?,
    })?;
    match network.wait(&sent)? {
        Ok(reply) => Ok(candid::decode_args(&reply)?),
        Err(reject) => bail!("{method}: {}", what_is_wrong(&reject.message)),
    }
}

fn read(path: &Path) -> Result<Vec<u8>> {
    fs::read(path).with_context(|| {
        format!(
            "can't read {}; ./scripts/observe.sh builds what it runs",
            path.display()
        )
    })
}
