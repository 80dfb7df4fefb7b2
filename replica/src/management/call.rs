//! A call to the management canister, and its answer.

use candid::{CandidType, Deserialize, Principal};
use ic_management_canister_types::{
    CanisterIdRecord, ChangeOrigin, FromCanisterRecord, FromUserRecord,
};

use crate::encoding::decode;
use crate::message::{CallOrigin, CallResult, CanisterId, Cycles, Reject};
use crate::rejects::invalid_argument;
use crate::replica::Replica;

/// A call to the management canister.
pub(super) struct Call<'a> {
    pub(super) caller: Principal,
    /// Whether the caller is a canister.
    pub(super) by_canister: bool,
    pub(super) origin: CallOrigin,
    pub(super) argument: &'a [u8],
    /// The cycles that the call brought and that were not used yet.
    pub(super) cycles: Cycles,
}

/// What becomes of a call.
pub(super) enum Answer {
    /// It is answered now.
    Now(CallResult),
    /// It will be answered when something else has happened.
    Later,
}

impl Call<'_> {
    /// The argument, if it has the right type.
    pub(super) fn decode<T: CandidType + for<'a> Deserialize<'a>>(&self) -> Result<T, Reject> {
        decode(self.argument)
    }

    /// The one argument of the many methods that take only a canister id.
    pub(super) fn canister_id(&self) -> Result<CanisterId, Reject> {
        Ok(self.decode::<CanisterIdRecord>()?.canister_id)
    }

    /// Who makes a change, for the canister's history.
    pub(super) fn change_origin(&self, sender_version: Option<u64>) -> ChangeOrigin {
        match self.by_canister {
            true => ChangeOrigin::FromCanister(FromCanisterRecord {
                canister_id: self.caller,
                canister_version: sender_version,
            }),
            false => ChangeOrigin::FromUser(FromUserRecord {
                user_id: self.caller,
            }),
        }
    }

    /// Refuses a call whose sender says that it was another version of itself.
    pub(super) fn check_sender_version(
        &self,
        replica: &Replica,
        sender_version: Option<u64>,
    ) -> Result<(), Reject> {
        let Some(claimed) = sender_version else {
            return Ok(());
        };
        match replica.canisters.get(&self.caller) {
            Some(sender) if self.by_canister && sender.version < claimed => {
                Err(invalid_argument(format!(
                    "sender_canister_version {claimed} is later than the sender's version {}",
                    sender.version
                )))
            }
            _ => Ok(()),
        }
    }
}
