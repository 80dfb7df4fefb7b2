//! The statuses of several requests as one hash tree, of which everybody is shown their own: so one
//! signature is enough for all who ask at the same time.

use std::collections::{BTreeMap, BTreeSet};

use ic_certification::{HashTree, fork, fork_hash, label, pruned};

use super::tree::Tree;
use crate::owner::RequestId;

/// The statuses of requests, with the hashes of every part.
pub(super) enum Joint {
    One {
        id: RequestId,
        status: HashTree,
        digest: [u8; 32],
    },
    Two {
        /// The requests of the left part come before this one.
        middle: RequestId,
        left: Box<Joint>,
        right: Box<Joint>,
        digest: [u8; 32],
    },
}

impl Joint {
    /// The statuses as one tree; none of no request.
    pub(super) fn of(statuses: BTreeMap<RequestId, Tree>) -> Option<Self> {
        let one = |(id, status): (RequestId, Tree)| {
            let status = label(id, status.into_hash_tree());
            let digest = status.digest();
            Joint::One { id, status, digest }
        };
        let mut parts: Vec<Joint> = statuses.into_iter().map(one).collect();
        join(&mut parts)
    }

    pub(super) fn digest(&self) -> [u8; 32] {
        match self {
            Joint::One { digest, .. } | Joint::Two { digest, .. } => *digest,
        }
    }

    /// The tree with the statuses of these requests; of all others it has hashes.
    pub(super) fn reveal(&self, requests: &BTreeSet<RequestId>) -> HashTree {
        match self {
            Joint::One { id, status, .. } if requests.contains(id) => status.clone(),
            Joint::Two {
                middle,
                left,
                right,
                ..
            } if !requests.is_empty() => {
                let (mut before, mut after) = (requests.clone(), BTreeSet::new());
                if requests.last() >= Some(middle) {
                    after = before.split_off(middle);
                }
                fork(left.reveal(&before), right.reveal(&after))
            }
            Joint::One { digest, .. } | Joint::Two { digest, .. } => pruned(*digest),
        }
    }

    fn first(&self) -> RequestId {
        match self {
            Joint::One { id, .. } => *id,
            Joint::Two { left, .. } => left.first(),
        }
    }
}

fn join(parts: &mut Vec<Joint>) -> Option<Joint> {
    if parts.len() < 2 {
        return parts.pop();
    }
    let mut right = parts.split_off(parts.len() / 2);
    let (left, right) = (join(parts)?, join(&mut right)?);
    Some(Joint::Two {
        middle: right.first(),
        digest: fork_hash(&left.digest(), &right.digest()),
        left: Box::new(left),
        right: Box::new(right),
    })
}

#[cfg(test)]
mod tests {
    use ic_certification::LookupResult;

    use super::*;

    fn joint(numbers: &[u8]) -> Joint {
        let statuses = numbers.iter().map(|number| {
            let mut status = Tree::default();
            status.insert(&[b"status"], vec![*number]);
            ([*number; 32], status)
        });
        Joint::of(statuses.collect()).unwrap()
    }

    #[test]
    fn everybody_is_shown_a_tree_with_the_same_hash_and_only_their_own_requests() {
        for count in 1..20 {
            let numbers: Vec<u8> = (0..count).map(|number| number * 3).collect();
            let joint = joint(&numbers);
            for mine in &numbers {
                for also in &numbers {
                    let requests = [[*mine; 32], [*also; 32]].into();
                    let tree = joint.reveal(&requests);
                    assert_eq!(tree.digest(), joint.digest());
                    for number in &numbers {
                        let path: [&[u8]; 2] = [&[*number; 32], b"status"];
                        let expected = match number == mine || number == also {
                            true => LookupResult::Found(std::slice::from_ref(number)),
                            false => LookupResult::Unknown,
                        };
                        assert_eq!(tree.lookup_path(path), expected);
                    }
                }
            }
        }
    }

    #[test]
    fn there_is_no_tree_of_no_request() {
        assert!(Joint::of(BTreeMap::new()).is_none());
    }
}
