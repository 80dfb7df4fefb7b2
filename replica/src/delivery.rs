//! What becomes of a message when it is delivered: the call context it belongs to, the execution,
//! and what follows from how that ended (Interface Specification, "Abstract behavior", "Message
//! execution" to "Call context removal").

use candid::Principal;

use crate::canister::{Canister, Status};
use crate::execution::{Outcome, Run, Task};
use crate::fees;
use crate::management;
use crate::message::{
    CallContext, CallContextId, CallOrigin, CanisterId, Cycles, ErrorCode, Message, Reject,
    Response, SystemTask,
};
use crate::module::MethodKind;
use crate::replica::{Replica, not_found, out_of_cycles};
use crate::timeline::Step;

impl Replica {
    /// Delivers one message.
    pub(crate) fn deliver(&mut self, message: Message) {
        match message {
            Message::Ingress(ingress) => {
                let origin = CallOrigin::Ingress {
                    id: ingress.id,
                    sender: ingress.sender,
                };
                self.deliver_call(
                    origin,
                    ingress.receiver,
                    ingress.method,
                    ingress.argument,
                    0,
                );
            }
            Message::Request(request) => {
                let origin = CallOrigin::Canister {
                    sender: request.sender,
                    callback: request.callback,
                    deadline: request.deadline,
                };
                let (method, argument) = (request.method, request.argument);
                self.deliver_call(origin, request.receiver, method, argument, request.cycles);
            }
            Message::Response(response) => self.deliver_response(response),
            Message::Task(canister, task) => self.deliver_task(canister, task),
        }
    }

    fn deliver_call(
        &mut self,
        origin: CallOrigin,
        receiver: CanisterId,
        method: String,
        argument: Vec<u8>,
        cycles: Cycles,
    ) {
        if receiver == Principal::management_canister() {
            return management::call(self, origin, &method, &argument, cycles);
        }
        let mut cycles = cycles;
        let caller = origin.caller();
        if let Some(result) = self.call_native(receiver, caller, &method, &argument, &mut cycles) {
            let time = self.environment.time;
            self.timeline
                .answered_by_system(receiver, caller, time, &method, &result);
            return self.respond(origin, receiver, result, cycles);
        }
        let kind = match self.admit(&origin, receiver, &method, cycles) {
            Ok(kind) => kind,
            Err(reject) => return self.answer_by_system(origin, receiver, &method, reject, cycles),
        };
        let Some(canister) = self.canisters.get_mut(&receiver) else {
            return;
        };
        let caller = origin.caller();
        let context = canister.open_call_context(CallContext {
            origin,
            responded: false,
            deleted: false,
            available_cycles: cycles,
            outstanding_callbacks: 0,
            instructions: 0,
        });
        let reserve = fees::execution(self.environment.limits.message_instructions);
        let task = Task::Method {
            kind,
            name: method.clone(),
            argument,
        };
        canister.balance -= reserve;
        let run = self
            .environment
            .execute(canister, context, task, canister.balance);
        let cost = fees::execution(run.instructions);
        self.settle(receiver, &run, reserve, cost);
        let step = Step::Method { kind, name: method };
        let whose = (receiver, context, caller);
        self.timeline
            .executed(whose, self.environment.time, step, &run);
        self.finish(receiver, context, run);
    }

    /// Whether a canister takes a call, and how the method is exported.
    fn admit(
        &self,
        origin: &CallOrigin,
        receiver: CanisterId,
        method: &str,
        cycles: Cycles,
    ) -> Result<MethodKind, Reject> {
        let Some(canister) = self.canisters.get(&receiver) else {
            return Err(not_found(receiver));
        };
        check_running(canister)?;
        let kind = find_method(canister, method)?;
        if kind == MethodKind::CompositeQuery {
            return Err(Reject::new(
                ErrorCode::CompositeQueryCalledInReplicatedMode,
                format!("Composite query method '{method}' cannot be called in replicated mode"),
            ));
        }
        let minimum = canister.settings.minimum_incoming_canister_call_cycles;
        if let CallOrigin::Canister { sender, .. } = origin
            && *sender != receiver
            && cycles < minimum
        {
            return Err(Reject::new(
                ErrorCode::InsufficientCyclesInCall,
                format!(
                    "Canister {receiver} takes calls with at least {minimum} cycles attached, not {cycles}"
                ),
            ));
        }
        match canister.liquid_balance()
            >= fees::execution(self.environment.limits.message_instructions)
        {
            true => Ok(kind),
            false => Err(out_of_cycles(receiver)),
        }
    }

