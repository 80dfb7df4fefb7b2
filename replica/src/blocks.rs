//! Memory as data: blocks that several states share as long as none of them changes its own.

use std::fmt;
use std::sync::Arc;

use serde::de::{Error, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_bytes::{ByteBuf, Bytes};

/// The size of a block in bytes: what a state that changes one byte has of its own.
pub const BLOCK_SIZE: usize = 4096;

/// The bytes of one block.
pub type Block = [u8; BLOCK_SIZE];

/// A block that was never written.
pub const ZEROS: Block = [0; BLOCK_SIZE];

/// How many children a node has, as a power of two.
const FAN_OUT_BITS: u32 = 4;
const FAN_OUT: usize = 1 << FAN_OUT_BITS;

/// Blocks by number. One that was never written reads as zeros and takes no space.
///
/// A clone costs nothing, and shares all blocks until one of the two changes.
#[derive(Clone, Default)]
pub struct Blocks {
    root: Option<Arc<Node>>,
    /// How many levels are below the root. A tree is as high as its highest block needs.
    height: u32,
    /// How many blocks take space.
    count: u64,
}

#[derive(Clone)]
enum Node {
    Inner([Option<Arc<Node>>; FAN_OUT]),
    Leaf([Option<Arc<Block>>; FAN_OUT]),
}

impl Node {
    fn empty(height: u32) -> Self {
        match height {
            0 => Node::Leaf([const { None }; FAN_OUT]),
            _ => Node::Inner([const { None }; FAN_OUT]),
        }
    }

    fn inner(&self, slot: usize) -> Option<&Arc<Node>> {
        match self {
            Node::Inner(children) => children[slot].as_ref(),
            Node::Leaf(_) => None,
        }
    }

    fn leaf(&self, slot: usize) -> Option<&Arc<Block>> {
        match self {
            Node::Leaf(blocks) => blocks[slot].as_ref(),
            Node::Inner(_) => None,
        }
    }
}

/// Which child of a node at `height` a block is in.
fn slot(index: usize, height: u32) -> usize {
    (index >> (FAN_OUT_BITS * height)) % FAN_OUT
}

/// Whether a tree of this height holds a block.
fn fits(index: usize, height: u32) -> bool {
    let above = index.checked_shr(FAN_OUT_BITS * (height + 1));
    above.unwrap_or(0) == 0
}

impl Blocks {
    /// A block, unless it was never written.
    pub fn get(&self, index: usize) -> Option<&Block> {
        if !fits(index, self.height) {
            return None;
        }
        let mut node = self.root.as_ref()?;
        for height in (1..=self.height).rev() {
            node = node.inner(slot(index, height))?;
        }
        node.leaf(slot(index, 0)).map(Arc::as_ref)
    }

    /// The bytes of a block.
    pub fn read(&self, index: usize) -> &Block {
        self.get(index).unwrap_or(&ZEROS)
    }

    /// A block, to be changed. What other states share of it is copied before.
    pub fn write(&mut self, index: usize) -> &mut Block {
        while !fits(index, self.height) {
            let below = self.root.take();
            self.height += 1;
            self.root = below.map(|below| {
                let mut children = [const { None }; FAN_OUT];
                children[0] = Some(below);
                Arc::new(Node::Inner(children))
            });
        }
        let mut height = self.height;
        let count = &mut self.count;
        let mut place = &mut self.root;
        loop {
            let node = place.get_or_insert_with(|| Arc::new(Node::empty(height)));
            match Arc::make_mut(node) {
                Node::Inner(children) => {
                    place = &mut children[slot(index, height)];
                    height -= 1;
                }
                Node::Leaf(blocks) => {
                    let block = &mut blocks[slot(index, 0)];
                    *count += u64::from(block.is_none());
                    return Arc::make_mut(block.get_or_insert_with(|| Arc::new(ZEROS)));
                }
            }
        }
    }

    /// Copies the bytes from `offset` on into `buffer`.
    pub fn read_bytes(&self, offset: u64, buffer: &mut [u8]) {
        let mut position = offset;
        let mut rest = buffer;
        while !rest.is_empty() {
            let (index, start) = place(position);
            let length = rest.len().min(BLOCK_SIZE - start);
            let (part, tail) = rest.split_at_mut(length);
            part.copy_from_slice(&self.read(index)[start..start + length]);
            position += length as u64;
            rest = tail;
        }
    }

    /// Copies `bytes` to `offset`.
    pub fn write_bytes(&mut self, offset: u64, bytes: &[u8]) {
        let mut position = offset;
        let mut rest = bytes;
        while !rest.is_empty() {
            let (index, start) = place(position);
            let length = rest.len().min(BLOCK_SIZE - start);
            let (part, tail) = rest.split_at(length);
            self.write(index)[start..start + length].copy_from_slice(part);
            position += length as u64;
            rest = tail;
        }
    }

    /// How many bytes its blocks take, if it shares none of them.
    pub fn size(&self) -> u64 {
        self.count * BLOCK_SIZE as u64
    }

    /// Whether both are one state, or have one origin and were not changed since.
    pub fn is_same(&self, other: &Blocks) -> bool {
        match (&self.root, &other.root) {
            (None, None) => true,
            (Some(one), Some(other)) => Arc::ptr_eq(one, other),
            _ => false,
        }
    }

    /// Calls `visit` with the number of each block that the two don't share. What they share costs
    /// nothing.
    pub fn differences(&self, other: &Blocks, visit: &mut impl FnMut(usize)) {
        let height = self.height.max(other.height);
        let (one, other) = (self.seen_from(height), other.seen_from(height));
        compare(one, other, height, 0, visit);
    }

    /// The tree, as part of one that may be higher.
    fn seen_from(&self, height: u32) -> View<'_> {
        View {
            node: self.root.as_ref(),
            above: height - self.height,
        }
    }
}

