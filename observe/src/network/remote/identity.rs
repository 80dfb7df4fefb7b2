//! Whose calls they are.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, Result, anyhow, bail};
use ic_agent::Identity;
use ic_agent::identity::{BasicIdentity, Prime256v1Identity, Secp256k1Identity};

/// A new identity.
///
/// # Errors
///
/// If the system gives no random numbers.
pub fn new() -> Result<Arc<dyn Identity>> {
    let mut key = [0; 32];
    getrandom::fill(&mut key).map_err(|error| anyhow!("no random key can be had: {error}"))?;
    Ok(Arc::new(BasicIdentity::from_raw_key(&key)))
}

/// The identity in a PEM file, as `icp identity export` and `dfx identity export` write it.
///
/// # Errors
///
/// If the file can't be read, or has no unencrypted Ed25519, secp256k1 or P-256 key in it.
pub fn from_pem_file(file: &Path) -> Result<Arc<dyn Identity>> {
    let pem = fs::read(file).with_context(|| format!("can't read {}", file.display()))?;
    if let Ok(identity) = Secp256k1Identity::from_pem(&pem) {
        return Ok(Arc::new(identity));
    }
    if let Ok(identity) = Prime256v1Identity::from_pem(&pem) {
        return Ok(Arc::new(identity));
    }
    if let Ok(identity) = BasicIdentity::from_pem(&pem) {
        return Ok(Arc::new(identity));
    }
    bail!(
        "{} has no key that can be used; `icp identity export` and `dfx identity export` write one",
        file.display()
    )
}
