//! The text that tells what was found.

use std::fmt::Write;

use super::names::Names;
use super::steps::Speaker;
use super::wire::{Call, Case, Failure, Nearest, Orders, Progress, Replayed, Report, Seen, Step};
use super::words;
use crate::explore::BuiltIn;
use crate::timeline::{Answer, Ending, Event, Step as Executed};

/// The longest cell of a table, in letters.
const MAX_CELL: usize = 48;

/// How far an exploration is, in one line.
pub fn progress(progress: &Progress) -> String {
    let faults = match progress.faults {
        0 => "without a fault".to_owned(),
        1 => "with at most 1 fault".to_owned(),
        faults => format!("with at most {faults} faults"),
    };
    let deliveries = progress.deliveries;
    format!("Orders {faults}: {deliveries} messages were delivered so far …")
}

/// What was found.
pub fn report(report: &Report, case: &Case, names: &Names) -> String {
    let speaker = Speaker::new(names, &report.calls);
    let mut text = String::new();
    for (place, call) in report.calls.iter().enumerate() {
        let _ = writeln!(text, "call {}  {}", place + 1, speaker.call(call));
    }
    text.push('\n');
    text.push_str(&how_far(report, case));
    text.push('\n');
    text.push_str(&table(report, &speaker));
    for (place, outcome) in report.outcomes.iter().enumerate() {
        let _ = writeln!(text, "\nThe shortest way to outcome {}:", place + 1);
        text.push_str(&schedule(&outcome.schedule, &speaker));
    }
    for failure in &report.failures {
        text.push('\n');
        text.push_str(&fails(failure, report, &speaker));
    }
    for property in &report.never {
        let _ = writeln!(text, "\nNEVER: {property}\nIn no order that was run.");
    }
    let properties = case.properties.len();
    let properties = properties + case.built_in.len();
    let bad = report.failures.len() + report.never.len();
    match (properties, bad) {
        (0, _) => {}
        (_, 0) if report.exhaustive => text.push_str("\nAll holds, in every order.\n"),
        (_, 0) => text.push_str("\nAll holds, in the orders that were run.\n"),
        (all, bad) => {
            let _ = writeln!(text, "\n{bad} of {all} properties do not hold.");
        }
    }
    text
}

/// How many orders there are, and whether all were seen.
fn how_far(report: &Report, case: &Case) -> String {
    let mut text = String::new();
    let (all, runs) = (orders(report.orders), report.runs);
    let _ = match report.orders.number {
        1 if !report.orders.more => writeln!(text, "There is one order, and it was run."),
        number if number == runs && !report.orders.more => {
            writeln!(text, "There are {all} orders, and all were run.")
        }
        _ => writeln!(
            text,
            "There are {all} orders. {runs} were run: the others differ from them only in the order \
             of steps that do not concern each other."
        ),
    };
    let within = |faults: usize| match faults {
        0 => "without a fault".to_owned(),
        1 => format!("with at most 1 fault ({})", case.faults.join(", ")),
        _ => format!("with at most {faults} faults ({})", case.faults.join(", ")),
    };
    match (report.exhausted, report.beyond) {
        (Some(faults), None) if report.cut == 0 => {
            let _ = writeln!(text, "These are all that can happen {}.", within(faults));
        }
        (Some(faults), None) => {
            let _ = writeln!(
                text,
                "These are all {}, but not all to their end.",
                within(faults)
            );
        }
        (exhausted, _) => {
            if let Some(faults) = exhausted {
                let _ = writeln!(text, "All that can happen {} was seen.", within(faults));
            }
            let beyond = within(report.beyond.unwrap_or(0));
            let _ = writeln!(
                text,
                "NOT EXHAUSTIVE: of the orders {beyond} only a part was run, before the limit was \
                 reached."
            );
        }
    }
    if let Some(random) = report.random {
        let _ = writeln!(
            text,
            "Beyond it, {} orders were drawn at random, with the seed {}.",
            random.orders, random.seed
        );
    }
    if report.cut > 0 {
        let _ = writeln!(
            text,
            "NOT EXHAUSTIVE: {} runs were cut off, because they became too long (--max-waits, \
             --max-steps).",
            report.cut
        );
    }
    let _ = writeln!(
        text,
        "{} messages were delivered in {:.2} s.",
        report.deliveries, report.seconds
    );
    text
}

