//! A replica as a node of a network: what can be done with it from outside, each with a record of it.

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError, RwLock, RwLockWriteGuard};
use std::time::{Duration, Instant};

use tokio::sync::oneshot;

use super::base::{Base, Panicked};
use super::keeping::Keeping;
use super::record::{Change, Record, counters, fingerprint};
use super::request::{Clock, NewRequest, Request, RequestId, now};
use super::threads::Long;
use crate::canister::QueryStatistics;
use crate::hold::Delivery;
use crate::journal::Journal;
use crate::message::{CanisterId, ErrorCode, IngressId, Reject, Time};
use crate::message_name::MessageName;
use crate::replica::{IngressStatus, Replica};

/// How many messages are delivered before the owner looks for commands.
const STEPS_BETWEEN_COMMANDS: usize = 16;

/// When so much time has passed, it looks for commands after the message that it delivers then.
const TURN: Duration = Duration::from_millis(50);

/// A replica and what belongs to it as a node of a network.
pub struct Node {
    /// The replica. What changes it for good has a method of the node, which records it.
    pub replica: Replica,
    /// The calls that were taken in; those who read from the node share them.
    pub(super) requests: Arc<RwLock<BTreeMap<RequestId, Request>>>,
    waiting: Vec<(IngressId, oneshot::Sender<Arc<IngressStatus>>)>,
    pub(super) clock: Clock,
    /// What was done is recorded here, if it is to be remembered.
    pub(super) journal: Option<Journal>,
    /// A state to go back to, if the program panics.
    pub(super) base: Option<Base>,
    /// The folder in which the journal is.
    pub(super) keeping: Option<Keeping>,
    /// The messages that take long.
    pub(super) long: Long,
}

impl Node {
    pub(super) fn new(replica: Replica) -> Self {
        Node {
            replica,
            requests: Arc::default(),
            waiting: Vec::new(),
            clock: Clock::default(),
            journal: None,
            base: None,
            keeping: None,
            long: Long::default(),
        }
    }

    /// The node as one can read from it.
    pub(super) fn fork_to_read(&self) -> Self {
        Node {
            replica: self.replica.fork_to_read(),
            requests: Arc::clone(&self.requests),
            waiting: Vec::new(),
            clock: self.clock.clone(),
            journal: None,
            base: None,
            keeping: None,
            long: Long::default(),
        }
    }

    /// The replica's clock.
    pub fn now(&self) -> Time {
        self.clock.now()
    }

    /// A call that was taken in.
    pub fn request(&self, id: &RequestId) -> Option<Request> {
        let requests = self.requests.read();
        let requests = requests.unwrap_or_else(PoisonError::into_inner);
        let request = requests.get(id).cloned()?;
        // The owner may have taken in others since.
        self.replica
            .has_taken_in(request.ingress)
            .then_some(request)
    }

