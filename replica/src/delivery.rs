//! What becomes of a message when it is delivered: who answers it, or what is executed and in which
//! call context (Interface Specification, "Abstract behavior", "Call context creation" and "Callback
//! invocation").

use candid::Principal;

use crate::execution::Task;
use crate::fees;
use crate::management;
use crate::message::{
    CallContext, CallOrigin, CanisterId, Cycles, ErrorCode, Message, Reject, Response, SystemTask,
};
use crate::message_name::MessageName;
use crate::module::MethodKind;
use crate::processing::{Bill, Cleanup};
use crate::rejects::not_found;
use crate::replica::Replica;
use crate::timeline::Step;

impl Replica {
    /// Delivers the next message, unless they are held back. Returns whether there was one.
    pub fn step(&mut self) -> bool {
        let next = self.next_message();
        next.is_some_and(|name| self.deliver_next(name))
    }

    /// The message that goes next, unless they are held back.
    pub(crate) fn next_message(&mut self) -> Option<MessageName> {
        self.schedule_due_timers();
        match self.holding {
            true => None,
            false => self.policy.next(&self.pool),
        }
    }

    /// Delivers a message, if it may go next. Returns whether it may.
    pub(crate) fn deliver_next(&mut self, name: MessageName) -> bool {
        let Some(message) = self.pool.take(name) else {
            return false;
        };
        match self.at_work_about(&message) {
            Some(canister) => self.pool.postpone(canister, message),
            None => self.deliver(message),
        }
        true
    }

    /// The canister that the management canister is asked about, if that is at work on a message.
    pub(crate) fn at_work_about(&self, message: &Message) -> Option<CanisterId> {
        self.pool.begun().next()?;
        let (receiver, method, argument) = match message {
            Message::Ingress(ingress) => (ingress.receiver, &ingress.method, &ingress.argument),
            Message::Request(request) => (request.receiver, &request.method, &request.argument),
            Message::Response(_) | Message::Task(..) => return None,
        };
        if receiver != Principal::management_canister() {
            return None;
        }
        let about = management::effective::canister_id(method, argument)?;
        self.pool.is_at_work(about).then_some(about)
    }

    /// Notes that a canister has begun to execute a message that may go next: until it has ended,
    /// nothing else is delivered to the canister.
    #[cfg(feature = "server")]
    pub(crate) fn begin_message(&mut self, name: MessageName) {
        let message = self.pool.deliverable_message(name);
        let canister = message.and_then(|message| self.canisters.get(&message.receiver()));
        if let Some(balance) = canister.map(|canister| canister.balance) {
            self.pool.begin(name, self.environment.time, balance);
        }
    }

    /// Delivers a message whose execution had begun. It does not see what changed since. Returns
    /// whether there was one.
    #[cfg(feature = "server")]
    pub(crate) fn end_message(&mut self, name: MessageName) -> bool {
        let Some(begun) = self.pool.end(name) else {
            return false;
        };
        let message = self.pool.deliverable_message(name);
        let canister = message.and_then(|message| self.canisters.get(&message.receiver()));
        let balance = canister.map_or(begun.balance, |canister| canister.balance);
        self.environment.ahead.began_at = Some(begun.time);
        self.environment.ahead.gained = balance
            .cast_signed()
            .wrapping_sub(begun.balance.cast_signed());
        let delivered = self.deliver_next(name);
        self.environment.ahead.began_at = None;
        self.environment.ahead.gained = 0;
        delivered
    }

    /// Delivers messages until there are none, or `limit` were delivered. Returns how many.
    pub fn run(&mut self, limit: usize) -> usize {
        (0..limit).take_while(|_| self.step()).count()
    }

    /// Delivers one message.
    pub(crate) fn deliver(&mut self, message: Message) {
        self.timeline.delivering(message.name());
        self.receive(message);
        self.timeline.delivered();
    }

    fn receive(&mut self, message: Message) {
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
        let step = Step::Method {
            kind,
            name: method.clone(),
        };
        let task = Task::Method {
            kind,
            name: method,
            argument,
        };
        self.begin(receiver, CallContext::new(origin, cycles), step, task);
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
        canister.check_running()?;
        let kind = canister.find_method(method);
        let reserved = match kind {
            Ok(MethodKind::Query) => fees::reserved_for_query(canister.memory64()),
            _ => fees::reserved_for_execution(canister.memory64()),
        };
        canister.check_affordable(reserved, &origin.caller())?;
        let kind = kind?;
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
        Ok(kind)
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
        let memory64 = canister.memory64();
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
        let whose = (receiver, context_id, caller);
        let cleanup = callback.on_cleanup.map(|closure| Cleanup {
            closure,
            reject: reject.as_ref().map(|r| (r.code, r.message_for_canister())),
        });
        let step = Step::Callback {
            from: response.respondent,
            method: callback.method,
            reject,
        };
        let task = Task::Callback {
            closure,
            result: response.result,
            refund: response.refund,
        };
        let bill = Bill {
            reserved: callback.prepaid,
            cost: &|n| fees::response(size) + fees::execution(n, memory64),
        };
        self.process(whose, step, task, &bill, cleanup);
    }

    fn deliver_task(&mut self, receiver: CanisterId, task: SystemTask) {
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
        let reserve = fees::reserved_for_execution(canister.memory64());
        if !canister.is_running() || canister.liquid_balance() < reserve {
            // It waits until the canister runs again, or the clock moves.
            canister.low_memory_noticed &= task != SystemTask::OnLowWasmMemory;
            self.postponed.insert(receiver);
            return;
        }
        if task == SystemTask::GlobalTimer {
            canister.global_timer = 0;
        }
        let step = Step::SystemTask(task);
        let context = CallContext::new(CallOrigin::SystemTask, 0);
        self.begin(receiver, context, step, Task::System(task));
    }
}
