//! What is the same for all canisters of a subnet: its id, and the key that certifies for it.
//!
//! Without the feature `certificates` there is no such key, and so no certificate.

use candid::Principal;

#[cfg(feature = "certificates")]
use crate::certificate::RootKey;
use crate::message::{CanisterId, Time};

/// A subnet, which is a network of its own.
pub struct Subnet {
    /// The subnet's id.
    pub id: Principal,
    /// The key that certifies.
    #[cfg(feature = "certificates")]
    pub root_key: RootKey,
}

impl Subnet {
    /// Whether it can certify.
    pub const CERTIFIES: bool = cfg!(feature = "certificates");

    /// The subnet whose key follows from `seed`.
    #[cfg(feature = "certificates")]
    pub fn from_seed(seed: &[u8]) -> Self {
        let root_key = RootKey::from_seed(seed);
        let id = root_key.subnet_id();
        Subnet { id, root_key }
    }

    /// The subnet without a key whose id follows from `seed`.
    #[cfg(not(feature = "certificates"))]
    pub fn from_seed(seed: &[u8]) -> Self {
        use sha2::{Digest, Sha256};

        let id = Principal::self_authenticating(Sha256::digest(seed));
        Subnet { id }
    }

    /// The public key, DER-encoded; empty if there is none.
    pub fn public_key(&self) -> &[u8] {
        #[cfg(feature = "certificates")]
        return self.root_key.der();
        #[cfg(not(feature = "certificates"))]
        return &[];
    }

    /// A certificate, CBOR-encoded, of a canister's certified data (`ic0.data_certificate_copy`).
    #[cfg(feature = "certificates")]
    pub(crate) fn certify_data(
        &self,
        canister: CanisterId,
        data: &[u8],
        time: Time,
    ) -> Option<Vec<u8>> {
        Some(self.root_key.certify_data(canister, data, time))
    }

    /// No certificate: there is no key.
    #[cfg(not(feature = "certificates"))]
    pub(crate) fn certify_data(&self, _: CanisterId, _: &[u8], _: Time) -> Option<Vec<u8>> {
        None
    }
}
