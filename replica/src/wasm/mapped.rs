//! Linear memory whose changes the operating system reports: which blocks a message touched is known
//! without looking at the others, and a block is copied from the state only when it is touched.
//!
//! The memory is reserved address space without access. Touching a block of it raises a signal; the
//! handler allows access to the block, fills it from the state, and marks it. Marked blocks stay
//! accessible and are compared with the state after each message, so that a canister that touches
//! the same blocks again and again raises no signal at all.
//!
//! All of the project's unsafe code is in this file. What it rests on:
//! - A [`Region`] owns its address range until it is dropped, and hands it out once, to a memory
//!   that is dropped before it.
//! - Only the thread that a region is [active](Region::activate) on touches blocks without access, and
//!   the handler finds the region through that thread's variable: it takes no lock, allocates
//!   nothing, and reads only what nobody changes meanwhile.
//! - A signal for any other address goes to whoever handled it before.
#![allow(unsafe_code, reason = "memory is mapped, and a signal handled")]

use std::cell::Cell;
use std::ffi::c_void;
use std::mem::MaybeUninit;
use std::ptr::{null, null_mut};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};

use wasmi::{AsContextMut, Error, Memory, MemoryType};

use crate::blocks::{BLOCK_SIZE, Blocks};

/// A range of addresses for one linear memory.
pub(super) struct Region {
    base: *mut u8,
    /// Of everything that is mapped, in bytes.
    length: usize,
    /// Of the memory, in bytes; a multiple of the granule.
    capacity: usize,
    /// How many bytes the operating system allows access to at once; some whole blocks.
    granule: usize,
    /// One bit for each block: access is allowed, and it may differ from the state.
    touched: Bits,
    /// One bit for each block: it holds what it should. The others are filled when they are touched.
    filled: Bits,
    /// What blocks are filled from.
    source: Cell<*const Blocks>,
    /// Whether there is a memory in it.
    given: Cell<bool>,
}

// SAFETY: the range belongs to the region alone, and `source` points to something only while the
// region is active on one thread.
unsafe impl Send for Region {}
// SAFETY: a region is shared only within one instance, which is used by one thread at a time.
unsafe impl Sync for Region {}

/// A set of block numbers, in mapped memory: what is never used of it takes none.
struct Bits {
    words: &'static [AtomicU64],
    /// One bit for each word that may have bits, so that a few bits in many words are found quickly.
    summary: &'static [AtomicU64],
}

impl Bits {
    fn contains(&self, index: usize) -> bool {
        self.words[index / 64].load(Ordering::Relaxed) & (1 << (index % 64)) != 0
    }

    fn insert(&self, index: usize) {
        let word = index / 64;
        self.words[word].fetch_or(1 << (index % 64), Ordering::Relaxed);
        self.summary[word / 64].fetch_or(1 << (word % 64), Ordering::Relaxed);
    }

    fn remove(&self, index: usize) {
        self.words[index / 64].fetch_and(!(1 << (index % 64)), Ordering::Relaxed);
    }

    fn clear(&self) {
        for (place, summary) in self.summary.iter().enumerate() {
            for word in ones(summary) {
                self.words[place * 64 + word].store(0, Ordering::Relaxed);
            }
            summary.store(0, Ordering::Relaxed);
        }
    }

    /// In order.
    fn iter(&self) -> impl Iterator<Item = usize> {
        self.summary
            .iter()
            .enumerate()
            .flat_map(move |(place, summary)| {
                ones(summary).flat_map(move |word| {
                    let word = place * 64 + word;
                    ones(&self.words[word]).map(move |bit| word * 64 + bit)
                })
            })
    }
}

/// The places of the bits that are set.
fn ones(word: &AtomicU64) -> impl Iterator<Item = usize> {
    let mut rest = word.load(Ordering::Relaxed);
    std::iter::from_fn(move || {
        let bit = (rest != 0).then(|| rest.trailing_zeros() as usize)?;
        rest &= rest - 1;
        Some(bit)
    })
}

thread_local! {
    /// The region of the instance that runs on this thread.
    static ACTIVE: Cell<*const Region> = const { Cell::new(null()) };
}

impl Region {
    /// Reserves addresses for a memory of at most `capacity` bytes, or nothing where the operating
    /// system can't.
    pub(super) fn reserve(capacity: u64) -> Option<Arc<Self>> {
        // SAFETY: it only asks.
        let page = usize::try_from(unsafe { libc::sysconf(libc::_SC_PAGESIZE) }).ok()?;
        Self::with_granule(capacity, page.max(BLOCK_SIZE))
    }