/// The outcomes as a table.
fn table(report: &Report, speaker: &Speaker<'_>) -> String {
    let mut heading = vec![String::new(), "orders".to_owned()];
    heading.extend((1..=report.calls.len()).map(|place| format!("call {place}")));
    heading.extend(report.looks.iter().map(|call| speaker.call(call)));
    let mut rows = vec![heading];
    for (place, outcome) in report.outcomes.iter().enumerate() {
        let mut row = vec![(place + 1).to_string(), orders(outcome.orders)];
        row.extend(cells(&outcome.seen, speaker));
        rows.push(row);
    }
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max();
    let widths: Vec<usize> = (0..rows[0].len()).filter_map(width).collect();
    let number = report.distinct_outcomes;
    let mut text = match number {
        1 => "One outcome:\n".to_owned(),
        _ => format!("{number} different outcomes:\n"),
    };
    for row in &rows {
        let cells = row.iter().zip(&widths).enumerate();
        let cells = cells.map(|(column, (cell, width))| match column {
            // Numbers end in one line, texts begin in one.
            0 | 1 => format!("{cell:>width$}"),
            _ => format!("{cell:width$}"),
        });
        let line = cells.collect::<Vec<_>>().join("  ");
        let _ = writeln!(text, "  {}", line.trim_end());
    }
    if number > report.outcomes.len() {
        let _ = writeln!(text, "  … and {} more", number - report.outcomes.len());
    }
    text
}

fn cells(seen: &Seen, speaker: &Speaker<'_>) -> Vec<String> {
    let answers = seen.answers.iter().map(|answer| match answer {
        Some(answer) => cell(&speaker.names.rename(answer)),
        None => "no answer".to_owned(),
    });
    let looks = seen
        .looks
        .iter()
        .map(|look| cell(&speaker.names.rename(look)));
    answers.chain(looks).collect()
}

fn cell(text: &str) -> String {
    match text.chars().count() > MAX_CELL {
        true => text.chars().take(MAX_CELL - 1).chain(['…']).collect(),
        false => text.to_owned(),
    }
}

fn fails(failure: &Failure, report: &Report, speaker: &Speaker<'_>) -> String {
    let (fails, all) = (orders(failure.orders), orders(report.orders));
    let mut text = format!("FAILS in {fails} of {all} orders: {}\n", failure.property);
    let _ = writeln!(text, "{}", speaker.sentence(failure, &report.looks));
    text.push_str("The shortest schedule that does it:\n");
    text.push_str(&schedule(&failure.schedule, speaker));
    match &failure.nearest {
        Some(nearest) => text.push_str(&beside(nearest, failure, report, speaker)),
        None => text.push_str("No order beside it is good.\n"),
    }
    text
}

/// The nearest order that is good, with the first difference marked.
fn beside(nearest: &Nearest, failure: &Failure, report: &Report, speaker: &Speaker<'_>) -> String {
    let mut text =
        "The nearest order in which it holds; > marks the first difference:\n".to_owned();
    let name = |id: &_| speaker.names.name(id);
    let steps = words::steps(
        &nearest.schedule,
        &speaker.remarks(&nearest.schedule),
        &name,
    );
    for (place, step) in steps.lines().enumerate() {
        let mark = if place == nearest.differs_at {
            '>'
        } else {
            ' '
        };
        let _ = writeln!(text, "{mark} {step}");
    }
    if let Some(look) = failure.look {
        let _ = writeln!(
            text,
            "Then {} answers {}.",
            speaker.call(&report.looks[look]),
            speaker.names.rename(&nearest.seen.looks[look])
        );
    }
    text
}

