//! Access to stable memory (the specification's section "Stable memory").

use super::host::Call;
use super::trap::Trap;
use crate::stable_memory::OutOfBounds;
use crate::wasm::PAGE_SIZE;

/// What the functions that grow return if they can't.
const FAILED: u64 = u64::MAX;

/// The most that the 32-bit functions can address, in pages.
const MAX_PAGES_32: u64 = (1 << 32) / PAGE_SIZE;

impl From<OutOfBounds> for Trap {
    fn from(_: OutOfBounds) -> Self {
        Trap::StableMemoryOutOfBounds
    }
}

pub(super) fn size64(call: &mut Call<'_>, _: &[u64]) -> Result<u64, Trap> {
    Ok(call.host.stable.pages())
}

pub(super) fn grow64(call: &mut Call<'_>, a: &[u64]) -> Result<u64, Trap> {
    let maximum = call.host.view.limits.stable_memory / PAGE_SIZE;
    Ok(call.host.stable.grow(a[0], maximum).unwrap_or(FAILED))
}

pub(super) fn write64(call: &mut Call<'_>, a: &[u64]) -> Result<u64, Trap> {
    let [offset, source, size] = [a[0], a[1], a[2]];
    // Checked first: the call charges for the bytes, and they end up in the host's memory.
    call.bytes(source, size)?;
    let data = &call.memory[source as usize..(source + size) as usize];
    call.host.stable.write(offset, data)?;
    Ok(0)
}

pub(super) fn read64(call: &mut Call<'_>, a: &[u64]) -> Result<u64, Trap> {
    let [destination, offset, size] = [a[0], a[1], a[2]];
    call.bytes(destination, size)?;
    let buffer = &mut call.memory[destination as usize..(destination + size) as usize];
    call.host.stable.read(offset, buffer)?;
    Ok(0)
}

fn check_32(call: &Call<'_>) -> Result<(), Trap> {
    match call.host.stable.pages() <= MAX_PAGES_32 {
        true => Ok(()),
        false => Err(Trap::violation(
            "32-bit stable memory functions can't be used on a stable memory above 4 GiB",
        )),
    }
}

pub(super) fn size(call: &mut Call<'_>, a: &[u64]) -> Result<u64, Trap> {
    check_32(call)?;
    size64(call, a)
}

pub(super) fn grow(call: &mut Call<'_>, a: &[u64]) -> Result<u64, Trap> {
    check_32(call)?;
    match call.host.stable.pages() + a[0] <= MAX_PAGES_32 {
        true => grow64(call, a),
        false => Ok(FAILED),
    }
}

pub(super) fn write(call: &mut Call<'_>, a: &[u64]) -> Result<u64, Trap> {
    check_32(call)?;
    write64(call, a)
}

pub(super) fn read(call: &mut Call<'_>, a: &[u64]) -> Result<u64, Trap> {
    check_32(call)?;
    read64(call, a)
}
