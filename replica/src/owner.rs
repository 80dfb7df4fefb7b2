//! One thread owns the replica. Everybody else sends it commands through a channel, as a canister
//! is sent messages. With a journal it remembers what was done when the program starts anew.

mod memory;

use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock};
use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use candid::Principal;
use serde::{Deserialize, Serialize};
use tokio::sync::{mpsc, oneshot};

pub use self::memory::Resumed;
use self::memory::{Change, counters};
use crate::hold::Delivery;
use crate::journal::{Journal, Recovery};
use crate::message::{CanisterId, IngressId, Reject, Time};
use crate::pool::Sequence;
use crate::system_api::Subnet;
use crate::{IngressStatus, Replica};

/// How many commands may wait for the owner.
const CAPACITY: usize = 1024;

/// How many commands are done before messages are delivered. A call takes two commands and, with
/// the calls that it makes, several messages: with more commands, calls would be taken in faster
/// than they are executed, until canisters have more of them open than they may.
const COMMANDS_AT_A_TIME: usize = 4;

/// How many messages are delivered before the owner looks for commands. Journals rely on it: with
/// another number they have another format.
const STEPS_BETWEEN_COMMANDS: usize = 16;

/// How often heartbeats run, and the clock is looked at when nothing else happens.
const TICK: Duration = Duration::from_millis(200);

/// How long the answer to a request is kept after the request has expired, in nanoseconds.
const KEPT_AFTER_EXPIRY: Time = 5 * 60 * 1_000_000_000;

/// The hash that identifies a request.
pub type RequestId = [u8; 32];

/// Does something, and returns how to tell whoever asked for it.
type Command = Box<dyn FnOnce(&mut Node) -> Answer + Send>;

/// Tells somebody what came of a command.
type Answer = Box<dyn FnOnce()>;

/// A replica and what belongs to it as a node of a network.
pub struct Node {
    /// The replica. What changes it for good has a method of the node, which records it.
    pub replica: Replica,
    requests: BTreeMap<RequestId, Request>,
    waiting: Vec<(IngressId, oneshot::Sender<()>)>,
    /// How far the replica's clock was moved ahead of the machine's, in nanoseconds.
    clock_offset: u64,
    /// What was done is recorded here, if it is to be remembered.
    journal: Option<Journal>,
}

/// A call that was taken in.
#[derive(Clone, Debug)]
pub struct Request {
    /// Where its status is.
    pub ingress: IngressId,
    /// Who sent it.
    pub sender: Principal,
    /// The canister that it calls.
    pub receiver: CanisterId,
    /// The effective canister id that it was sent with; the subnet's id, if that was its path.
    pub effective_canister_id: CanisterId,
    /// When it expires.
    pub expiry: Time,
}

/// A call to be taken in.
#[derive(Serialize, Deserialize)]
pub struct NewRequest {
    /// Its id.
    #[serde(with = "serde_bytes")]
    pub id: RequestId,
    /// Who sends it.
    pub sender: Principal,
    /// The effective canister id, or the subnet's id if that is its path.
    pub effective_canister_id: CanisterId,
    /// When it expires.
    pub expiry: Time,
    /// The canister that it calls.
    pub receiver: CanisterId,
    /// The method that it calls.
    pub method: String,
    /// The method's argument.
    #[serde(with = "serde_bytes")]
    pub argument: Vec<u8>,
}

