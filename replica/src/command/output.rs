//! Where results go.

use std::io::{ErrorKind, Write};

/// Writes to the standard output. A reader who has seen enough may close it.
pub(super) fn show(text: &str) -> Result<(), String> {
    let mut out = std::io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => {
            Err(format!("can't write the output: {error}"))
        }
        _ => Ok(()),
    }
}
