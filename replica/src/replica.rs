//! The whole replica: its canisters, the messages between them, and its clock.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use candid::Principal;
use serde::Serialize;

use crate::canister::{Canister, QueryStatistics};
use crate::certificate::RootKey;
use crate::execution::Environment;
use crate::fees;
use crate::limits::Limits;
use crate::management;
use crate::message::{
    CallOrigin, CallResult, CallbackId, CanisterId, Cycles, ErrorCode, IngressId, IngressMessage,
    Message, Reject, Response, Time,
};
use crate::pool::{OldestFirst, Policy, Pool};
use crate::query;
use crate::system_api::{Subnet, functions};
use crate::timeline::Timeline;
use crate::wasm::{Checkpoint, Engine};

/// The first canister id that a replica gives out. The ids below belong to the system canisters of
/// the network.
const FIRST_CANISTER: u64 = 0x8000_0000_0010_0000;

/// How many answers to users are kept.
const KEPT_ANSWERS: usize = 10_000;

/// How many bytes of answers to users are kept: 64 MiB.
const KEPT_ANSWERS_SIZE: usize = 64 * 1024 * 1024;

/// How a replica is made.
#[derive(Clone, Debug, Serialize)]
pub struct Config {
    /// What its keys and its random numbers follow from.
    pub seed: Vec<u8>,
    /// Where its clock stands at first.
    pub time: Time,
    /// How much canisters may do and send.
    pub limits: Limits,
    /// How many events the timeline keeps; 0 turns it off.
    pub timeline_capacity: usize,
}

impl Default for Config {
    /// The limits of [`Limits::default`], and a timeline of 10,000 events.
    fn default() -> Self {
        Config {
            seed: b"local-replica".to_vec(),
            // 2026-01-01T00:00:00Z
            time: 1_767_225_600_000_000_000,
            limits: Limits::default(),
            timeline_capacity: 10_000,
        }
    }
}

/// Where an ingress message stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum IngressStatus {
    /// It was not answered yet.
    Processing,
    /// It was answered.
    Answered(CallResult),
}

/// A canister that is a part of this program, in the place of one that every network has.
pub trait NativeCanister: Send {
    /// Answers a call or a query. What it accepts of the attached `cycles` it takes out.
    ///
    /// # Errors
    ///
    /// The reject that the caller gets, also for methods that it does not have.
    fn call(
        &mut self,
        replica: &mut Replica,
        caller: Principal,
        method: &str,
        argument: &[u8],
        cycles: &mut Cycles,
    ) -> CallResult;

    /// Whether a method is a query: it changes nothing.
    fn is_query(&self, method: &str) -> bool;

    /// The cycles that it holds for others.
    fn cycles(&self) -> Cycles;
}

/// A subnet of one node, with all its canisters.
pub struct Replica {
    pub(crate) environment: Environment,
    pub(crate) canisters: BTreeMap<CanisterId, Canister>,
    pub(crate) pool: Pool,
    pub(crate) timeline: Timeline,
    pub(crate) minted: Cycles,
    pub(crate) burned: Cycles,
    pub(crate) lost: Cycles,
    pub(crate) seed: Vec<u8>,
    /// How many random numbers were drawn.
    pub(crate) drawn: u64,
    /// The canisters that were deleted. Their ids are never used again.
    pub(crate) deleted: BTreeSet<CanisterId>,
    pub(crate) policy: Box<dyn Policy>,
    /// Whether messages are held back.
    pub(crate) holding: bool,
    pub(crate) ingress: BTreeMap<IngressId, IngressStatus>,
    pub(crate) answered: VecDeque<IngressId>,
    pub(crate) answers_size: usize,
    pub(crate) next_ingress: u64,
    pub(crate) next_canister: u64,
    pub(crate) timers: BTreeSet<(Time, CanisterId)>,
    /// When bounded-wait calls end.
    pub(crate) deadlines: BTreeSet<(Time, CanisterId, CallbackId)>,
    /// Which of the timers is whose.
    pub(crate) watched: BTreeMap<CanisterId, Time>,
    /// Canisters with a task that could not be executed when it was due.
    pub(crate) postponed: BTreeSet<CanisterId>,
    pub(crate) native: BTreeMap<CanisterId, Box<dyn NativeCanister>>,
    /// What queries have used, of the canisters whose figures grew since somebody looked.
    pub(crate) queried: BTreeMap<CanisterId, QueryStatistics>,
}

