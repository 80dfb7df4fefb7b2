//! The host of a running canister: what an execution may see, and what it has done so far.

use std::collections::BTreeMap;
use std::sync::Arc;

use candid::Principal;

use super::entry_point::{EntryPoint, EntryPoints};
use super::trap::Trap;
use crate::canister_log::Printed;
use crate::fees;
use crate::limits::Limits;
use crate::message::{CallResult, CanisterId, Cycles, OutgoingCall, RejectCode, Time};
use crate::settings::Settings;
use crate::stable_memory::StableMemory;
use crate::subnet::Subnet;
use crate::wasm::{Host, HostCall, HostFunction, PAGE_SIZE};

/// A host call of the System API.
pub(crate) type Call<'a> = HostCall<'a, SystemApi>;

/// What an execution may see of its canister and of its message.
#[derive(Clone)]
pub struct View {
    /// Where the execution starts.
    pub entry_point: EntryPoint,
    /// The subnet.
    pub subnet: Arc<Subnet>,
    /// The canister's id.
    pub canister: CanisterId,
    /// The canister's settings.
    pub settings: Arc<Settings>,
    /// `ic0.canister_version`.
    pub version: u64,
    /// `ic0.canister_status`: 1 running, 2 stopping, 3 stopped.
    pub status: u32,
    /// `ic0.time`.
    pub time: Time,
    /// The caller of the call context, or who installs.
    pub caller: Principal,
    /// The argument of the method, or the reply in a reply callback.
    pub argument: Vec<u8>,
    /// The reject in a reject callback, and in the cleanup of one.
    pub reject: Option<(RejectCode, String)>,
    /// The method that `canister_inspect_message` is asked about.
    pub method: String,
    /// When the caller stops waiting.
    pub deadline: Option<Time>,
    /// The cycles that came back with the response.
    pub refunded: Cycles,

    /// Whether the call was answered before this message, or needs no answer.
    pub responded: bool,
    /// Instructions executed in the call context before this message.
    pub context_instructions: u64,
    /// Whether the message goes through consensus (queries by users do not).
    pub replicated: bool,
    /// The certified data that a data certificate can be made of, where there is one.
    pub certified_data: Option<Vec<u8>>,
    /// What the canister stores beside its memories, in bytes.
    pub stored_beside_memory: u64,
    /// The bytes that were kept free for responses before the message.
    pub reserved_for_responses: u64,
    /// Whether the code has 64-bit memory.
    pub memory64: bool,
    /// How much the canister may do and send.
    pub limits: Arc<Limits>,
}

/// What an execution has done so far.
#[derive(Clone)]
pub struct Effects {
    /// The balance after what was attached, accepted and burned.
    pub balance: Cycles,
    /// The cycles of the call that were not accepted yet.
    pub available: Cycles,
    /// The answer to the call.
    pub response: Option<CallResult>,
    /// Calls to send, in order.
    pub calls: Vec<OutgoingCall>,
    /// The new certified data.
    pub certified_data: Option<Vec<u8>>,
    /// The new global timer; 0 is none.
    pub global_timer: Option<Time>,
    /// Cycles burned by `ic0.cycles_burn128`.
    pub burned: Cycles,
    /// Whether `canister_inspect_message` accepted.
    pub accepted: bool,
}

/// The host of a running canister.
#[derive(Clone)]
pub struct SystemApi {
    pub(crate) view: View,
    pub(crate) effects: Effects,
    /// The canister's stable memory, which undoes by itself.
    pub(crate) stable: StableMemory,
    /// How many calls to each canister are open.
    pub(crate) open_calls: BTreeMap<CanisterId, usize>,
    /// The timer before the message, as `ic0.global_timer_set` returns it.
    pub(crate) global_timer: Time,
    /// What the message printed: it stays, whatever becomes of the message.
    pub(crate) log: Printed,
    /// The reply so far.
    pub(super) reply: Vec<u8>,
    /// The call under construction.
    pub(super) call: Option<OutgoingCall>,
    /// The data certificate, once it was asked for.
    pub(super) data_certificate: Option<Vec<u8>>,
}

impl SystemApi {
    /// The host of one execution. `balance` and `available` are the canister's cycles and those of
    /// the call.
    pub fn new(
        view: View,
        balance: Cycles,
        available: Cycles,
        stable: StableMemory,
        open_calls: BTreeMap<CanisterId, usize>,
        global_timer: Time,
    ) -> Self {
        SystemApi {
            view,
            effects: Effects {
                balance,
                available,
                response: None,
                calls: Vec::new(),
                certified_data: None,
                global_timer: None,
                burned: 0,
                accepted: false,
            },
            stable,
            open_calls,
            global_timer,
            log: Printed::default(),
            reply: Vec::new(),
            call: None,
            data_certificate: None,
        }
    }

    /// Whether an execution that begins with this host does the same as one that begins with `other`,
    /// if both are for the same message of the same canister, and start from the same state of its
    /// module.
    pub(crate) fn begins_like(&self, other: &SystemApi) -> bool {
        let seen = |api: &SystemApi| {
            let View {
                version,
                status,
                time,
                context_instructions,
                stored_beside_memory,
                reserved_for_responses,
                responded,
                ..
            } = api.view;
            let numbers = (version, status, time, context_instructions);
            let bytes = (stored_beside_memory, reserved_for_responses);
            let cycles = (api.effects.balance, api.effects.available);
            (numbers, bytes, cycles, responded, api.global_timer)
        };
        seen(self) == seen(other)
            && self.view.argument == other.view.argument
            && self.view.reject == other.view.reject
            && Arc::ptr_eq(&self.view.settings, &other.view.settings)
            && self.stable.is_same(&other.stable)
            && self.open_calls == other.open_calls
    }

    /// Ends the execution: a call that was assembled but not performed is discarded, and its
    /// cycles are back in the balance.
    pub(crate) fn finish(&mut self) {
        self.discard_call();
    }

    /// Gives up the call under construction, if there is one; its cycles go back to the balance.
    pub(super) fn discard_call(&mut self) {
        if let Some(call) = self.call.take() {
            self.effects.balance += call.cycles;
        }
    }

    /// The cycles that can be spent without freezing the canister, now that its Wasm memory has so many
    /// bytes.
    pub(super) fn liquid_balance(&self, memory: u64) -> Cycles {
        self.liquid_balance_with(memory, 0)
    }

    /// The same with so many bytes more kept free for responses.
    pub(super) fn liquid_balance_with(&self, memory: u64, more: u64) -> Cycles {
        let stable = self.stable.pages() * PAGE_SIZE;
        let stored = self.view.stored_beside_memory + memory + stable;
        let calls = self.effects.calls.iter();
        let reserved: u64 = calls
            .map(|call| fees::kept_for_response(call.deadline))
            .sum();
        let reserved = self.view.reserved_for_responses + reserved + more;
        let limit = self.view.settings.freezing_limit(stored, reserved);
        self.effects.balance.saturating_sub(limit)
    }

    /// Cycles that a call sets aside for its response.
    pub(super) fn prepayment(&self) -> Cycles {
        fees::reserved_for_response(self.view.memory64)
    }
}

impl Host for SystemApi {
    type Trap = Trap;
    type Permission = EntryPoints;

    fn check(&self, function: &HostFunction<Self>) -> Result<(), Trap> {
        let entry_point = self.view.entry_point;
        match function.permission.contains(entry_point) {
            true => Ok(()),
            false => Err(Trap::WrongMode(function.name, entry_point)),
        }
    }
}