    fn with_granule(capacity: u64, granule: usize) -> Option<Arc<Self>> {
        let capacity = usize::try_from(capacity)
            .ok()?
            .checked_next_multiple_of(granule)?;
        if capacity == 0 || !granule.is_multiple_of(BLOCK_SIZE) || !handles_signals() {
            return None;
        }
        // The two sets of bits come after the memory.
        let words = (capacity / BLOCK_SIZE).div_ceil(64);
        let summary = words.div_ceil(64);
        let bits = 2 * (words + summary) * size_of::<AtomicU64>();
        let bits = bits.next_multiple_of(granule);
        let length = capacity.checked_add(bits)?;
        let base = map(null_mut(), length)?;
        // SAFETY: the bits lie within what was mapped, which is aligned to pages and all zeros.
        let (touched, filled) = unsafe {
            let first = base.add(capacity);
            if libc::mprotect(first.cast(), bits, libc::PROT_READ | libc::PROT_WRITE) != 0 {
                libc::munmap(base.cast(), length);
                return None;
            }
            let first = first.cast::<AtomicU64>();
            let set = |first: *const AtomicU64| Bits {
                words: std::slice::from_raw_parts(first, words),
                summary: std::slice::from_raw_parts(first.add(words), summary),
            };
            (set(first), set(first.add(words + summary)))
        };
        Some(Arc::new(Region {
            base,
            length,
            capacity,
            granule,
            touched,
            filled,
            source: Cell::new(null()),
            given: Cell::new(false),
        }))
    }

    /// The most bytes that its memory can have.
    pub(super) fn capacity(&self) -> u64 {
        self.capacity as u64
    }

    /// Makes the one memory that lives in this region.
    ///
    /// `context` must keep the region for as long as the memory.
    pub(super) fn memory(
        &self,
        context: impl AsContextMut,
        ty: MemoryType,
    ) -> Result<Memory, Error> {
        assert!(!self.given.replace(true), "a region is for one memory");
        // SAFETY: the range is mapped for as long as the region lives, and nobody else gets it.
        let bytes = unsafe { std::slice::from_raw_parts_mut(self.base, self.capacity) };
        Memory::new_static(context, ty, bytes)
    }

    /// Allows access to the bytes `start..end` of the memory, as touched, whatever they hold.
    /// Returns whether that was possible.
    pub(super) fn open(&self, start: usize, end: usize) -> bool {
        let start = start / self.granule * self.granule;
        let end = end.next_multiple_of(self.granule).min(self.capacity);
        if start < end && !self.protect(start, end, libc::PROT_READ | libc::PROT_WRITE) {
            return false;
        }
        for block in start / BLOCK_SIZE..end / BLOCK_SIZE {
            self.filled.insert(block);
            self.touched.insert(block);
        }
        true
    }

    /// Whether a block holds what it should; the others are filled when they are touched.
    pub(super) fn is_filled(&self, block: usize) -> bool {
        self.filled.contains(block)
    }

    /// The blocks that may differ from the state.
    pub(super) fn touched(&self) -> impl Iterator<Item = usize> {
        self.touched.iter()
    }

    /// Takes all blocks for unchanged: the next change of one raises a signal again.
    pub(super) fn watch(&self) {
        let step = self.granule / BLOCK_SIZE;
        let mut runs: Vec<(usize, usize)> = Vec::new();
        for block in self.touched.iter() {
            let granule = block / step;
            match runs.last_mut() {
                Some((_, end)) if granule < *end => {}
                Some((_, end)) if granule == *end => *end += 1,
                _ => runs.push((granule, granule + 1)),
            }
        }
        for (start, end) in runs {
            // A run that stays accessible is still marked, and compared again.
            if self.protect(start * self.granule, end * self.granule, libc::PROT_READ) {
                (start * step..end * step).for_each(|block| self.touched.remove(block));
            }
        }
    }

    /// Gives up what the first `size` bytes, which are all that were opened, hold: each block is
    /// filled again when it is touched. Returns whether that was possible.
    pub(super) fn empty(&self, size: usize) -> bool {
        let size = size.next_multiple_of(self.granule).min(self.capacity);
        if size > 0 {
            // A new mapping in place of the old one: no access, and zeros where nothing is filled in.
            if map(self.base, size).is_none() {
                return false;
            }
            self.touched.clear();
            self.filled.clear();
        }
        true
    }

    /// Lets this thread touch the memory, with blocks filled from `source`, until what is returned
    /// is dropped.
    pub(super) fn activate<'a>(&'a self, source: &'a Blocks) -> Active<'a> {
        self.source.set(source);
        Active {
            region: self,
            before: ACTIVE.replace(self),
        }
    }

    fn protect(&self, start: usize, end: usize, access: libc::c_int) -> bool {
        // SAFETY: the range lies within the region.
        unsafe { libc::mprotect(self.base.add(start).cast(), end - start, access) == 0 }
    }