    /// The calls that were taken in, to be changed.
    pub(super) fn requests(&self) -> RwLockWriteGuard<'_, BTreeMap<RequestId, Request>> {
        let requests = self.requests.write();
        requests.unwrap_or_else(PoisonError::into_inner)
    }

    /// Counts what queries used that others evaluated.
    pub(super) fn count_queries(&mut self, used: BTreeMap<CanisterId, QueryStatistics>) {
        for (id, more) in used {
            if let Some(canister) = self.replica.canisters.get_mut(&id) {
                let total = canister.query_statistics.plus(more);
                canister.query_statistics = total;
                self.replica.queried.insert(id, total);
            }
        }
    }

    /// Takes in a call and says when it is answered, and how; nothing, if the answer is forgotten
    /// already. A call that is known already is not taken in again.
    ///
    /// # Errors
    ///
    /// The reject of a call that is not taken in.
    pub fn submit(
        &mut self,
        new: NewRequest,
    ) -> Result<oneshot::Receiver<Arc<IngressStatus>>, Reject> {
        self.follow_the_clock();
        let ingress = match self.request(&new.id) {
            Some(known) => known.ingress,
            None => {
                let taken_in = self.guarded(|node| node.take_in(&new));
                let ingress = taken_in.unwrap_or_else(|Panicked| Err(failed(new.receiver)))?;
                self.record(Change::Submitted(new));
                ingress
            }
        };
        let (done, when_done) = oneshot::channel();
        self.waiting.push((ingress, done));
        Ok(when_done)
    }

    pub(super) fn take_in(&mut self, new: &NewRequest) -> Result<IngressId, Reject> {
        let (sender, receiver) = (new.sender, new.receiver);
        let ingress =
            self.replica
                .submit_envelope(sender, receiver, &new.method, &new.argument, new.size)?;
        let request = Request {
            ingress,
            sender,
            receiver,
            effective_canister_id: new.effective_canister_id,
            expiry: new.expiry,
        };
        if request.is_kept(now()) {
            self.requests().insert(new.id, request);
        }
        Ok(ingress)
    }

    /// Moves the replica's clock ahead, and begins with what becomes due.
    pub fn advance_clock(&mut self, duration: Duration) {
        let nanoseconds = u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX);
        self.clock.advance(nanoseconds);
        self.follow_the_clock();
        self.replica.tick();
        self.record(Change::Advanced(nanoseconds));
        self.run();
    }

    /// Holds all messages back, or lets them go again.
    pub fn hold(&mut self, hold: bool) {
        self.replica.hold_messages(hold);
        self.record(Change::Held(hold));
    }

    /// Delivers one message that is held back.
    ///
    /// # Errors
    ///
    /// As of [`Replica::deliver_message`].
    pub fn deliver(&mut self, message: MessageName, how: Delivery) -> Result<(), String> {
        self.follow_the_clock();
        match self.guarded(|node| node.replica.deliver_message(message, how)) {
            Ok(delivered) => {
                delivered?;
                self.record(Change::DeliveredOne(message, how));
            }
            Err(Panicked) => self.give_up(message),
        }
        Ok(())
    }

    /// What happens from time to time, whatever else happens.
    /// Returns whether something was due.
    pub(super) fn tick(&mut self) -> bool {
        self.follow_the_clock();
        let before = counters(&self.replica);
        self.replica.tick();
        // Mostly there is nothing to do. Then the time is that of the next record.
        let changed = counters(&self.replica) != before;
        if changed {
            self.record(Change::Ticked);
        }
        self.forget_old_requests();
        changed
    }

    /// Delivers some messages. Returns how many.
    pub(super) fn run(&mut self) -> usize {
        let (before, began) = (counters(&self.replica), Instant::now());
        let mut delivered = 0;
        let (mut given_up, mut begun) = (None, None);
        while delivered < STEPS_BETWEEN_COMMANDS
            && began.elapsed() < TURN
            && let Some(name) = self.replica.next_message()
        {
            match self.guarded(|node| node.deliver_patiently(name)) {
                Ok(true) if std::mem::take(&mut self.replica.environment.ahead.ran_out) => {
                    self.go_back_before_long(delivered);
                    begun = Some(name);
                    break;
                }
                Ok(true) => delivered += 1,
                Ok(false) => break,
                Err(Panicked) => {
                    // What was delivered in this turn is not recorded yet.
                    self.replica.run(delivered);
                    given_up = Some(name);
                    break;
                }
            }
        }
        // A timer that is due joins the other messages, even if none can be delivered.
        self.replica.schedule_due_timers();
        let work = began.elapsed();
        if let Some(keeping) = &mut self.keeping {
            keeping.work += work;
        }
        if let Some(base) = &mut self.base {
            base.work += work;
        }
        if delivered > 0 || counters(&self.replica) != before {
            self.record(Change::Delivered(delivered));
        }
        if let Some(name) = given_up {
            self.give_up(name);
            delivered += 1;
        }
        if let Some(name) = begun {
            self.begin_long(name);
            delivered += 1;
        }
        delivered
    }

    /// Delivers a message, but has it fail if it takes long.
    fn deliver_patiently(&mut self, name: MessageName) -> bool {
        let can_go_back = self.base.is_some() && self.replica.policy.is_oldest_first();
        self.replica.environment.ahead.patience = can_go_back.then_some(self.long.patience);
        let delivered = self.replica.deliver_next(name);
        self.replica.environment.ahead.patience = None;
        delivered
    }

    /// Sets the replica's time to its clock's.
    pub(super) fn follow_the_clock(&mut self) {
        self.replica.set_time(self.clock.now());
    }

    /// Tells those whose call is answered.
    pub(super) fn tell(&mut self) {
        let replica = &self.replica;
        let is_done = |(id, done): &mut (IngressId, oneshot::Sender<_>)| {
            done.is_closed() || replica.ingress_status(*id) != Some(&IngressStatus::Processing)
        };
        for (id, done) in self.waiting.extract_if(.., is_done) {
            if let Some(status) = replica.ingress.shared(&id) {
                // Who no longer waits need not be told.
                let _gone = done.send(status);
            }
        }
    }

    fn forget_old_requests(&mut self) {
        let now = now();
        self.requests().retain(|_, request| request.is_kept(now));
    }

    pub(super) fn record_given_up(&mut self, message: MessageName) {
        self.record(Change::GaveUp(message));
    }

    /// Records a change that was just made.
    pub(super) fn record(&mut self, change: Change) {
        if self.journal.is_none() && self.base.is_none() {
            return;
        }
        let record = Record {
            time: self.replica.time(),
            queried: std::mem::take(&mut self.replica.queried),
            change,
            fingerprint: fingerprint(&self.replica),
        };
        if let Some(journal) = &mut self.journal {
            journal.add(&record.encode());
        }
        if let Some(base) = &mut self.base {
            base.add(record);
        }
    }

    pub(super) fn is_saved(&self) -> bool {
        self.journal.as_ref().is_none_or(Journal::is_saved)
    }

    pub(super) fn is_full(&self) -> bool {
        self.journal.as_ref().is_some_and(Journal::is_full)
    }

    /// Has the disk remember everything that was done.
    pub(super) fn save(&mut self) -> Result<(), String> {
        self.journal.as_mut().map_or(Ok(()), Journal::save)
    }
}

/// The reject of a call over which the program panicked when it was to be taken in.
fn failed(receiver: CanisterId) -> Reject {
    eprintln!(
        "error: local-replica failed over a call for the canister {receiver}, which was not taken in. \
         This is a fault of local-replica: please report it, with the lines above"
    );
    Reject::new(
        ErrorCode::CanisterTrapped,
        format!(
            "Error from Canister {receiver}: the local replica itself failed (it panicked) over this \
             call; what it printed says more"
        ),
    )
}
