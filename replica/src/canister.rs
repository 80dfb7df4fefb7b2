//! One canister: code, state, settings, status, open calls, cycles and log.

use std::collections::BTreeMap;
use std::sync::Arc;

use ic_management_canister_types::{Change, ChangeDetails, ChangeOrigin};
use serde::{Deserialize, Serialize};

use crate::canister_history::History;
use crate::canister_log::CanisterLog;
use crate::canister_snapshot::CanisterSnapshots;
use crate::limits::Limits;
use crate::message::{
    CallContext, CallContextId, CallOrigin, Callback, CallbackId, CanisterId, Cycles, OutgoingCall,
    Reject, Request, Time,
};
use crate::module::{CanisterModule, MethodKind};
use crate::rejects;
use crate::settings::Settings;
use crate::stable_memory::StableMemory;
use crate::wasm::State;

/// The most chunks in a chunk store (`CHUNK_STORE_SIZE`).
pub const MAX_CHUNKS: usize = 100;

/// The largest chunk in bytes, which is also what each chunk is counted as.
pub const CHUNK_SIZE: usize = 1024 * 1024;

/// What a canister runs.
#[derive(Clone)]
pub struct Code {
    /// The module; canisters with the same code share it.
    pub module: Arc<CanisterModule>,
    /// The state of its instance, between messages.
    pub state: State,
}

/// Whether a canister takes calls.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum Status {
    /// It does.
    Running,
    /// It only finishes what it began.
    Stopping {
        /// The calls of `stop_canister` that wait for the end.
        waiting: Vec<StopCall>,
    },
    /// It does nothing.
    Stopped,
}

/// A call of `stop_canister` that is not answered yet.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct StopCall {
    /// Who waits for the answer.
    pub origin: CallOrigin,
    /// The cycles that the call brought, to be refunded.
    pub cycles: Cycles,
    /// When the call was made.
    pub since: Time,
}

impl Status {
    /// As `ic0.canister_status` returns it.
    pub fn number(&self) -> u32 {
        match self {
            Status::Running => 1,
            Status::Stopping { .. } => 2,
            Status::Stopped => 3,
        }
    }
}

/// What queries have used.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
pub struct QueryStatistics {
    /// The number of queries.
    pub calls: u64,
    /// Their instructions.
    pub instructions: u64,
    /// The bytes of their arguments.
    pub request_bytes: u64,
    /// The bytes of their replies.
    pub response_bytes: u64,
}

impl QueryStatistics {
    /// Both together.
    #[cfg(feature = "server")]
    pub(crate) fn plus(self, more: QueryStatistics) -> Self {
        self.combined(more, u64::saturating_add)
    }

    /// What was used since it was `before`.
    #[cfg(feature = "server")]
    pub(crate) fn since(self, before: QueryStatistics) -> Self {
        self.combined(before, u64::saturating_sub)
    }

    #[cfg(feature = "server")]
    fn combined(self, other: QueryStatistics, combine: fn(u64, u64) -> u64) -> Self {
        let QueryStatistics {
            calls,
            instructions,
            request_bytes,
            response_bytes,
        } = other;
        QueryStatistics {
            calls: combine(self.calls, calls),
            instructions: combine(self.instructions, instructions),
            request_bytes: combine(self.request_bytes, request_bytes),
            response_bytes: combine(self.response_bytes, response_bytes),
        }
    }
}

/// The cycles that a canister has paid since it was created, by what for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Consumed {
    /// For messages of users that it took in.
    pub ingress: Cycles,
    /// For executions, for compiling, and for chunks of modules.
    pub instructions: Cycles,
    /// For requests that it sent, and the responses.
    pub transmission: Cycles,
    /// For its creation.
    pub creation: Cycles,
    /// For what it stored, or had allocated.
    pub memory: Cycles,
    /// For its compute allocation.
    pub compute_allocation: Cycles,
    /// What was left when it could no longer pay, and was uninstalled.
    pub uninstall: Cycles,
    /// What it burned itself.
    pub burned: Cycles,
}

