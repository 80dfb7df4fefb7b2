//! The signatures of users (the specification's section "Signatures").

use ic_signature_verification::verify_canister_sig;
use k256::pkcs8::DecodePublicKey;

use super::answer::Failure;

/// Where the DER encoding of a canister's key has its algorithm, and the algorithm: 1.3.6.1.4.1.56387.1.2.
const ALGORITHM: std::ops::Range<usize> = 2..16;
const CANISTER_SIGNATURE: &[u8; 14] = b"\x30\x0C\x06\x0A\x2B\x06\x01\x04\x01\x83\xB8\x43\x01\x02";

/// The length of the network's key without its DER header.
const RAW_ROOT_KEY: usize = 96;

/// Checks a signature by a DER-encoded key of any kind that users have. `root_key` is the key that
/// certifies what canisters sign.
pub(super) fn verify(
    key: &[u8],
    message: &[u8],
    signature: &[u8],
    root_key: &[u8],
    what: &str,
) -> Result<(), Failure> {
    let valid = if key.get(ALGORITHM) == Some(CANISTER_SIGNATURE) {
        by_canister(key, message, signature, root_key)
    } else if let Ok(key) = ic_ed25519::PublicKey::deserialize_rfc8410_der(key) {
        key.verify_signature(message, signature).is_ok()
    } else if let Ok(key) = k256::ecdsa::VerifyingKey::from_public_key_der(key) {
        use k256::ecdsa::signature::Verifier;
        // Of the two forms that a signature has, the library knows only one.
        k256::ecdsa::Signature::from_slice(signature).is_ok_and(|signature| {
            let signature = signature.normalize_s().unwrap_or(signature);
            key.verify(message, &signature).is_ok()
        })
    } else if let Ok(key) = p256::ecdsa::VerifyingKey::from_public_key_der(key) {
        use p256::ecdsa::signature::Verifier;
        p256::ecdsa::Signature::from_slice(signature)
            .is_ok_and(|signature| key.verify(message, &signature).is_ok())
    } else {
        return Err(Failure::bad_request(format!(
            "the key that signed {what} is none that is known here: Ed25519, ECDSA on P-256 or \
             secp256k1, or a canister's, DER-encoded"
        )));
    };
    match valid {
        true => Ok(()),
        false => Err(Failure::forbidden(format!(
            "the signature of {what} is not valid"
        ))),
    }
}

/// Whether a canister of this network has certified that it signs a message.
fn by_canister(key: &[u8], message: &[u8], signature: &[u8], root_key: &[u8]) -> bool {
    let raw_root_key = root_key.last_chunk::<RAW_ROOT_KEY>();
    raw_root_key.is_some_and(|root| verify_canister_sig(message, signature, key, root).is_ok())
}
