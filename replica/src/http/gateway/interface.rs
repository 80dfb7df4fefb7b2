//! What a canister that serves pages is asked, and what it answers, in Candid (HTTP Gateway Protocol,
//! "Canister HTTP Interface").

use candid::de::IDLDeserialize;
use candid::types::reference::FuncVisitor;
use candid::types::value::{IDLValue, IDLValueVisitor};
use candid::types::{Serializer, Type, TypeInner};
use candid::{CandidType, DecoderConfig, Func};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer};
use serde_bytes::Bytes;

use super::trouble::Trouble;

/// How much work an answer may make to be read, in units of candid's, about one a byte: an answer of
/// 3 MiB that is all body takes a sixth of it.
const MAX_WORK: usize = 20_000_000;

/// The same for parts of an answer that nobody reads.
const MAX_SKIPPED_WORK: usize = 1_000_000;

/// The argument of `http_request`.
#[derive(CandidType)]
pub(super) struct HttpRequest<'a> {
    pub(super) method: &'a str,
    /// The path and the query.
    pub(super) url: &'a str,
    pub(super) headers: &'a [(String, String)],
    pub(super) body: &'a Bytes,
    /// The version of response verification that the gateway knows.
    pub(super) certificate_version: Option<u16>,
}

/// The argument of `http_request_update`.
#[derive(CandidType)]
pub(super) struct HttpUpdateRequest<'a> {
    pub(super) method: &'a str,
    pub(super) url: &'a str,
    pub(super) headers: &'a [(String, String)],
    pub(super) body: &'a Bytes,
}

/// The answer of both.
#[derive(CandidType, Deserialize)]
pub(super) struct HttpResponse {
    pub(super) status_code: u16,
    pub(super) headers: Vec<(String, String)>,
    #[serde(with = "serde_bytes")]
    pub(super) body: Vec<u8>,
    /// Whether the request is to be made again as an update.
    pub(super) upgrade: Option<bool>,
    pub(super) streaming_strategy: Option<StreamingStrategy>,
}

/// How the rest of the body is got.
#[derive(CandidType, Deserialize)]
pub(super) enum StreamingStrategy {
    /// By calling this function with this token.
    Callback { callback: Callback, token: Token },
}

/// The answer of such a function.
#[derive(CandidType, Deserialize)]
pub(super) struct Chunk {
    #[serde(with = "serde_bytes")]
    pub(super) body: Vec<u8>,
    /// What to call the function with next, if there is more.
    pub(super) token: Option<Token>,
}

/// A function of any type.
pub(super) struct Callback(pub(super) Func);

/// A value of any type, which only the canister understands.
pub(super) struct Token(pub(super) IDLValue);

/// Both are read where the type says `reserved`, the type that every value has.
macro_rules! of_any_type {
    ($name:ident, $visitor:expr) => {
        impl CandidType for $name {
            fn _ty() -> Type {
                TypeInner::Reserved.into()
            }

            fn idl_serialize<S: Serializer>(&self, serializer: S) -> Result<(), S::Error> {
                serializer.serialize_null(())
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                deserializer.deserialize_ignored_any($visitor).map($name)
            }
        }
    };
}

of_any_type!(Callback, FuncVisitor);
of_any_type!(Token, IDLValueVisitor);

/// Reads a canister's answer.
pub(super) fn read<T: CandidType + DeserializeOwned>(
    answer: &[u8],
    method: &str,
) -> Result<T, Trouble> {
    let mut config = DecoderConfig::new();
    config
        .set_decoding_quota(MAX_WORK)
        .set_skipping_quota(MAX_SKIPPED_WORK);
    let read = || {
        let mut values = IDLDeserialize::new_with_config(answer, &config)?;
        let value = values.get_value()?;
        values.done()?;
        Ok::<T, candid::Error>(value)
    };
    read().map_err(|error| {
        Trouble::bad_answer(format!(
            "it is not what {method} of the HTTP gateway protocol answers: {error}"
        ))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use candid::encode_one;

    fn page(size: usize) -> HttpResponse {
        let field = |number| (format!("x-{number}"), "value".repeat(200));
        HttpResponse {
            status_code: 200,
            headers: (0..100).map(field).collect(),
            body: vec![7; size],
            upgrade: None,
            streaming_strategy: None,
        }
    }

    #[test]
    fn largest_answer_is_read_with_a_sixth_of_the_work() {
        // A reply has at most 3 MiB.
        let answer = encode_one(page(3 * 1024 * 1024)).unwrap();
        let read = read::<HttpResponse>(&answer, "http_request").unwrap();
        assert_eq!(read.body.len(), 3 * 1024 * 1024);
        let mut config = DecoderConfig::new();
        config.set_decoding_quota(MAX_WORK / 6);
        let mut values = IDLDeserialize::new_with_config(&answer, &config).unwrap();
        values.get_value::<HttpResponse>().unwrap();
    }
}