/// One canister: plain data. A clone shares its memory until one of the two changes it.
///
/// Serialized, it has no code: a snapshot has that beside it, with the module stored once for all.
#[derive(Clone, Serialize, Deserialize)]
pub struct Canister {
    /// Its id.
    pub id: CanisterId,
    /// Its settings; shared with executions, which read them.
    pub settings: Arc<Settings>,
    /// Whether it takes calls.
    pub status: Status,
    /// Counts its changes.
    pub version: u64,
    /// Its cycles.
    pub balance: Cycles,
    /// What it has paid.
    pub consumed: Consumed,
    /// Its code, unless it is empty.
    #[serde(skip)]
    pub code: Option<Code>,
    /// Its stable memory.
    pub stable: StableMemory,
    /// What it wants certified.
    #[serde(with = "serde_bytes")]
    pub certified_data: Vec<u8>,
    /// When `canister_global_timer` is due; 0 is never.
    pub global_timer: Time,
    /// Calls to it that are not finished.
    pub call_contexts: BTreeMap<CallContextId, CallContext>,
    /// Calls by it that are not answered.
    pub callbacks: BTreeMap<CallbackId, Callback>,
    /// How many calls to each canister are not answered.
    pub open_calls: BTreeMap<CanisterId, usize>,
    /// What its queries have used.
    pub query_statistics: QueryStatistics,
    /// Chunks of modules to install, by hash.
    #[serde(with = "crate::bytes::chunks")]
    pub chunks: BTreeMap<[u8; 32], Arc<Vec<u8>>>,
    /// Whether `canister_on_low_wasm_memory` ran since memory was last plenty.
    pub low_memory_noticed: bool,
    /// Until when it has paid for what it stores.
    pub charged_until: Time,
    /// What its messages printed, and why they trapped.
    pub log: CanisterLog,
    /// Its snapshots.
    pub snapshots: CanisterSnapshots,
    /// Its changes.
    pub history: History,
    created_at: Time,
    installed_at: Time,
    next_id: u64,
}

impl Canister {
    /// An empty canister.
    pub fn new(id: CanisterId, settings: Settings, balance: Cycles) -> Self {
        Canister {
            id,
            settings: Arc::new(settings),
            status: Status::Running,
            version: 0,
            balance,
            consumed: Consumed::default(),
            code: None,
            stable: StableMemory::default(),
            certified_data: Vec::new(),
            global_timer: 0,
            call_contexts: BTreeMap::new(),
            callbacks: BTreeMap::new(),
            open_calls: BTreeMap::new(),
            query_statistics: QueryStatistics::default(),
            chunks: BTreeMap::new(),
            low_memory_noticed: false,
            charged_until: 0,
            log: CanisterLog::default(),
            snapshots: CanisterSnapshots::default(),
            history: History::default(),
            created_at: 0,
            installed_at: 0,
            next_id: 0,
        }
    }

    /// Whether it takes calls.
    pub fn is_running(&self) -> bool {
        matches!(self.status, Status::Running)
    }

    /// Refuses calls while it is stopping or stopped.
    ///
    /// # Errors
    ///
    /// The reject of the call.
    pub fn check_running(&self) -> Result<(), Reject> {
        match self.status {
            Status::Running => Ok(()),
            Status::Stopping { .. } => Err(rejects::stopping(self.id)),
            Status::Stopped => Err(rejects::stopped(self.id)),
        }
    }

    /// How it exports a method that can be called as an update.
    ///
    /// # Errors
    ///
    /// The reject of a call, if there is no such method.
    pub fn find_method(&self, method: &str) -> Result<MethodKind, Reject> {
        let Some(code) = &self.code else {
            return Err(rejects::no_module(self.id));
        };
        let kind = code.module.methods.get(method).copied();
        kind.ok_or_else(|| rejects::no_update_method(self.id, method))
    }

    /// Whether its code has 64-bit memory, and so pays double for instructions.
    pub fn memory64(&self) -> bool {
        self.code.as_ref().is_some_and(|code| code.module.memory64)
    }

    /// The size of its Wasm memory in bytes.
    pub fn wasm_memory_size(&self) -> u64 {
        let code = self.code.as_ref();
        code.map_or(0, |code| code.state.memory_size())
    }

