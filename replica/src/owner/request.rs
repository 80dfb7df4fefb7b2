//! Calls that are to be taken in, and those that were.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use candid::Principal;
use serde::{Deserialize, Serialize};

use crate::message::{CanisterId, IngressId, Time};

/// How long the answer to a request is kept after the request has expired, in nanoseconds.
const KEPT_AFTER_EXPIRY: Time = 5 * 60 * 1_000_000_000;

/// The hash that identifies a request.
pub type RequestId = [u8; 32];

/// A call that was taken in.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Request {
    /// Where its status is.
    pub ingress: IngressId,
    /// Who sent it.
    pub sender: Principal,
    /// The canister that it calls.
    pub receiver: CanisterId,
    /// The effective canister id that it was sent with; the subnet's id, if that was its path.
    pub effective_canister_id: CanisterId,
    /// When it expires.
    pub expiry: Time,
}

/// A call to be taken in.
#[derive(Serialize, Deserialize)]
pub struct NewRequest {
    /// Its id.
    #[serde(with = "serde_bytes")]
    pub id: RequestId,
    /// Who sends it.
    pub sender: Principal,
    /// The effective canister id, or the subnet's id if that is its path.
    pub effective_canister_id: CanisterId,
    /// When it expires.
    pub expiry: Time,
    /// The canister that it calls.
    pub receiver: CanisterId,
    /// The method that it calls.
    pub method: String,
    /// The method's argument.
    #[serde(with = "serde_bytes")]
    pub argument: Vec<u8>,
    /// The bytes of its envelope, which are paid for.
    pub size: usize,
}

impl Request {
    /// Whether its answer can still be asked for, when the machine's clock is at `now`: a request
    /// must not be forgotten while it could be sent again.
    pub(super) fn is_kept(&self, now: Time) -> bool {
        now < self.expiry.saturating_add(KEPT_AFTER_EXPIRY)
    }
}

/// The replica's clock: the machine's, and how far it was moved ahead of that. Everybody who needs
/// the time has this one.
#[derive(Clone, Default)]
pub(super) struct Clock(Arc<AtomicU64>);

impl Clock {
    /// The time.
    pub(super) fn now(&self) -> Time {
        now().saturating_add(self.ahead())
    }

    /// How far it was moved ahead, in nanoseconds.
    pub(super) fn ahead(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }

    /// Says how far it was moved ahead, in nanoseconds.
    pub(super) fn set_ahead(&self, nanoseconds: u64) {
        self.0.store(nanoseconds, Ordering::Relaxed);
    }

    /// Moves it ahead by so many nanoseconds.
    pub(super) fn advance(&self, nanoseconds: u64) {
        let ahead = self.ahead().saturating_add(nanoseconds);
        // Only the owner of the replica moves it.
        self.0.store(ahead, Ordering::Relaxed);
    }
}

/// The machine's clock.
pub fn now() -> Time {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0, |since| {
        u64::try_from(since.as_nanos()).unwrap_or(u64::MAX)
    })
}
