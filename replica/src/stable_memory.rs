//! Stable memory: what a canister keeps across upgrades, with an undo of the running message.

use std::collections::BTreeMap;

use crate::wasm::PAGE_SIZE;

/// The unit in which changes are kept for the undo, in bytes.
const BLOCK_SIZE: u64 = 4096;

type Block = Box<[u8; BLOCK_SIZE as usize]>;

/// A canister's stable memory. Blocks that were never written take no space.
///
/// Changes can be undone back to the last [`StableMemory::commit`].
#[derive(Default)]
pub struct StableMemory {
    pages: u64,
    blocks: BTreeMap<u64, Block>,
    committed_pages: u64,
    /// The blocks changed since the last commit, as they were then.
    before: BTreeMap<u64, Option<Block>>,
}

/// The changes since a commit, taken out of a stable memory.
#[derive(Clone)]
pub struct Changes {
    pages: u64,
    blocks: BTreeMap<u64, Block>,
}

/// An access outside the stable memory.
#[derive(Debug, PartialEq, Eq)]
pub struct OutOfBounds;

impl StableMemory {
    /// The size in Wasm pages.
    pub fn pages(&self) -> u64 {
        self.pages
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
        let mut position = offset;
        let mut rest = buffer;
        while !rest.is_empty() {
            let (index, start) = (position / BLOCK_SIZE, (position % BLOCK_SIZE) as usize);
            let length = rest.len().min(BLOCK_SIZE as usize - start);
            let (part, tail) = rest.split_at_mut(length);
            match self.blocks.get(&index) {
                Some(block) => part.copy_from_slice(&block[start..start + length]),
                None => part.fill(0),
            }
            position += length as u64;
            rest = tail;
        }
        Ok(())
    }

    /// Copies `bytes` to `offset`.
    ///
    /// # Errors
    ///
    /// If the range does not lie within the stable memory; then nothing is written.
    pub fn write(&mut self, offset: u64, bytes: &[u8]) -> Result<(), OutOfBounds> {
        self.check(offset, bytes.len())?;
        let mut position = offset;
        let mut rest = bytes;
        while !rest.is_empty() {
            let (index, start) = (position / BLOCK_SIZE, (position % BLOCK_SIZE) as usize);
            let length = rest.len().min(BLOCK_SIZE as usize - start);
            let (part, tail) = rest.split_at(length);
            if !self.before.contains_key(&index) {
                self.before.insert(index, self.blocks.get(&index).cloned());
            }
            let block = self
                .blocks
                .entry(index)
                .or_insert_with(|| Box::new([0; BLOCK_SIZE as usize]));
            block[start..start + length].copy_from_slice(part);
            position += length as u64;
            rest = tail;
        }
        Ok(())
    }

    /// Whether anything was written or grown since the last commit.
    pub fn has_changes(&self) -> bool {
        self.pages != self.committed_pages || !self.before.is_empty()
    }

    /// Keeps the changes since the last commit.
    pub fn commit(&mut self) {
        self.before.clear();
        self.committed_pages = self.pages;
    }

    /// Undoes the changes since the last commit.
    pub fn roll_back(&mut self) {
        for (index, block) in std::mem::take(&mut self.before) {
            match block {
                Some(block) => self.blocks.insert(index, block),
                None => self.blocks.remove(&index),
            };
        }
        self.pages = self.committed_pages;
    }

    /// Undoes the changes since the last commit and returns them.
    pub fn set_aside(&mut self) -> Changes {
        let pages = std::mem::replace(&mut self.pages, self.committed_pages);
        let mut blocks = BTreeMap::new();
        for (index, before) in std::mem::take(&mut self.before) {
            let changed = match before {
                Some(block) => self.blocks.insert(index, block),
                None => self.blocks.remove(&index),
            };
            blocks.extend(changed.map(|block| (index, block)));
        }
        Changes { pages, blocks }
    }

    /// Makes `changes` again, in place of all others since the last commit.
    pub fn make_again(&mut self, changes: Changes) {
        self.roll_back();
        self.pages = changes.pages;
        for (index, block) in changes.blocks {
            let before = self.blocks.insert(index, block);
            self.before.insert(index, before);
        }
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
    fn roll_back_undoes_writes_and_growth_since_the_commit() {
        let mut memory = StableMemory::default();
        assert_eq!(memory.grow(1, 9), Some(0));
        memory.write(4090, b"committed").unwrap();
        memory.commit();
        memory.write(4094, b"undone").unwrap();
        assert_eq!(memory.grow(2, 9), Some(1));
        memory.write(2 * PAGE_SIZE, b"undone").unwrap();
        assert!(memory.has_changes());
        memory.roll_back();
        assert_eq!(memory.pages(), 1);
        let mut read = [0; 11];
        memory.read(4090, &mut read).unwrap();
        assert_eq!(&read, b"committed\0\0");
        assert!(!memory.has_changes());
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
    fn what_was_rolled_back_and_grown_again_reads_as_zeros() {
        let mut memory = StableMemory::default();
        memory.grow(1, 9);
        memory.write(0, b"x").unwrap();
        memory.roll_back();
        memory.grow(1, 9);
        let mut read = [1; 1];
        memory.read(0, &mut read).unwrap();
        assert_eq!(read, [0]);
    }
}
