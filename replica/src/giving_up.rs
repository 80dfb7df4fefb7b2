//! What becomes of a message that this program can't deliver, because it fails over it.

use crate::message::{CallOrigin, ErrorCode, Message, Reject, Response, SystemTask};
use crate::message_name::MessageName;
use crate::replica::Replica;

impl Replica {
    /// Delivers a message without executing anything: whoever waits for its answer gets a reject, as
    /// if it had trapped. Returns what it was, and nothing if it does not wait.
    pub(crate) fn give_up(&mut self, name: MessageName) -> Option<String> {
        self.pool.end(name);
        let receiver = self.pool.deliverable_message(name)?.receiver();
        let reject = Reject::new(
            ErrorCode::CanisterTrapped,
            format!(
                "Error from Canister {receiver}: the local replica itself failed (it panicked) while \
                 it executed this message, and undid it; what it printed says more"
            ),
        );
        let message = self.pool.take(name)?;
        let what = match &message {
            Message::Ingress(ingress) => format!("a user's call of '{}'", ingress.method),
            Message::Request(request) => format!("a canister's call of '{}'", request.method),
            Message::Response(_) => "the answer to a call".to_owned(),
            Message::Task(_, task) => format!("'{}'", task.export()),
        };
        match message {
            Message::Ingress(ingress) => {
                let origin = CallOrigin::Ingress {
                    id: ingress.id,
                    sender: ingress.sender,
                };
                self.answer_by_system(origin, receiver, &ingress.method, reject, 0);
            }
            Message::Request(request) => {
                let origin = CallOrigin::Canister {
                    sender: request.sender,
                    callback: request.callback,
                    deadline: request.deadline,
                };
                self.answer_by_system(origin, receiver, &request.method, reject, request.cycles);
            }
            Message::Response(response) => self.give_up_response(response, reject),
            Message::Task(_, SystemTask::GlobalTimer) => {
                if let Some(canister) = self.canisters.get_mut(&receiver) {
                    canister.global_timer = 0;
                }
                self.watch_timer(receiver);
            }
            Message::Task(_, SystemTask::Heartbeat | SystemTask::OnLowWasmMemory) => {}
        }
        Some(format!("{what}, for the canister {receiver}"))
    }

    /// The callback does not run, and its call context ends as if it had trapped.
    fn give_up_response(&mut self, response: Response, reject: Reject) {
        let receiver = response.receiver;
        let waiting = self.canisters.get_mut(&receiver).and_then(|canister| {
            let callback = canister.take_callback(response.callback)?;
            canister.balance += response.refund + callback.prepaid;
            Some(callback)
        });
        let Some(callback) = waiting else {
            self.lost += response.refund;
            return;
        };
        if let Some(deadline) = callback.deadline {
            self.deadlines
                .remove(&(deadline, receiver, response.callback));
        }
        self.close(receiver, callback.call_context, Some(reject));
    }
}
