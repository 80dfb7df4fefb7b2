//! CBOR by hand, in all the ways in which it can be written.

/// A value, as it will be written.
#[derive(Clone)]
pub enum Cbor {
    Null,
    Number(u64),
    Bytes(Vec<u8>),
    Text(String),
    List(Vec<Cbor>),
    Record(Vec<(&'static str, Cbor)>),
    /// Written already.
    Raw(Vec<u8>),
}

/// How it is written.
#[derive(Clone, Copy, Debug, Default)]
pub struct Style {
    /// With the tag that says that it is CBOR.
    pub tagged: bool,
    /// The fields of records in the other order.
    pub reversed: bool,
    /// Numbers and lengths in eight bytes, however small.
    pub wide: bool,
    /// Texts, lists and records of indefinite length: in pieces, until they end. (Bytes not: the
    /// agent's own types don't read an id in pieces, and no client was seen to write one.)
    pub pieces: bool,
}

/// All styles.
pub fn styles() -> impl Iterator<Item = Style> {
    (0..16).map(|bits| Style {
        tagged: bits & 1 != 0,
        reversed: bits & 2 != 0,
        wide: bits & 4 != 0,
        pieces: bits & 8 != 0,
    })
}

impl Style {
    /// The bytes of a whole request.
    pub fn envelope(self, value: &Cbor) -> Vec<u8> {
        let mut bytes = Vec::new();
        if self.tagged {
            bytes.extend_from_slice(&[0xd9, 0xd9, 0xf7]);
        }
        self.write(value, &mut bytes);
        bytes
    }

    fn head(self, major: u8, number: u64, bytes: &mut Vec<u8>) {
        match number {
            small @ 0..24 if !self.wide => bytes.push(major << 5 | small as u8),
            small @ 24..256 if !self.wide => bytes.extend([major << 5 | 24, small as u8]),
            number => {
                bytes.push(major << 5 | 27);
                bytes.extend(number.to_be_bytes());
            }
        }
    }

    /// A string of bytes or characters.
    fn string(self, major: u8, content: &[u8], bytes: &mut Vec<u8>) {
        if !self.pieces || major == 2 {
            self.head(major, content.len() as u64, bytes);
            bytes.extend(content);
            return;
        }
        bytes.push(major << 5 | 31);
        for piece in content.chunks(5) {
            self.head(major, piece.len() as u64, bytes);
            bytes.extend(piece);
        }
        bytes.push(0xff);
    }

    fn write(self, value: &Cbor, bytes: &mut Vec<u8>) {
        match value {
            Cbor::Null => bytes.push(0xf6),
            Cbor::Number(number) => self.head(0, *number, bytes),
            Cbor::Bytes(content) => self.string(2, content, bytes),
            Cbor::Text(content) => self.string(3, content.as_bytes(), bytes),
            Cbor::Raw(written) => bytes.extend(written),
            Cbor::List(values) => {
                self.begin(4, values.len(), bytes);
                values.iter().for_each(|value| self.write(value, bytes));
                self.end(bytes);
            }
            Cbor::Record(fields) => {
                self.begin(5, fields.len(), bytes);
                let mut fields = fields.clone();
                if self.reversed {
                    fields.reverse();
                }
                for (name, value) in fields {
                    self.string(3, name.as_bytes(), bytes);
                    self.write(&value, bytes);
                }
                self.end(bytes);
            }
        }
    }

    fn begin(self, major: u8, length: usize, bytes: &mut Vec<u8>) {
        match self.pieces {
            true => bytes.push(major << 5 | 31),
            false => self.head(major, length as u64, bytes),
        }
    }

    fn end(self, bytes: &mut Vec<u8>) {
        if self.pieces {
            bytes.push(0xff);
        }
    }
}
