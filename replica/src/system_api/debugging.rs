//! Printing and trapping (the specification's section "Debugging aids").

use std::collections::VecDeque;

use super::{Call, Trap};
use crate::canister::LOG_RECORD_SIZE;

/// The most that is kept of one print or trap message, in bytes.
const MAX_TEXT: usize = 16 * 1024;

/// What an execution printed. Only the end of a log is kept, so a canister that prints without end
/// needs no more than that.
#[derive(Default)]
pub(crate) struct Printed {
    pub(crate) lines: VecDeque<Vec<u8>>,
    /// How many lines came before these and are not kept.
    pub(crate) dropped: u64,
    size: u64,
}

impl Printed {
    fn push(&mut self, line: Vec<u8>, limit: u64) {
        let size = |line: &Vec<u8>| LOG_RECORD_SIZE + line.len() as u64;
        self.size += size(&line);
        self.lines.push_back(line);
        while self.size > limit
            && self.lines.len() > 1
            && let Some(oldest) = self.lines.pop_front()
        {
            self.size -= size(&oldest);
            self.dropped += 1;
        }
    }
}

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
