//! One thread owns the replica. Everybody else sends it commands through a channel, as a canister
//! is sent messages. With a journal it remembers what was done when the program starts anew.

mod base;
mod compaction;
mod isolation;
mod keeping;
mod long;
mod node;
mod record;
mod replay;
mod request;
mod threads;
mod views;

use std::sync::{Arc, OnceLock};
use std::thread;
use std::time::{Duration, Instant};

use tokio::sync::{mpsc, oneshot, watch};

use request::Clock;

pub use node::Node;
pub use replay::Resumed;
pub use request::{NewRequest, Request, RequestId, now};
pub use views::Pulse;
use views::Views;

use crate::message::Time;
use crate::replica::Replica;
use crate::state_folder::StateFolder;
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
    views: Arc<Views>,
    clock: Clock,
}

/// The owner is gone: the program is stopping.
#[derive(Debug)]
pub struct Stopped;

/// The program panicked while it read.
#[derive(Debug)]
pub struct Panicked;

impl Handle {
    /// Starts the thread that owns `replica`. It ends when the last handle is gone.
    ///
    /// # Errors
    ///
    /// If the thread can't be started.
    pub fn start(replica: Replica) -> std::io::Result<Self> {
        Handle::to(Node::new(replica))
    }

    /// Puts the new `replica` into the state that a folder keeps, and starts the thread that owns it.
    /// From then on, nothing is answered before the folder has it.
    ///
    /// # Errors
    ///
    /// Why the folder can't be used, in one line; or if the thread can't be started.
    pub fn resume(replica: Replica, folder: StateFolder) -> Result<(Self, Resumed), String> {
        let mut node = Node::new(replica);
        let resumed = node.resume(folder)?;
        let handle = Handle::to(node).map_err(|error| format!("can't start a thread: {error}"))?;
        Ok((handle, resumed))
    }

    fn to(node: Node) -> std::io::Result<Self> {
        let (commands, mut receiver) = mpsc::channel(CAPACITY);
        let handle = Handle {
            commands,
            failure: Arc::default(),
            subnet: Arc::clone(&node.replica.environment.subnet),
            views: Arc::new(Views::new(&node)),
            clock: node.clock.clone(),
        };
        let failure = Arc::clone(&handle.failure);
        let views = Arc::clone(&handle.views);
        thread::Builder::new()
            .name("replica".to_owned())
            .spawn(move || {
                if let Err(error) = own(node, &mut receiver, &views) {
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

    /// Changes whenever something happens, or waits.
    pub fn pulse(&self) -> watch::Receiver<Pulse> {
        self.views.pulse()
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

    /// Reads from the state as it was when somebody was last told something. Other than for
    /// [`Handle::with`], nobody waits for the owner here, whatever that executes.
    ///
    /// # Errors
    ///
    /// If the program panics over it. The replica goes on.
    pub async fn read<T: Send + 'static>(
        &self,
        read: impl FnOnce(&mut Node) -> T + Send + 'static,
    ) -> Result<T, Panicked> {
        let place = self.views.places.acquire().await.map_err(|_| Panicked)?;
        let views = Arc::clone(&self.views);
        let result = tokio::task::spawn_blocking(move || views.read(read)).await;
        drop(place);
        result.map_err(|_| Panicked)
    }
}

/// The life of the owner: commands, and between them messages. Everything that was done in one go
/// is saved together, and only then somebody hears of it.
fn own(
    mut node: Node,
    commands: &mut mpsc::Receiver<Command>,
    views: &Views,
) -> Result<(), String> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build()
        .expect("a runtime with nothing but a timer");
    let mut last_tick = Instant::now();
    let mut turn = Turn::default();
    node.renew_base();
    loop {
        let done = Arc::clone(&node.long.done);
        let next = async {
            tokio::select! {
                command = commands.recv() => Some(command),
                () = done.notified() => None,
                () = tokio::time::sleep(TICK) => None,
            }
        };
        match runtime.block_on(next) {
            Some(None) => return Ok(()),
            Some(Some(command)) => turn.obey(&mut node, views, command),
            None => {}
        }
        loop {
            node.renew_base();
            for _ in 0..COMMANDS_AT_A_TIME {
                if node.is_full() {
                    break;
                }
                let Ok(command) = commands.try_recv() else {
                    break;
                };
                turn.obey(&mut node, views, command);
            }
            if last_tick.elapsed() >= TICK {
                turn.changed |= node.tick();
                last_tick = Instant::now();
            }
            // Who only looked need not wait for messages.
            if node.is_saved() {
                turn.tell(&mut node, views);
            }
            node.execute_long()?;
            let delivered = node.end_long() + node.run();
            turn.changed |= delivered > 0;
            node.save()?;
            turn.tell(&mut node, views);
            node.compact()?;
            if delivered == 0 {
                break;
            }
        }
    }
}

/// What the owner does in one go.
#[derive(Default)]
struct Turn {
    /// Whether the state may have changed since it was last shown.
    changed: bool,
    answers: Vec<Answer>,
}

impl Turn {
    fn obey(&mut self, node: &mut Node, views: &Views, command: Command) {
        views.report_use(node);
        self.answers.push(command(node));
        self.changed = true;
    }

    /// Shows the state, tells those whose call is answered, and gives the answers to commands.
    fn tell(&mut self, node: &mut Node, views: &Views) {
        if std::mem::take(&mut self.changed) {
            views.publish(node);
        }
        node.tell();
        self.answers.drain(..).for_each(|answer| answer());
    }
}