impl Replica {
    /// An empty replica.
    pub fn new(config: Config) -> Self {
        let root_key = RootKey::from_seed(&config.seed);
        let id = root_key.subnet_id();
        Replica {
            environment: Environment {
                engine: Engine::new("ic0", functions()),
                subnet: Arc::new(Subnet { root_key, id }),
                time: config.time,
                limits: Arc::new(config.limits),
                consumed: 0,
                observe_memory: config.timeline_capacity > 0,
                modules: BTreeMap::new(),
                checkpoint: Checkpoint::default(),
                trap_at_end: false,
            },
            canisters: BTreeMap::new(),
            pool: Pool::default(),
            timeline: Timeline::new(config.timeline_capacity),
            minted: 0,
            burned: 0,
            lost: 0,
            seed: config.seed,
            drawn: 0,
            deleted: BTreeSet::new(),
            policy: Box::new(OldestFirst),
            holding: false,
            ingress: BTreeMap::new(),
            answered: VecDeque::new(),
            answers_size: 0,
            next_ingress: 0,
            next_canister: FIRST_CANISTER,
            timers: BTreeSet::new(),
            deadlines: BTreeSet::new(),
            watched: BTreeMap::new(),
            postponed: BTreeSet::new(),
            native: BTreeMap::new(),
            queried: BTreeMap::new(),
        }
    }

    /// Replaces the policy that chooses the next message.
    pub fn set_policy(&mut self, policy: Box<dyn Policy>) {
        self.policy = policy;
    }

    /// Puts a canister that is a part of this program where a network has one of its own.
    pub fn add_native(&mut self, id: CanisterId, canister: Box<dyn NativeCanister>) {
        self.minted += canister.cycles();
        self.native.insert(id, canister);
    }

    /// The answer of a native canister; `None` if there is none with this id. It takes what it
    /// accepts of `cycles`.
    pub(crate) fn call_native(
        &mut self,
        id: CanisterId,
        caller: Principal,
        method: &str,
        argument: &[u8],
        cycles: &mut Cycles,
    ) -> Option<CallResult> {
        // It is away while it works on the replica that it belongs to.
        let mut native = self.native.remove(&id)?;
        let result = native.call(self, caller, method, argument, cycles);
        self.native.insert(id, native);
        Some(result)
    }

    /// The answer of a native canister to a query; `None` if there is none with this id.
    pub(crate) fn query_native(
        &mut self,
        id: CanisterId,
        caller: Principal,
        method: &str,
        argument: &[u8],
    ) -> Option<CallResult> {
        if !self.native.get(&id)?.is_query(method) {
            return Some(Err(Reject::new(
                ErrorCode::CanisterMethodNotFound,
                format!("Error from Canister {id}: Canister has no query method '{method}'."),
            )));
        }
        self.call_native(id, caller, method, argument, &mut 0)
    }

    /// The replica's clock.
    pub fn time(&self) -> Time {
        self.environment.time
    }

    /// The key that certifies for this replica.
    pub fn root_key(&self) -> &[u8] {
        self.environment.subnet.root_key.der()
    }

    /// The id of the subnet that this replica is.
    pub fn subnet_id(&self) -> Principal {
        self.environment.subnet.id
    }

    /// What happened so far.
    pub fn timeline(&self) -> &Timeline {
        &self.timeline
    }

    /// A canister, to look at.
    pub fn canister(&self, id: &CanisterId) -> Option<&Canister> {
        self.canisters.get(id)
    }

    /// All canisters.
    pub fn canisters(&self) -> impl Iterator<Item = &Canister> {
        self.canisters.values()
    }

    /// Messages that were sent and not delivered yet.
    pub fn pool(&self) -> &Pool {
        &self.pool
    }

    /// Takes in a message from a user, as the network would: the canister may refuse it unexecuted.
    ///
    /// # Errors
    ///
    /// A reject, if the message is not taken in. Then nothing of it is executed.
    pub fn submit(
        &mut self,
        sender: Principal,
        receiver: CanisterId,
        method: &str,
        argument: &[u8],
    ) -> Result<IngressId, Reject> {
        let limit = self.environment.limits.ingress_size;
        if argument.len() > limit {
            return Err(Reject::new(
                ErrorCode::InvalidManagementPayload,
                format!(
                    "the argument has {} bytes; an ingress message can carry {limit}",
                    argument.len()
                ),
            ));
        }
        if receiver == Principal::management_canister() {
            management::accept(self, sender, method, argument)?;
        } else if !self.native.contains_key(&receiver) {
            self.induct(sender, receiver, method, argument)?;
        }
        let id = IngressId(self.next_ingress);
        self.next_ingress += 1;
        self.ingress.insert(id, IngressStatus::Processing);
        self.pool.push(Message::Ingress(IngressMessage {
            id,
            sender,
            receiver,
            method: method.to_owned(),
            argument: argument.to_vec(),
        }));
        Ok(id)
    }

    /// Asks the canister whether it accepts a message, and charges for taking it in.
    fn induct(
        &mut self,
        sender: Principal,
        receiver: CanisterId,
        method: &str,
        argument: &[u8],
    ) -> Result<(), Reject> {
        let Some(canister) = self.canisters.get_mut(&receiver) else {
            return Err(not_found(receiver));
        };
        query::inspect(&mut self.environment, canister, sender, method, argument)?;
        let fee = fees::ingress(method, argument);
        if canister.liquid_balance() < fee {
            return Err(out_of_cycles(receiver));
        }
        canister.balance -= fee;
        self.environment.consumed += fee;
        Ok(())
    }

