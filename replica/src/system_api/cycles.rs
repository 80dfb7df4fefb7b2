//! Cycles and what things cost (the specification's sections "Cycles" and "Cycle cost
//! calculation").

use candid::{CandidType, Deserialize};

use super::host::Call;
use super::trap::Trap;
use crate::fees;
use crate::message::Cycles;

/// The number that two 64-bit halves make.
pub(super) fn from_halves(high: u64, low: u64) -> Cycles {
    Cycles::from(high) << 64 | Cycles::from(low)
}

/// A number that a function with a 64-bit result can return.
fn narrow(cycles: Cycles, wide: &str) -> Result<u64, Trap> {
    u64::try_from(cycles).map_err(|_| {
        Trap::violation(format!(
            "the amount of cycles does not fit into 64 bits; ic0.{wide} returns it"
        ))
    })
}

/// What the call still has. Nothing, once it is answered: then it is on its way back.
fn available_now(call: &Call<'_>) -> Cycles {
    match call.host.effects.response {
        Some(_) => 0,
        None => call.host.effects.available,
    }
}

fn accept_up_to(call: &mut Call<'_>, limit: Cycles) -> Cycles {
    let accepted = limit.min(available_now(call));
    call.host.effects.available -= accepted;
    call.host.effects.balance += accepted;
    accepted
}

pub(super) fn available(call: &mut Call<'_>, _: &[u64]) -> Result<u64, Trap> {
    narrow(available_now(call), "msg_cycles_available128")
}

pub(super) fn available128(call: &mut Call<'_>, a: &[u64]) -> Result<u64, Trap> {
    call.write_u128(a[0], available_now(call))?;
    Ok(0)
}

pub(super) fn refunded(call: &mut Call<'_>, _: &[u64]) -> Result<u64, Trap> {
    narrow(call.host.view.refunded, "msg_cycles_refunded128")
}

pub(super) fn refunded128(call: &mut Call<'_>, a: &[u64]) -> Result<u64, Trap> {
    call.write_u128(a[0], call.host.view.refunded)?;
    Ok(0)
}

pub(super) fn accept(call: &mut Call<'_>, a: &[u64]) -> Result<u64, Trap> {
    let accepted = accept_up_to(call, Cycles::from(a[0]));
    narrow(accepted, "msg_cycles_accept128")
}

pub(super) fn accept128(call: &mut Call<'_>, a: &[u64]) -> Result<u64, Trap> {
    let accepted = accept_up_to(call, from_halves(a[0], a[1]));
    call.write_u128(a[2], accepted)?;
    Ok(0)
}

pub(super) fn burn128(call: &mut Call<'_>, a: &[u64]) -> Result<u64, Trap> {
    let liquid = call.host.liquid_balance(call.memory.len() as u64);
    let burned = from_halves(a[0], a[1]).min(liquid);
    call.host.effects.balance -= burned;
    call.host.effects.burned += burned;
    call.write_u128(a[2], burned)?;
    Ok(0)
}

pub(super) fn balance(call: &mut Call<'_>, _: &[u64]) -> Result<u64, Trap> {
    narrow(call.host.effects.balance, "canister_cycle_balance128")
}

pub(super) fn balance128(call: &mut Call<'_>, a: &[u64]) -> Result<u64, Trap> {
    call.write_u128(a[0], call.host.effects.balance)?;
    Ok(0)
}

pub(super) fn liquid_balance128(call: &mut Call<'_>, a: &[u64]) -> Result<u64, Trap> {
    let liquid = call.host.liquid_balance(call.memory.len() as u64);
    call.write_u128(a[0], liquid)?;
    Ok(0)
}

pub(super) fn cost_call(call: &mut Call<'_>, a: &[u64]) -> Result<u64, Trap> {
    let cost = fees::request(a[0], a[1]) + call.host.prepayment();
    call.write_u128(a[2], cost)?;
    Ok(0)
}

pub(super) fn cost_create_canister(call: &mut Call<'_>, a: &[u64]) -> Result<u64, Trap> {
    call.write_u128(a[0], fees::CREATE_CANISTER)?;
    Ok(0)
}

pub(super) fn cost_http_request(call: &mut Call<'_>, a: &[u64]) -> Result<u64, Trap> {
    call.write_u128(a[2], fees::http_request(a[0], a[1]))?;
    Ok(0)
}

/// What an HTTPS outcall is expected to use.
#[derive(CandidType, Deserialize)]
struct Outcall {
    request_bytes: u64,
    http_roundtrip_time_ms: u64,
    raw_response_bytes: u64,
    transformed_response_bytes: u64,
    transform_instructions: u64,
}

pub(super) fn cost_http_request_v2(call: &mut Call<'_>, a: &[u64]) -> Result<u64, Trap> {
    let outcall: Outcall = candid::decode_one(call.bytes(a[0], a[1])?).map_err(|error| {
        Trap::violation(format!(
            "ic0.cost_http_request_v2: failed to decode the parameters: {error}"
        ))
    })?;
    let cost = fees::http_request_by_use(
        outcall.request_bytes,
        outcall.http_roundtrip_time_ms,
        outcall.raw_response_bytes,
        outcall.transformed_response_bytes,
        outcall.transform_instructions,
    );
    call.write_u128(a[2], cost)?;
    Ok(0)
}

/// Only the network's cycles minting canister can do this, and a local replica has a stand-in for it.
pub(super) fn mint128(call: &mut Call<'_>, _: &[u64]) -> Result<u64, Trap> {
    Err(Trap::violation(format!(
        "ic0.mint_cycles128 cannot be executed on non Cycles Minting Canister: {} != \
         rkp4c-7iaaa-aaaaa-aaaca-cai",
        call.host.view.canister
    )))
}

/// What the `cost_sign_…` functions return for a curve or algorithm that is not defined.
const INVALID_ALGORITHM: u64 = 1;

/// What they return for a key that does not exist. A local replica has no threshold keys.
const INVALID_KEY_NAME: u64 = 2;

fn cost_of_key(call: &mut Call<'_>, a: &[u64], algorithms: u64) -> Result<u64, Trap> {
    call.text(a[0], a[1])?;
    match a[2] < algorithms {
        true => Ok(INVALID_KEY_NAME),
        false => Ok(INVALID_ALGORITHM),
    }
}

pub(super) fn cost_sign_with_ecdsa(call: &mut Call<'_>, a: &[u64]) -> Result<u64, Trap> {
    cost_of_key(call, a, 1)
}

pub(super) fn cost_sign_with_schnorr(call: &mut Call<'_>, a: &[u64]) -> Result<u64, Trap> {
    cost_of_key(call, a, 2)
}

pub(super) fn cost_vetkd_derive_key(call: &mut Call<'_>, a: &[u64]) -> Result<u64, Trap> {
    cost_of_key(call, a, 1)
}
