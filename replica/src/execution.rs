//! Executes exactly one message: runs it, then keeps everything it did or nothing of it.
//!
//! This is the rule that the project is about (Interface Specification, "Abstract behavior",
//! "Message execution"): a message that ends normally takes effect as a whole; a message that
//! traps leaves no trace but its log.

use crate::backtraces::Failed;
use crate::canister::Canister;
use crate::environment::{Environment, check_memory_limit, enter};
use crate::message::{CallContextId, CallResult, Closure, Cycles, Reject, RejectCode, SystemTask};
use crate::module::{CanisterModule, MethodKind};
use crate::performing::Performed;
use crate::system_api::{Effects, EntryPoint, SystemApi, Trap, View, reject_of_fault};
use crate::wasm::{Allowance, Entry, Fault, Instance, PAGE_SIZE, State};

/// The part of a message's instructions that is kept for a cleanup callback: one in so many.
const CLEANUP_SHARE: u64 = 20;

/// How an execution ended.
pub enum Outcome {
    /// It ended normally, and its state is the canister's. These effects are to be delivered.
    Committed(Effects),
    /// It trapped, and the canister is as it was before. These effects will never happen.
    Undone {
        /// Why, as a caller is told.
        reject: Reject,
        /// What the message had done until then.
        discarded: Effects,
    },
}

/// One execution, done.
pub struct Run {
    /// How it ended.
    pub outcome: Outcome,
    /// The instructions that it took.
    pub instructions: u64,
    /// Whether it changed Wasm or stable memory, kept or not; of what was undone, only where somebody
    /// wants to know.
    pub changed_memory: bool,
}

/// What is to be executed.
#[derive(Clone, Debug)]
pub enum Task {
    /// A method, for a call context.
    Method {
        /// How the method is exported.
        kind: MethodKind,
        /// Its name.
        name: String,
        /// Its argument.
        argument: Vec<u8>,
    },
    /// A reply or reject callback.
    Callback {
        /// What to call.
        closure: Closure,
        /// The response.
        result: CallResult,
        /// The cycles that came back with it.
        refund: Cycles,
    },
    /// The cleanup of a callback that trapped.
    Cleanup {
        /// What to call.
        closure: Closure,
        /// The code of the reject that the callback was for, if it was for one.
        reject: Option<(RejectCode, String)>,
        /// What is left of the callback's instructions.
        instructions: u64,
    },
    /// A heartbeat, a timer or the low-memory hook.
    System(SystemTask),
}

impl Task {
    /// Whether it is a query, which is called like an update.
    pub(crate) fn is_query(&self) -> bool {
        matches!(self, Task::Method { kind, .. } if *kind != MethodKind::Update)
    }

    /// Whether it processes a response.
    fn is_response(&self) -> bool {
        matches!(self, Task::Callback { .. } | Task::Cleanup { .. })
    }

    /// The name of the exported method, if it is one.
    fn method(&self) -> String {
        match self {
            Task::Method { kind, name, .. } => kind.export(name),
            _ => String::new(),
        }
    }

    /// What is to be called, given the name of the exported method.
    fn entry<'a>(&self, method: &'a str) -> Entry<'a> {
        match self {
            Task::Method { .. } => Entry::Export(method),
            Task::Callback { closure, .. } | Task::Cleanup { closure, .. } => enter(*closure),
            Task::System(task) => Entry::Export(task.export()),
        }
    }
}

