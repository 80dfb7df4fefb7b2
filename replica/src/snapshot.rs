//! A whole replica as one value that can be written and read.
//!
//! What a replica is made of is named here field by field, so that nothing new can be forgotten.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_bytes::{ByteArray, ByteBuf};

use crate::canister::{Canister, Code, QueryStatistics};
use crate::environment::Environment;
use crate::message::{CallbackId, CanisterId, Cycles, IngressId, Time};
use crate::module::CanisterModule;
use crate::pool::Pool;
use crate::replica::Replica;
use crate::statuses::Statuses;
use crate::timeline::Timeline;
use crate::wasm::State;

/// The state of a replica.
#[derive(Serialize, Deserialize)]
pub(crate) struct Snapshot {
    time: Time,
    consumed: Cycles,
    trapped: u64,
    memory_in_use: u64,
    /// The modules that canisters run, each once, by hash.
    modules: BTreeMap<ByteArray<32>, ByteBuf>,
    canisters: Vec<Saved>,
    pool: Pool,
    timeline: Timeline,
    minted: Cycles,
    burned: Cycles,
    lost: Cycles,
    drawn: u64,
    deleted: BTreeSet<CanisterId>,
    holding: bool,
    ingress: Statuses,
    answered: VecDeque<IngressId>,
    answers_size: usize,
    next_ingress: u64,
    next_canister: u64,
    timers: BTreeSet<(Time, CanisterId)>,
    deadlines: BTreeSet<(Time, CanisterId, CallbackId)>,
    watched: BTreeMap<CanisterId, Time>,
    postponed: BTreeSet<CanisterId>,
    native: BTreeMap<CanisterId, ByteBuf>,
    queried: BTreeMap<CanisterId, QueryStatistics>,
    charged_at: Time,
    charges: u64,
}

/// A canister, and what it runs.
#[derive(Serialize, Deserialize)]
struct Saved {
    canister: Arc<Canister>,
    /// The hash of the module, and the state of its instance.
    code: Option<(ByteArray<32>, State)>,
}

impl Snapshot {
    /// The state of a replica, most often of a fork: it is taken out of it.
    pub(crate) fn of(replica: Replica) -> Self {
        let Replica {
            environment,
            canisters,
            pool,
            timeline,
            minted,
            burned,
            lost,
            // Both are as the replica was made, and so are they where it is restored.
            seed: _,
            policy: _,
            drawn,
            deleted,
            holding,
            ingress,
            answered,
            answers_size,
            next_ingress,
            next_canister,
            timers,
            deadlines,
            watched,
            postponed,
            native,
            queried,
            charged_at,
            charges,
        } = replica;
        let Environment {
            time,
            consumed,
            trapped,
            memory_in_use,
            // How the replica was made.
            engine: _,
            subnet: _,
            limits: _,
            backtraces: _,
            observe_memory: _,
            mapped_memory: _,
            // Made again from the canisters.
            modules: _,
            instances: _,
            // Of a message under way; and none is, between two.
            trap_at_end: _,
            ahead: _,
        } = environment;
        let mut modules = BTreeMap::new();
        let save = |canister: &Arc<Canister>| {
            let code = canister.code.as_ref().map(|Code { module, state }| {
                let hash = ByteArray::new(module.hash);
                let bytes = || ByteBuf::from(module.bytes.as_ref());
                modules.entry(hash).or_insert_with(bytes);
                (hash, state.clone())
            });
            Saved {
                canister: Arc::clone(canister),
                code,
            }
        };
        let canisters = canisters.shared().map(save).collect();
        let native = native.iter();
        let native = native.map(|(id, native)| (*id, ByteBuf::from(native.save())));
        Snapshot {
            time,
            consumed,
            trapped,
            memory_in_use,
            modules,
            canisters,
            pool,
            timeline,
            minted,
            burned,
            lost,
            drawn,
            deleted,
            holding,
            ingress,
            answered,
            answers_size,
            next_ingress,
            next_canister,
            timers,
            deadlines,
            watched,
            postponed,
            native: native.collect(),
            queried,
            charged_at,
            charges,
        }
    }

    /// Puts a new replica, made as the one was whose state this is, into this state.
    ///
    /// # Errors
    ///
    /// What does not fit.
    pub(crate) fn restore(self, replica: &mut Replica) -> Result<(), String> {
        let Snapshot {
            time,
            consumed,
            trapped,
            memory_in_use,
            modules,
            canisters,
            pool,
            timeline,
            minted,
            burned,
            lost,
            drawn,
            deleted,
            holding,
            ingress,
            answered,
            answers_size,
            next_ingress,
            next_canister,
            timers,
            deadlines,
            watched,
            postponed,
            native,
            queried,
            charged_at,
            charges,
        } = self;
        let compile = |bytes: &ByteBuf| replica.environment.module(bytes);
        let modules = modules.iter();
        let modules = modules.map(|(hash, bytes)| Ok((*hash, compile(bytes)?)));
        let modules: BTreeMap<ByteArray<32>, Arc<CanisterModule>> =
            modules.collect::<Result<_, String>>()?;
        for Saved { canister, code } in canisters {
            let mut canister = Arc::unwrap_or_clone(canister);
            if let Some((hash, state)) = code {
                let module = modules.get(&hash).map(Arc::clone);
                let module = module.ok_or("the module of a canister is missing")?;
                canister.code = Some(Code { module, state });
            }
            replica.canisters.insert(canister.id, canister);
        }
        replica.native.retain(|id, _| native.contains_key(id));
        for (id, state) in native {
            let found = replica.native.get_mut(&id);
            let found = found.ok_or_else(|| format!("there is no stand-in for {id} any more"))?;
            found.restore(&state)?;
        }
        replica.environment.time = time;
        replica.environment.consumed = consumed;
        replica.environment.trapped = trapped;
        replica.environment.memory_in_use = memory_in_use;
        replica.pool = pool;
        replica.timeline = timeline;
        replica.minted = minted;
        replica.burned = burned;
        replica.lost = lost;
        replica.drawn = drawn;
        replica.deleted = deleted;
        replica.holding = holding;
        replica.ingress = ingress;
        replica.answered = answered;
        replica.answers_size = answers_size;
        replica.next_ingress = next_ingress;
        replica.next_canister = next_canister;
        replica.timers = timers;
        replica.deadlines = deadlines;
        replica.watched = watched;
        replica.postponed = postponed;
        replica.queried = queried;
        replica.charged_at = charged_at;
        replica.charges = charges;
        Ok(())
    }
}
