//! The CBOR of a request, before anything in it is believed.

use serde::Deserialize;

use super::answer::Failure;

/// The most values in a request. Every label of the most paths and every target of the most
/// delegations are fewer; and a value takes many times the memory of its byte in the request.
const MAX_VALUES: usize = 150_000;

/// Reads a request, or a part of it.
pub(super) fn decode<'a, T: Deserialize<'a>>(body: &'a [u8]) -> Result<T, Failure> {
    let found = survey(body);
    let refuse = |why: String| Failure::bad_request(format!("the body is no envelope: {why}"));
    if found.values > MAX_VALUES {
        return Err(refuse(format!("it has more than {MAX_VALUES} values")));
    }
    serde_cbor::from_slice(body).map_err(|error| {
        refuse(match found.bytes_in_pieces {
            true => {
                format!("{error}; bytes of indefinite length can't be an id: write their length")
            }
            false => error.to_string(),
        })
    })
}

/// What CBOR consists of.
#[derive(Default)]
struct Survey {
    values: usize,
    /// Whether there is a byte string of indefinite length.
    bytes_in_pieces: bool,
}

/// Counts values, up to one too many. They follow one another, whatever they are nested in.
fn survey(mut bytes: &[u8]) -> Survey {
    const BYTES: u8 = 2;
    const TEXT: u8 = 3;
    const INDEFINITE: u8 = 31;
    let mut found = Survey::default();
    while let Some((head, rest)) = bytes.split_first()
        && found.values <= MAX_VALUES
    {
        found.values += 1;
        let (kind, information) = (head >> 5, head & 31);
        let width = match information {
            24..=27 => 1 << (information - 24),
            _ => 0,
        };
        let Some((number, rest)) = rest.split_at_checked(width) else {
            break;
        };
        let content = match (kind, information) {
            (BYTES | TEXT, 0..24) => usize::from(information),
            (BYTES | TEXT, 24..28) => number.iter().fold(0, |length: usize, byte| {
                length.saturating_mul(256).saturating_add((*byte).into())
            }),
            _ => 0,
        };
        found.bytes_in_pieces |= (kind, information) == (BYTES, INDEFINITE);
        bytes = rest.get(content..).unwrap_or_default();
    }
    found
}