    /// Handles the signal that touching `address` raised. Returns whether it was one of this region.
    fn touch(&self, address: usize) -> bool {
        let Some(offset) = address.checked_sub(self.base as usize) else {
            return false;
        };
        if offset >= self.capacity {
            return false;
        }
        let start = offset / self.granule * self.granule;
        let range = match self.protect(
            start,
            start + self.granule,
            libc::PROT_READ | libc::PROT_WRITE,
        ) {
            true => start..start + self.granule,
            // The system has a limit for ranges of different access. With everything accessible
            // there is one.
            false if self.protect(0, self.capacity, libc::PROT_READ | libc::PROT_WRITE) => {
                0..self.capacity
            }
            false => return false,
        };
        let source = self.source.get();
        for block in range.start / BLOCK_SIZE..range.end / BLOCK_SIZE {
            if !self.filled.contains(block) {
                // SAFETY: `activate` borrows the source for as long as the region is active. The
                // block lies within the range that is accessible now, and whoever touched it waits
                // for this handler, as it would for the operating system to fill a page.
                unsafe {
                    if let Some(bytes) = source.as_ref().and_then(|source| source.get(block)) {
                        let to = self.base.add(block * BLOCK_SIZE);
                        to.copy_from_nonoverlapping(bytes.as_ptr(), BLOCK_SIZE);
                    }
                }
                self.filled.insert(block);
            }
            self.touched.insert(block);
        }
        true
    }
}

impl Drop for Region {
    fn drop(&mut self) {
        // SAFETY: the range was mapped by this region, and nothing uses it any more.
        unsafe {
            libc::munmap(self.base.cast(), self.length);
        }
    }
}

/// While it lives, its thread may touch the region's memory.
pub(super) struct Active<'a> {
    region: &'a Region,
    before: *const Region,
}

impl Drop for Active<'_> {
    fn drop(&mut self) {
        ACTIVE.set(self.before);
        self.region.source.set(null());
    }
}

/// Maps addresses without access: anywhere, or in place of what is mapped at `place`.
fn map(place: *mut u8, length: usize) -> Option<*mut u8> {
    let fixed = if place.is_null() { 0 } else { libc::MAP_FIXED };
    let flags = libc::MAP_PRIVATE | libc::MAP_ANON | libc::MAP_NORESERVE | fixed;
    // SAFETY: either the system chooses free addresses, or they are those of a region of ours.
    let mapped = unsafe { libc::mmap(place.cast(), length, libc::PROT_NONE, flags, -1, 0) };
    (mapped != libc::MAP_FAILED).then_some(mapped.cast())
}

/// The signals that forbidden access raises: which one depends on the system.
const SIGNALS: [libc::c_int; 2] = [libc::SIGSEGV, libc::SIGBUS];

/// What handled the signals before.
static BEFORE: OnceLock<[libc::sigaction; 2]> = OnceLock::new();

/// Installs the handler once. Returns whether it is installed.
fn handles_signals() -> bool {
    static INSTALLED: OnceLock<bool> = OnceLock::new();
    *INSTALLED.get_or_init(|| {
        let current = |signal| {
            let mut action = MaybeUninit::uninit();
            // SAFETY: it only asks, and writes the answer where there is room for it.
            unsafe {
                match libc::sigaction(signal, null(), action.as_mut_ptr()) {
                    0 => Some(action.assume_init()),
                    _ => None,
                }
            }
        };
        let (Some(first), Some(second)) = (current(SIGNALS[0]), current(SIGNALS[1])) else {
            return false;
        };
        // Known before the handler can run.
        BEFORE.get_or_init(|| [first, second]);
        SIGNALS.iter().all(|signal| {
            // SAFETY: the handler has the signature that SA_SIGINFO wants.
            unsafe {
                let mut action: libc::sigaction = MaybeUninit::zeroed().assume_init();
                action.sa_sigaction = handle as *const () as usize;
                action.sa_flags = libc::SA_SIGINFO | libc::SA_ONSTACK;
                libc::sigemptyset(&mut action.sa_mask);
                libc::sigaction(*signal, &action, null_mut()) == 0
            }
        })
    })
}

extern "C" fn handle(signal: libc::c_int, info: *mut libc::siginfo_t, context: *mut c_void) {
    // SAFETY: the system gives a valid `info`; an active region lives at least as long as it is
    // active, on this very thread.
    unsafe {
        let region = ACTIVE.get();
        if let Some(region) = region.as_ref()
            && region.touch((*info).si_addr() as usize)
        {
            return;
        }
        hand_on(signal, info, context);
    }
}

