//! What happens if the program panics over a message: the state from before is found again, and the
//! message is given up. Everything else goes on.

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

use super::base::{Base, Panicked};
use super::node::Node;
use crate::message_name::MessageName;

impl Node {
    /// Has a state to go back to, one that is not old.
    pub(super) fn renew_base(&mut self) {
        if self.base.as_ref().is_none_or(Base::is_old) {
            self.base = Some(Base::new(self.replica.fork(), self.clock.ahead()));
        }
    }

    /// Does something that may panic. Then the node goes back to where it was when it recorded
    /// something last.
    pub(super) fn guarded<T>(&mut self, deed: impl FnOnce(&mut Node) -> T) -> Result<T, Panicked> {
        match catch_unwind(AssertUnwindSafe(|| deed(self))) {
            Ok(result) => Ok(result),
            Err(panic) => match self.go_back() {
                true => Err(Panicked),
                false => resume_unwind(panic),
            },
        }
    }

    /// Goes back to before a message that takes long, which was delivered after so many others that are
    /// not recorded yet.
    pub(super) fn go_back_before_long(&mut self, delivered: usize) {
        let queried = std::mem::take(&mut self.replica.queried);
        let instances = std::mem::take(&mut self.replica.environment.instances);
        assert!(self.go_back(), "what is replayed comes out the same");
        self.replica.environment.instances = instances;
        for (id, statistics) in queried {
            if let Some(canister) = self.replica.canisters.get_mut(&id) {
                canister.query_statistics = statistics;
                self.replica.queried.insert(id, statistics);
            }
        }
        self.replica.run(delivered);
    }

    /// Returns whether that was possible.
    fn go_back(&mut self) -> bool {
        let Some(base) = self.base.take() else {
            return false;
        };
        self.replica = base.replica.fork();
        self.clock.set_ahead(base.clock_offset);
        let mut records = base.since.iter();
        let is_same = records.all(|record| self.replay(record).is_some());
        self.base = Some(base);
        is_same
    }

    /// Gives up a message over which the program panicked, and says so.
    pub(super) fn give_up(&mut self, name: MessageName) {
        if let Some(what) = self.replica.give_up(name) {
            eprintln!(
                "error: local-replica failed over {what} (the message '{name}'). The message was \
                 rejected, and everything else goes on. This is a fault of local-replica: please \
                 report it, with the lines above"
            );
            self.record_given_up(name);
        }
    }
}
