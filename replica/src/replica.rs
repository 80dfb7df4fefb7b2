//! The whole replica: its canisters, the messages between them, and its clock. What happens to them
//! is in the files above this one, each with its own part of `impl Replica`.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use candid::Principal;
use serde::Serialize;

use crate::ahead::Ahead;
use crate::canister::{Canister, QueryStatistics};
use crate::canisters::Canisters;
use crate::environment::Environment;
use crate::instances::Instances;
use crate::limits::Limits;
use crate::message::{CallResult, CallbackId, CanisterId, Cycles, IngressId, Time};
use crate::pool::{OldestFirst, Policy, Pool};
use crate::rejects::no_query_method;
pub use crate::statuses::IngressStatus;
use crate::statuses::Statuses;
use crate::subnet::Subnet;
use crate::system_api::functions;
use crate::timeline::Timeline;
use crate::wasm::Engine;

/// The first canister id that a replica gives out. The ids below belong to the system canisters of
/// the network.
const FIRST_CANISTER: u64 = 0x8000_0000_0010_0000;

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
    /// Whether the log and the reject of a message that trapped say where, as on the network. The
    /// message is executed once more for it.
    pub backtraces: bool,
    /// Whether the operating system is asked which memory a message touched. Where it can't tell, or
    /// is not asked, all of a canister's memory is compared after each message.
    pub mapped_memory: bool,
}

impl Default for Config {
    /// The limits of [`Limits::default`], a timeline of 10,000 events, and backtraces.
    fn default() -> Self {
        Config {
            seed: b"local-replica".to_vec(),
            // 2026-01-01T00:00:00Z
            time: 1_767_225_600_000_000_000,
            limits: Limits::default(),
            timeline_capacity: 10_000,
            backtraces: true,
            mapped_memory: true,
        }
    }
}

/// A canister that is a part of this program, in the place of one that every network has.
pub trait NativeCanister: Send + Sync {
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

    /// Its state as bytes, to be kept.
    fn save(&self) -> Vec<u8>;

    /// Takes a state that was kept.
    ///
    /// # Errors
    ///
    /// Why the bytes are none.
    fn restore(&mut self, state: &[u8]) -> Result<(), String>;

    /// Another one, as this one is now.
    fn fork(&self) -> Box<dyn NativeCanister>;
}