/// Does with a signal what was done before this handler was installed.
///
/// # Safety
///
/// Called from a handler, with what that was called with.
unsafe fn hand_on(signal: libc::c_int, info: *mut libc::siginfo_t, context: *mut c_void) {
    let place = SIGNALS.iter().position(|known| *known == signal);
    let before = BEFORE
        .get()
        .zip(place)
        .map(|(before, place)| &before[place]);
    match before {
        Some(before)
            if before.sa_sigaction != libc::SIG_DFL && before.sa_sigaction != libc::SIG_IGN =>
        {
            // SAFETY: it was installed as a handler, with one of two signatures.
            unsafe {
                if before.sa_flags & libc::SA_SIGINFO != 0 {
                    let handler: extern "C" fn(libc::c_int, *mut libc::siginfo_t, *mut c_void) =
                        std::mem::transmute(before.sa_sigaction);
                    handler(signal, info, context);
                } else {
                    let handler: extern "C" fn(libc::c_int) =
                        std::mem::transmute(before.sa_sigaction);
                    handler(signal);
                }
            }
        }
        // Back to the default, which the same access raises again.
        // SAFETY: it restores a default action.
        _ => unsafe {
            libc::signal(signal, libc::SIG_DFL);
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Reads or writes a byte of the region as an instance would.
    fn byte(region: &Region, at: usize) -> &'static mut u8 {
        // SAFETY: the tests touch what is open, or while the region is active.
        unsafe { &mut *region.base.add(at) }
    }

    fn source() -> Blocks {
        let mut blocks = Blocks::default();
        for block in 0..64 {
            blocks.write(block).fill(block as u8 + 1);
        }
        blocks
    }

    #[test]
    fn block_is_filled_from_the_state_when_it_is_touched() {
        // Some systems allow access to 16 KiB at once, some to 64.
        for blocks in [1, 4, 16] {
            let region = Region::with_granule(1 << 20, blocks * BLOCK_SIZE).expect("addresses");
            let source = source();
            assert!(region.open(0, 1 << 20) && region.empty(1 << 20));
            assert_eq!(region.touched().count(), 0);
            let active = region.activate(&source);
            assert_eq!(*byte(&region, 5 * BLOCK_SIZE + 7), 6);
            assert_eq!(*byte(&region, 100 * BLOCK_SIZE), 0, "never written");
            *byte(&region, 5 * BLOCK_SIZE) = 99;
            drop(active);
            let granule = |block: usize| block / blocks * blocks..block / blocks * blocks + blocks;
            let expected: Vec<_> = granule(5).chain(granule(100)).collect();
            assert_eq!(region.touched().collect::<Vec<_>>(), expected);
        }
    }

    #[test]
    fn block_that_is_watched_can_be_read_and_is_touched_again_when_it_is_written() {
        for blocks in [1, 4] {
            let region = Region::with_granule(1 << 20, blocks * BLOCK_SIZE).expect("addresses");
            let source = Blocks::default();
            assert!(region.open(0, 1 << 16));
            *byte(&region, 8 * BLOCK_SIZE) = 1;
            region.watch();
            assert_eq!(region.touched().count(), 0);
            let active = region.activate(&source);
            assert_eq!(*byte(&region, 8 * BLOCK_SIZE), 1);
            assert_eq!(region.touched().count(), 0);
            *byte(&region, 8 * BLOCK_SIZE) = 2;
            drop(active);
            let touched: Vec<_> = region.touched().collect();
            assert_eq!(touched, (8..8 + blocks).collect::<Vec<_>>());
            assert_eq!(*byte(&region, 8 * BLOCK_SIZE), 2);
        }
    }

    #[test]
    fn memory_that_the_system_has_not_is_not_reserved() {
        assert!(Region::reserve(1 << 60).is_none());
        assert!(Region::reserve(0).is_none());
    }

    #[test]
    fn more_ranges_than_the_system_keeps_apart_are_made_one() {
        // Every second block has access: far more ranges than 65,530.
        let blocks = 150_000;
        let region = Region::with_granule((blocks * BLOCK_SIZE) as u64, BLOCK_SIZE);
        let region = region.expect("addresses");
        let source = source();
        let active = region.activate(&source);
        for block in (0..blocks).step_by(2) {
            assert_eq!(*byte(&region, block * BLOCK_SIZE), source.read(block)[0]);
        }
        *byte(&region, 3 * BLOCK_SIZE) = 9;
        drop(active);
        let touched: Vec<_> = region.touched().collect();
        assert!(touched.contains(&3) && touched.contains(&(blocks - 2)));
        assert_eq!(*byte(&region, 5 * BLOCK_SIZE), 6, "filled with all others");
    }
}