    /// Where a message stands; `None` if it is not known (any more: the last 10,000 answers or
    /// 64 MiB are kept).
    pub fn ingress_status(&self, id: IngressId) -> Option<&IngressStatus> {
        self.ingress.get(&id)
    }

    /// Delivers the next message, unless they are held back. Returns whether there was one.
    pub fn step(&mut self) -> bool {
        self.schedule_due_timers();
        if self.holding {
            return false;
        }
        let Some(sequence) = self.policy.next(&self.pool) else {
            return false;
        };
        let Some(message) = self.pool.take(sequence) else {
            return false;
        };
        self.deliver(message);
        true
    }

    /// Submits a message and delivers messages until it is answered. `None` if nothing more can
    /// be delivered and it is not: it waits for the clock, or for a canister that waits.
    ///
    /// # Errors
    ///
    /// The reject that the user gets.
    pub fn call(
        &mut self,
        sender: Principal,
        receiver: CanisterId,
        method: &str,
        argument: &[u8],
    ) -> Option<CallResult> {
        let id = match self.submit(sender, receiver, method, argument) {
            Ok(id) => id,
            Err(reject) => return Some(Err(reject)),
        };
        loop {
            if let Some(IngressStatus::Answered(result)) = self.ingress.get(&id) {
                return Some(result.clone());
            }
            if !self.step() {
                return None;
            }
        }
    }

    /// Delivers messages until there are none, or `limit` were delivered. Returns how many.
    pub fn run(&mut self, limit: usize) -> usize {
        (0..limit).take_while(|_| self.step()).count()
    }

    /// Executes a query or composite query, whose changes are discarded.
    ///
    /// # Errors
    ///
    /// The reject that the user gets.
    pub fn query(
        &mut self,
        sender: Principal,
        receiver: CanisterId,
        method: &str,
        argument: &[u8],
    ) -> CallResult {
        query::by_user(self, sender, receiver, method, argument)
    }

    /// Gives an answer to whoever waits for it.
    pub(crate) fn respond(
        &mut self,
        origin: CallOrigin,
        respondent: CanisterId,
        result: CallResult,
        refund: Cycles,
    ) {
        match origin {
            CallOrigin::Ingress { id, .. } => {
                self.keep_answer(id, result);
            }
            // The caller was told SYS_UNKNOWN: the answer and its cycles are lost.
            CallOrigin::Canister {
                sender,
                callback,
                deadline: Some(_),
            } if self.pool.has_response(sender, callback) => self.lost += refund,
            CallOrigin::Canister {
                sender, callback, ..
            } => self.pool.push(Message::Response(Response {
                receiver: sender,
                callback,
                respondent,
                result,
                refund,
            })),
            CallOrigin::SystemTask => {}
        }
    }

    /// Keeps an answer for its user; the oldest answers give way.
    fn keep_answer(&mut self, id: IngressId, result: CallResult) {
        let size = |result: &CallResult| match result {
            Ok(reply) => reply.len(),
            Err(reject) => reject.message.len(),
        };
        self.answers_size += size(&result);
        self.ingress.insert(id, IngressStatus::Answered(result));
        self.answered.push_back(id);
        while (self.answered.len() > KEPT_ANSWERS || self.answers_size > KEPT_ANSWERS_SIZE)
            && self.answered.len() > 1
            && let Some(oldest) = self.answered.pop_front()
        {
            if let Some(IngressStatus::Answered(result)) = self.ingress.remove(&oldest) {
                self.answers_size -= size(&result);
            }
        }
    }

    /// An id that no canister ever had.
    pub(crate) fn fresh_canister_id(&mut self) -> CanisterId {
        loop {
            let mut bytes = self.next_canister.to_be_bytes().to_vec();
            bytes.extend_from_slice(&[1, 1]);
            self.next_canister += 1;
            let id = Principal::from_slice(&bytes);
            let is_native = self.native.contains_key(&id);
            if !is_native && !self.canisters.contains_key(&id) && !self.deleted.contains(&id) {
                return id;
            }
        }
    }
}

/// The reject of a call to a canister that is not there.
pub(crate) fn not_found(canister: CanisterId) -> Reject {
    Reject::new(
        ErrorCode::CanisterNotFound,
        format!("Canister {canister} not found."),
    )
}

/// The reject of a call to a canister that can't pay for it.
pub(crate) fn out_of_cycles(canister: CanisterId) -> Reject {
    Reject::new(
        ErrorCode::CanisterOutOfCycles,
        format!("Canister {canister} is out of cycles: please top it up"),
    )
}
