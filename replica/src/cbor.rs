//! CBOR: as certificates and the HTTP interface have it, and as a state is kept.

use serde::Serialize;

/// A value in CBOR, with the tag that says so in front.
pub(crate) fn to_cbor(value: &impl Serialize) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut serializer = serde_cbor::Serializer::new(&mut bytes);
    let written = serializer
        .self_describe()
        .and_then(|()| value.serialize(&mut serializer));
    written.expect("a value is written to memory");
    bytes
}

/// A state as it is kept.
#[cfg(feature = "server")]
pub(crate) fn to_saved(state: &impl Serialize) -> Vec<u8> {
    let mut bytes = Vec::new();
    ciborium::into_writer(state, &mut bytes).expect("a state is written to memory");
    bytes
}

/// Reads a state that was kept.
///
/// # Errors
///
/// If the bytes are none.
#[cfg(feature = "server")]
pub(crate) fn from_saved<T: serde::de::DeserializeOwned>(bytes: &[u8]) -> Result<T, String> {
    ciborium::from_reader(bytes).map_err(|error| error.to_string())
}
