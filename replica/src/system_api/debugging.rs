//! Printing and trapping (the specification's section "Debugging aids").

use super::{Call, Trap};

/// The most that is kept of one print or trap message, in bytes.
const MAX_TEXT: usize = 16 * 1024;

pub(super) fn debug_print(call: &mut Call<'_>, a: &[u64]) -> Result<u64, Trap> {
    let text = match call.bytes(a[0], a[1]) {
        Ok(bytes) => bytes[..bytes.len().min(MAX_TEXT)].to_vec(),
        Err(_) => b"(debug_print: the text is outside the canister's memory)".to_vec(),
    };
    // Only the end of a log is kept, so a canister that prints without end needs no more than that.
    let log = &mut call.host.log;
    if log.len() == 1024 {
        log.drain(..512);
    }
    log.push(text);
    Ok(0)
}

pub(super) fn trap(call: &mut Call<'_>, a: &[u64]) -> Result<u64, Trap> {
    let text = match call.bytes(a[0], a[1]) {
        Ok(bytes) => String::from_utf8_lossy(&bytes[..bytes.len().min(MAX_TEXT)])
            .replace(char::REPLACEMENT_CHARACTER, ""),
        Err(_) => "(trap: the message is outside the canister's memory)".to_owned(),
    };
    Err(Trap::Called(text))
}
