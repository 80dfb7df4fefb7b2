//! Executes exactly one message: runs it, then keeps everything it did or nothing of it.
//!
//! This is the rule that the project is about (Interface Specification, "Abstract behavior",
//! "Message execution"): a message that ends normally takes effect as a whole; a message that
//! traps leaves no trace but its log.

use std::sync::Arc;

use candid::Principal;

use crate::canister::Canister;
use crate::fees;
use crate::message::{
    CallContextId, CallResult, Closure, Cycles, Reject, RejectCode, SystemTask, Time,
};
use crate::module::MethodKind;
use crate::system_api::{Effects, EntryPoint, Subnet, SystemApi, View, reject_of_fault};
use crate::wasm::{Checkpoint, Engine, Entry, Instance, Limits, PAGE_SIZE};

/// The part of a message's instructions that is kept for a cleanup callback, in percent.
const CLEANUP_PERCENT: u64 = 5;

/// How many instructions an execution may take.
#[derive(Clone, Copy, Debug)]
pub struct InstructionLimits {
    /// An update, a callback or a system task.
    pub message: u64,
    /// A query, with everything that a composite query calls.
    pub query: u64,
    /// An installation or upgrade.
    pub install: u64,
    /// `canister_inspect_message`.
    pub inspect_message: u64,
}

impl Default for InstructionLimits {
    /// The network's limits.
    fn default() -> Self {
        InstructionLimits {
            message: fees::MESSAGE_INSTRUCTIONS,
            query: fees::QUERY_INSTRUCTIONS,
            install: fees::INSTALL_INSTRUCTIONS,
            inspect_message: fees::INSPECT_INSTRUCTIONS,
        }
    }
}

/// What executions share.
pub struct Environment {
    /// Compiles and instantiates modules.
    pub engine: Engine<SystemApi>,
    /// The subnet.
    pub subnet: Arc<Subnet>,
    /// The replica's clock.
    pub time: Time,
    /// How much executions may do.
    pub limits: InstructionLimits,
    /// How many calls from one canister to another may be open at the same time.
    pub queue_capacity: usize,
    /// Cycles that fees have consumed.
    pub consumed: Cycles,
    /// Whether to look for changes of the memory, for the timeline.
    pub observe_memory: bool,
    /// Where the state before the running message is kept. One buffer serves all canisters.
    pub(crate) checkpoint: Checkpoint,
}

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
    /// Whether it changed Wasm or stable memory, kept or not; `false` if nobody wants to know.
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
        let name;
        let (entry, instructions) = match &task {
            Task::Method { kind, name: n, .. } => {
                name = kind.export(n);
                (Entry::Export(&name), self.limits.message)
            }
            Task::Callback { closure, .. } => {
                let limit = self.limits.message;
                (enter(*closure), limit - limit * CLEANUP_PERCENT / 100)
            }
            Task::Cleanup {
                closure,
                instructions,
                ..
            } => (enter(*closure), *instructions),
            Task::System(task) => (Entry::Export(task.export()), self.limits.message),
        };
        let soft_memory = match &task {
            Task::Method {
                kind: MethodKind::Update,
                ..
            } => Some(canister.settings.wasm_memory_limit).filter(|l| *l > 0),
            _ => None,
        };
        // A query changes nothing but cycles, also when it is called like an update.
        let is_query = matches!(&task, Task::Method { kind, .. } if *kind != MethodKind::Update);
        let limits = Limits {
            instructions,
            memory: code.module.maximum_memory * PAGE_SIZE,
            soft_memory,
        };

        // Before the message: remember everything it could change.
        let mut checkpoint = std::mem::take(&mut self.checkpoint);
        code.instance.checkpoint(&mut checkpoint);

        let api = SystemApi::new(
            view,
            balance,
            available,
            std::mem::take(&mut canister.stable),
            std::mem::take(&mut canister.open_calls),
            canister.global_timer,
        );
        let (api, result, instructions) = run(&mut code.instance, entry, api, limits);
        let effects = self.take_back(canister, api);

        let changed_memory = self.observe_memory
            && !is_query
            && (canister.stable.has_changes() || code.instance.memory_differs(&checkpoint));

        // After it: all or nothing.
        let outcome = match result {
            Ok(()) if is_query => {
                code.instance.roll_back(&self.engine, &checkpoint);
                canister.stable.roll_back();
                canister.version += 1;
                Outcome::Committed(effects)
            }
            Ok(()) => {
                canister.stable.commit();
                if let Some(data) = &effects.certified_data {
                    canister.certified_data.clone_from(data);
                }
                if let Some(timer) = effects.global_timer {
                    canister.global_timer = timer;
                }
                canister.version += 1;
                Outcome::Committed(effects)
            }
            Err(reject) => {
                code.instance.roll_back(&self.engine, &checkpoint);
                canister.stable.roll_back();
                // The log stays: it is how one learns why.
                canister.write_log(
                    self.time,
                    format!("[TRAP]: {}", reject.message).into_bytes(),
                );
                Outcome::Undone {
                    reject,
                    discarded: effects,
                }
            }
        };
        self.checkpoint = checkpoint;
        canister.code = Some(code);
        Run {
            outcome,
            instructions,
            changed_memory,
        }
    }

    /// Puts back what an execution borrowed of the canister, and returns what it did.
    pub(crate) fn take_back(&self, canister: &mut Canister, api: SystemApi) -> Effects {
        let SystemApi {
            effects,
            stable,
            open_calls,
            log,
            ..
        } = api;
        canister.stable = stable;
        canister.open_calls = open_calls;
        for content in log {
            canister.write_log(self.time, content);
        }
        effects
    }

    /// The view of an execution that belongs to no call context.
    pub(crate) fn bare_view(
        &self,
        canister: &Canister,
        entry_point: EntryPoint,
        caller: Principal,
        argument: Vec<u8>,
    ) -> View {
        View {
            entry_point,
            subnet: Arc::clone(&self.subnet),
            canister: canister.id,
            settings: Arc::clone(&canister.settings),
            version: canister.version,
            status: canister.status.number(),
            time: self.time,
            caller,
            argument,
            reject: None,
            method: String::new(),
            deadline: None,
            refunded: 0,
            responded: true,
            context_instructions: 0,
            replicated: true,
            certified_data: None,
            freezing_limit: canister.freezing_limit(),
            callback_instructions: self.limits.message,
            queue_capacity: self.queue_capacity,
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

/// Calls into an instance. Nothing is kept or put back here.
pub(crate) fn run(
    instance: &mut Instance<SystemApi>,
    entry: Entry<'_>,
    api: SystemApi,
    limits: Limits,
) -> (SystemApi, Result<(), Reject>, u64) {
    let canister = api.view.canister;
    let (mut api, result, instructions) = instance.call(entry, api, limits);
    api.finish();
    let result = result.map_err(|fault| reject_of_fault(canister, &fault));
    (api, result, instructions)
}

fn enter(closure: Closure) -> Entry<'static> {
    Entry::Closure {
        function: closure.function,
        environment: closure.environment,
    }
}
