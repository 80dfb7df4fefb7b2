//! Certified data and the root key (the specification's section "Certified data").

use super::host::{Call, SystemApi};
use super::trap::Trap;
use crate::subnet::Subnet;

/// The most that a canister can have certified, in bytes.
const MAX_CERTIFIED_DATA: u64 = 32;

pub(super) fn root_key_size(call: &mut Call<'_>, _: &[u64]) -> Result<u64, Trap> {
    Ok(call.host.view.subnet.public_key().len() as u64)
}

pub(super) fn root_key_copy(call: &mut Call<'_>, a: &[u64]) -> Result<u64, Trap> {
    call.copy([a[0], a[1], a[2]], |api| api.view.subnet.public_key())
}

pub(super) fn certified_data_set(call: &mut Call<'_>, a: &[u64]) -> Result<u64, Trap> {
    if a[1] > MAX_CERTIFIED_DATA {
        return Err(Trap::TooLarge(format!(
            "ic0_certified_data_set failed because the passed data must be no larger than \
             {MAX_CERTIFIED_DATA} bytes. Found {} bytes",
            a[1]
        )));
    }
    let data = call.bytes(a[0], a[1])?.to_vec();
    call.host.effects.certified_data = Some(data);
    Ok(0)
}

pub(super) fn data_certificate_present(call: &mut Call<'_>, _: &[u64]) -> Result<u64, Trap> {
    let present = Subnet::CERTIFIES && call.host.view.certified_data.is_some();
    Ok(u64::from(present))
}

pub(super) fn data_certificate_size(call: &mut Call<'_>, _: &[u64]) -> Result<u64, Trap> {
    Ok(certificate(call.host)?.len() as u64)
}

pub(super) fn data_certificate_copy(call: &mut Call<'_>, a: &[u64]) -> Result<u64, Trap> {
    certificate(call.host)?;
    call.copy([a[0], a[1], a[2]], |api| {
        api.data_certificate.as_deref().unwrap_or_default()
    })
}

/// Signing takes longer than most queries, so it is done when a canister asks.
fn certificate(api: &mut SystemApi) -> Result<&[u8], Trap> {
    let SystemApi {
        view,
        data_certificate,
        ..
    } = api;
    if data_certificate.is_none()
        && let Some(data) = &view.certified_data
    {
        *data_certificate = view.subnet.certify_data(view.canister, data, view.time);
    }
    data_certificate.as_deref().ok_or_else(|| {
        Trap::violation("there is no data certificate here: ic0.data_certificate_present returns 0")
    })
}
