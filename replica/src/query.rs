//! Queries and composite queries, whose changes are discarded (Interface Specification, "Query call").

use std::collections::VecDeque;

use candid::Principal;

use crate::canister::Canister;
use crate::environment::enter;
use crate::management;
use crate::message::{CallResult, CanisterId, ErrorCode, OutgoingCall, Reject};
use crate::module::MethodKind;
use crate::non_replicated::{Ended, Found};
use crate::rejects::{did_not_reply, frozen, no_query_method, not_found};
use crate::replica::Replica;
use crate::system_api::{EntryPoint, View};
use crate::wasm::Entry;

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
        depth: 0,
    };
    evaluation.evaluate(sender, receiver, method, argument.to_vec())
}

/// The evaluation of one query call by a user.
struct Evaluation<'a> {
    replica: &'a mut Replica,
    instructions_left: u64,
    /// How many composite queries wait for an answer.
    depth: usize,
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
        if self.depth > MAX_DEPTH {
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

        self.depth += 1;
        let result = self.run_to_the_end(caller, receiver, kind, method, argument);
        self.depth -= 1;
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
    /// could give one.
    fn run_to_the_end(
        &mut self,
        caller: Principal,
        receiver: CanisterId,
        kind: MethodKind,
        method: &str,
        argument: Vec<u8>,
    ) -> CallResult {
        let entry_point = match kind {
            MethodKind::CompositeQuery => EntryPoint::CompositeQuery,
            _ => EntryPoint::Query,
        };
        // A call back to a canister that is under way finds what the canister has committed, as this
        // evaluation does.
        let canister = self.canister(receiver)?;
        let Some(mut found) = Found::of(canister) else {
            return Err(no_query_method(receiver, method));
        };
        let certified_data = (self.depth == 1).then(|| canister.certified_data.clone());
        let mut used = 0;
        let mut view = self.view(receiver, entry_point, caller)?;
        view.certified_data = certified_data;
        view.argument = argument;
        let export = kind.export(method);
        let entry = Entry::Export(&export);
        let (result, _) = self.enter(&mut found, kind, entry, view, &mut used);
        let mut effects = result?;
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
            let (result, _) = self.enter(&mut found, kind, enter(closure), view, &mut used);
            let mut effects = match result {
                Ok(effects) => effects,
                Err(reject) => {
                    if let Some(closure) = call.on_cleanup {
                        let view = self.view(receiver, EntryPoint::CompositeCleanup, caller)?;
                        // A cleanup that traps as well has no one left to tell.
                        let _ = self.enter(&mut found, kind, enter(closure), view, &mut used);
                    }
                    // No other callback can make up for it.
                    return Err(reject);
                }
            };
            open.extend(effects.calls.drain(..));
            answer = effects.response.take();
        }
        answer.unwrap_or_else(|| Err(did_not_reply(receiver)))
    }

    /// Runs a part of an evaluation. Only a composite query has another part, which finds what this
    /// one changes.
    fn enter(
        &mut self,
        found: &mut Found,
        kind: MethodKind,
        entry: Entry<'_>,
        mut view: View,
        used: &mut u64,
    ) -> Ended {
        // Counted are the instructions of this canister in this call alone.
        view.context_instructions = *used;
        let (environment, limit) = (&mut self.replica.environment, self.instructions_left);
        let ended = match kind {
            MethodKind::CompositeQuery => found.run_and_keep(environment, entry, view, limit),
            _ => found.run(environment, entry, view, limit),
        };
        self.instructions_left -= ended.1;
        *used += ended.1;
        ended
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
}
