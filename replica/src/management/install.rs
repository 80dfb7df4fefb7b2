//! Installing, upgrading and uninstalling code (the specification's sections "IC method
//! `install_code`" and "Canister upgrades"). Each is atomic: it happens as a whole or not at all.

use std::sync::Arc;

use ic_management_canister_types::{
    CanisterInstallMode, ChangeDetails, CodeDeploymentMode, CodeDeploymentRecord,
    InstallChunkedCodeArgs, InstallCodeArgs, UninstallCodeArgs, UpgradeFlags,
    WasmMemoryPersistence,
};
use sha2::{Digest, Sha256};

use super::call::Call;
use super::canisters::controlled;
use super::chunks;
use crate::canister::{Canister, Code, MAX_CHUNKS};
use crate::encoding::empty_reply;
use crate::environment::{Environment, check_memory_limit, run};
use crate::fees;
use crate::message::{CallResult, Cycles, ErrorCode, Reject};
use crate::module::{CanisterModule, MAX_MODULE_SIZE};
use crate::rejects::{chunk_store, out_of_cycles};
use crate::replica::Replica;
use crate::stable_memory::StableMemory;
use crate::system_api::{EntryPoint, SystemApi};
use crate::wasm::{Allowance, Checkpoint, Entry, Instance, PAGE_SIZE};

/// The private custom section of modules that keep their memory in upgrades.
const KEEPS_MEMORY: &str = "enhanced-orthogonal-persistence";

