//! What canisters pay while time passes: for what they store, and for their compute allocation
//! (Interface Specification, "Cycles bookkeeping and resource consumption").

use std::sync::Arc;

use crate::canister::Canister;
use crate::fees;
use crate::message::{CanisterId, Time};
use crate::replica::Replica;

const SECOND: Time = 1_000_000_000;

/// How long the system waits between two charges, in nanoseconds.
const PERIOD: Time = 10 * SECOND;

impl Replica {
    /// Charges all canisters for the time that has passed. Who can't pay loses code and state.
    ///
    /// A time in which a canister does not cost a cycle yet is charged later: then nothing has
    /// changed, and nothing has to be remembered.
    pub(crate) fn charge_for_time(&mut self) {
        let now = self.environment.time;
        if now < self.charged_at.saturating_add(PERIOD) {
            return;
        }
        // Forks share the canisters that owe nothing. Who executes a message is charged after it.
        let owed = |canister: &Canister| {
            if self.pool.is_at_work(canister.id) {
                return None;
            }
            let seconds = now.saturating_sub(canister.charged_until) / SECOND;
            let cost = fees::idle(canister.idle_cost_per_day(), seconds);
            (cost > 0).then_some((canister.id, seconds, cost))
        };
        let due: Vec<_> = self.canisters.iter().filter_map(owed).collect();
        for (id, seconds, cost) in due {
            let Some(canister) = self.canisters.get_mut(&id) else {
                continue;
            };
            canister.charged_until += seconds * SECOND;
            self.charged_at = now;
            self.charges += 1;
            match canister.balance.checked_sub(cost) {
                Some(left) => {
                    canister.balance = left;
                    let stored = cost.min(fees::idle(canister.storage_cost_per_day(), seconds));
                    canister.consumed.memory += stored;
                    canister.consumed.compute_allocation += cost - stored;
                    self.environment.consumed += cost;
                }
                None => self.uninstall_without_cycles(id),
            }
        }
    }

    /// What becomes of a canister whose cycles have run out: an empty one without cycles and
    /// snapshots.
    fn uninstall_without_cycles(&mut self, id: CanisterId) {
        let Some(canister) = self.canisters.get_mut(&id) else {
            return;
        };
        canister.uninstall();
        canister.snapshots.clear();
        self.environment.instances.forget(id);
        canister.history.forget();
        canister.version += 1;
        let settings = Arc::make_mut(&mut canister.settings);
        settings.compute_allocation = 0;
        settings.memory_allocation = 0;
        let left = std::mem::take(&mut canister.balance);
        canister.consumed.uninstall += left;
        self.burned += left;
        self.abandon_calls(id, "Canister has been uninstalled");
    }
}
