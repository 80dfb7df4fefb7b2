//! Where all cycles are: none may appear or vanish unexplained.

use crate::canister::Status;
use crate::message::{Cycles, Message};
use crate::replica::Replica;

/// Where all cycles are that a replica ever made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CyclesAccount {
    /// Cycles made out of nothing, by the provisional methods.
    pub minted: Cycles,
    /// In the balances of canisters.
    pub balances: Cycles,
    /// Attached to calls, refunds under way, and set aside for responses.
    pub in_flight: Cycles,
    /// Consumed by fees, for what is done and for what is stored.
    pub consumed: Cycles,
    /// Burned by canisters, deleted with them, or taken from those that could not pay any more.
    pub burned: Cycles,
    /// Refunds of bounded-wait calls whose caller no longer waited.
    pub lost: Cycles,
}

impl CyclesAccount {
    /// Whether nothing is missing and nothing is too much.
    pub fn is_balanced(&self) -> bool {
        let found = self.balances + self.in_flight + self.consumed + self.burned + self.lost;
        self.minted == found
    }
}

impl Replica {
    /// Where all cycles are.
    pub fn cycles(&self) -> CyclesAccount {
        let mut account = CyclesAccount {
            minted: self.minted,
            consumed: self.environment.consumed,
            burned: self.burned,
            lost: self.lost,
            ..CyclesAccount::default()
        };
        account.balances = self.native.values().map(|native| native.cycles()).sum();
        for canister in self.canisters.iter() {
            account.balances += canister.balance;
            let contexts = canister.call_contexts.values();
            account.in_flight += contexts.map(|c| c.available_cycles).sum::<Cycles>();
            if let Status::Stopping { waiting } = &canister.status {
                account.in_flight += waiting.iter().map(|call| call.cycles).sum::<Cycles>();
            }
            let callbacks = canister.callbacks.values();
            account.in_flight += callbacks.map(|c| c.prepaid).sum::<Cycles>();
        }
        for message in self.pool.iter() {
            account.in_flight += match message {
                Message::Request(request) => request.cycles,
                Message::Response(response) => response.refund,
                Message::Ingress(_) | Message::Task(..) => 0,
            };
        }
        account
    }
}
