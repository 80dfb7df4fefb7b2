//! Calls to other canisters (the specification's section "Inter-canister method calls").

use candid::Principal;

use super::cycles::from_halves;
use super::host::{Call, SystemApi};
use super::trap::Trap;
use crate::fees;
use crate::message::{Closure, Cycles, OutgoingCall};

/// The longest name of a method, in bytes.
const MAX_METHOD_NAME: u64 = 20_000;

/// The longest wait of a bounded-wait call, in seconds (`MAX_CALL_TIMEOUT`).
const MAX_CALL_TIMEOUT: u64 = 300;

/// What `ic0.call_perform` returns if the call could not be enqueued.
const NOT_PERFORMED: u64 = 2;

impl SystemApi {
    fn call_under_construction(&mut self, function: &str) -> Result<&mut OutgoingCall, Trap> {
        self.call.as_mut().ok_or_else(|| {
            Trap::violation(format!(
                "ic0.{function} called when no call is under construction"
            ))
        })
    }

    fn attach(&mut self, function: &str, cycles: Cycles, memory: u64) -> Result<u64, Trap> {
        self.call_under_construction(function)?;
        let liquid = self.liquid_balance(memory);
        if cycles > liquid {
            return Err(Trap::InsufficientCycles(format!(
                "Canister tried to attach {cycles} cycles to a call, but only {liquid} can be spent"
            )));
        }
        self.effects.balance -= cycles;
        self.call_under_construction(function)?.cycles += cycles;
        Ok(0)
    }
}

pub(super) fn new(call: &mut Call<'_>, a: &[u64]) -> Result<u64, Trap> {
    call.host.discard_call();
    let receiver = Principal::try_from_slice(call.bytes(a[0], a[1])?)
        .map_err(|error| Trap::violation(format!("ic0.call_new: not a canister id: {error}")))?;
    if a[3] > MAX_METHOD_NAME {
        return Err(Trap::TooLarge(format!(
            "Size of method_name {} exceeds the allowed limit of {MAX_METHOD_NAME}",
            a[3]
        )));
    }
    let method = call.text(a[2], a[3])?.to_owned();
    let on_reply = Closure {
        function: a[4],
        environment: a[5],
    };
    let on_reject = Closure {
        function: a[6],
        environment: a[7],
    };
    call.host.call = Some(OutgoingCall {
        receiver,
        method,
        argument: Vec::new(),
        cycles: 0,
        prepaid: 0,
        fee: 0,
        deadline: None,
        on_reply,
        on_reject,
        on_cleanup: None,
    });
    Ok(0)
}

pub(super) fn on_cleanup(call: &mut Call<'_>, a: &[u64]) -> Result<u64, Trap> {
    let outgoing = call.host.call_under_construction("call_on_cleanup")?;
    if outgoing.on_cleanup.is_some() {
        return Err(Trap::violation(
            "ic0.call_on_cleanup can be called at most once between ic0.call_new and ic0.call_perform",
        ));
    }
    outgoing.on_cleanup = Some(Closure {
        function: a[0],
        environment: a[1],
    });
    Ok(0)
}

pub(super) fn data_append(call: &mut Call<'_>, a: &[u64]) -> Result<u64, Trap> {
    let limit = call.host.view.limits.call_size;
    let outgoing = call.host.call_under_construction("call_data_append")?;
    let size = (outgoing.argument.len() as u64).saturating_add(a[1]);
    if size > limit as u64 {
        return Err(Trap::TooLarge(format!(
            "Request to {}:{} has a payload size of {size}, which exceeds the allowed limit of \
             {limit}",
            outgoing.receiver, outgoing.method
        )));
    }
    let data = call.bytes(a[0], a[1])?.to_vec();
    let outgoing = call.host.call_under_construction("call_data_append")?;
    outgoing.argument.extend(data);
    Ok(0)
}

pub(super) fn with_best_effort_response(call: &mut Call<'_>, a: &[u64]) -> Result<u64, Trap> {
    let time = call.host.view.time;
    let outgoing = call
        .host
        .call_under_construction("call_with_best_effort_response")?;
    if outgoing.deadline.is_some() {
        return Err(Trap::violation(
            "ic0.call_with_best_effort_response can be called at most once between ic0.call_new \
             and ic0.call_perform",
        ));
    }
    let seconds = a[0].min(MAX_CALL_TIMEOUT);
    outgoing.deadline = Some(time.saturating_add(seconds * 1_000_000_000));
    Ok(0)
}

pub(super) fn cycles_add(call: &mut Call<'_>, a: &[u64]) -> Result<u64, Trap> {
    let memory = call.memory.len() as u64;
    call.host
        .attach("call_cycles_add", Cycles::from(a[0]), memory)
}

pub(super) fn cycles_add128(call: &mut Call<'_>, a: &[u64]) -> Result<u64, Trap> {
    let cycles = from_halves(a[0], a[1]);
    let memory = call.memory.len() as u64;
    call.host.attach("call_cycles_add128", cycles, memory)
}

pub(super) fn perform(call: &mut Call<'_>, _: &[u64]) -> Result<u64, Trap> {
    let memory = call.memory.len() as u64;
    let api = &mut *call.host;
    let outgoing = api.call_under_construction("call_perform")?;
    let receiver = outgoing.receiver;
    let fee = fees::request(outgoing.method.len() as u64, outgoing.argument.len() as u64);
    let reserved = fees::kept_for_response(outgoing.deadline);
    let prepaid = api.prepayment();
    let affordable = api.liquid_balance_with(memory, reserved) >= fee + prepaid;
    let open = api.open_calls.get(&receiver).copied().unwrap_or(0);
    if !affordable || open >= api.view.limits.queue_capacity {
        api.discard_call();
        return Ok(NOT_PERFORMED);
    }
    let Some(mut call) = api.call.take() else {
        return Ok(NOT_PERFORMED);
    };
    api.effects.balance -= fee + prepaid;
    (call.fee, call.prepaid) = (fee, prepaid);
    *api.open_calls.entry(receiver).or_default() += 1;
    api.effects.calls.push(call);
    Ok(0)
}
