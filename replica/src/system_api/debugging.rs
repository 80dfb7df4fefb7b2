//! Printing and trapping (the specification's section "Debugging aids").

use super::host::Call;
use super::trap::Trap;

/// The most that is kept of one print or trap message, in bytes.
const MAX_TEXT: usize = 16 * 1024;

pub(super) fn debug_print(call: &mut Call<'_>, a: &[u64]) -> Result<u64, Trap> {
    let text = match call.bytes(a[0], a[1]) {
        Ok(bytes) => bytes[..bytes.len().min(MAX_TEXT)].to_vec(),
        Err(_) => b"(debug_print: the text is outside the canister's memory)".to_vec(),
    };
    let limit = call.host.view.settings.log_memory_limit;
    call.host.log.push(text, limit);
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
