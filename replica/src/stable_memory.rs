//! Stable memory: what a canister keeps across upgrades.

use serde::{Deserialize, Serialize};

use crate::blocks::Blocks;
use crate::wasm::PAGE_SIZE;

/// A canister's stable memory. A clone shares with it what neither changes.
#[derive(Clone, Default, Serialize, Deserialize)]
pub struct StableMemory {
    pages: u64,
    blocks: Blocks,
}

/// An access outside the stable memory.
#[derive(Debug, PartialEq, Eq)]
pub struct OutOfBounds;

impl StableMemory {
    /// The size in Wasm pages.
    pub fn pages(&self) -> u64 {
        self.pages
    }

    /// How many bytes of it were ever written to, in whole blocks.
    pub fn size_in_use(&self) -> u64 {
        self.blocks.size()
    }

    /// Grows by `additional` pages of zeros and returns the old size in pages, or nothing if it
    /// would exceed `maximum` pages.
    pub fn grow(&mut self, additional: u64, maximum: u64) -> Option<u64> {
        let old = self.pages;
        let new = old.checked_add(additional).filter(|n| *n <= maximum)?;
        self.pages = new;
        Some(old)
    }

    /// Copies from `offset` into `buffer`.
    ///
    /// # Errors
    ///
    /// If the range does not lie within the stable memory.
    pub fn read(&self, offset: u64, buffer: &mut [u8]) -> Result<(), OutOfBounds> {
        self.check(offset, buffer.len())?;
        self.blocks.read_bytes(offset, buffer);
        Ok(())
    }

    /// Copies `bytes` to `offset`.
    ///
    /// # Errors
    ///
    /// If the range does not lie within the stable memory; then nothing is written.
    pub fn write(&mut self, offset: u64, bytes: &[u8]) -> Result<(), OutOfBounds> {
        self.check(offset, bytes.len())?;
        self.blocks.write_bytes(offset, bytes);
        Ok(())
    }

    /// Whether nothing was written or grown since one was cloned from the other.
    pub fn is_same(&self, other: &StableMemory) -> bool {
        self.pages == other.pages && self.blocks.is_same(&other.blocks)
    }

    fn check(&self, offset: u64, length: usize) -> Result<(), OutOfBounds> {
        let size = self.pages * PAGE_SIZE;
        match offset.checked_add(length as u64) {
            Some(end) if end <= size => Ok(()),
            _ => Err(OutOfBounds),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clone_stays_as_it_was() {
        let mut memory = StableMemory::default();
        assert_eq!(memory.grow(1, 9), Some(0));
        memory.write(4090, b"committed").unwrap();
        let before = memory.clone();
        assert!(memory.is_same(&before));
        memory.write(4094, b"undone").unwrap();
        assert_eq!(memory.grow(2, 9), Some(1));
        memory.write(2 * PAGE_SIZE, b"undone").unwrap();
        assert!(!memory.is_same(&before));
        assert_eq!(before.pages(), 1);
        let mut read = [0; 11];
        before.read(4090, &mut read).unwrap();
        assert_eq!(&read, b"committed\0\0");
    }

    #[test]
    fn access_past_the_end_is_refused_and_writes_nothing() {
        let mut memory = StableMemory::default();
        memory.grow(1, 9);
        assert_eq!(memory.write(PAGE_SIZE - 2, b"abc"), Err(OutOfBounds));
        assert_eq!(memory.write(u64::MAX, b"abc"), Err(OutOfBounds));
        let mut read = [1; 2];
        memory.read(PAGE_SIZE - 2, &mut read).unwrap();
        assert_eq!(read, [0, 0]);
        assert_eq!(memory.grow(9, 9), None);
    }

    #[test]
    fn what_was_never_written_reads_as_zeros() {
        let mut memory = StableMemory::default();
        memory.grow(2, 9);
        memory.write(PAGE_SIZE, b"x").unwrap();
        let mut read = [1; 2];
        memory.read(PAGE_SIZE - 1, &mut read).unwrap();
        assert_eq!(read, [0, b'x']);
    }
}