/// The block that a byte is in, and where.
fn place(position: u64) -> (usize, usize) {
    let size = BLOCK_SIZE as u64;
    ((position / size) as usize, (position % size) as usize)
}

/// The blocks that take space, each with its number; one of zeros without its bytes.
impl Serialize for Blocks {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut indices = Vec::new();
        self.differences(&Blocks::default(), &mut |index| indices.push(index));
        let bytes = |index: usize| match self.read(index) {
            &ZEROS => &[],
            block => block.as_slice(),
        };
        let blocks = indices.iter();
        serializer.collect_seq(blocks.map(|index| (index, Bytes::new(bytes(*index)))))
    }
}

impl<'de> Deserialize<'de> for Blocks {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Read;

        impl<'de> Visitor<'de> for Read {
            type Value = Blocks;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "blocks of {BLOCK_SIZE} bytes, each with its number")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Blocks, A::Error> {
                let mut blocks = Blocks::default();
                while let Some((index, bytes)) = seq.next_element::<(usize, ByteBuf)>()? {
                    let block = blocks.write(index);
                    if !bytes.is_empty() {
                        *block = bytes.as_slice().try_into().map_err(A::Error::custom)?;
                    }
                }
                Ok(blocks)
            }
        }

        deserializer.deserialize_seq(Read)
    }
}

/// A node, or the missing ones above it: each of them has only its first child.
#[derive(Clone, Copy)]
struct View<'a> {
    node: Option<&'a Arc<Node>>,
    above: u32,
}

impl<'a> View<'a> {
    fn child(self, slot: usize) -> View<'a> {
        let (node, above) = match (self.above, slot) {
            (0, _) => (self.node.and_then(|node| node.inner(slot)), 0),
            (above, 0) => (self.node, above - 1),
            _ => (None, 0),
        };
        View { node, above }
    }

    fn block(self, slot: usize) -> Option<*const Block> {
        self.node?.leaf(slot).map(Arc::as_ptr)
    }
}

