//! One installation or upgrade (the specification's section "Canister upgrades"): as a whole or not at
//! all.

use std::sync::Arc;

use candid::Principal;
use ic_management_canister_types::{UpgradeFlags, WasmMemoryPersistence};

use crate::backtraces::Failed;
use crate::canister::{Canister, Code};
use crate::environment::{Environment, check_memory_limit, run};
use crate::explanations::with_help;
use crate::fees;
use crate::message::{CanisterId, Cycles, ErrorCode, Reject};
use crate::module::CanisterModule;
use crate::rejects;
use crate::system_api::{EntryPoint, SystemApi, Trap, reject_of_fault};
use crate::wasm::{Allowance, Backtrace, Entry, Fault, Instance, State};

/// The private custom section of modules that keep their memory in upgrades.
const KEEPS_MEMORY: &str = "enhanced-orthogonal-persistence";

/// An installation under way. Until it has succeeded, the canister is not changed in any way that
/// could not be put back.
pub(super) struct Installation<'a> {
    pub(super) environment: &'a mut Environment,
    pub(super) canister: &'a mut Canister,
    /// Who installs.
    pub(super) caller: Principal,
    /// Whether the new code has 64-bit memory: its price is that of the whole installation.
    pub(super) memory64: bool,
    pub(super) instructions: u64,
    /// What compiling the module costs, in instructions; 0 until it was compiled.
    pub(super) compilation: u64,
    pub(super) burned: Cycles,
    pub(super) certified_data: Option<Vec<u8>>,
    pub(super) global_timer: u64,
    /// What was executed, in how many instructions, and why it trapped if it did.
    pub(super) executed: Vec<(EntryPoint, u64, Option<Reject>)>,
    /// Why it trapped, and where.
    pub(super) trap: Option<(Fault<Trap>, Option<Backtrace>)>,
}

/// Code while it is installed.
struct Running {
    module: Arc<CanisterModule>,
    instance: Instance<SystemApi>,
    /// What was kept of the instance last.
    state: State,
}

