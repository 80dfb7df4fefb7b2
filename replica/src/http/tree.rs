//! Values by path, as the hash tree of a certificate.

use std::collections::BTreeMap;

use ic_certification::{HashTree, empty, fork, label, leaf};

use crate::owner::RequestId;

/// A part of the state tree that is to be certified.
///
/// It has no other values than those that were put in, so that where a value is missing the tree
/// proves it.
#[derive(Clone, Default, PartialEq)]
pub(super) struct Tree {
    children: BTreeMap<Vec<u8>, Branch>,
    /// Whether a value was looked for in vain, so that the tree has to prove that it is missing.
    lacks: bool,
}

#[derive(Clone, PartialEq)]
enum Branch {
    Value(Vec<u8>),
    Tree(Tree),
}

impl Tree {
    /// Puts a value at a path, which is not empty and not within another value's path.
    pub(super) fn insert<L: AsRef<[u8]>>(&mut self, path: &[L], value: Vec<u8>) {
        let Some((first, rest)) = path.split_first() else {
            return;
        };
        let first = first.as_ref().to_vec();
        if rest.is_empty() {
            self.children.insert(first, Branch::Value(value));
            return;
        }
        let child = self.children.entry(first);
        if let Branch::Tree(tree) = child.or_insert_with(|| Branch::Tree(Tree::default())) {
            tree.insert(rest, value);
        }
    }

    /// Says that something was looked for that the tree does not have.
    pub(super) fn lacks_something(&mut self) {
        self.lacks = true;
    }

    /// The statuses of requests, by their ids, if the tree is about nothing else and all were found.
    pub(super) fn statuses(&self) -> Option<BTreeMap<RequestId, Tree>> {
        let mut children = self.children.iter();
        let (Some((name, Branch::Tree(requests))), None) = (children.next(), children.next())
        else {
            return None;
        };
        if self.lacks || name != b"request_status" {
            return None;
        }
        let status = |(id, branch): (&Vec<u8>, &Branch)| match branch {
            Branch::Tree(status) => {
                Some((RequestId::try_from(id.as_slice()).ok()?, status.clone()))
            }
            Branch::Value(_) => None,
        };
        requests.children.iter().map(status).collect()
    }

    /// The tree with its hashes.
    pub(super) fn into_hash_tree(self) -> HashTree {
        let mut branches: Vec<HashTree> = self
            .children
            .into_iter()
            .map(|(name, branch)| match branch {
                Branch::Value(value) => label(name, leaf(value)),
                Branch::Tree(tree) => label(name, tree.into_hash_tree()),
            })
            .collect();
        join(&mut branches)
    }
}

fn join(branches: &mut Vec<HashTree>) -> HashTree {
    match branches.len() {
        0 => empty(),
        1 => branches.swap_remove(0),
        length => {
            let mut right = branches.split_off(length / 2);
            fork(join(branches), join(&mut right))
        }
    }
}
