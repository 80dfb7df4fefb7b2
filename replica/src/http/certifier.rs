//! Certificates: who asks while one is signed shares the next, and the same is not signed twice within
//! a second. A signature takes longer than most executions.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Instant;

use ic_certification::{HashTree, empty, fork, fork_hash, label, labeled_hash, leaf};
use tokio::sync::oneshot;

use super::joint::Joint;
use super::tree::Tree;
use crate::certificate::{certificate, leb128};
use crate::message::Time;
use crate::owner::{Handle, Panicked, RequestId};

/// Under which all statuses of requests are.
const STATUSES: &[u8] = b"request_status";

/// How long a certificate is given to those who ask for the same, in nanoseconds of the replica's
/// clock.
const FRESH: Time = 1_000_000_000;

/// So many are kept, each of so many bytes at most.
const KEPT: usize = 2000;
const SMALL: usize = 4096;

/// While several ask at the same time, the signer rests so many times as long as it has signed, and
/// then signs for all who have come.
const REST: u32 = 3;

/// Signs what the handlers read.
#[derive(Clone)]
pub(super) struct Certifier(Arc<Inner>);

/// When something was certified, and its certificate.
type Fresh = (Time, Vec<u8>);

struct Inner {
    owner: Handle,
    queue: Mutex<Queue>,
    /// By the hash of what they certify beside the time.
    fresh: Mutex<HashMap<[u8; 32], Fresh>>,
}

#[derive(Default)]
struct Queue {
    waiting: Vec<Waiting>,
    /// Whether somebody signs.
    signing: bool,
}

struct Waiting {
    /// The hash of what is asked for.
    digest: [u8; 32],
    /// The statuses of requests, if that is all.
    statuses: Option<BTreeMap<RequestId, Tree>>,
    signed: oneshot::Sender<Arc<Signed>>,
}

/// A signature, and what it is for.
struct Signed {
    /// The statuses that it covers, if it is not for a single tree.
    joint: Option<Joint>,
    time: Time,
    signature: Vec<u8>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Certifier {
    /// Signs with the key of the subnet that `owner` owns.
    pub(super) fn new(owner: Handle) -> Self {
        Certifier(Arc::new(Inner {
            owner,
            queue: Mutex::default(),
            fresh: Mutex::default(),
        }))
    }

    /// A certificate, CBOR-encoded, of a tree and the time.
    ///
    /// # Errors
    ///
    /// If the program panics over it.
    pub(super) async fn certify(&self, tree: Tree) -> Result<Vec<u8>, Panicked> {
        let statuses = tree.statuses();
        let requests: BTreeSet<RequestId> = match &statuses {
            Some(statuses) => statuses.keys().copied().collect(),
            None => BTreeSet::new(),
        };
        let tree = tree.into_hash_tree();
        let digest = tree.digest();
        if let Some(certificate) = self.0.find(&digest) {
            return Ok(certificate);
        }
        let signed = self.sign(digest, statuses).await?;
        let content = match &signed.joint {
            Some(joint) => label(STATUSES, joint.reveal(&requests)),
            None => tree,
        };
        let time = time_label(signed.time);
        let tree = match content.digest() == nothing() {
            true => time,
            false => fork(content, time),
        };
        let certificate = certificate(tree, signed.signature.clone());
        if certificate.len() <= SMALL {
            self.0.keep(digest, signed.time, certificate.clone());
        }
        Ok(certificate)
    }

    async fn sign(
        &self,
        digest: [u8; 32],
        statuses: Option<BTreeMap<RequestId, Tree>>,
    ) -> Result<Arc<Signed>, Panicked> {
        let (signed, when_signed) = oneshot::channel();
        let waiting = Waiting {
            digest,
            statuses,
            signed,
        };
        if self.0.must_sign_for(waiting) {
            let inner = Arc::clone(&self.0);
            tokio::task::spawn_blocking(move || inner.sign_all());
        }
        when_signed.await.map_err(|_| Panicked)
    }
}

impl Inner {
    /// Has another one wait. Returns whether nobody signs yet.
    fn must_sign_for(&self, waiting: Waiting) -> bool {
        let mut queue = lock(&self.queue);
        queue.waiting.push(waiting);
        !std::mem::replace(&mut queue.signing, true)
    }

    fn is_fresh(&self, time: Time) -> bool {
        self.owner.now() < time.saturating_add(FRESH)
    }

    fn find(&self, digest: &[u8; 32]) -> Option<Vec<u8>> {
        let fresh = lock(&self.fresh);
        let (time, certificate) = fresh.get(digest)?;
        self.is_fresh(*time).then(|| certificate.clone())
    }

    fn keep(&self, digest: [u8; 32], time: Time, certificate: Vec<u8>) {
        let mut fresh = lock(&self.fresh);
        if fresh.len() >= KEPT {
            fresh.retain(|_, (time, _)| self.is_fresh(*time));
        }
        if fresh.len() < KEPT {
            fresh.insert(digest, (time, certificate));
        }
    }

    /// Signs until nobody waits.
    fn sign_all(&self) {
        let ended = Ended(self);
        loop {
            let mut queue = lock(&self.queue);
            let waiting = std::mem::take(&mut queue.waiting);
            if waiting.is_empty() {
                queue.signing = false;
                std::mem::forget(ended);
                return;
            }
            drop(queue);
            let (count, began) = (waiting.len(), Instant::now());
            self.sign_for(waiting);
            if count > 1 {
                thread::sleep(began.elapsed() * REST);
            }
        }
    }

    fn sign_for(&self, waiting: Vec<Waiting>) {
        let mut together = Vec::new();
        let mut statuses: BTreeMap<RequestId, Tree> = BTreeMap::new();
        for mut one in waiting {
            let Some(mine) = one.statuses.take() else {
                self.answer(vec![one], None);
                continue;
            };
            // Of the same request, one may have seen a later status than another.
            let differs = |(id, status)| statuses.get(id).is_some_and(|other| other != status);
            match mine.iter().any(differs) {
                true => self.answer(vec![one], None),
                false => {
                    statuses.extend(mine);
                    together.push(one);
                }
            }
        }
        match Joint::of(statuses) {
            Some(joint) if together.len() > 1 => self.answer(together, Some(joint)),
            _ => self.answer(together, None),
        }
    }

    /// Signs once for all of these: for what is joint, or else for what the only one asks for.
    fn answer(&self, waiting: Vec<Waiting>, joint: Option<Joint>) {
        let Some(only) = waiting.first() else {
            return;
        };
        let content = match &joint {
            Some(joint) => labeled_hash(STATUSES, &joint.digest()),
            None => only.digest,
        };
        let time = self.owner.now();
        let mut root = time_label(time).digest();
        if content != nothing() {
            root = fork_hash(&content, &root);
        }
        let signed = Arc::new(Signed {
            joint,
            time,
            signature: self.owner.subnet().root_key.sign_root(&root),
        });
        for one in waiting {
            // Who no longer waits need not be told.
            let _gone = one.signed.send(Arc::clone(&signed));
        }
    }
}

/// Lets another one sign after a panic. Those who waited are told.
struct Ended<'a>(&'a Inner);

impl Drop for Ended<'_> {
    fn drop(&mut self) {
        *lock(&self.0.queue) = Queue::default();
    }
}

/// The hash of a tree without values. In a fork it would hide what is beside it from some agents.
fn nothing() -> [u8; 32] {
    empty().digest()
}

/// The last branch of every tree: no label that a tree has comes after it.
fn time_label(time: Time) -> HashTree {
    label("time", leaf(leb128(time)))
}
