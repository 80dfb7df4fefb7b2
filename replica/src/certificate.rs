//! The replica's root key, and certificates signed by it (Interface Specification, "Certification").

use candid::Principal;
use ic_certification::{Certificate, HashTree, fork, label, leaf};
use ic_verify_bls_signature::PrivateKey;
use sha2::{Digest, Sha256};

use crate::cbor::to_cbor;
use crate::message::{CanisterId, Time};

/// What stands before a BLS public key in DER: the object identifiers of the key and its curve.
const DER_PREFIX: [u8; 37] = [
    0x30, 0x81, 0x82, 0x30, 0x1d, 0x06, 0x0d, 0x2b, 0x06, 0x01, 0x04, 0x01, 0x82, 0xdc, 0x7c, 0x05,
    0x03, 0x01, 0x02, 0x01, 0x06, 0x0c, 0x2b, 0x06, 0x01, 0x04, 0x01, 0x82, 0xdc, 0x7c, 0x05, 0x03,
    0x02, 0x01, 0x03, 0x61, 0x00,
];

/// The key that signs for the whole replica. It is the same at every start, and so no secret.
pub struct RootKey {
    key: PrivateKey,
    der: Vec<u8>,
}

impl RootKey {
    /// The key that follows from `seed`.
    pub fn from_seed(seed: &[u8]) -> Self {
        // A random number below the order of the group: the first in a sequence of hashes that is.
        let mut candidate: [u8; 32] = Sha256::digest(seed).into();
        let key = loop {
            match PrivateKey::deserialize(&candidate) {
                Ok(key) => break key,
                Err(_) => candidate = Sha256::digest(candidate).into(),
            }
        };
        let mut der = DER_PREFIX.to_vec();
        der.extend_from_slice(&key.public_key().serialize());
        RootKey { key, der }
    }

    /// The public key, DER-encoded.
    pub fn der(&self) -> &[u8] {
        &self.der
    }

    /// The id of the subnet whose key this is.
    pub fn subnet_id(&self) -> Principal {
        Principal::self_authenticating(&self.der)
    }

    /// A certificate, CBOR-encoded, of a canister's certified data (`ic0.data_certificate_copy`).
    pub fn certify_data(&self, canister: CanisterId, data: &[u8], time: Time) -> Vec<u8> {
        let certified = label("certified_data", leaf(data));
        let canisters = label("canister", label(canister.as_slice(), certified));
        self.certify(fork(canisters, label("time", leaf(leb128(time)))))
    }

    /// A certificate, CBOR-encoded, of a tree.
    fn certify(&self, tree: HashTree) -> Vec<u8> {
        let signature = self.sign_root(&tree.digest());
        certificate(tree, signature)
    }

    /// The signature of all trees with this hash.
    pub fn sign_root(&self, digest: &[u8; 32]) -> Vec<u8> {
        let message = [b"\x0dic-state-root", digest.as_slice()].concat();
        self.key.sign(&message).serialize().to_vec()
    }
}

/// A certificate, CBOR-encoded, of a tree with the signature of its root.
pub fn certificate(tree: HashTree, signature: Vec<u8>) -> Vec<u8> {
    to_cbor(&Certificate {
        tree,
        signature,
        delegation: None,
    })
}

/// A number as the system state tree has it.
pub(crate) fn leb128(mut number: u64) -> Vec<u8> {
    let mut bytes = Vec::new();
    loop {
        let low = (number & 0x7f) as u8;
        number >>= 7;
        if number == 0 {
            bytes.push(low);
            return bytes;
        }
        bytes.push(low | 0x80);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ic_certification::LookupResult;

    #[test]
    fn data_certificate_verifies_under_the_root_key() {
        let key = RootKey::from_seed(b"test");
        let canister = Principal::from_slice(&[0, 0, 0, 0, 0, 0, 0, 7, 1, 1]);
        let bytes = key.certify_data(canister, b"data", 300);
        let certificate: Certificate = serde_cbor::from_slice(&bytes).unwrap();
        let path: [&[u8]; 3] = [b"canister", canister.as_slice(), b"certified_data"];
        assert_eq!(
            certificate.tree.lookup_path(path),
            LookupResult::Found(b"data")
        );
        assert_eq!(
            certificate.tree.lookup_path([b"time"]),
            LookupResult::Found(&[0xac, 0x02])
        );
        let mut message = b"\x0dic-state-root".to_vec();
        message.extend_from_slice(&certificate.tree.digest());
        let public = &key.der()[DER_PREFIX.len()..];
        ic_verify_bls_signature::verify_bls_signature(&certificate.signature, &message, public)
            .unwrap();
    }

    #[test]
    fn root_key_has_the_length_of_a_der_encoded_bls_key() {
        assert_eq!(RootKey::from_seed(b"any").der().len(), 133);
    }
}
