//! Stand-ins for the canisters that command-line tools expect of every network. They are answered
//! by this program, and do what tools ask of them: balances are real, everything else is small.

mod cycles_ledger;
mod cycles_minting;
mod icp_ledger;

use candid::utils::{ArgumentDecoder, ArgumentEncoder};
use candid::{CandidType, Principal};
use serde::de::DeserializeOwned;

use crate::Replica;
use crate::message::{CallResult, ErrorCode, Reject};

/// Puts all of them into a replica. The anonymous user has plenty of each token, to give away.
pub fn add_to(replica: &mut Replica) {
    let add: [(&str, Box<dyn crate::NativeCanister>); 3] = [
        (
            "ryjl3-tyaaa-aaaaa-aaaba-cai",
            Box::new(icp_ledger::IcpLedger::new()),
        ),
        (
            "rkp4c-7iaaa-aaaaa-aaaca-cai",
            Box::new(cycles_minting::CyclesMinting),
        ),
        (
            "um5iw-rqaaa-aaaaq-qaaba-cai",
            Box::new(cycles_ledger::CyclesLedger::new()),
        ),
    ];
    for (id, canister) in add {
        let id = Principal::from_text(id).expect("the ids above are well-formed");
        replica.add_native(id, canister);
    }
}

/// The one value that an argument encodes.
fn decode<T: CandidType + DeserializeOwned>(argument: &[u8]) -> Result<T, Reject> {
    crate::management::decode(argument)
}

/// A reply of these values.
fn reply(values: impl ArgumentEncoder) -> CallResult {
    candid::encode_args(values).map_err(|error| {
        Reject::new(
            ErrorCode::CanisterWasmEngineError,
            format!("the reply can't be encoded: {error}"),
        )
    })
}

/// No arguments at all.
fn nothing(argument: &[u8]) -> Result<(), Reject> {
    let mut decoder = candid::de::IDLDeserialize::new(argument).map_err(bad_argument)?;
    <()>::decode(&mut decoder).map_err(bad_argument)
}

fn bad_argument(error: candid::Error) -> Reject {
    Reject::new(
        ErrorCode::InvalidManagementPayload,
        format!("Error decoding candid: {error}"),
    )
}

/// Whether a method of the token standard ICRC-1 is a query.
fn is_token_query(method: &str) -> bool {
    method.starts_with("icrc1_") && method != "icrc1_transfer"
}

/// The reject for a method that a stand-in does not have.
fn missing(stand_in: &str, method: &str) -> Reject {
    Reject::new(
        ErrorCode::CanisterMethodNotFound,
        format!("the local replica's stand-in for the {stand_in} has no method '{method}'"),
    )
}