/// A subnet of one node, with all its canisters.
pub struct Replica {
    pub(crate) environment: Environment,
    pub(crate) canisters: Canisters,
    pub(crate) pool: Pool,
    pub(crate) timeline: Timeline,
    pub(crate) minted: Cycles,
    pub(crate) burned: Cycles,
    pub(crate) lost: Cycles,
    /// When canisters were charged last for the time that passed.
    pub(crate) charged_at: Time,
    /// How often that was done, counted for each canister.
    pub(crate) charges: u64,
    pub(crate) seed: Arc<[u8]>,
    /// How many random numbers were drawn.
    pub(crate) drawn: u64,
    /// The canisters that were deleted. Their ids are never used again.
    pub(crate) deleted: BTreeSet<CanisterId>,
    pub(crate) policy: Box<dyn Policy>,
    /// Whether messages are held back.
    pub(crate) holding: bool,
    pub(crate) ingress: Statuses,
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
        Replica {
            environment: Environment {
                engine: Arc::new(Engine::new("ic0", functions())),
                subnet: Arc::new(Subnet::from_seed(&config.seed)),
                time: config.time,
                limits: Arc::new(config.limits),
                consumed: 0,
                memory_in_use: 0,
                backtraces: config.backtraces,
                observe_memory: config.timeline_capacity > 0,
                modules: Arc::default(),
                instances: Instances::default(),
                mapped_memory: config.mapped_memory,
                trapped: 0,
                trap_at_end: false,
                ahead: Ahead::default(),
            },
            canisters: Canisters::default(),
            pool: Pool::default(),
            timeline: Timeline::new(config.timeline_capacity),
            minted: 0,
            burned: 0,
            lost: 0,
            charged_at: config.time,
            charges: 0,
            seed: config.seed.into(),
            drawn: 0,
            deleted: BTreeSet::new(),
            policy: Box::new(OldestFirst),
            holding: false,
            ingress: Statuses::default(),
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

    /// A replica that is in the same state, and goes on by itself: nothing that happens to one of the
    /// two is seen in the other. It costs little: what the two have in common they share.
    ///
    /// The fork delivers the oldest message first, whatever policy this replica has.
    pub fn fork(&self) -> Self {
        let native = self.native.iter().map(|(id, native)| (*id, native.fork()));
        Replica {
            environment: self.environment.fork(),
            canisters: self.canisters.clone(),
            pool: self.pool.clone(),
            timeline: self.timeline.clone(),
            minted: self.minted,
            burned: self.burned,
            lost: self.lost,
            charged_at: self.charged_at,
            charges: self.charges,
            seed: Arc::clone(&self.seed),
            drawn: self.drawn,
            deleted: self.deleted.clone(),
            policy: Box::new(OldestFirst),
            holding: self.holding,
            ingress: self.ingress.clone(),
            answered: self.answered.clone(),
            answers_size: self.answers_size,
            next_ingress: self.next_ingress,
            next_canister: self.next_canister,
            timers: self.timers.clone(),
            deadlines: self.deadlines.clone(),
            watched: self.watched.clone(),
            postponed: self.postponed.clone(),
            native: native.collect(),
            queried: self.queried.clone(),
        }
    }

    /// A fork to read from: it has what queries and readers of the state find, and nothing under way.
    /// It costs little, however much is under way and was answered.
    #[cfg(feature = "server")]
    pub(crate) fn fork_to_read(&self) -> Self {
        let native = self.native.iter().map(|(id, native)| (*id, native.fork()));
        Replica {
            environment: self.environment.fork(),
            canisters: self.canisters.clone(),
            pool: Pool::default(),
            timeline: self.timeline.emptied(),
            minted: self.minted,
            burned: self.burned,
            lost: self.lost,
            seed: Arc::clone(&self.seed),
            drawn: self.drawn,
            deleted: BTreeSet::new(),
            policy: Box::new(OldestFirst),
            holding: self.holding,
            ingress: self.ingress.clone(),
            answered: VecDeque::new(),
            answers_size: 0,
            next_ingress: self.next_ingress,
            next_canister: self.next_canister,
            timers: BTreeSet::new(),
            deadlines: BTreeSet::new(),
            watched: BTreeMap::new(),
            postponed: BTreeSet::new(),
            native: native.collect(),
            queried: BTreeMap::new(),
            charged_at: self.charged_at,
            charges: self.charges,
        }
    }

    /// Forgets what nobody goes on from: answers, the timeline, and that messages were held back. What
    /// traps from now on does not say where.
    pub(crate) fn forget_the_past(&mut self) {
        self.timeline = Timeline::new(0);
        self.environment.observe_memory = false;
        self.environment.backtraces = false;
        self.holding = false;
        self.pool.forget_what_began();
        self.ingress.keep_unanswered();
        self.answered.clear();
        self.answers_size = 0;
        self.queried.clear();
    }

    /// Has a timeline and backtraces from now on.
    pub(crate) fn remember(&mut self) {
        self.timeline = Timeline::new(10_000);
        self.environment.observe_memory = true;
        self.environment.backtraces = true;
    }

    /// Takes the state of a fork, and runs canisters where they ran before: what this costs is what
    /// the two states don't share.
    pub fn return_to(&mut self, fork: &Replica) {
        let instances = std::mem::take(&mut self.environment.instances);
        *self = fork.fork();
        self.environment.instances = instances;
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
            return Some(Err(no_query_method(id, method)));
        }
        self.call_native(id, caller, method, argument, &mut 0)
    }

    /// Counts the memory that all canisters have in use, after something other than an execution has
    /// changed it.
    pub(crate) fn count_memory(&mut self) {
        let in_use = self.canisters.iter().map(Canister::memory_in_use);
        self.environment.memory_in_use = in_use.sum();
    }

    /// The replica's clock.
    pub fn time(&self) -> Time {
        self.environment.time
    }

    /// The key that certifies for this replica, DER-encoded; empty without the feature
    /// `certificates`.
    pub fn root_key(&self) -> &[u8] {
        self.environment.subnet.public_key()
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
        self.canisters.iter()
    }

    /// Messages that were sent and not delivered yet.
    pub fn pool(&self) -> &Pool {
        &self.pool
    }

    /// Whether it has taken in this message, or had once.
    #[cfg(feature = "server")]
    pub(crate) fn has_taken_in(&self, id: IngressId) -> bool {
        id.0 < self.next_ingress
    }

    /// Where a message stands; `None` if it is not known (any more: the last 10,000 answers or
    /// 64 MiB are kept).
    pub fn ingress_status(&self, id: IngressId) -> Option<&IngressStatus> {
        self.ingress.get(&id)
    }

    /// An id that no canister ever had.
    pub(crate) fn fresh_canister_id(&mut self) -> CanisterId {
        loop {
            let mut bytes = self.next_canister.to_be_bytes().to_vec();
            bytes.extend_from_slice(&[1, 1]);
            self.next_canister += 1;
            let id = Principal::from_slice(&bytes);
            let is_native = self.native.contains_key(&id);
            if !is_native && !self.canisters.contains(&id) && !self.deleted.contains(&id) {
                return id;
            }
        }
    }
}
