//! The answer (the specification's sections "Responding" and "Ingress message inspection").

use super::host::{Call, SystemApi};
use super::trap::Trap;
use crate::message::Reject;

pub(super) fn reply_data_append(call: &mut Call<'_>, a: &[u64]) -> Result<u64, Trap> {
    check_unanswered(call.host, "msg_reply_data_append")?;
    let total = (call.host.reply.len() as u64).saturating_add(a[1]);
    check_size(call.host, "msg_reply_data_append", total)?;
    let data = call.bytes(a[0], a[1])?.to_vec();
    call.host.reply.extend(data);
    Ok(0)
}

pub(super) fn reply(call: &mut Call<'_>, _: &[u64]) -> Result<u64, Trap> {
    check_unanswered(call.host, "msg_reply")?;
    let reply = std::mem::take(&mut call.host.reply);
    call.host.effects.response = Some(Ok(reply));
    Ok(0)
}

pub(super) fn reject(call: &mut Call<'_>, a: &[u64]) -> Result<u64, Trap> {
    check_unanswered(call.host, "msg_reject")?;
    check_size(call.host, "msg_reject", a[1])?;
    let message = call.text(a[0], a[1])?.to_owned();
    call.host.reply.clear();
    call.host.effects.response = Some(Err(Reject::by_canister(message)));
    Ok(0)
}

pub(super) fn accept_message(call: &mut Call<'_>, _: &[u64]) -> Result<u64, Trap> {
    if call.host.effects.accepted {
        return Err(Trap::violation(
            "ic0.accept_message: the message was already accepted",
        ));
    }
    call.host.effects.accepted = true;
    Ok(0)
}

fn check_unanswered(api: &SystemApi, function: &str) -> Result<(), Trap> {
    match api.view.responded || api.effects.response.is_some() {
        true => Err(Trap::violation(format!(
            "ic0.{function}: the call is already replied"
        ))),
        false => Ok(()),
    }
}

fn check_size(api: &SystemApi, function: &str, size: u64) -> Result<(), Trap> {
    let limit = match api.view.replicated {
        true => api.view.limits.response_size,
        false => api.view.limits.query_response_size,
    };
    match size <= limit as u64 {
        true => Ok(()),
        false => Err(Trap::TooLarge(format!(
            "ic0.{function}: application payload size ({size}) cannot be larger than {limit}"
        ))),
    }
}