impl Environment {
    /// Executes `task` in a call context of `canister`.
    ///
    /// Charges nothing: the instructions in the result are the caller's to account for.
    pub fn execute(
        &mut self,
        canister: &mut Canister,
        context: CallContextId,
        mut task: Task,
        balance: Cycles,
    ) -> Run {
        let (view, available) = self.view(canister, context, &mut task);
        let Some(mut code) = canister.code.take() else {
            unreachable!("a message is executed only where there is code");
        };
        let allowance = self.allowance(canister, &code.module, &task);

        // It runs in an instance, on a copy of stable memory. Until it is over, the canister's state is
        // not touched; the copies share with it what the message does not change.
        let mut instance = self.instance(canister.id, &code);
        let stable_before = canister.stable.clone();
        let memory_before = code.state.memory_size() + stable_before.pages() * PAGE_SIZE;

        let api = SystemApi::new(
            view,
            balance,
            available,
            std::mem::take(&mut canister.stable),
            std::mem::take(&mut canister.open_calls),
            canister.global_timer,
        );
        let method = task.method();
        let entry = task.entry(&method);
        let Performed {
            api,
            result,
            instructions,
            backtrace,
        } = self.perform(&mut instance, &code.state, entry, api, allowance);
        let (effects, view) = self.take_back(canister, api);

        let wasm_memory = instance.memory_size();
        let memory = wasm_memory + canister.stable.pages() * PAGE_SIZE;
        let result = result.and_then(|()| {
            check_memory_limit(wasm_memory, allowance.soft_memory)?;
            // A response is processed even if it freezes the canister; everything else must leave
            // enough to pay for the memory that it took.
            match task.is_response() || memory <= memory_before {
                true => Ok(()),
                false => {
                    let stored = canister
                        .memory_usage_of(Some(&code.module), wasm_memory)
                        .total();
                    let stays = canister.freezing_limit_of(stored);
                    check_liquid(&effects, stays, memory - memory_before)
                }
            }
        });
        let result = result.and_then(|()| self.trap_if_told(&task));
        let result = result.and_then(|()| {
            let stable = canister.stable.size_in_use() - stable_before.size_in_use();
            self.check_capacity(&instance, &code.state, stable)
        });
        let changed_stable = !canister.stable.is_same(&stable_before);

        // After it: all or nothing. (A query changes nothing but cycles, also when it is called
        // like an update.)
        let changed_memory = match result.is_ok() && !task.is_query() {
            true => {
                let in_use = code.state.memory_in_use() + stable_before.size_in_use();
                let changed = instance.commit(&mut code.state) || changed_stable;
                let now = code.state.memory_in_use() + canister.stable.size_in_use();
                self.memory_in_use += now - in_use;
                changed
            }
            false => {
                canister.stable = stable_before;
                self.observe_memory
                    && !task.is_query()
                    && (changed_stable || instance.memory_differs(&code.state))
            }
        };
        self.instances.keep(canister.id, &code.module, instance);
        let outcome = match result {
            Ok(()) => Outcome::Committed(keep(canister, effects)),
            Err(fault) => {
                undo(canister, &effects);
                self.trapped += 1;
                let failed = Failed {
                    module: &code.module,
                    before: &code.state,
                    used: Allowance {
                        instructions,
                        ..allowance
                    },
                    fault: &fault,
                };
                let may_know = view.settings.may_read_log(&view.caller);
                let find = || {
                    if !self.can_trace(&code.module, &fault) {
                        return None;
                    }
                    let stable = canister.stable.clone();
                    let open_calls = canister.open_calls.clone();
                    let timer = canister.global_timer;
                    let api = SystemApi::new(view, balance, available, stable, open_calls, timer);
                    self.trace(&failed, entry, api)
                };
                let backtrace = backtrace.unwrap_or_else(find);
                self.note_backtrace(backtrace.as_ref());
                let told = backtrace.as_ref().filter(|_| may_know);
                let reject = reject_of_fault(canister.id, &fault, told);
                self.log_trap(canister, &fault, backtrace.as_ref());
                Outcome::Undone {
                    reject,
                    discarded: effects,
                }
            }
        };
        canister.code = Some(code);
        Run {
            outcome,
            instructions,
            changed_memory,
        }
    }

    /// Refuses memory that all canisters together may not have.
    fn check_capacity(
        &self,
        instance: &Instance<SystemApi>,
        state: &State,
        stable: u64,
    ) -> Result<(), Fault<Trap>> {
        let (capacity, before) = (self.limits.memory_capacity, self.memory_in_use);
        // Most often there is plenty, and nothing to count.
        if before + instance.memory_size() + stable <= capacity {
            return Ok(());
        }
        let more = instance.additional_memory(state) + stable;
        match more == 0 || before + more <= capacity {
            true => Ok(()),
            false => Err(Fault::Host(Trap::MemoryIsFull(capacity))),
        }
    }

