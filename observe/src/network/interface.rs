//! What a network is to this program.

use std::time::Duration;

use anyhow::{Result, bail};
use candid::Principal;
use local_replica::hold::{Delivery, WaitingMessage};
use local_replica::timeline::Event;
use local_replica::{MessageName, Replica};

/// How a call was answered: with the Candid of a reply, or with a reject.
pub type Answer = Result<Vec<u8>, Reject>;

/// A reject, as a user gets it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reject {
    /// The reject code.
    pub code: u64,
    /// The network's error code; empty if it gave none.
    pub error_code: String,
    /// What is wrong.
    pub message: String,
}

/// What a reject's text says is wrong. A network adds where it happened and what can be done about it, in
/// lines of their own, and ends the first with a full stop if it adds something.
pub fn what_is_wrong(message: &str) -> &str {
    match message.split_once('\n') {
        Some((first, _)) => first.strip_suffix('.').unwrap_or(first),
        None => message,
    }
}

/// A call to be sent.
pub struct Call<'a> {
    /// Which of the users calls.
    pub user: usize,
    /// The canister that is called; the management canister is one, too.
    pub canister: Principal,
    /// The canister that it concerns: where the network takes it.
    pub effective_canister_id: Principal,
    /// The method.
    pub method: &'a str,
    /// Its arguments, in Candid.
    pub argument: Vec<u8>,
}

/// A call that was sent.
pub struct Sent {
    pub(super) method: String,
    /// Who sent it, and may ask for its answer.
    #[cfg(feature = "network")]
    pub(super) user: usize,
    #[cfg(feature = "network")]
    pub(super) effective_canister_id: Principal,
    pub(super) state: State,
}

/// Where a call stands.
pub(super) enum State {
    /// It was answered at once.
    Answered(Answer),
    /// Its answer can be asked for with this id: the request's, or that of the replica inside.
    Waiting(Vec<u8>),
}

impl Sent {
    /// The method that is called.
    pub fn method(&self) -> &str {
        &self.method
    }
}

/// A network. Users have numbers: 0 deploys, the others are new.
pub trait Network {
    /// The principal of a user.
    ///
    /// # Errors
    ///
    /// If no random key can be had.
    fn user(&mut self, number: usize) -> Result<Principal>;

    /// Sends a call. Where messages are held back it waits with them, else the network executes it.
    ///
    /// # Errors
    ///
    /// If the network does not answer.
    fn send(&mut self, call: Call<'_>) -> Result<Sent>;

    /// The answer of a call, if it has one by now.
    ///
    /// # Errors
    ///
    /// If the network does not say.
    fn answer(&mut self, sent: &Sent) -> Result<Option<Answer>>;

    /// Waits for the answer of a call.
    ///
    /// # Errors
    ///
    /// If there will be none.
    fn wait(&mut self, sent: &Sent) -> Result<Answer>;

    /// Executes a query.
    ///
    /// # Errors
    ///
    /// If the network does not answer.
    fn query(&mut self, call: Call<'_>) -> Result<Answer>;

    /// What only this project's local replica can do.
    fn controls(&mut self) -> Option<&mut dyn Controls>;

    /// The replica itself, if it is inside this program.
    fn replica(&self) -> Option<&Replica>;
}

/// The hand on a local replica's messages and its clock.
pub trait Controls {
    /// The events from number `first` on, and the number that the next will have.
    ///
    /// # Errors
    ///
    /// If the replica does not answer, as with all that follows.
    fn timeline(&mut self, first: u64) -> Result<(Vec<Event>, u64)>;

    /// Holds messages back from now on, or lets them go.
    ///
    /// # Errors
    ///
    /// As above.
    fn hold(&mut self, hold: bool) -> Result<()>;

    /// The messages that were sent and not delivered yet.
    ///
    /// # Errors
    ///
    /// As above.
    fn messages(&mut self) -> Result<Vec<WaitingMessage>>;

    /// Delivers one of them.
    ///
    /// # Errors
    ///
    /// Also if it can't be delivered in this way.
    fn deliver(&mut self, message: MessageName, how: Delivery) -> Result<()>;

    /// Moves the clock ahead by whole seconds.
    ///
    /// # Errors
    ///
    /// As above.
    fn advance_time(&mut self, duration: Duration) -> Result<()>;
}

/// The controls of a network that has them.
///
/// # Errors
///
/// If it is not this project's local replica.
pub fn controls(network: &mut dyn Network) -> Result<&mut dyn Controls> {
    match network.controls() {
        Some(controls) => Ok(controls),
        None => bail!("only this project's local replica can do this"),
    }
}
