//! The command `replay`.

use std::fs;

use local_replica::exploring::wire::Replayed;
use local_replica::exploring::{Names, draw, telling, words};

use super::arguments::Replay;
use super::client::Client;
use super::output::show;

/// Follows a schedule, and shows what it does. Returns whether its properties hold at its end.
///
/// # Errors
///
/// In one line, why that could not be done.
pub(super) fn replay(arguments: &Replay) -> Result<bool, String> {
    let file = arguments.file.display();
    let text = fs::read_to_string(&arguments.file)
        .map_err(|error| format!("can't read {file}: {error}"))?;
    let folder = std::env::current_dir().map_err(|error| format!("no current folder: {error}"))?;
    let (client, present) = Client::find(&arguments.at, &folder)?;
    let mut names = Names::of_project(&folder, present)?;
    let replay = words::read_schedule(&text, &mut |name| names.resolve(name));
    let replay = replay.map_err(|fault| format!("{file}: {fault}"))?;
    let body = serde_json::to_string(&replay).map_err(|error| error.to_string())?;
    let replayed: Replayed = client
        .post("replay", body)
        .map_err(|fault| format!("{file}: {}", names.rename(&fault)))?;
    show(&match (arguments.json, arguments.mermaid) {
        (true, _) => serde_json::to_string(&replayed).unwrap_or_default() + "\n",
        (_, true) => draw(&replayed.steps, &replay.case.together, &names),
        _ => telling::replayed(&replayed, &replay.case, &names),
    })?;
    Ok(replayed.failing.is_empty())
}
