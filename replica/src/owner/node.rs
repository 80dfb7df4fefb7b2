//! A replica as a node of a network: what can be done with it from outside, each with a record of it.

use std::collections::BTreeMap;
use std::time::Duration;

use tokio::sync::oneshot;

use super::record::{Change, Record, counters, fingerprint};
use super::request::{Clock, NewRequest, Request, RequestId, now};
use crate::hold::Delivery;
use crate::journal::Journal;
use crate::message::{IngressId, Reject, Time};
use crate::message_name::MessageName;
use crate::replica::{IngressStatus, Replica};

/// How many messages are delivered before the owner looks for commands. Journals rely on it: with
/// another number they have another format.
pub(super) const STEPS_BETWEEN_COMMANDS: usize = 16;

/// A replica and what belongs to it as a node of a network.
pub struct Node {
    /// The replica. What changes it for good has a method of the node, which records it.
    pub replica: Replica,
    pub(super) requests: BTreeMap<RequestId, Request>,
    waiting: Vec<(IngressId, oneshot::Sender<()>)>,
    pub(super) clock: Clock,
    /// What was done is recorded here, if it is to be remembered.
    pub(super) journal: Option<Journal>,
}

impl Node {
    pub(super) fn new(replica: Replica) -> Self {
        Node {
            replica,
            requests: BTreeMap::new(),
            waiting: Vec::new(),
            clock: Clock::default(),
            journal: None,
        }
    }

    /// The replica's clock.
    pub fn now(&self) -> Time {
        self.clock.now()
    }

    /// A call that was taken in.
    pub fn request(&self, id: &RequestId) -> Option<&Request> {
        self.requests.get(id)
    }

    /// Takes in a call and says when it is answered. A call that is known already is not taken in
    /// again.
    ///
    /// # Errors
    ///
    /// The reject of a call that is not taken in.
    pub fn submit(&mut self, new: NewRequest) -> Result<oneshot::Receiver<()>, Reject> {
        self.follow_the_clock();
        let ingress = match self.requests.get(&new.id) {
            Some(known) => known.ingress,
            None => {
                let ingress = self.take_in(&new)?;
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
            self.requests.insert(new.id, request);
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
        self.replica.deliver_message(message, how)?;
        self.record(Change::DeliveredOne(message, how));
        Ok(())
    }

    /// What happens from time to time, whatever else happens.
    pub(super) fn tick(&mut self) {
        self.follow_the_clock();
        let before = counters(&self.replica);
        self.replica.tick();
        // Mostly there is nothing to do. Then the time is that of the next record.
        if counters(&self.replica) != before {
            self.record(Change::Ticked);
        }
        self.forget_old_requests();
    }

    /// Delivers some messages. Returns how many.
    pub(super) fn run(&mut self) -> usize {
        let before = counters(&self.replica);
        let delivered = self.replica.run(STEPS_BETWEEN_COMMANDS);
        // A timer that is due joins the other messages, even if none can be delivered.
        if delivered > 0 || counters(&self.replica) != before {
            self.record(Change::Delivered(delivered));
        }
        delivered
    }

    /// Sets the replica's time to its clock's.
    fn follow_the_clock(&mut self) {
        self.replica.set_time(self.clock.now());
    }

    /// Tells those whose call is answered.
    pub(super) fn tell(&mut self) {
        let replica = &self.replica;
        let is_done = |(id, done): &mut (IngressId, oneshot::Sender<()>)| {
            done.is_closed() || replica.ingress_status(*id) != Some(&IngressStatus::Processing)
        };
        for (_, done) in self.waiting.extract_if(.., is_done) {
            // Who no longer waits need not be told.
            let _gone = done.send(());
        }
    }

    fn forget_old_requests(&mut self) {
        let now = now();
        self.requests.retain(|_, request| request.is_kept(now));
    }

    /// Records a change that was just made.
    fn record(&mut self, change: Change) {
        let Some(journal) = &mut self.journal else {
            return;
        };
        let record = Record {
            time: self.replica.time(),
            queried: std::mem::take(&mut self.replica.queried),
            change,
            fingerprint: fingerprint(&self.replica),
        };
        journal.add(&record.encode());
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
