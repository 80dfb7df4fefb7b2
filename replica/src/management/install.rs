//! Installing, upgrading and uninstalling code (the specification's sections "IC method
//! `install_code`" to "IC method `uninstall_code`").

use std::sync::Arc;

use candid::{CandidType, Deserialize, Principal};
use ic_management_canister_types::{
    CanisterInstallMode, ChangeDetails, ChangeOrigin, CodeDeploymentMode, CodeDeploymentRecord,
    FromUserRecord, InstallChunkedCodeArgs, UninstallCodeArgs,
};
use sha2::{Digest, Sha256};

use super::call::Call;
use super::canisters::controlled;
use super::chunks;
use super::installation::{Installation, out_of_cycles, same_memory};
use crate::canister::{Canister, MAX_CHUNKS};
use crate::encoding::empty_reply;
use crate::explanations::with_help;
use crate::fees;
use crate::message::{CallResult, CanisterId, Cycles, ErrorCode, Reject};
use crate::module::{CanisterModule, MAX_MODULE_SIZE};
use crate::rejects::{chunk_store, invalid_module, no_module};
use crate::replica::Replica;

/// What `install_code` is called with. The published type reads a module byte after byte.
#[derive(CandidType, Deserialize)]
struct InstallCode {
    mode: CanisterInstallMode,
    canister_id: CanisterId,
    #[serde(with = "serde_bytes")]
    wasm_module: Vec<u8>,
    #[serde(with = "serde_bytes")]
    arg: Vec<u8>,
    sender_canister_version: Option<u64>,
}

pub(super) fn install_code(replica: &mut Replica, call: &mut Call<'_>) -> CallResult {
    let args: InstallCode = call.decode()?;
    install(replica, call, args)
}

pub(super) fn install_chunked_code(replica: &mut Replica, call: &mut Call<'_>) -> CallResult {
    let args: InstallChunkedCodeArgs = call.decode()?;
    controlled(replica, args.target_canister, call.caller)?;
    let store = args.store_canister.unwrap_or(args.target_canister);
    let store = chunks::store(replica, store, call.caller)?;
    if args.chunk_hashes_list.len() > MAX_CHUNKS {
        return Err(chunk_store(&format!(
            "a module is assembled from at most {MAX_CHUNKS} chunks"
        )));
    }
    let mut wasm_module = Vec::new();
    for chunk in &args.chunk_hashes_list {
        let hash = <[u8; 32]>::try_from(chunk.hash.as_slice()).ok();
        let Some(chunk) = hash.and_then(|hash| store.chunks.get(&hash)) else {
            return Err(chunk_store(&format!(
                "Chunk {} was not found",
                hex(&chunk.hash)
            )));
        };
        if wasm_module.len() + chunk.len() > MAX_MODULE_SIZE {
            return Err(chunk_store("the chunks are too large for a module"));
        }
        wasm_module.extend_from_slice(chunk);
    }
    let hash = Sha256::digest(&wasm_module);
    if hash.as_slice() != args.wasm_module_hash {
        return Err(chunk_store(&format!(
            "the assembled module's hash is {}, not {}",
            hex(&hash),
            hex(&args.wasm_module_hash)
        )));
    }
    let args = InstallCode {
        mode: args.mode,
        canister_id: args.target_canister,
        wasm_module,
        arg: args.arg,
        sender_canister_version: args.sender_canister_version,
    };
    install(replica, call, args)
}

pub(super) fn uninstall_code(replica: &mut Replica, call: &mut Call<'_>) -> CallResult {
    let args: UninstallCodeArgs = call.decode()?;
    call.check_sender_version(replica, args.sender_canister_version)?;
    controlled(replica, args.canister_id, call.caller)?;
    let origin = call.change_origin(args.sender_canister_version);
    uninstall(replica, args.canister_id, origin);
    Ok(empty_reply())
}

/// Takes away a canister's code, as a change of this origin.
pub(super) fn uninstall(replica: &mut Replica, id: CanisterId, origin: ChangeOrigin) {
    let time = replica.environment.time;
    if let Some(canister) = replica.canisters.get_mut(&id) {
        canister.uninstall();
        canister.record_change(time, origin, ChangeDetails::CodeUninstall);
        replica.environment.instances.forget(id);
        replica.abandon_calls(id, "Canister has been uninstalled");
    }
}

fn install(replica: &mut Replica, call: &Call<'_>, args: InstallCode) -> CallResult {
    call.check_sender_version(replica, args.sender_canister_version)?;
    let canister = controlled(replica, args.canister_id, call.caller)?;
    let (id, balance, stays) = (canister.id, canister.balance, canister.freezing_limit());
    let module = replica.environment.module(&args.wasm_module);
    let memory64 = module.as_ref().is_ok_and(|module| module.memory64);
    let needed = stays.saturating_add(fees::reserved_for_install(memory64));
    if needed > balance {
        return Err(out_of_cycles(id, needed - balance));
    }
    check_mode(controlled(replica, id, call.caller)?, args.mode)?;
    let module = module.map_err(|fault| {
        // Nobody knows how many instructions it has; on the network a byte counts as one.
        let compilation = fees::compilation(args.wasm_module.len() as u64);
        charge(replica, id, fees::execution(compilation, false));
        invalid_module(id, &fault)
    })?;
    let origin = call.change_origin(args.sender_canister_version);
    install_module(
        replica,
        id,
        (call.caller, origin),
        module,
        args.mode,
        args.arg,
    )?;
    Ok(empty_reply())
}