    /// Whether with this code it has less memory left than calls for `canister_on_low_wasm_memory`.
    pub fn is_memory_low(&self, code: &Code, limits: &Limits) -> bool {
        let limit = match self.settings.wasm_memory_limit {
            0 => code.module.memory_limit(limits),
            limit => limit,
        };
        limit.saturating_sub(code.state.memory_size()) < self.settings.wasm_memory_threshold
    }

    /// The memory that it has in use, in bytes: what was never written to does not count.
    pub fn memory_in_use(&self) -> u64 {
        let code = self.code.as_ref();
        code.map_or(0, |code| code.state.memory_in_use())
            + self.stable.size_in_use()
            + (self.chunks.len() * CHUNK_SIZE) as u64
            + self.snapshots.memory_in_use()
    }

    /// Opens a call context.
    pub fn open_call_context(&mut self, context: CallContext) -> CallContextId {
        let id = CallContextId(self.fresh_id());
        self.call_contexts.insert(id, context);
        id
    }

    /// Registers the callback of a call and makes the request of it.
    pub fn register_call(&mut self, context: CallContextId, call: OutgoingCall) -> Request {
        let id = CallbackId(self.fresh_id());
        if let Some(context) = self.call_contexts.get_mut(&context) {
            context.outstanding_callbacks += 1;
        }
        let callback = Callback {
            call_context: context,
            respondent: call.receiver,
            method: call.method.clone(),
            on_reply: call.on_reply,
            on_reject: call.on_reject,
            on_cleanup: call.on_cleanup,
            prepaid: call.prepaid,
            deadline: call.deadline,
        };
        self.callbacks.insert(id, callback);
        Request {
            sender: self.id,
            callback: id,
            receiver: call.receiver,
            method: call.method,
            argument: call.argument,
            cycles: call.cycles,
            deadline: call.deadline,
        }
    }

    /// Takes out the callback that a response is for. There is none if the caller no longer waits.
    pub fn take_callback(&mut self, id: CallbackId) -> Option<Callback> {
        let callback = self.callbacks.remove(&id)?;
        self.close_call(callback.respondent);
        if let Some(context) = self.call_contexts.get_mut(&callback.call_context) {
            context.outstanding_callbacks -= 1;
        }
        Some(callback)
    }

    /// Counts one call to a canister less.
    pub(crate) fn close_call(&mut self, receiver: CanisterId) {
        if let Some(open) = self.open_calls.get_mut(&receiver) {
            *open -= 1;
            if *open == 0 {
                self.open_calls.remove(&receiver);
            }
        }
    }

    /// Takes away its code and everything that the code made.
    pub fn uninstall(&mut self) {
        self.code = None;
        self.stable = StableMemory::default();
        self.certified_data.clear();
        self.global_timer = 0;
        self.chunks.clear();
        self.log.clear();
    }

    /// Adds a line to the log; the oldest lines give way.
    pub fn write_log(&mut self, time: Time, content: Vec<u8>) {
        self.log
            .write(time, content, self.settings.log_memory_limit);
    }

    /// Counts a change of the canister and remembers it.
    pub fn record_change(&mut self, time: Time, origin: ChangeOrigin, details: ChangeDetails) {
        self.version += 1;
        self.record(time, origin, details);
    }

    /// Remembers a change, or the creation, under the present version.
    pub fn record(&mut self, time: Time, origin: ChangeOrigin, details: ChangeDetails) {
        match &details {
            ChangeDetails::Creation(_) => self.created_at = time,
            ChangeDetails::CodeDeployment(_) | ChangeDetails::LoadSnapshot(_) => {
                self.installed_at = time;
            }
            _ => {}
        }
        self.history.add(Change {
            timestamp_nanos: time,
            canister_version: self.version,
            origin,
            details: Some(details),
        });
    }

    /// When it was created.
    pub fn created_at(&self) -> Time {
        self.created_at
    }

    /// When its code was installed, reinstalled or upgraded, unless it is empty.
    pub fn installed_at(&self) -> Option<Time> {
        self.code.as_ref().map(|_| self.installed_at)
    }

    /// The number that it gave to a call context or a callback last.
    #[cfg(feature = "exploring")]
    pub(crate) fn last_id(&self) -> u64 {
        self.next_id
    }

    fn fresh_id(&mut self) -> u64 {
        self.next_id += 1;
        self.next_id
    }
}
