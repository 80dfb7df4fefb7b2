//! What an agent does in most tests: it makes canisters, counts with them, and reads what they say.

use candid::Principal;
use ic_agent::Agent;
use ic_management_canister_types::{CanisterInstallMode, ProvisionalCreateCanisterWithCyclesArgs};

use crate::deploying::{CREATE, MANAGEMENT, created, creation, installation};

/// A new empty canister of the agent's user.
pub async fn create(agent: &Agent) -> Principal {
    let reply = agent
        .update(&MANAGEMENT, CREATE)
        .with_effective_canister_id(Principal::from_text("rwlgt-iiaaa-aaaaa-aaaaa-cai").unwrap())
        .with_arg(creation(ProvisionalCreateCanisterWithCyclesArgs::default()))
        .await
        .unwrap();
    created(&reply)
}

/// A new canister of the agent's user with this module.
pub async fn install(agent: &Agent, module: &str) -> Principal {
    let canister = create(agent).await;
    install_code(agent, canister, module, CanisterInstallMode::Install).await;
    canister
}

/// Installs a module in one of the ways.
pub async fn install_code(
    agent: &Agent,
    canister: Principal,
    module: &str,
    mode: CanisterInstallMode,
) {
    let wasm = wat::parse_str(module).unwrap();
    agent
        .update(&MANAGEMENT, "install_code")
        .with_effective_canister_id(canister)
        .with_arg(installation(canister, &wasm, mode, b""))
        .await
        .unwrap();
}

/// Adds one and returns the sum.
pub async fn add(agent: &Agent, counter: Principal) -> u64 {
    number(&agent.update(&counter, "add").await.unwrap())
}

/// What a counter stands at.
pub async fn get(agent: &Agent, counter: Principal) -> u64 {
    number(&agent.query(&counter, "get").await.unwrap())
}

/// The number in a reply.
pub fn number(reply: &[u8]) -> u64 {
    u64::from_le_bytes(reply.try_into().unwrap())
}
