//! Findings as text.

use std::fmt::Write;

use crate::lesson::{Fact, Finding, Layout, Lesson, Side};
use crate::style;

/// The room between columns.
const GAP: usize = 2;

/// What a network that is not the local replica can't show.
const NOT_HERE: &str = "not shown: this needs messages held back or the clock moved, as only this \
                        project's local replica can";

/// The findings of a lesson.
pub fn render(lesson: &Lesson, findings: &[Finding]) -> String {
    match lesson.layout {
        Layout::List => {
            let lists: Vec<String> = findings.iter().map(list).collect();
            lists.join("\n")
        }
        Layout::Table(legend) => table(findings, legend),
    }
}

// ---- A line for each fact --------------------------------------------------------------------

fn list(finding: &Finding) -> String {
    let side = match finding.side {
        Side::Rule => "",
        Side::Mistake => "The mistake: ",
        Side::RightWay => "The right way: ",
    };
    let title = format!("{side}{} ({})", finding.what, finding.method);
    let mut text = format!("{}\n", style::heading(title));
    if finding.as_predicted.is_none() {
        let _ = writeln!(text, "  {NOT_HERE}");
        return text;
    }
    let what = width(finding.facts.iter().map(|fact| fact.what)).max(20);
    let predicted = width(finding.facts.iter().map(|fact| fact.predicted.as_str())).max(9);
    let _ = writeln!(
        text,
        "  {:what$}{:gap$}{:predicted$}{:gap$}observed",
        "",
        "",
        "predicted",
        "",
        gap = GAP
    );
    for fact in &finding.facts {
        let _ = writeln!(
            text,
            "  {:what$}{:gap$}{:predicted$}{:gap$}{}",
            fact.what,
            "",
            fact.predicted,
            "",
            observed(fact),
            gap = GAP
        );
    }
    text
}

fn observed(fact: &Fact) -> String {
    match fact.is_as_predicted() {
        true => fact.observed.clone(),
        false => style::wrong(format!("{}  NOT as predicted", fact.observed)).to_string(),
    }
}

// ---- A line for each finding -----------------------------------------------------------------

fn table(findings: &[Finding], legend: &str) -> String {
    let Some((grown, columns)) = findings.iter().find_map(|f| f.facts.split_last()) else {
        return format!("{NOT_HERE}\n");
    };
    let whats: Vec<String> = findings.iter().map(what).collect();
    let titles = whats.iter().map(String::as_str);
    let mut widths = vec![width(titles.chain(["what happens"]))];
    for (index, fact) in columns.iter().enumerate() {
        let cells = findings.iter().filter_map(|f| f.facts.get(index));
        let cells = cells.map(|fact| fact.observed.as_str());
        widths.push(width(cells.chain([fact.what])));
    }
    widths.push(width([grown.predicted.as_str(), "predicted"].into_iter()));

    let titles = columns.iter().map(|fact| fact.what);
    let titles = ["what happens"]
        .into_iter()
        .chain(titles)
        .chain(["predicted", "observed"]);
    let mut header = String::new();
    for (title, width) in titles.zip(widths.iter().chain(&[0])) {
        let _ = write!(header, "{title:width$}{:GAP$}", "");
    }
    let mut text = format!("{}\n", style::heading(header.trim_end()));
    for finding in findings {
        line(&mut text, finding, &widths);
    }
    text.push_str(legend);
    text
}

fn line(text: &mut String, finding: &Finding, widths: &[usize]) {
    let _ = write!(
        text,
        "{:width$}{:GAP$}",
        what(finding),
        "",
        width = widths[0]
    );
    let Some((last, facts)) = finding.facts.split_last() else {
        let _ = writeln!(text, "{NOT_HERE}");
        return;
    };
    for (fact, width) in facts.iter().zip(&widths[1..]) {
        let cell = format!("{:width$}{:GAP$}", fact.observed, "");
        let _ = write!(text, "{}", coloured(&fact.observed, cell));
    }
    let width = widths[widths.len() - 1];
    let _ = write!(text, "{:width$}{:GAP$}", last.predicted, "");
    let _ = match last.is_as_predicted() {
        true => writeln!(text, "{}", last.observed),
        false => writeln!(text, "{}", style::wrong(&last.observed)),
    };
    for fact in finding.facts.iter().filter(|f| !f.is_as_predicted()) {
        let line = format!(
            "  NOT as predicted: {} is '{}', and was to be '{}'",
            fact.what, fact.observed, fact.predicted
        );
        let _ = writeln!(text, "{}", style::wrong(line));
    }
}

/// What happens, and whether that is the mistake or the right way.
fn what(finding: &Finding) -> String {
    let side = match finding.side {
        Side::Rule => "",
        Side::Mistake => "mistake: ",
        Side::RightWay => "right way: ",
    };
    format!("{side}{}", finding.what)
}

fn coloured(word: &str, cell: String) -> String {
    match word {
        "kept" => style::kept(cell).to_string(),
        "undone" => style::undone(cell).to_string(),
        "partly" => style::wrong(cell).to_string(),
        _ => cell,
    }
}

/// How wide a column is.
fn width<'a>(cells: impl Iterator<Item = &'a str>) -> usize {
    cells.map(|cell| cell.chars().count()).max().unwrap_or(0)
}
