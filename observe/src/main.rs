//! `observe`: runs the lessons and shows what happens.

mod arguments;

use std::io::{ErrorKind, Write};
use std::process::ExitCode;

use anstream::eprintln;
use anyhow::{Result, bail};
use arguments::{Arguments, Chosen};
use clap::Parser;
use observe::deployment::Deployment;
use observe::lesson::{Experiment, Finding, Lesson};
use observe::lessons;
#[cfg(feature = "network")]
use observe::network::Remote;
use observe::network::{Embedded, Network};
use observe::stage::{Folders, Stage};
use observe::{diagram, predict, story, style, table};

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
    // What clap lists one below the other belongs in the line as well.
    let lines = text.lines().take_while(|line| !line.is_empty());
    let line = lines.map(str::trim).collect::<Vec<_>>().join(" ");
    let what = line.strip_prefix("error: ").unwrap_or(&line);
    eprintln!("{} {what}; see --help", style::wrong("error:"));
    ExitCode::from(2)
}

/// Runs what was asked for. Returns whether everything was as predicted.
fn run(arguments: &Arguments) -> Result<bool> {
    if arguments.list {
        show(&list())?;
        return Ok(true);
    }
    let chosen = arguments.chosen()?;
    let mut network = find(arguments)?;
    if (arguments.timeline || arguments.mermaid) && network.controls().is_none() {
        bail!(
            "only this project's local replica has timelines; leave out --timeline and --mermaid"
        );
    }
    if arguments.explore {
        return explore(arguments, &chosen, network);
    }
    let mut all = Vec::new();
    for part in &chosen {
        let mut stage = set_up(arguments, part.lesson, network)?;
        if arguments.shows_tables() && chosen.len() > 1 {
            let title = format!("{}: {}", part.lesson.name, part.lesson.about);
            show(&format!("{}\n\n", style::heading(title)))?;
        }
        all.extend(teach(arguments, part, chosen.len() == 1, &mut stage)?);
        network = stage.into_network();
    }
    if arguments.json {
        show(&format!("{}\n", serde_json::to_string_pretty(&all)?))?;
    }
    if arguments.shows_tables() {
        show(&summary(&all))?;
    }
    Ok(all
        .iter()
        .all(|finding| finding.as_predicted != Some(false)))
}

/// Goes through every order of what was chosen. Returns whether everything came out as expected.
fn explore(
    arguments: &Arguments,
    chosen: &[Chosen],
    mut network: Box<dyn Network>,
) -> Result<bool> {
    let mut all = Vec::new();
    for part in chosen {
        let mut stage = set_up(arguments, part.lesson, network)?;
        if !arguments.json && chosen.len() > 1 {
            let title = format!("{}: {}", part.lesson.name, part.lesson.about);
            show(&format!("{}\n\n", style::heading(title)))?;
        }
        for exploration in &part.explorations {
            let explored = exploration.explore(part.lesson.name, &mut stage)?;
            if !arguments.json {
                show(&format!("{}\n", explored.tell()))?;
            }
            all.push(explored);
        }
        network = stage.into_network();
    }
    let right = all.iter().filter(|explored| explored.as_expected).count();
    match arguments.json {
        true => show(&format!("{}\n", serde_json::to_string_pretty(&all)?))?,
        false => show(&format!("{right} of {} as expected.\n", all.len()))?,
    }
    Ok(right == all.len())
}

/// The network that was asked for.
#[cfg(feature = "network")]
fn find(arguments: &Arguments) -> Result<Box<dyn Network>> {
    Ok(match &arguments.network {
        Some(url) => Box::new(Remote::at(
            url,
            arguments.identity.as_deref(),
            arguments.token.as_deref(),
        )?),
        None => Box::new(Embedded::new()),
    })
}

/// The local replica inside: this program was built without what reaches others.
#[cfg(not(feature = "network"))]
fn find(arguments: &Arguments) -> Result<Box<dyn Network>> {
    if arguments.network.is_some() {
        bail!(
            "this observe was built without what reaches other networks: use ./scripts/observe.sh, \
             or cargo build -p observe --features network"
        );
    }
    Ok(Box::new(Embedded::new()))
}

