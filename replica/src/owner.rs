//! One thread owns the replica. Everybody else sends it commands through a channel, as a canister
//! is sent messages.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use candid::Principal;
use tokio::sync::{mpsc, oneshot};

use crate::hold::Delivery;
use crate::message::{CanisterId, IngressId, Reject, Time};
use crate::pool::Sequence;
use crate::system_api::Subnet;
use crate::{IngressStatus, Replica};

/// How many commands may wait for the owner.
const CAPACITY: usize = 1024;

/// How many commands are done before messages are delivered, and how many messages before there
/// are commands again. A call takes two commands and, with the calls that it makes, several
/// messages: with fewer messages per command, calls would be taken in faster than they are
/// executed, until canisters have more of them open than they may.
const COMMANDS_AT_A_TIME: usize = 4;
const MESSAGES_AT_A_TIME: usize = 16;

/// How long messages are delivered at a time: commands need not wait for many long executions.
const MESSAGES_PERIOD: Duration = Duration::from_millis(20);

/// How often heartbeats run, and the clock is looked at when nothing else happens.
const TICK: Duration = Duration::from_millis(200);

/// How long the answer to a request is kept after the request has expired, in nanoseconds.
const KEPT_AFTER_EXPIRY: Time = 5 * 60 * 1_000_000_000;

/// The hash that identifies a request.
pub type RequestId = [u8; 32];

type Command = Box<dyn FnOnce(&mut Node) + Send>;

/// A replica and what belongs to it as a node of a network.
pub struct Node {
    /// The replica.
    pub replica: Replica,
    requests: BTreeMap<RequestId, Request>,
    waiting: Vec<(IngressId, oneshot::Sender<()>)>,
    /// How far the replica's clock was moved ahead of the machine's.
    clock_offset: Duration,
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
pub struct NewRequest {
    /// Its id.
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
    pub argument: Vec<u8>,
}

impl Node {
    fn new(replica: Replica) -> Self {
        Node {
            replica,
            requests: BTreeMap::new(),
            waiting: Vec::new(),
            clock_offset: Duration::ZERO,
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
                self.requests.insert(new.id, request);
                ingress
            }
        };
        let (done, when_done) = oneshot::channel();
        self.waiting.push((ingress, done));
        self.wake();
        Ok(when_done)
    }

    /// Moves the replica's clock ahead, and begins with what becomes due.
    pub fn advance_clock(&mut self, duration: Duration) {
        self.clock_offset = self.clock_offset.saturating_add(duration);
        self.tick();
        self.run();
    }

    /// Delivers one message that is held back.
    ///
    /// # Errors
    ///
    /// As of [`Replica::deliver_message`].
    pub fn deliver(&mut self, message: Sequence, how: Delivery) -> Result<(), String> {
        self.follow_the_clock();
        self.replica.deliver_message(message, how)?;
        self.wake();
        Ok(())
    }

    /// Delivers some messages. Returns how many.
    fn run(&mut self) -> usize {
        let began = Instant::now();
        let mut delivered = 0;
        while delivered < MESSAGES_AT_A_TIME && self.replica.step() {
            delivered += 1;
            if began.elapsed() >= MESSAGES_PERIOD {
                break;
            }
        }
        self.wake();
        delivered
    }

    /// What happens from time to time, whatever else happens.
    fn tick(&mut self) {
        self.follow_the_clock();
        self.replica.tick();
        self.forget_old_requests();
    }

    /// Sets the replica's clock to the machine's, as far as that is ahead.
    fn follow_the_clock(&mut self) {
        let offset = u64::try_from(self.clock_offset.as_nanos()).unwrap_or(u64::MAX);
        self.replica.set_time(now().saturating_add(offset));
    }

    /// Tells those whose call is answered.
    fn wake(&mut self) {
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
        self.requests
            .retain(|_, request| now < request.expiry.saturating_add(KEPT_AFTER_EXPIRY));
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
        let (commands, receiver) = mpsc::channel(CAPACITY);
        let subnet = Arc::clone(&replica.environment.subnet);
        thread::Builder::new()
            .name("replica".to_owned())
            .spawn(move || own(Node::new(replica), receiver))?;
        Ok(Handle { commands, subnet })
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
            // Who no longer waits need not be told.
            let _gone = answer.send(command(node)).is_err();
        });
        self.commands.send(command).await.map_err(|_| Stopped)?;
        answered.await.map_err(|_| Stopped)
    }
}

/// The life of the owner: commands, and between them messages.
fn own(mut node: Node, mut commands: mpsc::Receiver<Command>) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build()
        .expect("a runtime with nothing but a timer");
    let mut last_tick = Instant::now();
    loop {
        let next = async { tokio::time::timeout(TICK, commands.recv()).await };
        match runtime.block_on(next) {
            Ok(None) => return,
            Ok(Some(command)) => command(&mut node),
            Err(_) => {}
        }
        loop {
            for _ in 0..COMMANDS_AT_A_TIME {
                let Ok(command) = commands.try_recv() else {
                    break;
                };
                command(&mut node);
            }
            if last_tick.elapsed() >= TICK {
                node.tick();
                last_tick = Instant::now();
            }
            if node.run() == 0 {
                break;
            }
        }
    }
}
