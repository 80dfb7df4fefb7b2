//! The way in: the calls and queries of users (Interface Specification, "Abstract behavior", "API
//! Request submission" and "Query call").

use candid::Principal;

use crate::fees;
use crate::inspection::inspect;
use crate::management;
use crate::message::{
    CallResult, CanisterId, Cycles, ErrorCode, IngressId, IngressMessage, Message, Reject,
};
use crate::query;
use crate::rejects::{not_found, too_much_waits};
use crate::replica::{IngressStatus, Replica};

impl Replica {
    /// Takes in a message from a user, as the network would: the canister may refuse it unexecuted.
    /// It is taken to be signed with an Ed25519 key, which decides what it costs.
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
        let size = fees::envelope_size(method, argument);
        self.submit_envelope(sender, receiver, method, argument, size)
    }

    /// The same for a message that came in an envelope of so many bytes.
    ///
    /// # Errors
    ///
    /// A reject, if the message is not taken in. Then nothing of it is executed.
    pub fn submit_envelope(
        &mut self,
        sender: Principal,
        receiver: CanisterId,
        method: &str,
        argument: &[u8],
        size: usize,
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
        let payer = self.payer(receiver, method, argument);
        let fee = fees::ingress(size);
        if let Some(canister) = self.canisters.get(&receiver) {
            canister.check_running()?;
        }
        if let Some(payer) = payer {
            self.check_payer(payer, fee, &sender)?;
        }
        if receiver == Principal::management_canister() {
            management::accept(self, sender, method, argument)?;
        } else if let Some(canister) = self.canisters.get_mut(&receiver) {
            inspect(&mut self.environment, canister, sender, method, argument)?;
        }
        if let Some(payer) = payer.and_then(|payer| self.canisters.get_mut(&payer)) {
            payer.balance -= fee;
            payer.consumed.ingress += fee;
            self.environment.consumed += fee;
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

    /// The canister that pays for taking in a message: the one that it is for, or that a call of
    /// the management canister is about.
    fn payer(&self, receiver: CanisterId, method: &str, argument: &[u8]) -> Option<CanisterId> {
        if receiver == Principal::management_canister() {
            return management::payer(method, argument);
        }
        Some(receiver).filter(|receiver| !self.native.contains_key(receiver))
    }

    fn check_payer(
        &self,
        payer: CanisterId,
        fee: Cycles,
        sender: &Principal,
    ) -> Result<(), Reject> {
        let canister = self.canisters.get(&payer);
        canister
            .ok_or_else(|| not_found(payer))?
            .check_affordable(fee, sender)
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
