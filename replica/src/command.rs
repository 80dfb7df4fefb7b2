//! The commands that ask a local replica that runs already.

mod arguments;
mod client;
mod explore;
mod output;
mod replay;

use std::process::ExitCode;

pub use arguments::Command;

/// Does a command. The status is 0 if everything holds, 1 if something does not, and 2 if it could not
/// be done.
///
/// # Errors
///
/// In one line, why it could not be done.
pub fn run(command: &Command) -> Result<ExitCode, String> {
    let holds = match command {
        Command::Explore(arguments) => explore::explore(arguments)?,
        Command::Replay(arguments) => replay::replay(arguments)?,
    };
    Ok(match holds {
        true => ExitCode::SUCCESS,
        false => ExitCode::from(1),
    })
}
