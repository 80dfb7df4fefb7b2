//! Queries and composite queries, whose changes are discarded (Interface Specification, "Query call").

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use candid::Principal;

use crate::backtraces::Failed;
use crate::canister::Canister;
use crate::environment::enter;
use crate::management;
use crate::message::{CallResult, CanisterId, ErrorCode, OutgoingCall, Reject};
use crate::module::MethodKind;
use crate::non_replicated::{put_back, run_in_place};
use crate::rejects::{did_not_reply, frozen, no_query_method, not_found};
use crate::replica::Replica;
use crate::stable_memory::Changes;
use crate::system_api::{Effects, EntryPoint, SystemApi, Trap, View, reject_of_fault};
use crate::wasm::{Allowance, Backtrace, Checkpoint, Entry, Fault};

/// How deep composite queries may call each other.
const MAX_DEPTH: usize = 6;

/// A query call by a user, with everything that it calls.
pub(crate) fn by_user(
    replica: &mut Replica,
    sender: Principal,
    receiver: CanisterId,
    method: &str,
    argument: &[u8],
) -> CallResult {
    if receiver == Principal::management_canister() {
        return management::query(replica, sender, method, argument);
    }
    let limit = replica.environment.limits.query_instructions;
    let mut evaluation = Evaluation {
        replica,
        instructions_left: limit,
        under_way: Vec::new(),
    };
    evaluation.evaluate(sender, receiver, method, argument.to_vec())
}

/// The evaluation of one query call by a user.
struct Evaluation<'a> {
    replica: &'a mut Replica,
    instructions_left: u64,
    /// The canisters whose composite queries wait for an answer, and their states before this
    /// evaluation: a call back to one of them starts from there.
    under_way: Vec<(CanisterId, State)>,
}