fn compare(
    one: View<'_>,
    other: View<'_>,
    height: u32,
    first: usize,
    visit: &mut impl FnMut(usize),
) {
    let same = match (one.node, other.node) {
        (None, None) => true,
        (Some(a), Some(b)) => Arc::ptr_eq(a, b) && one.above == other.above,
        _ => false,
    };
    if same {
        return;
    }
    for slot in 0..FAN_OUT {
        let first = (first << FAN_OUT_BITS) + slot;
        match height {
            0 if one.block(slot) != other.block(slot) => visit(first),
            0 => {}
            _ => compare(one.child(slot), other.child(slot), height - 1, first, visit),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    fn differences(one: &Blocks, other: &Blocks) -> Vec<usize> {
        let mut found = Vec::new();
        one.differences(other, &mut |index| found.push(index));
        found
    }

    #[test]
    fn clone_shares_all_blocks_but_those_that_were_changed() {
        let mut blocks = Blocks::default();
        for index in [0, 1, 17, 300, 70_000] {
            blocks.write(index)[0] = 1;
        }
        let before = blocks.clone();
        assert!(blocks.is_same(&before));
        blocks.write(17)[0] = 2;
        blocks.write(5_000_000)[0] = 3;
        assert!(!blocks.is_same(&before));
        assert_eq!(differences(&before, &blocks), [17, 5_000_000]);
        assert_eq!(differences(&blocks, &before), [17, 5_000_000]);
        let shares = |index| std::ptr::eq(before.read(index), blocks.read(index));
        assert!(shares(0) && shares(1) && shares(300) && shares(70_000));
        assert_eq!(
            (before.read(17)[0], before.read(5_000_000)),
            (1, &[0; BLOCK_SIZE])
        );
    }

    #[cfg(feature = "server")]
    #[test]
    fn blocks_are_read_as_they_were_written() {
        let mut blocks = Blocks::default();
        for (index, byte) in [(0, 1), (17, 0), (70_000, 3)] {
            blocks.write(index)[9] = byte;
        }
        let text = serde_json::to_string(&blocks).unwrap();
        let read: Blocks = serde_json::from_str(&text).unwrap();
        assert_eq!(read.size(), 3 * BLOCK_SIZE as u64);
        for index in [0, 17, 70_000] {
            assert_eq!(read.read(index), blocks.read(index));
        }
        let short: Result<Blocks, _> = serde_json::from_str("[[0, [1, 2]]]");
        assert!(short.is_err());
    }

    #[test]
    fn block_that_was_never_written_reads_as_zeros_at_any_height() {
        let mut blocks = Blocks::default();
        assert_eq!((blocks.get(0), blocks.get(usize::MAX)), (None, None));
        blocks.write(3)[0] = 1;
        assert_eq!((blocks.get(2), blocks.get(16)), (None, None));
        assert_eq!(differences(&blocks, &Blocks::default()), [3]);
    }

    proptest! {
        #[test]
        fn states_with_a_common_origin_differ_only_where_one_of_them_was_written(
            common in prop::collection::vec((0..1_000_usize, any::<u8>()), 0..40),
            ours in prop::collection::vec((0..5_000_usize, any::<u8>()), 0..40),
            theirs in prop::collection::vec((0..100_000_usize, any::<u8>()), 0..40),
        ) {
            let mut one = (Blocks::default(), BTreeMap::new());
            let write = |to: &mut (Blocks, BTreeMap<usize, u8>), all: &[(usize, u8)]| {
                for (index, byte) in all {
                    to.0.write(*index)[7] = *byte;
                    to.1.insert(*index, *byte);
                }
            };
            write(&mut one, &common);
            let mut other = one.clone();
            write(&mut one, &ours);
            write(&mut other, &theirs);
            for (blocks, model) in [&one, &other] {
                for (index, byte) in model {
                    prop_assert_eq!(blocks.read(*index)[7], *byte);
                }
            }
            let found = differences(&one.0, &other.0);
            let written = |index: &usize| {
                ours.iter().chain(&theirs).any(|(other, _)| other == index)
            };
            prop_assert!(found.iter().all(written));
            for index in 0..100_000 {
                if one.0.read(index) != other.0.read(index) {
                    prop_assert!(found.contains(&index));
                }
            }
        }
    }
}
