//! How bytes cross between a canister's memory and the System API (the specification's section
//! "Blob-typed arguments and results").

use super::host::{Call, SystemApi};
use super::trap::Trap;

impl Call<'_> {
    /// The bytes at `source` of the canister's memory.
    pub(super) fn bytes(&mut self, source: u64, size: u64) -> Result<&[u8], Trap> {
        let range = range(source, size, self.memory.len(), "the canister's memory")?;
        self.charge += size;
        Ok(&self.memory[range])
    }

    /// The UTF-8 text at `source` of the canister's memory.
    pub(super) fn text(&mut self, source: u64, size: u64) -> Result<&str, Trap> {
        let bytes = self.bytes(source, size)?;
        std::str::from_utf8(bytes)
            .map_err(|_| Trap::violation("a text passed to the System API is not valid UTF-8"))
    }

    /// Copies `size` bytes from `offset` of the blob that `blob` chooses to `destination` of the
    /// canister's memory.
    pub(super) fn copy(
        &mut self,
        to_offset_size: [u64; 3],
        blob: impl FnOnce(&SystemApi) -> &[u8],
    ) -> Result<u64, Trap> {
        copy(self.memory, to_offset_size, blob(self.host))?;
        self.charge += to_offset_size[2];
        Ok(0)
    }

    /// As [`Call::copy`], from a text that is at hand.
    pub(super) fn copy_text(&mut self, to_offset_size: [u64; 3], text: &str) -> Result<u64, Trap> {
        copy(self.memory, to_offset_size, text.as_bytes())?;
        self.charge += to_offset_size[2];
        Ok(0)
    }

    /// Writes a 128-bit number to `destination` of the canister's memory.
    pub(super) fn write_u128(&mut self, destination: u64, number: u128) -> Result<(), Trap> {
        let to = range(destination, 16, self.memory.len(), "the canister's memory")?;
        self.memory[to].copy_from_slice(&number.to_le_bytes());
        Ok(())
    }
}

fn copy(memory: &mut [u8], [destination, offset, size]: [u64; 3], blob: &[u8]) -> Result<(), Trap> {
    let from = range(offset, size, blob.len(), "the data that it asked for")?;
    let to = range(destination, size, memory.len(), "the canister's memory")?;
    memory[to].copy_from_slice(&blob[from]);
    Ok(())
}

/// The range `start..start + size`, if it lies within something of length `limit`.
fn range(
    start: u64,
    size: u64,
    limit: usize,
    of_what: &str,
) -> Result<std::ops::Range<usize>, Trap> {
    match start.checked_add(size) {
        Some(end) if end <= limit as u64 => Ok(start as usize..end as usize),
        _ => Err(Trap::violation(format!(
            "it addressed {size} bytes at {start}, outside {of_what} of {limit} bytes"
        ))),
    }
}