impl Installation<'_> {
    /// For the modes `install` and `reinstall`: nothing of before remains.
    pub(super) fn fresh(
        &mut self,
        module: Arc<CanisterModule>,
        argument: Vec<u8>,
    ) -> Result<Code, Reject> {
        let stable = std::mem::take(&mut self.canister.stable);
        // The new code sees the new version.
        self.canister.version += 1;
        let result = self.instantiate(module).and_then(|mut new| {
            self.run_start(&mut new)?;
            self.hook(&mut new, "canister_init", EntryPoint::Init, argument)?;
            self.check(&new)?;
            Ok(self.keep(new))
        });
        self.canister.version -= 1;
        if result.is_err() {
            self.canister.stable = stable;
        }
        result
    }

    /// For the mode `upgrade`: stable memory remains, and Wasm memory if it is wanted.
    pub(super) fn upgrade(
        &mut self,
        module: Arc<CanisterModule>,
        argument: Vec<u8>,
        flags: UpgradeFlags,
    ) -> Result<Code, Reject> {
        let Some(old) = self.canister.code.clone() else {
            unreachable!("the mode was checked");
        };
        let stable = self.canister.stable.clone();
        let result = self.replace(&old, module, argument, flags);
        if result.is_err() {
            self.canister.stable = stable;
        }
        result
    }

    fn replace(
        &mut self,
        old: &Code,
        module: Arc<CanisterModule>,
        argument: Vec<u8>,
        flags: UpgradeFlags,
    ) -> Result<Code, Reject> {
        let keep = decide_memory(&old.module, &module, flags)?;
        let mut state = State::default();
        if flags.skip_pre_upgrade != Some(true) {
            let mut last = Running {
                module: Arc::clone(&old.module),
                state: old.state.clone(),
                instance: self.environment.instance(self.canister.id, old),
            };
            let hook = "canister_pre_upgrade";
            let result = self.hook(&mut last, hook, EntryPoint::PreUpgrade, Vec::new());
            if keep && result.is_ok() {
                last.instance.commit(&mut last.state);
                state = State::with_memory_of(&last.state);
            }
            let Running {
                module, instance, ..
            } = last;
            self.environment
                .instances
                .keep(self.canister.id, &module, instance);
            result?;
        } else if keep {
            state = State::with_memory_of(&old.state);
        }
        let mut new = self.instantiate(module)?;
        if keep {
            let kept = new.instance.load_memory_of_other(&state);
            kept.map_err(|fault| self.invalid(&fault))?;
            new.state = state;
        }
        self.run_start(&mut new)?;
        // The new code sees the new version.
        self.canister.version += 1;
        let entry_point = EntryPoint::PostUpgrade;
        let result = self.hook(&mut new, "canister_post_upgrade", entry_point, argument);
        self.canister.version -= 1;
        result?;
        self.check(&new)?;
        Ok(self.keep(new))
    }

    /// The code that was installed.
    fn keep(&mut self, mut new: Running) -> Code {
        new.instance.commit(&mut new.state);
        let Running {
            module,
            instance,
            state,
        } = new;
        let instances = &mut self.environment.instances;
        instances.keep(self.canister.id, &module, instance);
        Code { module, state }
    }

    /// Refuses a result that is larger than the settings allow, or that would freeze the canister.
    fn check(&self, new: &Running) -> Result<(), Reject> {
        let canister = &*self.canister;
        let memory = new.instance.memory_size();
        let limit = Some(canister.settings.wasm_memory_limit).filter(|limit| *limit > 0);
        check_memory_limit(memory, limit)
            .map_err(|fault| reject_of_fault(canister.id, &fault, None))?;
        let stored = canister.memory_usage_of(Some(&new.module), memory).total();
        let needed = canister
            .freezing_limit_of(stored)
            .saturating_add(self.cost());
        let balance = canister.balance.saturating_sub(self.burned);
        match needed.saturating_sub(balance) {
            0 => Ok(()),
            missing => Err(out_of_cycles(canister.id, missing)),
        }
    }

    /// What it has cost so far.
    pub(super) fn cost(&self) -> Cycles {
        fees::execution(self.instructions + self.compilation, self.memory64)
    }

    fn instantiate(&mut self, module: Arc<CanisterModule>) -> Result<Running, Reject> {
        self.compilation = fees::compilation(module.code_instructions);
        let room = self.environment.room(&module);
        let instance = module.compiled.instantiate(room);
        let instance = instance.map_err(|fault| self.invalid(&fault))?;
        Ok(Running {
            module,
            instance,
            state: State::default(),
        })
    }

    fn run_start(&mut self, code: &mut Running) -> Result<(), Reject> {
        match code.module.start.clone() {
            None => Ok(()),
            Some(start) => self.enter(code, &start, EntryPoint::Start, Vec::new()),
        }
    }

    fn hook(
        &mut self,
        code: &mut Running,
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
        code: &mut Running,
        export: &str,
        entry_point: EntryPoint,
        argument: Vec<u8>,
    ) -> Result<(), Reject> {
        let canister = &mut *self.canister;
        let caller = self.caller;
        let mut view = self
            .environment
            .bare_view(canister, entry_point, caller, argument);
        view.memory64 = code.module.memory64;
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
        // What it begins with, to find out where it traps if it does.
        code.instance.commit(&mut code.state);
        let stable_before = canister.stable.clone();
        let reserved = fees::reserved_for_install(self.memory64);
        let balance = canister.balance.saturating_sub(self.burned + reserved);
        let stable = std::mem::take(&mut canister.stable);
        let open_calls = std::mem::take(&mut canister.open_calls);
        let api = SystemApi::new(view, balance, 0, stable, open_calls, global_timer);
        let entry = Entry::Export(export);
        let (api, result, instructions) = run(&mut code.instance, entry, api, limits);
        self.instructions += instructions;
        let (effects, view) = self.environment.take_back(canister, api);
        let result = result.map_err(|fault| {
            let may_know = view.settings.may_read_log(&view.caller);
            let mut backtrace = None;
            if self.environment.can_trace(&code.module, &fault) {
                let failed = Failed {
                    module: &code.module,
                    before: &code.state,
                    used: Allowance {
                        instructions,
                        ..limits
                    },
                    fault: &fault,
                };
                let open_calls = canister.open_calls.clone();
                let api = SystemApi::new(view, balance, 0, stable_before, open_calls, global_timer);
                backtrace = self.environment.trace(&failed, entry, api);
            }
            let told = backtrace.as_ref().filter(|_| may_know);
            let reject = reject_of_fault(canister.id, &fault, told);
            self.trap = Some((fault, backtrace));
            reject
        });
        let trap = result.as_ref().err().cloned();
        self.executed.push((entry_point, instructions, trap));
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

/// Refuses an installation that the canister can't pay for. Its controller, who installs, is told how
/// much is missing.
pub(super) fn out_of_cycles(canister: CanisterId, missing: Cycles) -> Reject {
    let Reject { message, .. } = rejects::out_of_cycles(canister, Some(missing));
    with_help(
        ErrorCode::CanisterOutOfCycles,
        &format!("Canister installation failed with `{message}`."),
        "Top up the canister with more cycles.",
        "install-code-not-enough-cycles",
    )
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

/// How a module is upgraded to itself: with its memory, if that is made for it.
pub(super) fn same_memory(module: &CanisterModule) -> UpgradeFlags {
    UpgradeFlags {
        skip_pre_upgrade: None,
        wasm_memory_persistence: keeps_memory(module).then_some(WasmMemoryPersistence::Keep),
    }
}

/// Whether a module says that its memory is made to outlive upgrades.
fn keeps_memory(module: &CanisterModule) -> bool {
    let section = module.metadata.get(KEEPS_MEMORY);
    section.is_some_and(|section| !section.public)
}
