//! Where in a module something went wrong.

use std::fmt;

/// The functions that were under way, the innermost first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Backtrace {
    /// The index of each in its module, and its name if the module has it.
    pub frames: Vec<(u32, Option<String>)>,
}

impl fmt::Display for Backtrace {
    /// As the network prints it, with a line for each function.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "Canister Backtrace:")?;
        for (index, name) in &self.frames {
            match name {
                Some(name) => writeln!(f, "{name}")?,
                None => writeln!(f, "unknown function at index {index}")?,
            }
        }
        Ok(())
    }
}
