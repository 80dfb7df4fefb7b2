//! How bytes are serialized: as bytes, and not as so many numbers.

/// A reply, or why there is none.
pub(crate) mod result {
    use serde::{Deserialize, Deserializer, Serialize, Serializer};
    use serde_bytes::{ByteBuf, Bytes};

    pub(crate) fn serialize<E: Serialize, S: Serializer>(
        result: &Result<Vec<u8>, E>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        let result = result.as_ref().map(|bytes| Bytes::new(bytes));
        result.serialize(serializer)
    }

    pub(crate) fn deserialize<'de, E: Deserialize<'de>, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Result<Vec<u8>, E>, D::Error> {
        let result: Result<ByteBuf, E> = Result::deserialize(deserializer)?;
        Ok(result.map(ByteBuf::into_vec))
    }
}

/// Bytes that several share.
pub(crate) mod shared {
    use std::sync::Arc;

    use serde::{Deserialize, Deserializer, Serializer};
    use serde_bytes::ByteBuf;

    pub(crate) fn serialize<S: Serializer>(
        bytes: &Arc<[u8]>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        serializer.serialize_bytes(bytes)
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Arc<[u8]>, D::Error> {
        Ok(ByteBuf::deserialize(deserializer)?.into_vec().into())
    }
}

/// Chunks by hash.
pub(crate) mod chunks {
    use std::collections::BTreeMap;
    use std::sync::Arc;

    use serde::{Deserialize, Deserializer, Serializer};
    use serde_bytes::{ByteArray, ByteBuf, Bytes};

    type Chunks = BTreeMap<[u8; 32], Arc<Vec<u8>>>;

    pub(crate) fn serialize<S: Serializer>(
        chunks: &Chunks,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        let chunks = chunks.iter();
        serializer
            .collect_map(chunks.map(|(hash, chunk)| (ByteArray::new(*hash), Bytes::new(chunk))))
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Chunks, D::Error> {
        let chunks: BTreeMap<ByteArray<32>, ByteBuf> = BTreeMap::deserialize(deserializer)?;
        let chunks = chunks.into_iter();
        let chunks = chunks.map(|(hash, chunk)| (hash.into_array(), Arc::new(chunk.into_vec())));
        Ok(chunks.collect())
    }
}