    /// The fault that somebody who tests may ask for: a trap in place of the normal end.
    fn trap_if_told(&mut self, task: &Task) -> Result<(), Fault<Trap>> {
        if matches!(task, Task::Cleanup { .. }) || !std::mem::take(&mut self.trap_at_end) {
            return Ok(());
        }
        let why = "trapped because the local replica was told so";
        Err(Fault::Host(Trap::Called(why.to_owned())))
    }

    /// How much a task may use.
    fn allowance(&self, canister: &Canister, module: &CanisterModule, task: &Task) -> Allowance {
        let limit = self.limits.message_instructions;
        let instructions = match task {
            Task::Method { .. } if task.is_query() => self.limits.query_instructions,
            Task::Method { .. } | Task::System(_) => limit,
            Task::Callback { .. } => limit - limit / CLEANUP_SHARE,
            Task::Cleanup { instructions, .. } => *instructions,
        };
        let is_update = matches!(task, Task::Method { .. }) && !task.is_query();
        let wasm_memory_limit = Some(canister.settings.wasm_memory_limit).filter(|l| *l > 0);
        Allowance {
            instructions,
            memory: module.memory_limit(&self.limits),
            soft_memory: wasm_memory_limit.filter(|_| is_update),
        }
    }

    /// What `task` may see, and the cycles that it may accept. Takes the bytes out of the task.
    fn view(&self, canister: &Canister, context: CallContextId, task: &mut Task) -> (View, Cycles) {
        let entry_point = match task {
            Task::Method { kind, .. } => match kind {
                MethodKind::Update => EntryPoint::Update,
                MethodKind::Query | MethodKind::CompositeQuery => EntryPoint::ReplicatedQuery,
            },
            Task::Callback { result: Ok(_), .. } => EntryPoint::ReplyCallback,
            Task::Callback { result: Err(_), .. } => EntryPoint::RejectCallback,
            Task::Cleanup { .. } => EntryPoint::Cleanup,
            Task::System(_) => EntryPoint::SystemTask,
        };
        let context = &canister.call_contexts[&context];
        let mut view = self.bare_view(canister, entry_point, context.origin.caller(), Vec::new());
        view.responded = context.responded;
        view.context_instructions = context.instructions;
        // Queries are told no deadline, even in replicated mode.
        if entry_point != EntryPoint::ReplicatedQuery {
            view.deadline = context.origin.deadline();
        }
        match task {
            Task::Method { argument, .. } => view.argument = std::mem::take(argument),
            Task::Callback { result, refund, .. } => {
                view.refunded = *refund;
                match result {
                    Ok(reply) => view.argument = std::mem::take(reply),
                    Err(reject) => {
                        view.reject = Some((reject.code, reject.message_for_canister()));
                    }
                }
            }
            Task::Cleanup { reject, .. } => view.reject = reject.take(),
            Task::System(_) => {}
        }
        (view, context.available_cycles)
    }
}

/// Forgets the calls that a message made, after its state was put back.
fn undo(canister: &mut Canister, discarded: &Effects) {
    for call in &discarded.calls {
        canister.close_call(call.receiver);
    }
}

/// Keeps what a message did; what it sends is for the caller to deliver.
fn keep(canister: &mut Canister, effects: Effects) -> Effects {
    if let Some(data) = &effects.certified_data {
        canister.certified_data.clone_from(data);
    }
    if let Some(timer) = effects.global_timer {
        canister.global_timer = timer;
    }
    canister.version += 1;
    effects
}

/// Refuses memory that would freeze the canister.
fn check_liquid(effects: &Effects, stays: Cycles, grown: u64) -> Result<(), Fault<Trap>> {
    match effects.balance >= stays {
        true => Ok(()),
        false => Err(Fault::Host(Trap::InsufficientCyclesForMemory(grown))),
    }
}