impl Node {
    fn new(replica: Replica) -> Self {
        Node {
            replica,
            requests: BTreeMap::new(),
            waiting: Vec::new(),
            clock_offset: 0,
            journal: None,
        }
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

    fn take_in(&mut self, new: &NewRequest) -> Result<IngressId, Reject> {
        let (sender, receiver) = (new.sender, new.receiver);
        let ingress = self
            .replica
            .submit(sender, receiver, &new.method, &new.argument)?;
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
        self.clock_offset = self.clock_offset.saturating_add(nanoseconds);
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
    pub fn deliver(&mut self, message: Sequence, how: Delivery) -> Result<(), String> {
        self.follow_the_clock();
        self.replica.deliver_message(message, how)?;
        self.record(Change::DeliveredOne(message, how));
        Ok(())
    }

    /// What happens from time to time, whatever else happens.
    fn tick(&mut self) {
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
    fn run(&mut self) -> usize {
        let before = counters(&self.replica);
        let delivered = self.replica.run(STEPS_BETWEEN_COMMANDS);
        // A timer that is due joins the other messages, even if none can be delivered.
        if delivered > 0 || counters(&self.replica) != before {
            self.record(Change::Delivered(delivered));
        }
        delivered
    }

    /// Sets the replica's clock to the machine's, as far as that is ahead.
    fn follow_the_clock(&mut self) {
        self.replica
            .set_time(now().saturating_add(self.clock_offset));
    }

    /// Tells those whose call is answered, and gives the answers to commands.
    fn tell(&mut self, answers: &mut Vec<Answer>) {
        let replica = &self.replica;
        let is_done = |(id, done): &mut (IngressId, oneshot::Sender<()>)| {
            done.is_closed() || replica.ingress_status(*id) != Some(&IngressStatus::Processing)
        };
        for (_, done) in self.waiting.extract_if(.., is_done) {
            // Who no longer waits need not be told.
            let _gone = done.send(());
        }
        answers.drain(..).for_each(|answer| answer());
    }

    fn forget_old_requests(&mut self) {
        let now = now();
        self.requests.retain(|_, request| request.is_kept(now));
    }
}

impl Request {
    fn is_kept(&self, now: Time) -> bool {
        now < self.expiry.saturating_add(KEPT_AFTER_EXPIRY)
    }
}

/// The machine's clock.
pub fn now() -> Time {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0, |since| {
        u64::try_from(since.as_nanos()).unwrap_or(u64::MAX)
    })
}

/// Reaches the owner from anywhere.
#[derive(Clone)]
pub struct Handle {
    commands: mpsc::Sender<Command>,
    /// Why there is no owner any more.
    failure: Arc<OnceLock<String>>,
    subnet: Arc<Subnet>,
}

/// The owner is gone: the program is stopping.
#[derive(Debug)]
pub struct Stopped;

impl Handle {
    /// Starts the thread that owns `replica`. It ends when the last handle is gone.
    ///
    /// # Errors
    ///
    /// If the thread can't be started.
    pub fn start(replica: Replica) -> std::io::Result<Self> {
        Handle::to(Node::new(replica))
    }

    /// Does everything again with the new `replica` that a journal says, and starts the thread that
    /// owns it. From then on, nothing is answered before the journal has it.
    ///
    /// # Errors
    ///
    /// Why the journal can't be used, in one line; or if the thread can't be started.
    pub fn resume(replica: Replica, journal: Recovery) -> Result<(Self, Resumed), String> {
        let mut node = Node::new(replica);
        let resumed = node.resume(journal)?;
        let handle = Handle::to(node).map_err(|error| format!("can't start a thread: {error}"))?;
        Ok((handle, resumed))
    }

    fn to(node: Node) -> std::io::Result<Self> {
        let (commands, mut receiver) = mpsc::channel(CAPACITY);
        let handle = Handle {
            commands,
            failure: Arc::default(),
            subnet: Arc::clone(&node.replica.environment.subnet),
        };
        let failure = Arc::clone(&handle.failure);
        thread::Builder::new()
            .name("replica".to_owned())
            .spawn(move || {
                if let Err(error) = own(node, &mut receiver) {
                    failure.get_or_init(|| error);
                }
            })?;
        Ok(handle)
    }

    /// Waits until the owner can't go on, and says why.
    pub async fn failed(&self) -> String {
        self.commands.closed().await;
        let failure = self.failure.get().cloned();
        failure.unwrap_or_else(|| "the replica has ended unexpectedly".to_owned())
    }

    /// What the replica certifies with: it never changes, so nobody has to wait for the owner.
    pub fn subnet(&self) -> &Subnet {
        &self.subnet
    }

    /// Has the owner do something, and returns what came of it.
    ///
    /// # Errors
    ///
    /// If there is no owner any more.
    pub async fn with<T: Send + 'static>(
        &self,
        command: impl FnOnce(&mut Node) -> T + Send + 'static,
    ) -> Result<T, Stopped> {
        let (answer, answered) = oneshot::channel();
        let command: Command = Box::new(move |node| {
            let result = command(node);
            // Who no longer waits need not be told.
            Box::new(move || drop(answer.send(result)))
        });
        self.commands.send(command).await.map_err(|_| Stopped)?;
        answered.await.map_err(|_| Stopped)
    }
}

/// The life of the owner: commands, and between them messages. Everything that was done in one go
/// is saved together, and only then somebody hears of it.
fn own(mut node: Node, commands: &mut mpsc::Receiver<Command>) -> Result<(), String> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build()
        .expect("a runtime with nothing but a timer");
    let mut last_tick = Instant::now();
    let mut answers: Vec<Answer> = Vec::new();
    loop {
        let next = async { tokio::time::timeout(TICK, commands.recv()).await };
        match runtime.block_on(next) {
            Ok(None) => return Ok(()),
            Ok(Some(command)) => answers.push(command(&mut node)),
            Err(_) => {}
        }
        loop {
            for _ in 0..COMMANDS_AT_A_TIME {
                if node.is_full() {
                    break;
                }
                let Ok(command) = commands.try_recv() else {
                    break;
                };
                answers.push(command(&mut node));
            }
            if last_tick.elapsed() >= TICK {
                node.tick();
                last_tick = Instant::now();
            }
            // Who only looked need not wait for messages.
            if node.is_saved() {
                node.tell(&mut answers);
            }
            let delivered = node.run();
            node.save()?;
            node.tell(&mut answers);
            if delivered == 0 {
                break;
            }
        }
    }
}
