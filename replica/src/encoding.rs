//! Candid: the arguments and replies of calls that the system answers itself.

use candid::utils::ArgumentDecoder;
use candid::{CandidType, DecoderConfig, Deserialize};

use crate::message::{CallResult, ErrorCode, Reject};
use crate::rejects;

/// The one value that `argument` encodes. What a hostile argument can cost is bounded.
pub(crate) fn decode<T: CandidType + for<'a> Deserialize<'a>>(
    argument: &[u8],
) -> Result<T, Reject> {
    let mut config = DecoderConfig::new();
    config
        .set_decoding_quota(4_000_000 + 64 * argument.len())
        .set_skipping_quota(1_000_000 + 64 * argument.len())
        .set_full_error_message(false);
    let mut deserializer = candid::de::IDLDeserialize::new_with_config(argument, &config)
        .map_err(|error| undecodable(&error))?;
    <(T,)>::decode(&mut deserializer)
        .map(|(value,)| value)
        .map_err(|error| undecodable(&error))
}

/// Holds an argument to encode no values.
#[cfg(feature = "server")]
pub(crate) fn decode_nothing(argument: &[u8]) -> Result<(), Reject> {
    let mut decoder =
        candid::de::IDLDeserialize::new(argument).map_err(|error| undecodable(&error))?;
    <()>::decode(&mut decoder).map_err(|error| undecodable(&error))
}

fn undecodable(error: &candid::Error) -> Reject {
    rejects::invalid_argument(format!("Error decoding candid: {error}"))
}

/// A reply of one value.
pub(crate) fn encode<T: CandidType>(value: &T) -> CallResult {
    candid::encode_one(value).map_err(|error| {
        Reject::new(
            ErrorCode::CanisterWasmEngineError,
            format!("the reply can't be encoded: {error}"),
        )
    })
}

/// The Candid encoding of no values.
pub(crate) fn empty_reply() -> Vec<u8> {
    candid::encode_args(()).expect("no values can be encoded")
}