impl Evaluation<'_> {
    fn evaluate(
        &mut self,
        caller: Principal,
        receiver: CanisterId,
        method: &str,
        argument: Vec<u8>,
    ) -> CallResult {
        if let Some(result) = self
            .replica
            .query_native(receiver, caller, method, &argument)
        {
            return result;
        }
        if self.under_way.len() > MAX_DEPTH {
            return Err(Reject::new(
                ErrorCode::QueryCallGraphTooDeep,
                format!("Composite query calls are nested deeper than {MAX_DEPTH}"),
            ));
        }
        let canister = self.canister(receiver)?;
        canister.check_running()?;
        let kind = match canister.find_method(method) {
            Ok(kind @ (MethodKind::Query | MethodKind::CompositeQuery)) => kind,
            Err(reject) if reject.error_code != ErrorCode::CanisterMethodNotFound => {
                return Err(reject);
            }
            _ => return Err(no_query_method(receiver, method)),
        };
        if canister.liquid_balance() == 0 {
            return Err(frozen(receiver));
        }
        let request_bytes = argument.len() as u64;
        let instructions_before = self.instructions_left;

        // The state as this evaluation finds it, to be put back at its end. If the canister is
        // under way already, the state to start from is an older one.
        let found = self.checkpoint(receiver);
        let older = self.under_way.iter().position(|(id, _)| *id == receiver);
        if let Some(older) = older {
            let original = std::mem::take(&mut self.under_way[older].1);
            self.back_to(receiver, &original);
            self.under_way[older].1 = original;
        }
        self.under_way.push((receiver, found));
        let begun = older.unwrap_or(self.under_way.len() - 1);
        let result = self.run_to_the_end(caller, receiver, kind, method, argument, begun);
        let Some((_, found)) = self.under_way.pop() else {
            return result;
        };
        self.back_to(receiver, &found);
        if let Some(canister) = self.replica.canisters.get_mut(&receiver) {
            let statistics = &mut canister.query_statistics;
            statistics.calls += 1;
            statistics.instructions += instructions_before - self.instructions_left;
            statistics.request_bytes += request_bytes;
            statistics.response_bytes += match &result {
                Ok(reply) => reply.len() as u64,
                Err(reject) => reject.message.len() as u64,
            };
            self.replica.queried.insert(receiver, *statistics);
        }
        result
    }

    /// Runs the method, then the callbacks of its calls, until there is an answer or nothing that
    /// could give one. `begun` is whose state it begins with, of those under way.
    fn run_to_the_end(
        &mut self,
        caller: Principal,
        receiver: CanisterId,
        kind: MethodKind,
        method: &str,
        argument: Vec<u8>,
        begun: usize,
    ) -> CallResult {
        let entry_point = match kind {
            MethodKind::CompositeQuery => EntryPoint::CompositeQuery,
            _ => EntryPoint::Query,
        };
        let on_target = self.under_way.len() == 1;
        let canister = self.canister(receiver)?;
        let certified_data = on_target.then(|| canister.certified_data.clone());
        let mut used = 0;
        let mut view = self.view(receiver, entry_point, caller)?;
        view.certified_data = certified_data;
        view.argument = argument;
        let export = kind.export(method);
        let before = std::mem::take(&mut self.under_way[begun].1);
        let entry = Entry::Export(&export);
        let entered = self.enter(receiver, entry, view, &mut used, &before);
        self.under_way[begun].1 = before;
        let (mut effects, result) = entered?;
        result?;
        let mut open: VecDeque<OutgoingCall> = effects.calls.drain(..).collect();
        let mut answer = effects.response.take();
        while answer.is_none()
            && let Some(call) = open.pop_front()
        {
            let response = match call.receiver == Principal::management_canister() {
                true => management::query(self.replica, receiver, &call.method, &call.argument),
                false => self.evaluate(receiver, call.receiver, &call.method, call.argument),
            };
            let (entry_point, closure) = match &response {
                Ok(_) => (EntryPoint::CompositeReplyCallback, call.on_reply),
                Err(_) => (EntryPoint::CompositeRejectCallback, call.on_reject),
            };
            let mut view = self.view(receiver, entry_point, caller)?;
            match response {
                Ok(reply) => view.argument = reply,
                Err(reject) => view.reject = Some((reject.code, reject.message_in_query())),
            }
            let before = self.checkpoint(receiver);
            let (mut effects, result) =
                self.enter(receiver, enter(closure), view, &mut used, &before)?;
            match result {
                Ok(()) => {
                    open.extend(effects.calls.drain(..));
                    answer = effects.response.take();
                }
                Err(reject) => {
                    self.back_to(receiver, &before);
                    if let Some(closure) = call.on_cleanup {
                        let view = self.view(receiver, EntryPoint::CompositeCleanup, caller)?;
                        let (_, result) =
                            self.enter(receiver, enter(closure), view, &mut used, &before)?;
                        // A cleanup that traps as well has no one left to tell.
                        if result.is_err() {
                            self.back_to(receiver, &before);
                        }
                    }
                    // No other callback can make up for it.
                    return Err(reject);
                }
            }
        }
        answer.unwrap_or_else(|| Err(did_not_reply(receiver)))
    }

    fn enter(
        &mut self,
        receiver: CanisterId,
        entry: Entry<'_>,
        mut view: View,
        used: &mut u64,
        before: &State,
    ) -> Result<(Effects, Result<(), Reject>), Reject> {
        // Counted are the instructions of this canister in this call alone.
        view.context_instructions = *used;
        let limit = self.instructions_left;
        let Some(canister) = self.replica.canisters.get_mut(&receiver) else {
            return Err(not_found(receiver));
        };
        let balance = canister.balance;
        let (api, result, instructions) = run_in_place(canister, entry, view, balance, limit);
        self.instructions_left -= instructions;
        *used += instructions;
        let SystemApi { effects, view, .. } = api;
        let result = result.map_err(|fault| {
            let backtrace = self.locate(receiver, entry, view, instructions, &fault, before);
            reject_of_fault(receiver, &fault, backtrace.as_ref())
        });
        Ok((effects, result))
    }

    /// Finds out where an execution trapped, for a caller who may know. What it changed is put back.
    fn locate(
        &mut self,
        receiver: CanisterId,
        entry: Entry<'_>,
        view: View,
        used: u64,
        fault: &Fault<Trap>,
        before: &State,
    ) -> Option<Backtrace> {
        let code = self.replica.canisters.get(&receiver)?.code.as_ref()?;
        let module = Arc::clone(&code.module);
        let can_trace = self.replica.environment.can_trace(&module, fault);
        if !can_trace || !view.settings.may_read_log(&view.caller) {
            return None;
        }
        self.back_to(receiver, before);
        let canister = self.replica.canisters.get_mut(&receiver)?;
        let stable = std::mem::take(&mut canister.stable);
        let (balance, timer) = (canister.balance, canister.global_timer);
        let failed = Failed {
            module: &module,
            before: &before.instance,
            used: Allowance {
                instructions: used,
                memory: module.memory_limit(&view.limits),
                soft_memory: None,
            },
            fault,
        };
        let api = SystemApi::new(view, balance, 0, stable, BTreeMap::new(), timer);
        let (api, backtrace) = self.replica.environment.trace(&failed, entry, api);
        self.replica.canisters.get_mut(&receiver)?.stable = api.stable;
        self.back_to(receiver, before);
        backtrace
    }

    fn view(
        &self,
        receiver: CanisterId,
        entry_point: EntryPoint,
        caller: Principal,
    ) -> Result<View, Reject> {
        let canister = self.canister(receiver)?;
        let environment = &self.replica.environment;
        let mut view = environment.bare_view(canister, entry_point, caller, Vec::new());
        view.responded = false;
        view.replicated = false;
        Ok(view)
    }

    fn canister(&self, id: CanisterId) -> Result<&Canister, Reject> {
        self.replica.canisters.get(&id).ok_or_else(|| not_found(id))
    }

    fn checkpoint(&mut self, receiver: CanisterId) -> State {
        let mut state = State::default();
        if let Some(canister) = self.replica.canisters.get_mut(&receiver) {
            let changes = canister.stable.set_aside();
            canister.stable.make_again(changes.clone());
            state.stable = Some(changes);
            if let Some(code) = &mut canister.code {
                code.instance.begin(&mut state.instance);
            }
        }
        state
    }

    fn back_to(&mut self, receiver: CanisterId, state: &State) {
        if let Some(canister) = self.replica.canisters.get_mut(&receiver) {
            put_back(canister, &state.instance);
            if let Some(changes) = &state.stable {
                canister.stable.make_again(changes.clone());
            }
        }
    }
}

/// A canister's state in the course of an evaluation.
#[derive(Default)]
struct State {
    instance: Checkpoint,
    stable: Option<Changes>,
}
