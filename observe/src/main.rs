//! `observe`: runs the lessons and shows what happens.

use std::io::{ErrorKind, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use anstream::eprintln;
use anyhow::{Result, bail};
use clap::Parser;
use observe::answer::Got;
use observe::lessons::LESSONS;
use observe::lessons::rollback::{self, Finding, Row};
use observe::network::Network;
use observe::pair::{Observation, Pair};
use observe::{story, style, table};

/// Runs the lessons on real Wasm: each is an experiment, predicted and observed.
///
/// Without a lesson it shows the example of the article step by step, then the table of every way
/// to fail. The exit status is 0 if everything is as predicted, 1 if something is not, and 2 if
/// nothing could be observed.
#[derive(Parser)]
#[command(version)]
struct Arguments {
    /// The lesson: rollback
    lesson: Option<String>,

    /// Only this method of canister1, for example increment_both_then_trap
    #[arg(requires = "lesson")]
    method: Option<String>,

    /// Show every message: who executed what, where the commit points are, what was undone
    #[arg(long)]
    timeline: bool,

    /// Print the findings as JSON, for machines
    #[arg(long, conflicts_with = "timeline")]
    json: bool,

    /// Where canister1.wasm and canister2.wasm are
    #[arg(
        long,
        value_name = "FOLDER",
        overrides_with = "wasm",
        default_value = "target/wasm32-unknown-unknown/release"
    )]
    wasm: PathBuf,
}

fn main() -> ExitCode {
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(error) => return refuse(&error),
    };
    match run(&arguments) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::from(1),
        Err(error) => {
            eprintln!("{} {error:#}", style::wrong("error:"));
            ExitCode::from(2)
        }
    }
}

/// Says in one line what is wrong with the arguments; or shows the help, if that was asked for.
fn refuse(error: &clap::Error) -> ExitCode {
    if !error.use_stderr() {
        let _closed = error.print();
        return ExitCode::SUCCESS;
    }
    let text = error.to_string();
    let line = text.lines().next().unwrap_or_default();
    let what = line.strip_prefix("error: ").unwrap_or(line);
    eprintln!("{} {what}; see --help", style::wrong("error:"));
    ExitCode::from(2)
}

/// Runs what was asked for. Returns whether everything was as predicted.
fn run(arguments: &Arguments) -> Result<bool> {
    let rows = chosen(arguments)?;
    let mut pair = Pair::deploy(Network::local(), &arguments.wasm)?;
    if arguments.lesson.is_none() && !arguments.json {
        show(&introduction(&mut pair)?)?;
    }
    let mut findings = Vec::new();
    for row in &rows {
        let (finding, observation) = rollback::observe(&mut pair, row)?;
        if arguments.timeline {
            show(&chapter(&pair, &finding, &observation))?;
        }
        findings.push(finding);
    }
    let right = findings
        .iter()
        .filter(|finding| finding.as_predicted)
        .count();
    show(&match arguments.json {
        true => format!("{}\n", serde_json::to_string_pretty(&findings)?),
        false => format!(
            "{}\n{right} of {} as predicted.\n",
            table::render(&findings),
            findings.len()
        ),
    })?;
    Ok(right == findings.len())
}

/// The rows that were asked for.
fn chosen(arguments: &Arguments) -> Result<Vec<Row>> {
    if let Some(name) = &arguments.lesson
        && !LESSONS.iter().any(|lesson| lesson.name == name)
    {
        let known: Vec<&str> = LESSONS.iter().map(|lesson| lesson.name).collect();
        bail!(
            "there is no lesson '{name}'; there is: {}",
            known.join(", ")
        );
    }
    let mut rows = rollback::rows();
    if let Some(method) = &arguments.method {
        let known: Vec<&str> = rows.iter().map(|row| row.method).collect();
        if !known.contains(&method.as_str()) {
            let known = known.join(", ");
            bail!("rollback does not observe '{method}'; it observes: {known}");
        }
        rows.retain(|row| row.method == method);
    }
    Ok(rows)
}

/// The example of the article, message by message.
fn introduction(pair: &mut Pair) -> Result<String> {
    let title = style::heading("canister1.increment_both, step by step");
    let observation = pair.observe("increment_both")?;
    let story = story::tell(pair, &observation, true);
    let grown = observation.after.since(observation.before);
    let failed = Got::read(&observation.answer).words() == "reply: Err";
    let verdict = match (failed, grown.canister1, grown.canister2) {
        (true, 1, 1) => {
            "It failed, and nothing was undone: not in canister2, and not in canister1."
        }
        _ => "This is not what was predicted: an Err, and both counters grown by 1.",
    };
    Ok(format!("{title}\n{story}\n{verdict}\n\n"))
}

fn chapter(pair: &Pair, finding: &Finding, observation: &Observation) -> String {
    let title = style::heading(format!("{}: {}", finding.method, finding.what));
    let story = story::tell(pair, observation, false);
    format!("{title}\n{story}\n")
}

/// Writes to the standard output. A reader who has seen enough may close it.
fn show(text: &str) -> Result<()> {
    let mut out = anstream::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => Err(error.into()),
        _ => Ok(()),
    }
}
