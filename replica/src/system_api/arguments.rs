//! What the message brings (the specification's sections "Method arguments" and "Ingress message
//! inspection").

use super::host::Call;
use super::trap::Trap;

pub(super) fn arg_data_size(call: &mut Call<'_>, _: &[u64]) -> Result<u64, Trap> {
    Ok(call.host.view.argument.len() as u64)
}

pub(super) fn arg_data_copy(call: &mut Call<'_>, a: &[u64]) -> Result<u64, Trap> {
    call.copy([a[0], a[1], a[2]], |api| &api.view.argument)
}

pub(super) fn caller_size(call: &mut Call<'_>, _: &[u64]) -> Result<u64, Trap> {
    Ok(call.host.view.caller.as_slice().len() as u64)
}

pub(super) fn caller_copy(call: &mut Call<'_>, a: &[u64]) -> Result<u64, Trap> {
    call.copy([a[0], a[1], a[2]], |api| api.view.caller.as_slice())
}

/// Empty: no caller of this replica authenticates by a canister signature.
pub(super) fn caller_info_size(_: &mut Call<'_>, _: &[u64]) -> Result<u64, Trap> {
    Ok(0)
}

pub(super) fn caller_info_copy(call: &mut Call<'_>, a: &[u64]) -> Result<u64, Trap> {
    call.copy([a[0], a[1], a[2]], |_| &[])
}

pub(super) fn reject_code(call: &mut Call<'_>, _: &[u64]) -> Result<u64, Trap> {
    let reject = call.host.view.reject.as_ref();
    Ok(reject.map_or(0, |(code, _)| *code as u64))
}

pub(super) fn reject_msg_size(call: &mut Call<'_>, _: &[u64]) -> Result<u64, Trap> {
    let reject = call.host.view.reject.as_ref();
    Ok(reject.map_or(0, |(_, message)| message.len() as u64))
}

pub(super) fn reject_msg_copy(call: &mut Call<'_>, a: &[u64]) -> Result<u64, Trap> {
    call.copy([a[0], a[1], a[2]], |api| {
        let reject = api.view.reject.as_ref();
        reject.map_or(&[], |(_, message)| message.as_bytes())
    })
}

pub(super) fn deadline(call: &mut Call<'_>, _: &[u64]) -> Result<u64, Trap> {
    Ok(call.host.view.deadline.unwrap_or(0))
}

pub(super) fn method_name_size(call: &mut Call<'_>, _: &[u64]) -> Result<u64, Trap> {
    Ok(call.host.view.method.len() as u64)
}

pub(super) fn method_name_copy(call: &mut Call<'_>, a: &[u64]) -> Result<u64, Trap> {
    call.copy([a[0], a[1], a[2]], |api| api.view.method.as_bytes())
}