fn schedule(steps: &[Step], speaker: &Speaker<'_>) -> String {
    let name = |id: &_| speaker.names.name(id);
    let steps = words::steps(steps, &speaker.remarks(steps), &name);
    steps.lines().map(|line| format!("  {line}\n")).collect()
}

/// A number of orders, in thousands.
fn orders(orders: Orders) -> String {
    let digits = orders.number.to_string();
    let mut text = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    match orders.more {
        true => format!("more than {text}"),
        false => text,
    }
}

/// A failure's schedule as a text to keep, with the case that it belongs to.
pub fn to_keep(failure: &Failure, case: &Case, looks: &[Call], names: &Names) -> String {
    let speaker = Speaker::new(names, &case.together);
    // Of the properties, the one that it is about.
    let case = Case {
        properties: case
            .properties
            .iter()
            .filter(|property| property.name == failure.property)
            .cloned()
            .collect(),
        built_in: case
            .built_in
            .iter()
            .filter(|word| BuiltIn::of(&failure.property) == word.parse().ok())
            .cloned()
            .collect(),
        ..case.clone()
    };
    let schedule = &failure.schedule;
    let remarks = speaker.remarks(schedule);
    let text = words::write_schedule(&case, schedule, &remarks, &|id| names.name(id));
    format!("# {}\n{text}", speaker.sentence(failure, looks))
}

/// What came of a schedule.
pub fn replayed(replayed: &Replayed, case: &Case, names: &Names) -> String {
    let speaker = Speaker::new(names, &case.together);
    let mut text = String::new();
    let name = |id: &_| names.name(id);
    for step in &replayed.steps {
        let remark = speaker.remark(step);
        text.push_str(&words::steps(std::slice::from_ref(step), &[remark], &name));
        for event in &step.events {
            let _ = writeln!(text, "    {}", speaker.event(event));
        }
    }
    text.push('\n');
    for (place, answer) in replayed.seen.answers.iter().enumerate() {
        let answer = answer.as_deref().unwrap_or("no answer");
        let call = speaker.call(&case.together[place]);
        let _ = writeln!(text, "call {}  {call}: {}", place + 1, names.rename(answer));
    }
    for (call, answer) in replayed.looks.iter().zip(&replayed.seen.looks) {
        let _ = writeln!(text, "{}: {}", speaker.call(call), names.rename(answer));
    }
    for property in &replayed.failing {
        let _ = writeln!(text, "FAILS: {property}");
    }
    text
}

impl Speaker<'_> {
    /// What was executed, and how that ended.
    fn event(&self, event: &Event) -> String {
        let what = match &event.step {
            Executed::Method { name, .. } => name.clone(),
            Executed::Callback {
                method,
                reject: None,
                ..
            } => format!("goes on after the reply of {method}"),
            Executed::Callback {
                method,
                reject: Some(reject),
                ..
            } => format!("goes on after reject {} of {method}", reject.code as u64),
            Executed::Cleanup => "cleans up".to_owned(),
            Executed::SystemTask(task) => task.export().to_owned(),
            Executed::Hook(entry_point) => entry_point.to_string(),
            Executed::Management(method) => method.clone(),
            Executed::AnsweredBySystem(method) => format!("the system answers {method}"),
        };
        let mut text = format!("{}: {what}", self.who(&event.canister));
        for call in &event.calls {
            let _ = write!(text, "; calls {} {}", self.who(&call.receiver), call.method);
        }
        match &event.response {
            Some(Answer::Reply { .. }) => text.push_str("; replies"),
            Some(Answer::Reject(reject)) => {
                let _ = write!(text, "; rejects: {}", self.names.rename(&reject.message));
            }
            None => {}
        }
        match &event.ending {
            Ending::Committed => text.push_str("; COMMIT POINT"),
            Ending::Undone(reject) => {
                let why = super::interface::line(&reject.message);
                let _ = write!(text, "; TRAPS, all undone: {}", self.names.rename(&why));
            }
        }
        text
    }
}
