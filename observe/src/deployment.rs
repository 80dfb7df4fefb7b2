//! A caller, a callee and, where a lesson has one, a proxy, deployed on a network.

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

/// The files of a caller, a callee and maybe a proxy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Modules {
    /// The caller's Wasm. Without its ending, the file's name is the canister's.
    pub caller: PathBuf,
    /// The callee's.
    pub callee: PathBuf,
    /// The proxy's, if there is one.
    pub proxy: Option<PathBuf>,
}

impl Modules {
    /// The pair: canister1 in one folder, canister2 in another or the same.
    pub fn pair(canister1: &Path, canister2: &Path) -> Self {
        Modules {
            caller: canister1.join("canister1.wasm"),
            callee: canister2.join("canister2.wasm"),
            proxy: None,
        }
    }

    /// Those of a lesson's room.
    pub fn room(folder: &Path, lesson: &str) -> Self {
        Modules {
            caller: folder.join(format!("{lesson}_caller.wasm")),
            callee: folder.join(format!("{lesson}_callee.wasm")),
            proxy: None,
        }
    }

    /// These, and the proxy of a lesson's room.
    pub fn with_proxy(self, folder: &Path, lesson: &str) -> Self {
        Modules {
            proxy: Some(folder.join(format!("{lesson}_proxy.wasm"))),
            ..self
        }
    }

    /// The files: the caller's first, then the callee's.
    pub fn files(&self) -> impl Iterator<Item = &Path> {
        let files = [&self.caller, &self.callee].into_iter().chain(&self.proxy);
        files.map(PathBuf::as_path)
    }
}

/// A caller, a callee and maybe a proxy.
#[derive(Clone, Debug)]
pub struct Deployment {
    /// The caller.
    pub caller: Principal,
    /// The callee.
    pub callee: Principal,
    /// The proxy, if there is one.
    pub proxy: Option<Principal>,
    /// What is installed in them.
    pub modules: Modules,
}

impl Deployment {
    /// Creates the canisters and installs their modules, as `icp deploy` does: the caller learns the
    /// ids of the others from environment variables. It becomes a controller of the proxy.
    ///
    /// # Errors
    ///
    /// If a file can't be read, or the network refuses it.
    pub fn new(network: &mut dyn Network, modules: Modules) -> Result<Self> {
        let wasm: Vec<Vec<u8>> = modules.files().map(read).collect::<Result<_>>()?;
        let caller = create_canister(network)?;
        let callee = create_canister(network)?;
        let proxy = match &modules.proxy {
            Some(_) => Some(create_canister(network)?),
            None => None,
        };
        let deployment = Deployment {
            caller,
            callee,
            proxy,
            modules,
        };
        let others = deployment.canisters().skip(1);
        let variables = others.map(|(canister, module)| EnvironmentVariable {
            name: format!("PUBLIC_CANISTER_ID:{}", name(module)),
            value: canister.to_text(),
        });
        let settings = CanisterSettings {
            environment_variables: Some(variables.collect()),
            ..CanisterSettings::default()
        };
        update_settings(network, caller, settings)?;
        if let Some(proxy) = proxy {
            let settings = CanisterSettings {
                controllers: Some(vec![network.user(0)?, caller]),
                ..CanisterSettings::default()
            };
            update_settings(network, proxy, settings)?;
        }
        for ((canister, module), wasm) in deployment.canisters().zip(wasm) {
            let args = install_args(canister, wasm, CanisterInstallMode::Install)?;
            manage::<()>(network, canister, "install_code", (args,))
                .with_context(|| format!("can't install {}", module.display()))?;
        }
        Ok(deployment)
    }

    /// The canisters with their modules: the caller first, then the callee.
    pub fn canisters(&self) -> impl Iterator<Item = (Principal, &Path)> {
        let canisters = [self.caller, self.callee].into_iter().chain(self.proxy);
        canisters.zip(self.modules.files())
    }

    /// What to call one of them in a text, if it is one: `canister1`, or `caller`.
    pub fn name(&self, canister: &Principal) -> Option<&str> {
        let (_, module) = self.canisters().find(|(known, _)| known == canister)?;
        // Within its room, `journal_caller` is the caller.
        let name = name(module);
        Some(name.rsplit_once('_').map_or(name, |(_, name)| name))
    }

    /// The module of one of them.
    ///
    /// # Errors
    ///
    /// If it is none of them, or can't be read.
    pub fn module(&self, canister: Principal) -> Result<Vec<u8>> {
        let found = self.canisters().find(|(known, _)| *known == canister);
        let (_, module) = found.with_context(|| format!("{canister} is not of this lesson"))?;
        read(module)
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

fn update_settings(
    network: &mut dyn Network,
    canister_id: Principal,
    settings: CanisterSettings,
) -> Result<()> {
    let args = UpdateSettingsArgs {
        canister_id,
        settings,
        sender_canister_version: None,
    };
    manage(network, canister_id, "update_settings", (args,))
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