/// Upgrades a canister to the code that it has, in the name of its first controller. If the upgrade
/// fails, everything is as before.
pub(crate) fn upgrade_to_same(replica: &mut Replica, id: CanisterId) {
    let Some(canister) = replica.canisters.get(&id) else {
        return;
    };
    let controller = canister.settings.controllers.iter().next().copied();
    let (Some(code), Some(controller)) = (&canister.code, controller) else {
        return;
    };
    let module = Arc::clone(&code.module);
    let mode = CanisterInstallMode::Upgrade(Some(same_memory(&module)));
    let origin = ChangeOrigin::FromUser(FromUserRecord {
        user_id: controller,
    });
    let argument = empty_reply();
    // What it answers is nobody's business; a failure is in the canister's log.
    let _ = install_module(replica, id, (controller, origin), module, mode, argument);
}

/// Installs a module, in the name of somebody, as a change of this origin.
fn install_module(
    replica: &mut Replica,
    id: CanisterId,
    (caller, origin): (Principal, ChangeOrigin),
    module: Arc<CanisterModule>,
    mode: CanisterInstallMode,
    argument: Vec<u8>,
) -> Result<(), Reject> {
    let environment = &mut replica.environment;
    let Some(canister) = replica.canisters.get_mut(&id) else {
        unreachable!("it was found above");
    };
    let log_begins = canister.log.next_index();
    let mut installation = Installation {
        environment,
        canister,
        caller,
        memory64: module.memory64,
        instructions: 0,
        compilation: 0,
        burned: 0,
        certified_data: None,
        global_timer: 0,
        executed: Vec::new(),
        trap: None,
    };
    let result = match mode {
        CanisterInstallMode::Upgrade(flags) => {
            installation.upgrade(module, argument, flags.unwrap_or_default())
        }
        CanisterInstallMode::Install | CanisterInstallMode::Reinstall => {
            installation.fresh(module, argument)
        }
    };
    let cost = installation.cost();
    let Installation {
        burned,
        certified_data,
        global_timer,
        executed,
        trap,
        ..
    } = installation;
    for (entry_point, instructions, trap) in executed {
        let time = environment.time;
        replica
            .timeline
            .hook((id, caller), time, entry_point, instructions, trap);
    }

    let cost = cost.min(canister.balance);
    canister.balance -= cost;
    canister.consumed.instructions += cost;
    environment.consumed += cost;
    if let Some((fault, backtrace)) = trap {
        // As for every message that traps: the log stays.
        environment.log_trap(canister, &fault, backtrace.as_ref());
    }
    let code = result?;
    let burned = burned.min(canister.balance);
    canister.balance -= burned;
    canister.consumed.burned += burned;
    replica.burned += burned;
    let (mode, fresh) = match mode {
        CanisterInstallMode::Install => (CodeDeploymentMode::Install, true),
        CanisterInstallMode::Reinstall => (CodeDeploymentMode::Reinstall, true),
        CanisterInstallMode::Upgrade(_) => (CodeDeploymentMode::Upgrade, false),
    };
    let module_hash = code.module.hash.to_vec();
    canister.code = Some(code);
    canister.low_memory_noticed = false;
    canister.global_timer = global_timer;
    if fresh {
        canister.log.forget_before(log_begins);
    }
    match certified_data {
        Some(data) => canister.certified_data = data,
        None if fresh => canister.certified_data.clear(),
        None => {}
    }
    let details = ChangeDetails::CodeDeployment(CodeDeploymentRecord { mode, module_hash });
    canister.record_change(environment.time, origin, details);
    replica.watch_timer(id);
    replica.notice_low_memory(id);
    Ok(())
}

/// Takes a fee from a canister that has the cycles for it.
pub(super) fn charge(replica: &mut Replica, id: CanisterId, fee: Cycles) {
    if let Some(canister) = replica.canisters.get_mut(&id) {
        let fee = fee.min(canister.balance);
        canister.balance -= fee;
        canister.consumed.instructions += fee;
        replica.environment.consumed += fee;
    }
}

/// Refuses what `mode` does not allow in the canister's present state.
fn check_mode(canister: &Canister, mode: CanisterInstallMode) -> Result<(), Reject> {
    let id = canister.id;
    match (mode, &canister.code) {
        (CanisterInstallMode::Install, Some(_)) => Err(with_help(
            ErrorCode::CanisterNonEmpty,
            &format!(
                "Canister {id} cannot be installed because the canister is not empty. Try \
                 installing with mode='reinstall' instead."
            ),
            "Check that you want to overwrite the canister and, if so, use mode='reinstall'.",
            "canister-not-empty",
        )),
        (CanisterInstallMode::Upgrade(_), None) => Err(no_module(id)),
        _ => Ok(()),
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
