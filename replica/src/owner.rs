//! One thread owns the replica. Everybody else sends it commands through a channel, as a canister
//! is sent messages. With a journal it remembers what was done when the program starts anew.

mod node;
mod record;
mod replay;
mod request;

use std::sync::{Arc, OnceLock};
use std::thread;
use std::time::{Duration, Instant};

use tokio::sync::{mpsc, oneshot};

use request::Clock;

pub use node::Node;
pub use replay::Resumed;
pub use request::{NewRequest, Request, RequestId, now};

use crate::journal::Recovery;
use crate::message::Time;
use crate::replica::Replica;
use crate::subnet::Subnet;

/// How many commands may wait for the owner.
const CAPACITY: usize = 1024;

/// How many commands are done before messages are delivered. A call takes two commands and, with
/// the calls that it makes, several messages: with more commands, calls would be taken in faster
/// than they are executed, until canisters have more of them open than they may.
const COMMANDS_AT_A_TIME: usize = 4;

/// How often heartbeats run, and the clock is looked at when nothing else happens.
const TICK: Duration = Duration::from_millis(200);

/// Does something, and returns how to tell whoever asked for it.
type Command = Box<dyn FnOnce(&mut Node) -> Answer + Send>;

/// Tells somebody what came of a command.
type Answer = Box<dyn FnOnce()>;

/// Reaches the owner from anywhere.
#[derive(Clone)]
pub struct Handle {
    commands: mpsc::Sender<Command>,
    /// Why there is no owner any more.
    failure: Arc<OnceLock<String>>,
    subnet: Arc<Subnet>,
    clock: Clock,
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
            clock: node.clock.clone(),
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

    /// The replica's clock, which nobody has to wait for either.
    pub fn now(&self) -> Time {
        self.clock.now()
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
                tell(&mut node, &mut answers);
            }
            let delivered = node.run();
            node.save()?;
            tell(&mut node, &mut answers);
            if delivered == 0 {
                break;
            }
        }
    }
}

/// Tells those whose call is answered, and gives the answers to commands.
fn tell(node: &mut Node, answers: &mut Vec<Answer>) {
    node.tell();
    answers.drain(..).for_each(|answer| answer());
}
