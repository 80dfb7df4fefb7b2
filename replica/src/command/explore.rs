//! The command `explore`.

use std::fs;
use std::io::{IsTerminal, Write};

use local_replica::exploring::wire::{Case, Line, Progress, Report};
use local_replica::exploring::{Names, draw, telling};

use super::arguments::{Explore, cases};
use super::client::Client;
use super::output::show;

/// Explores, and shows what was found. Returns whether everything holds.
///
/// # Errors
///
/// In one line, why that could not be done.
pub(super) fn explore(arguments: &Explore) -> Result<bool, String> {
    let folder = std::env::current_dir().map_err(|error| format!("no current folder: {error}"))?;
    let (client, present) = Client::find(&arguments.at, &folder)?;
    let mut names = Names::of_project(&folder, present)?;
    let cases = read(arguments, &mut names)?;
    let is_alone = cases.len() == 1;
    let mut holds = true;
    let mut saved = false;
    for (title, case) in &cases {
        let told = |fault: String| match is_alone {
            true => names.rename(&fault),
            false => format!("{title}: {}", names.rename(&fault)),
        };
        let report = ask(&client, case).map_err(told)?;
        holds &= report.holds;
        if let (Some(file), Some(failure), false) =
            (&arguments.save, report.failures.first(), saved)
        {
            let text = telling::to_keep(failure, case, &report.looks, &names);
            fs::write(file, text)
                .map_err(|error| format!("can't write {}: {error}", file.display()))?;
            saved = true;
        }
        show(&match (arguments.json, arguments.mermaid) {
            (true, _) => serde_json::to_string(&report).unwrap_or_default() + "\n",
            (_, true) => diagrams(&report, &names, is_alone),
            _ if is_alone => telling::report(&report, case, &names),
            _ => format!(
                "== {title} ==\n{}\n",
                telling::report(&report, case, &names)
            ),
        })?;
    }
    Ok(holds)
}

/// The cases, each with what to call it.
fn read(arguments: &Explore, names: &mut Names) -> Result<Vec<(String, Case)>, String> {
    let mut resolve = |name: &str| names.resolve(name);
    let Some(file) = &arguments.case_file else {
        if arguments.case.together.is_empty() {
            return Err(
                "there is nothing to explore: name the calls that come at the same time, for \
                 example --together 'canister1 withdraw (0, 80)'"
                    .to_owned(),
            );
        }
        let case = arguments.case.read(&mut resolve)?;
        return Ok(vec![("the case".to_owned(), case)]);
    };
    let text = fs::read_to_string(file)
        .map_err(|error| format!("can't read {}: {error}", file.display()))?;
    let wrong = |fault: String| format!("{}: {fault}", file.display());
    let mut read = Vec::new();
    for (number, words) in cases(&text).map_err(wrong)? {
        let case = words.read(&mut resolve);
        let case = case.map_err(|fault| wrong(format!("line {number}: {fault}")))?;
        read.push((format!("line {number}"), case));
    }
    Ok(read)
}

fn ask(client: &Client, case: &Case) -> Result<Report, String> {
    let body = serde_json::to_string(case).map_err(|error| error.to_string())?;
    let is_terminal = std::io::stderr().is_terminal();
    let mut report = None;
    client.lines("explore", body, &mut |line| {
        let line = serde_json::from_slice(line);
        match line.map_err(|error| format!("the answer can't be read: {error}"))? {
            Line::Progress(progress) if is_terminal => tell(&progress),
            Line::Progress(_) => {}
            Line::Report(found) => report = Some(found),
        }
        Ok(())
    })?;
    if is_terminal {
        // Where the progress was, the report begins.
        let _unseen = write!(std::io::stderr(), "\r\x1b[K");
    }
    report
        .map(|report| *report)
        .ok_or_else(|| "the local replica ended before it had a report".to_owned())
}

fn tell(progress: &Progress) {
    let text = telling::progress(progress);
    let _unseen = write!(std::io::stderr(), "\r\x1b[K{text}");
}

/// The diagrams of what fails, or else of all outcomes.
fn diagrams(report: &Report, names: &Names, is_alone: bool) -> String {
    let failures = report.failures.iter();
    let mut all: Vec<_> = failures
        .map(|failure| (failure.property.clone(), &failure.schedule))
        .collect();
    if all.is_empty() {
        let outcomes = report.outcomes.iter().enumerate();
        all = outcomes
            .map(|(place, outcome)| (format!("outcome {}", place + 1), &outcome.schedule))
            .collect();
    }
    if let ([(_, steps)], true) = (&all[..], is_alone) {
        return draw(steps, &report.calls, names);
    }
    let section = |(title, steps): &(String, &Vec<_>)| {
        let diagram = draw(steps, &report.calls, names);
        format!("### {title}\n\n```mermaid\n{diagram}```\n\n")
    };
    all.iter().map(section).collect()
}
