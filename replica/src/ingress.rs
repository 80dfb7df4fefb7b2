//! The way in: the calls and queries of users (Interface Specification, "Abstract behavior", "API
//! Request submission" and "Query call").

use candid::Principal;

use crate::fees;
use crate::inspection::inspect;
use crate::management;
use crate::message::{
    CallResult, CanisterId, ErrorCode, IngressId, IngressMessage, Message, Reject,
};
use crate::query;
use crate::rejects::{not_found, out_of_cycles, too_much_waits};
use crate::replica::{IngressStatus, Replica};

impl Replica {
    /// Takes in a message from a user, as the network would: the canister may refuse it unexecuted.
    ///
    /// # Errors
    ///
    /// A reject, if the message is not taken in. Then nothing of it is executed.
    pub fn submit(
        &mut self,
        sender: Principal,
        receiver: CanisterId,
        method: &str,
        argument: &[u8],
    ) -> Result<IngressId, Reject> {
        let limit = self.environment.limits.ingress_size;
        if argument.len() > limit {
            return Err(Reject::new(
                ErrorCode::InvalidManagementPayload,
                format!(
                    "the argument has {} bytes; an ingress message can carry {limit}",
                    argument.len()
                ),
            ));
        }
        if self.pool.size() >= self.environment.limits.waiting_size {
            return Err(too_much_waits());
        }
        if receiver == Principal::management_canister() {
            management::accept(self, sender, method, argument)?;
        } else if !self.native.contains_key(&receiver) {
            self.induct(sender, receiver, method, argument)?;
        }
        let id = IngressId(self.next_ingress);
        self.next_ingress += 1;
        self.ingress.insert(id, IngressStatus::Processing);
        self.pool.push(Message::Ingress(IngressMessage {
            id,
            sender,
            receiver,
            method: method.to_owned(),
            argument: argument.to_vec(),
        }));
        Ok(id)
    }

    /// Asks the canister whether it accepts a message, and charges for taking it in.
    fn induct(
        &mut self,
        sender: Principal,
        receiver: CanisterId,
        method: &str,
        argument: &[u8],
    ) -> Result<(), Reject> {
        let Some(canister) = self.canisters.get_mut(&receiver) else {
            return Err(not_found(receiver));
        };
        inspect(&mut self.environment, canister, sender, method, argument)?;
        let fee = fees::ingress(method, argument);
        if canister.liquid_balance() < fee {
            return Err(out_of_cycles(receiver));
        }
        canister.balance -= fee;
        self.environment.consumed += fee;
        Ok(())
    }

    /// Submits a message and delivers messages until it is answered. `None` if nothing more can
    /// be delivered and it is not: it waits for the clock, or for a canister that waits.
    ///
    /// # Errors
    ///
    /// The reject that the user gets.
    pub fn call(
        &mut self,
        sender: Principal,
        receiver: CanisterId,
        method: &str,
        argument: &[u8],
    ) -> Option<CallResult> {
        let id = match self.submit(sender, receiver, method, argument) {
            Ok(id) => id,
            Err(reject) => return Some(Err(reject)),
        };
        loop {
            if let Some(IngressStatus::Answered(result)) = self.ingress.get(&id) {
                return Some(result.clone());
            }
            if !self.step() {
                return None;
            }
        }
    }

    /// Executes a query or composite query, whose changes are discarded.
    ///
    /// # Errors
    ///
    /// The reject that the user gets.
    pub fn query(
        &mut self,
        sender: Principal,
        receiver: CanisterId,
        method: &str,
        argument: &[u8],
    ) -> CallResult {
        query::by_user(self, sender, receiver, method, argument)
    }
}