    pub(crate) fn answer_by_system(
        &mut self,
        origin: CallOrigin,
        receiver: CanisterId,
        method: &str,
        reject: Reject,
        refund: Cycles,
    ) {
        let (time, caller) = (self.environment.time, origin.caller());
        let result = Err(reject);
        self.timeline
            .answered_by_system(receiver, caller, time, method, &result);
        self.respond(origin, receiver, result, refund);
    }

    fn deliver_response(&mut self, response: Response) {
        let receiver = response.receiver;
        let waiting = self.canisters.get_mut(&receiver).and_then(|canister| {
            let callback = canister.take_callback(response.callback)?;
            Some((canister, callback))
        });
        let Some((canister, callback)) = waiting else {
            // The caller was told SYS_UNKNOWN before: the answer and its cycles are lost.
            self.lost += response.refund;
            return;
        };
        if let Some(deadline) = callback.deadline {
            self.deadlines
                .remove(&(deadline, receiver, response.callback));
        }
        let context_id = callback.call_context;
        canister.balance += response.refund;
        let context = canister.call_contexts.get(&context_id);
        let runs = context.is_some_and(|context| !context.deleted) && canister.code.is_some();
        if !runs {
            canister.balance += callback.prepaid;
            self.close(receiver, context_id, None);
            return;
        }
        let caller = canister.call_contexts[&context_id].origin.caller();
        let reject = response.result.as_ref().err().cloned();
        let size = match &response.result {
            Ok(reply) => reply.len(),
            Err(reject) => reject.message.len(),
        };
        let closure = match reject {
            None => callback.on_reply,
            Some(_) => callback.on_reject,
        };
        let task = Task::Callback {
            closure,
            result: response.result,
            refund: response.refund,
        };
        let run = self
            .environment
            .execute(canister, context_id, task, canister.balance);
        let cost = fees::response(size) + fees::execution(run.instructions);
        self.settle(receiver, &run, callback.prepaid, cost);
        let whose = (receiver, context_id, caller);
        let step = Step::Callback {
            from: response.respondent,
            method: callback.method,
            reject: reject.clone(),
        };
        self.timeline
            .executed(whose, self.environment.time, step, &run);

        let run = match (&run.outcome, callback.on_cleanup) {
            (Outcome::Undone { reject: trap, .. }, Some(closure)) => {
                let task = Task::Cleanup {
                    closure,
                    reject: reject.map(|r| (r.code, r.message_for_canister())),
                    instructions: self.environment.limits.message_instructions - run.instructions,
                };
                let trap = trap.clone();
                self.clean_up(whose, task, trap, run)
            }
            _ => run,
        };
        self.finish(receiver, context_id, run);
    }

    /// Runs the cleanup of a callback that trapped. Its changes stay, but the callback stays
    /// undone. Returns how the two together ended.
    fn clean_up(
        &mut self,
        whose: (CanisterId, CallContextId, Principal),
        task: Task,
        trap: Reject,
        undone: Run,
    ) -> Run {
        let (receiver, context, _) = whose;
        let Some(canister) = self.canisters.get_mut(&receiver) else {
            return undone;
        };
        let run = self
            .environment
            .execute(canister, context, task, canister.balance);
        self.settle(receiver, &run, 0, Cycles::from(run.instructions));
        let time = self.environment.time;
        self.timeline.executed(whose, time, Step::Cleanup, &run);
        let Outcome::Undone { discarded, .. } = undone.outcome else {
            return run;
        };
        let reject = match &run.outcome {
            Outcome::Committed(_) => trap,
            Outcome::Undone { reject, .. } => Reject {
                message: format!(
                    "{}\ncall_on_cleanup also failed: {}",
                    trap.message, reject.message
                ),
                ..trap
            },
        };
        self.watch_timer(receiver);
        self.notice_low_memory(receiver);
        Run {
            outcome: Outcome::Undone { reject, discarded },
            instructions: undone.instructions + run.instructions,
            changed_memory: run.changed_memory,
        }
    }

