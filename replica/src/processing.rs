//! One execution from its beginning to its end: execute, settle, record, finish (Interface
//! Specification, "Abstract behavior", "Message execution" to "Call context removal").

use candid::Principal;

use crate::canister::Canister;
use crate::execution::{Outcome, Run, Task};
use crate::explanations::without_help;
use crate::fees;
use crate::message::{
    CallContext, CallContextId, CanisterId, Closure, Cycles, Message, RejectCode, Request, Response,
};
use crate::rejects::no_room_for_call;
use crate::replica::Replica;
use crate::timeline::Step;

/// The canister and the call context of an execution, and on whose behalf it is.
pub(crate) type Whose = (CanisterId, CallContextId, Principal);

/// What an execution costs.
pub(crate) struct Bill<'a> {
    /// Cycles taken from the balance before it.
    pub(crate) reserved: Cycles,
    /// The cost, by instructions.
    pub(crate) cost: &'a dyn Fn(u64) -> Cycles,
}

/// What runs if a callback traps.
pub(crate) struct Cleanup {
    /// What to call.
    pub(crate) closure: Closure,
    /// The reject that the callback was for, if it was for one.
    pub(crate) reject: Option<(RejectCode, String)>,
}

impl Replica {
    /// Opens a call context and executes its first message.
    pub(crate) fn begin(
        &mut self,
        receiver: CanisterId,
        context: CallContext,
        step: Step,
        task: Task,
    ) {
        let Some(canister) = self.canisters.get_mut(&receiver) else {
            return;
        };
        let caller = context.origin.caller();
        let context = canister.open_call_context(context);
        let memory64 = canister.memory64();
        let reserved = reserved_for(&task, memory64);
        canister.balance -= reserved;
        let bill = Bill {
            reserved,
            cost: &|instructions| fees::execution(instructions, memory64),
        };
        self.process((receiver, context, caller), step, task, &bill, None);
    }

    /// Executes a task, and its cleanup if that has to be, and delivers what follows.
    pub(crate) fn process(
        &mut self,
        whose: Whose,
        step: Step,
        task: Task,
        bill: &Bill<'_>,
        cleanup: Option<Cleanup>,
    ) {
        let Some(mut run) = self.execute(whose, step, task, bill) else {
            return;
        };
        if let Some(cleanup) = cleanup {
            run = self.clean_up(whose, cleanup, run);
        }
        let (receiver, context, _) = whose;
        self.finish(receiver, context, run);
    }

    /// Executes a task, settles what it costs, and records it.
    fn execute(&mut self, whose: Whose, step: Step, task: Task, bill: &Bill<'_>) -> Option<Run> {
        let (receiver, context, _) = whose;
        let canister = self.canisters.get_mut(&receiver)?;
        let told = self.environment.ahead.told_balance(canister.balance);
        let run = self.environment.execute(canister, context, task, told);
        let cost = (bill.cost)(run.instructions);
        self.settle(receiver, &run, bill.reserved, cost);
        let time = self.environment.time;
        self.timeline.executed(whose, time, step, &run);
        Some(run)
    }

    /// Runs the cleanup of a callback, if that trapped. The cleanup's changes stay, but the callback
    /// stays undone. Returns how the two together ended.
    fn clean_up(&mut self, whose: Whose, cleanup: Cleanup, callback: Run) -> Run {
        let (mut trap, discarded) = match callback.outcome {
            Outcome::Undone { reject, discarded } => (reject, discarded),
            Outcome::Committed(_) => return callback,
        };
        let limit = self.environment.limits.message_instructions;
        let canister = self.canisters.get(&whose.0);
        let memory64 = canister.is_some_and(Canister::memory64);
        let task = Task::Cleanup {
            closure: cleanup.closure,
            reject: cleanup.reject,
            instructions: limit - callback.instructions,
        };
        let bill = Bill {
            reserved: 0,
            cost: &|instructions| fees::instructions(instructions, memory64),
        };
        let Some(run) = self.execute(whose, Step::Cleanup, task, &bill) else {
            unreachable!("the canister is still there");
        };
        if let Outcome::Undone { reject, .. } = &run.outcome {
            // Nothing is said about what to do, and the canister is named once.
            let (first, second) = (without_help(&trap.message), without_help(&reject.message));
            let begin = format!("Error from Canister {}: ", whose.0);
            let second = second.strip_prefix(&begin).unwrap_or(second);
            trap.message = format!("{first}\n\ncall_on_cleanup also failed:\n\n{second}");
        }
        let (receiver, ..) = whose;
        self.watch_timer(receiver);
        self.notice_low_memory(receiver);
        Run {
            outcome: Outcome::Undone {
                reject: trap,
                discarded,
            },
            instructions: callback.instructions + run.instructions,
            changed_memory: run.changed_memory,
        }
    }

    /// Takes the cost of an execution from what was reserved for it, and gives back the rest. A
    /// message that trapped pays too, but attaches, accepts and burns nothing.
    fn settle(&mut self, receiver: CanisterId, run: &Run, reserve: Cycles, cost: Cycles) {
        let Some(canister) = self.canisters.get_mut(&receiver) else {
            return;
        };
        if let Outcome::Committed(effects) = &run.outcome {
            let (left, missing) = self.environment.ahead.true_balance(effects.balance);
            canister.balance = left;
            // Fees were taken meanwhile that it could have paid only otherwise.
            self.environment.consumed -= missing;
            self.burned += effects.burned;
            let fees: Cycles = effects.calls.iter().map(|call| call.fee).sum();
            self.environment.consumed += fees;
            canister.consumed.transmission += fees;
            canister.consumed.burned += effects.burned;
        }
        let cost = cost.min(canister.balance + reserve);
        canister.balance = canister.balance + reserve - cost;
        // What is not for the execution is for the response that was executed.
        let executed = cost.min(fees::execution(run.instructions, canister.memory64()));
        canister.consumed.instructions += executed;
        canister.consumed.transmission += cost - executed;
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
                    let message = match self.pool.size() < self.environment.limits.waiting_size {
                        true => Message::Request(request),
                        false => refused(request),
                    };
                    self.timeline.sent(message.name());
                    self.pool.push(message);
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

/// The system's answer to a call for which there is no room.
fn refused(request: Request) -> Message {
    Message::Response(Response {
        receiver: request.sender,
        callback: request.callback,
        respondent: request.receiver,
        result: Err(no_room_for_call(request.receiver)),
        refund: request.cycles,
    })
}

/// The cycles that are set aside for a task that opens a call context.
fn reserved_for(task: &Task, memory64: bool) -> Cycles {
    match task.is_query() {
        true => fees::reserved_for_query(memory64),
        false => fees::reserved_for_execution(memory64),
    }
}
