//! Random numbers, which follow from the replica's seed.

use sha2::{Digest, Sha256};

use super::call::Call;
use crate::encoding::encode;
use crate::message::CallResult;
use crate::replica::Replica;

pub(super) fn raw_rand(replica: &mut Replica, _: &mut Call<'_>) -> CallResult {
    replica.drawn += 1;
    let mut hash = Sha256::new();
    hash.update(b"raw_rand");
    hash.update(&replica.seed);
    hash.update(replica.drawn.to_be_bytes());
    encode(&hash.finalize().to_vec())
}
