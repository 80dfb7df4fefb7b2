//! Answers, the end of call contexts, and what waits for it (Interface Specification, "Call context
//! starvation" and "Call context removal").

use candid::Principal;

use crate::canister::{Status, StopCall};
use crate::encoding::empty_reply;
use crate::message::{
    CallContextId, CallOrigin, CallResult, CanisterId, Cycles, IngressId, Message, Reject, Response,
};
use crate::message_name::MessageName;
use crate::rejects::{did_not_reply, no_response};
use crate::replica::{IngressStatus, Replica};

/// How many answers to users are kept.
const KEPT_ANSWERS: usize = 10_000;

/// How many bytes of answers to users are kept: 64 MiB.
const KEPT_ANSWERS_SIZE: usize = 64 * 1024 * 1024;

impl Replica {
    /// Gives an answer to whoever waits for it.
    pub(crate) fn respond(
        &mut self,
        origin: CallOrigin,
        respondent: CanisterId,
        result: CallResult,
        refund: Cycles,
    ) {
        match origin {
            CallOrigin::Ingress { id, .. } => {
                self.timeline.answered(MessageName::Ingress(id));
                self.keep_answer(id, result);
            }
            // The caller was told SYS_UNKNOWN: the answer and its cycles are lost.
            CallOrigin::Canister {
                sender,
                callback,
                deadline: Some(_),
            } if self.pool.has_response(sender, callback) => self.lost += refund,
            CallOrigin::Canister {
                sender, callback, ..
            } => {
                self.timeline.sent(MessageName::Response(sender, callback));
                self.pool.push(Message::Response(Response {
                    receiver: sender,
                    callback,
                    respondent,
                    result,
                    refund,
                }));
            }
            CallOrigin::SystemTask => {}
        }
    }

    /// Keeps an answer for its user; the oldest answers give way.
    fn keep_answer(&mut self, id: IngressId, result: CallResult) {
        let size = |result: &CallResult| match result {
            Ok(reply) => reply.len(),
            Err(reject) => reject.message.len(),
        };
        self.answers_size += size(&result);
        self.ingress.insert(id, IngressStatus::Answered(result));
        self.answered.push_back(id);
        while (self.answered.len() > KEPT_ANSWERS || self.answers_size > KEPT_ANSWERS_SIZE)
            && self.answered.len() > 1
            && let Some(oldest) = self.answered.pop_front()
        {
            let removed = self.ingress.remove(&oldest);
            if let Some(IngressStatus::Answered(result)) = removed.as_deref() {
                self.answers_size -= size(result);
            }
        }
    }

    /// Ends a call context that no callback can continue: a caller that was not answered gets a
    /// reject ("Call context starvation"), and a canister that waited for this stops.
    pub(crate) fn close(
        &mut self,
        receiver: CanisterId,
        context_id: CallContextId,
        trap: Option<Reject>,
    ) {
        let Some(canister) = self.canisters.get_mut(&receiver) else {
            return;
        };
        let context = canister.call_contexts.get(&context_id);
        if context.is_some_and(|context| context.outstanding_callbacks == 0)
            && let Some(context) = canister.call_contexts.remove(&context_id)
            && !context.responded
        {
            let reject = trap.unwrap_or_else(|| match context.origin {
                CallOrigin::Canister { .. } => no_response(),
                CallOrigin::Ingress { .. } | CallOrigin::SystemTask => did_not_reply(receiver),
            });
            self.respond(
                context.origin,
                receiver,
                Err(reject),
                context.available_cycles,
            );
        }
        self.stop_if_finished(receiver);
    }

    /// Turns a stopping canister into a stopped one when its last call context is gone.
    pub(crate) fn stop_if_finished(&mut self, id: CanisterId) {
        let Some(canister) = self.canisters.get_mut(&id) else {
            return;
        };
        let finished = canister.call_contexts.is_empty();
        if let Status::Stopping { waiting } = &mut canister.status
            && finished
        {
            let waiting = std::mem::take(waiting);
            canister.status = Status::Stopped;
            canister.version += 1;
            self.answer_stop_calls(waiting, &Ok(empty_reply()));
        }
    }

    /// Gives all these calls of `stop_canister` the same answer.
    pub(crate) fn answer_stop_calls(&mut self, calls: Vec<StopCall>, answer: &CallResult) {
        let management = Principal::management_canister();
        let time = self.environment.time;
        for call in calls {
            self.timeline
                .management(call.origin.caller(), time, "stop_canister", answer);
            self.respond(call.origin, management, answer.clone(), call.cycles);
        }
    }

    /// Answers all open calls of a canister whose code goes away. Responses that are still to come
    /// are not processed.
    pub(crate) fn abandon_calls(&mut self, id: CanisterId, reason: &str) {
        let Some(canister) = self.canisters.get_mut(&id) else {
            return;
        };
        let mut answers: Vec<(CallOrigin, CallResult, Cycles)> = Vec::new();
        for context in canister.call_contexts.values_mut() {
            context.deleted = true;
            if !context.responded {
                context.responded = true;
                let refund = std::mem::take(&mut context.available_cycles);
                let reject = Reject::by_canister(reason.to_owned());
                answers.push((context.origin.clone(), Err(reject), refund));
            }
        }
        canister
            .call_contexts
            .retain(|_, context| context.outstanding_callbacks > 0);
        for (origin, result, refund) in answers {
            self.respond(origin, id, result, refund);
        }
        self.stop_if_finished(id);
    }
}