    fn deliver_task(&mut self, receiver: CanisterId, task: SystemTask) {
        let reserve = fees::execution(self.environment.limits.message_instructions);
        let Some(canister) = self.canisters.get_mut(&receiver) else {
            return;
        };
        let exported = canister.code.as_ref();
        let exported = exported.is_some_and(|code| code.module.has_hook(task.export()));
        let now = self.environment.time;
        // The timer may have been set anew, or the code exchanged, since the task was scheduled.
        let is_due = match task {
            SystemTask::GlobalTimer => (1..=now).contains(&canister.global_timer),
            SystemTask::Heartbeat | SystemTask::OnLowWasmMemory => true,
        };
        if !exported || !is_due {
            return;
        }
        if !canister.is_running() || canister.liquid_balance() < reserve {
            // It waits until the canister runs again, or the clock moves.
            canister.low_memory_noticed &= task != SystemTask::OnLowWasmMemory;
            self.postponed.insert(receiver);
            return;
        }
        if task == SystemTask::GlobalTimer {
            canister.global_timer = 0;
        }
        let context = canister.open_call_context(CallContext {
            origin: CallOrigin::SystemTask,
            responded: true,
            deleted: false,
            available_cycles: 0,
            outstanding_callbacks: 0,
            instructions: 0,
        });
        canister.balance -= reserve;
        let run = self
            .environment
            .execute(canister, context, Task::System(task), canister.balance);
        let cost = fees::execution(run.instructions);
        self.settle(receiver, &run, reserve, cost);
        let whose = (receiver, context, Principal::management_canister());
        let step = Step::SystemTask(task);
        self.timeline
            .executed(whose, self.environment.time, step, &run);
        self.finish(receiver, context, run);
    }

    /// Takes the cost of an execution from what was reserved for it, and gives back the rest. A
    /// message that trapped pays too, but attaches, accepts and burns nothing.
    fn settle(&mut self, receiver: CanisterId, run: &Run, reserve: Cycles, cost: Cycles) {
        let Some(canister) = self.canisters.get_mut(&receiver) else {
            return;
        };
        if let Outcome::Committed(effects) = &run.outcome {
            canister.balance = effects.balance;
            self.burned += effects.burned;
            let fees: Cycles = effects.calls.iter().map(|call| call.fee).sum();
            self.environment.consumed += fees;
        }
        let cost = cost.min(canister.balance + reserve);
        canister.balance = canister.balance + reserve - cost;
        self.environment.consumed += cost;
    }

    /// Delivers the effects of an execution, and closes its call context if nothing is left to do.
    fn finish(&mut self, receiver: CanisterId, context_id: CallContextId, run: Run) {
        let Some(canister) = self.canisters.get_mut(&receiver) else {
            return;
        };
        let mut trap = None;
        let mut answer = None;
        if let Some(context) = canister.call_contexts.get_mut(&context_id) {
            context.instructions += run.instructions;
        }
        match run.outcome {
            Outcome::Undone { reject, .. } => trap = Some(reject),
            Outcome::Committed(effects) => {
                for call in effects.calls {
                    let request = canister.register_call(context_id, call);
                    if let Some(deadline) = request.deadline {
                        self.deadlines
                            .insert((deadline, receiver, request.callback));
                    }
                    self.pool.push(Message::Request(request));
                }
                if let Some(context) = canister.call_contexts.get_mut(&context_id) {
                    context.available_cycles = effects.available;
                    if let Some(result) = effects.response {
                        context.responded = true;
                        let refund = std::mem::take(&mut context.available_cycles);
                        answer = Some((context.origin.clone(), result, refund));
                    }
                }
                if effects.global_timer.is_some() {
                    self.watch_timer(receiver);
                }
                self.notice_low_memory(receiver);
            }
        }
        if let Some((origin, result, refund)) = answer {
            self.respond(origin, receiver, result, refund);
        }
        self.close(receiver, context_id, trap);
    }
}

/// Refuses calls to a canister that is stopping or stopped.
pub(crate) fn check_running(canister: &Canister) -> Result<(), Reject> {
    let id = canister.id;
    match canister.status {
        Status::Running => Ok(()),
        Status::Stopping { .. } => Err(Reject::new(
            ErrorCode::CanisterStopping,
            format!("Canister {id} is stopping"),
        )),
        Status::Stopped => Err(Reject::new(
            ErrorCode::CanisterStopped,
            format!("Canister {id} is stopped"),
        )),
    }
}

/// How a canister exports a method that can be called as an update.
pub(crate) fn find_method(canister: &Canister, method: &str) -> Result<MethodKind, Reject> {
    let id = canister.id;
    let Some(code) = &canister.code else {
        return Err(Reject::new(
            ErrorCode::CanisterWasmModuleNotFound,
            format!(
                "Error from Canister {id}: Attempted to execute a message, but the canister \
                 contains no Wasm module."
            ),
        ));
    };
    code.module.methods.get(method).copied().ok_or_else(|| {
        Reject::new(
            ErrorCode::CanisterMethodNotFound,
            format!("Error from Canister {id}: Canister has no update method '{method}'."),
        )
    })
}