pub(super) fn install_code(replica: &mut Replica, call: &mut Call<'_>) -> CallResult {
    let args: InstallCodeArgs = call.decode()?;
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
    let args = InstallCodeArgs {
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
    let time = replica.environment.time;
    let canister = controlled(replica, args.canister_id, call.caller)?;
    canister.code = None;
    canister.stable = StableMemory::default();
    canister.certified_data.clear();
    canister.global_timer = 0;
    canister.chunks.clear();
    canister.log.clear();
    let origin = call.change_origin(args.sender_canister_version);
    canister.record_change(time, origin, ChangeDetails::CodeUninstall);
    replica.abandon_calls(args.canister_id, "Canister has been uninstalled");
    Ok(empty_reply())
}

fn install(replica: &mut Replica, call: &Call<'_>, args: InstallCodeArgs) -> CallResult {
    call.check_sender_version(replica, args.sender_canister_version)?;
    let reserve = fees::execution(replica.environment.limits.install_instructions);
    let canister = controlled(replica, args.canister_id, call.caller)?;
    let id = canister.id;
    if canister.liquid_balance() < reserve {
        return Err(out_of_cycles(id));
    }
    check_mode(canister, args.mode)?;
    let environment = &mut replica.environment;
    let module = environment.module(&args.wasm_module).map_err(|fault| {
        Reject::new(
            ErrorCode::CanisterInvalidWasm,
            format!("Error from Canister {id}: Canister's Wasm module is not valid: {fault}."),
        )
    })?;
    let Some(canister) = replica.canisters.get_mut(&id) else {
        return Err(out_of_cycles(id));
    };
    let log_begins = canister.log.next_index();
    let mut installation = Installation {
        environment,
        canister,
        call,
        instructions: 0,
        burned: 0,
        certified_data: None,
        global_timer: 0,
        executed: Vec::new(),
    };
    let result = match args.mode {
        CanisterInstallMode::Upgrade(flags) => {
            installation.upgrade(module, args.arg, flags.unwrap_or_default())
        }
        CanisterInstallMode::Install | CanisterInstallMode::Reinstall => {
            installation.fresh(module, args.arg)
        }
    };
    let Installation {
        instructions,
        burned,
        certified_data,
        global_timer,
        executed,
        ..
    } = installation;
    for (entry_point, instructions, trap) in executed {
        let time = environment.time;
        replica
            .timeline
            .hook((id, call.caller), time, entry_point, instructions, trap);
    }

    let cost = fees::execution(instructions).min(canister.balance);
    canister.balance -= cost;
    environment.consumed += cost;
    let code = result.inspect_err(|reject| {
        // As for every message that traps: the log stays.
        let text = format!("[TRAP]: {}", reject.message).into_bytes();
        canister.write_log(environment.time, text);
    })?;
    let burned = burned.min(canister.balance);
    canister.balance -= burned;
    replica.burned += burned;
    let (mode, fresh) = match args.mode {
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
    let origin = call.change_origin(args.sender_canister_version);
    canister.record_change(environment.time, origin, details);
    replica.watch_timer(id);
    replica.notice_low_memory(id);
    Ok(empty_reply())
}

/// Refuses what `mode` does not allow in the canister's present state.
fn check_mode(canister: &Canister, mode: CanisterInstallMode) -> Result<(), Reject> {
    let id = canister.id;
    match (mode, &canister.code) {
        (CanisterInstallMode::Install, Some(_)) => Err(Reject::new(
            ErrorCode::CanisterNonEmpty,
            format!(
                "Canister {id} cannot be installed because the canister is not empty. Try \
                 installing with mode='reinstall' instead."
            ),
        )),
        (CanisterInstallMode::Upgrade(_), None) => Err(Reject::new(
            ErrorCode::CanisterWasmModuleNotFound,
            format!(
                "Error from Canister {id}: Attempted to upgrade, but the canister contains no \
                 Wasm module."
            ),
        )),
        _ => Ok(()),
    }
}

/// An installation under way. Until it has succeeded, the canister is not changed in any way that
/// could not be put back.
struct Installation<'a> {
    environment: &'a mut Environment,
    canister: &'a mut Canister,
    call: &'a Call<'a>,
    instructions: u64,
    burned: Cycles,
    certified_data: Option<Vec<u8>>,
    global_timer: u64,
    /// What was executed, in how many instructions, and why it trapped if it did.
    executed: Vec<(EntryPoint, u64, Option<Reject>)>,
}

impl Installation<'_> {
    /// For the modes `install` and `reinstall`: nothing of before remains.
    fn fresh(&mut self, module: Arc<CanisterModule>, argument: Vec<u8>) -> Result<Code, Reject> {
        let stable = std::mem::take(&mut self.canister.stable);
        // The new code sees the new version.
        self.canister.version += 1;
        let result = self.start(module).and_then(|mut code| {
            self.hook(&mut code, "canister_init", EntryPoint::Init, argument)?;
            self.check(&code)?;
            Ok(code)
        });
        self.canister.version -= 1;
        match result {
            Ok(_) => self.canister.stable.commit(),
            Err(_) => self.canister.stable = stable,
        }
        result
    }

    /// For the mode `upgrade`: stable memory remains, and Wasm memory if it is wanted.
    fn upgrade(
        &mut self,
        module: Arc<CanisterModule>,
        argument: Vec<u8>,
        flags: UpgradeFlags,
    ) -> Result<Code, Reject> {
        let Some(mut old) = self.canister.code.take() else {
            unreachable!("the mode was checked");
        };
        let mut before = Checkpoint::default();
        old.instance.begin(&mut before);
        let result = self.replace(&mut old, module, argument, flags);
        match result {
            Ok(_) => self.canister.stable.commit(),
            Err(_) => {
                self.canister.stable.roll_back();
                old.instance.roll_back(&before);
            }
        }
        self.canister.code = Some(old);
        result
    }

    fn replace(
        &mut self,
        old: &mut Code,
        module: Arc<CanisterModule>,
        argument: Vec<u8>,
        flags: UpgradeFlags,
    ) -> Result<Code, Reject> {
        let keep = decide_memory(&old.module, &module, flags)?;
        if flags.skip_pre_upgrade != Some(true) {
            self.hook(
                old,
                "canister_pre_upgrade",
                EntryPoint::PreUpgrade,
                Vec::new(),
            )?;
        }
        let mut code = self.instantiate(module)?;
        if keep {
            let kept = code.instance.replace_memory(old.instance.memory());
            kept.map_err(|fault| self.invalid(&fault))?;
        }
        self.run_start(&mut code)?;
        // The new code sees the new version.
        self.canister.version += 1;
        let entry_point = EntryPoint::PostUpgrade;
        let result = self.hook(&mut code, "canister_post_upgrade", entry_point, argument);
        self.canister.version -= 1;
        result?;
        self.check(&code)?;
        Ok(code)
    }

    /// Refuses a result that is larger than the settings allow, or that would freeze the canister.
    fn check(&self, code: &Code) -> Result<(), Reject> {
        let canister = &*self.canister;
        let memory = code.instance.memory_size();
        let limit = Some(canister.settings.wasm_memory_limit).filter(|limit| *limit > 0);
        check_memory_limit(canister.id, memory, limit)?;
        let stored = memory + code.module.size + canister.stable.pages() * PAGE_SIZE;
        let stays = fees::storage(stored, canister.settings.freezing_threshold);
        let cost = fees::execution(self.instructions);
        match canister.balance.saturating_sub(self.burned) >= stays.saturating_add(cost) {
            true => Ok(()),
            false => Err(out_of_cycles(canister.id)),
        }
    }

    fn start(&mut self, module: Arc<CanisterModule>) -> Result<Code, Reject> {
        let mut code = self.instantiate(module)?;
        self.run_start(&mut code)?;
        Ok(code)
    }

    fn instantiate(&self, module: Arc<CanisterModule>) -> Result<Code, Reject> {
        let limit = module.memory_limit(&self.environment.limits);
        let instance = module.compiled.instantiate(limit);
        let instance = instance.map_err(|fault| self.invalid(&fault))?;
        Ok(Code { module, instance })
    }

    fn run_start(&mut self, code: &mut Code) -> Result<(), Reject> {
        match code.module.start.clone() {
            None => Ok(()),
            Some(start) => self.enter(code, &start, EntryPoint::Start, Vec::new()),
        }
    }

    fn hook(
        &mut self,
        code: &mut Code,
        name: &str,
        entry_point: EntryPoint,
        argument: Vec<u8>,
    ) -> Result<(), Reject> {
        match code.module.has_hook(name) {
            true => self.enter(code, name, entry_point, argument),
            false => Ok(()),
        }
    }

    fn enter(
        &mut self,
        code: &mut Code,
        export: &str,
        entry_point: EntryPoint,
        argument: Vec<u8>,
    ) -> Result<(), Reject> {
        let canister = &mut *self.canister;
        let caller = self.call.caller;
        let view = self
            .environment
            .bare_view(canister, entry_point, caller, argument);
        let soft_memory = match entry_point {
            EntryPoint::Init | EntryPoint::PostUpgrade => canister.settings.wasm_memory_limit,
            _ => 0,
        };
        let limits = Allowance {
            instructions: self.environment.limits.install_instructions - self.instructions,
            memory: code.module.memory_limit(&self.environment.limits),
            soft_memory: Some(soft_memory).filter(|limit| *limit > 0),
        };
        // Only the old code still has a timer.
        let global_timer = match entry_point {
            EntryPoint::PreUpgrade => canister.global_timer,
            _ => self.global_timer,
        };
        let api = SystemApi::new(
            view,
            canister.balance.saturating_sub(self.burned),
            0,
            std::mem::take(&mut canister.stable),
            std::mem::take(&mut canister.open_calls),
            global_timer,
        );
        let instance: &mut Instance<SystemApi> = &mut code.instance;
        let (api, result, instructions) = run(instance, Entry::Export(export), api, limits);
        self.instructions += instructions;
        let trap = result.as_ref().err().cloned();
        self.executed.push((entry_point, instructions, trap));
        let effects = self.environment.take_back(canister, api);
        self.burned += effects.burned;
        if effects.certified_data.is_some() {
            self.certified_data = effects.certified_data;
        }
        if let Some(timer) = effects.global_timer {
            self.global_timer = timer;
        }
        // A timer that the old code sets in `pre_upgrade` is the old code's.
        if entry_point == EntryPoint::PreUpgrade {
            self.global_timer = 0;
        }
        result
    }

    fn invalid(&self, fault: &str) -> Reject {
        Reject::new(
            ErrorCode::CanisterInvalidWasm,
            format!(
                "Error from Canister {}: Canister's Wasm module can't be instantiated: {fault}",
                self.canister.id
            ),
        )
    }
}

/// Whether an upgrade keeps the memory, if the modules and the options agree about it.
fn decide_memory(
    old: &CanisterModule,
    new: &CanisterModule,
    flags: UpgradeFlags,
) -> Result<bool, Reject> {
    let refuse = |text: &str| Err(Reject::new(ErrorCode::CanisterContractViolation, text));
    match flags.wasm_memory_persistence {
        Some(WasmMemoryPersistence::Keep) if !keeps_memory(new) => refuse(
            "Invalid upgrade option: The `wasm_memory_persistence: opt Keep` upgrade option \
             requires that the new canister module supports enhanced orthogonal persistence.",
        ),
        Some(WasmMemoryPersistence::Keep) => Ok(true),
        Some(WasmMemoryPersistence::Replace) => Ok(false),
        None if keeps_memory(old) => refuse(
            "Missing upgrade option: Enhanced orthogonal persistence requires the \
             `wasm_memory_persistence` upgrade option.",
        ),
        None => Ok(false),
    }
}

/// Whether a module says that its memory is made to outlive upgrades.
fn keeps_memory(module: &CanisterModule) -> bool {
    let section = module.metadata.get(KEEPS_MEMORY);
    section.is_some_and(|section| !section.public)
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
