//! CBOR, as certificates and the HTTP interface have it.

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