/// The lesson's canisters on a network.
fn set_up(arguments: &Arguments, lesson: &Lesson, network: Box<dyn Network>) -> Result<Stage> {
    let folders = Folders {
        rust: arguments.wasm.clone(),
        motoko: arguments.motoko.clone(),
    };
    let modules = lesson.modules(&folders);
    let mut stage = match arguments.deployed() {
        None => Stage::deploy(network, folders, modules)?,
        Some((caller, callee)) => {
            let deployment = Deployment {
                caller,
                callee,
                proxy: None,
                modules,
            };
            Stage::new(network, folders, deployment)?
        }
    };
    stage.look_closely(arguments.timeline || arguments.mermaid);
    Ok(stage)
}

/// Does a lesson's experiments and shows what was found.
fn teach(
    arguments: &Arguments,
    part: &Chosen,
    is_alone: bool,
    stage: &mut Stage,
) -> Result<Vec<Finding>> {
    let Chosen {
        lesson,
        experiments,
        is_whole,
        ..
    } = part;
    let introduces = arguments.shows_tables() && !arguments.timeline && !arguments.predict;
    if let Some(introduction) = lesson.introduction
        && *is_whole
        && introduces
    {
        show(&introduction(stage)?)?;
    }
    let mut findings = Vec::new();
    for experiment in experiments {
        findings.push(perform(arguments, lesson.name, experiment, stage)?);
        if arguments.mermaid {
            let is_alone = is_alone && experiments.len() == 1;
            show(&draw(stage, experiment, is_alone))?;
        }
    }
    if arguments.shows_tables() {
        show(&format!("{}\n", table::render(lesson, &findings)))?;
    }
    Ok(findings)
}

/// Does one experiment, and shows what is to be shown at once.
fn perform(
    arguments: &Arguments,
    lesson: &'static str,
    experiment: &Experiment,
    stage: &mut Stage,
) -> Result<Finding> {
    let title = style::heading(format!("{}: {}", experiment.method, experiment.what));
    let question = experiment.question.as_ref().filter(|_| arguments.predict);
    let choice = match question {
        Some(question) => {
            show(&format!("{title}\n"))?;
            let mut output = anstream::stdout().lock();
            Some(predict::ask(
                question,
                &mut std::io::stdin().lock(),
                &mut output,
            )?)
        }
        None => None,
    };
    let finding = experiment.observe(lesson, stage)?;
    if let (Some(question), Some(choice)) = (question, choice) {
        show(&format!(
            "{}\n\n",
            predict::judge(question, choice, &finding)
        ))?;
    }
    if arguments.timeline {
        show(&format!("{title}\n{}\n", story::tell(stage)))?;
    }
    Ok(finding)
}

/// The diagram of what was just done. Several make a Markdown page.
fn draw(stage: &Stage, experiment: &Experiment, is_alone: bool) -> String {
    let diagram = diagram::draw(stage);
    match is_alone {
        true => diagram,
        false => {
            let Experiment { method, what, .. } = experiment;
            format!("### {method}: {what}\n\n```mermaid\n{diagram}```\n\n")
        }
    }
}

/// How much was as predicted, for each lesson.
fn summary(findings: &[Finding]) -> String {
    let mut text = String::new();
    let lessons = lessons::all().filter_map(|lesson| {
        let own: Vec<_> = findings
            .iter()
            .filter(|f| f.lesson == lesson.name)
            .collect();
        (!own.is_empty()).then_some((lesson.name, own))
    });
    let lessons: Vec<_> = lessons.collect();
    let count = |own: &[&Finding]| {
        let right = own.iter().filter(|f| f.as_predicted == Some(true)).count();
        let shown = own.iter().filter(|f| f.as_predicted.is_some()).count();
        let text = format!("{right} of {shown} as predicted");
        match own.len() - shown {
            0 => text,
            hidden => format!("{text}, {hidden} not shown on this network"),
        }
    };
    if lessons.len() > 1 {
        for (name, own) in &lessons {
            text.push_str(&format!("{name:14}{}\n", count(own)));
        }
        text.push('\n');
    }
    let all: Vec<&Finding> = findings.iter().collect();
    text.push_str(&format!("{}.\n", count(&all)));
    text
}

/// All lessons.
fn list() -> String {
    lessons::all()
        .map(|lesson| format!("{:14}{}\n", lesson.name, lesson.about))
        .collect()
}

/// Writes to the standard output. A reader who has seen enough may close it.
fn show(text: &str) -> Result<()> {
    let mut out = anstream::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => Err(error.into()),
        _ => Ok(()),
    }
}
