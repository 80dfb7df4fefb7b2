//! What the handlers share: the way to the owner, the key of the node, and who may do what.

use std::sync::Arc;

use candid::Principal;

use super::access::Access;
use super::certifier::Certifier;
use crate::owner::Handle;

/// What the handlers share.
#[derive(Clone)]
pub(super) struct Shared {
    pub(super) owner: Handle,
    pub(super) certifier: Certifier,
    pub(super) node: Arc<NodeKey>,
    pub(super) access: Arc<Access>,
}

/// The node's own key, which signs the answers to queries.
pub(super) struct NodeKey {
    pub(super) key: ic_ed25519::PrivateKey,
    pub(super) der: Vec<u8>,
    pub(super) id: Principal,
}

impl NodeKey {
    pub(super) fn from_seed(seed: &[u8]) -> Self {
        let key = ic_ed25519::PrivateKey::generate_from_seed(seed);
        let der = key.public_key().serialize_rfc8410_der();
        let id = Principal::self_authenticating(&der);
        NodeKey { key, der, id }
    }
}
