//! canister1 and canister2, deployed and called by agents.

use std::fs;

use candid::utils::ArgumentEncoder;
use candid::{Nat, Principal, decode_one, encode_args};
use ic_agent::Agent;
use ic_management_canister_types::{
    CanisterIdRecord, CanisterInstallMode, CanisterSettings, EnvironmentVariable, InstallCodeArgs,
    ProvisionalCreateCanisterWithCyclesArgs, UpdateSettingsArgs,
};

use crate::support::wasm;

#[derive(Clone, Copy)]
pub struct Pair {
    canister1: Principal,
    canister2: Principal,
}

impl Pair {
    /// Creates and installs both, as `icp deploy` does.
    pub async fn deploy(agent: &Agent) -> Self {
        let (canister1, canister2) = (create(agent).await, create(agent).await);
        let settings = UpdateSettingsArgs {
            canister_id: canister1,
            settings: CanisterSettings {
                environment_variables: Some(vec![EnvironmentVariable {
                    name: "PUBLIC_CANISTER_ID:canister2".to_owned(),
                    value: canister2.to_text(),
                }]),
                ..CanisterSettings::default()
            },
            sender_canister_version: None,
        };
        manage(agent, "update_settings", canister1, (settings,)).await;
        for (canister, file) in [(canister1, "canister1.wasm"), (canister2, "canister2.wasm")] {
            let args = InstallCodeArgs {
                mode: CanisterInstallMode::Install,
                canister_id: canister,
                wasm_module: fs::read(wasm().join(file)).unwrap(),
                arg: encode_args(()).unwrap(),
                sender_canister_version: None,
            };
            manage(agent, "install_code", canister, (args,)).await;
        }
        Pair {
            canister1,
            canister2,
        }
    }

    pub async fn increment_both(&self, agent: &Agent) -> Result<(), String> {
        let call = agent.update(&self.canister1, "increment_both");
        let reply = call.with_arg(encode_args(()).unwrap()).await.unwrap();
        decode_one(&reply).unwrap()
    }

    /// What both have counted.
    pub async fn counters(&self, agent: &Agent) -> [usize; 2] {
        let mut counters = [0; 2];
        for (canister, counter) in [self.canister1, self.canister2].iter().zip(&mut counters) {
            let query = agent.query(canister, "get");
            let reply = query.with_arg(encode_args(()).unwrap()).await.unwrap();
            let count: Nat = decode_one(&reply).unwrap();
            *counter = usize::try_from(count.0).unwrap();
        }
        counters
    }
}

async fn create(agent: &Agent) -> Principal {
    let any = Principal::from_text("rwlgt-iiaaa-aaaaa-aaaaa-cai").unwrap();
    let args = (ProvisionalCreateCanisterWithCyclesArgs::default(),);
    let method = "provisional_create_canister_with_cycles";
    let reply = manage(agent, method, any, args).await;
    let created: CanisterIdRecord = decode_one(&reply).unwrap();
    created.canister_id
}

/// Calls the management canister.
async fn manage(
    agent: &Agent,
    method: &str,
    effective: Principal,
    arguments: impl ArgumentEncoder,
) -> Vec<u8> {
    agent
        .update(&Principal::management_canister(), method)
        .with_effective_canister_id(effective)
        .with_arg(encode_args(arguments).unwrap())
        .await
        .unwrap()
}
