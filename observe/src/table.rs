//! Findings as text. A mark before each says whether it is as predicted; the prediction is shown only
//! where it is not.

use std::fmt::Write;

use crate::lesson::{Fact, Finding, Layout, Lesson, Side};
use crate::{legend, style};

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
        Layout::Table => table(findings),
    }
}

/// The mark of what is as predicted, and of what is not.
fn mark(as_predicted: bool) -> String {
    match as_predicted {
        true => style::kept("✓").to_string(),
        false => style::wrong("✗").to_string(),
    }
}

/// What happens, and whether that is the mistake or the right way.
fn what(finding: &Finding, [mistake, right_way]: [&str; 2]) -> String {
    let side = match finding.side {
        Side::Rule => "",
        Side::Mistake => mistake,
        Side::RightWay => right_way,
    };
    format!("{side}{}", finding.what)
}

// ---- A line for each fact --------------------------------------------------------------------

fn list(finding: &Finding) -> String {
    let what = what(finding, ["The mistake: ", "The right way: "]);
    let title = format!("{what} ({})", finding.method);
    let mut text = format!("{}\n", style::heading(title));
    if finding.as_predicted.is_none() {
        let _ = writeln!(text, "  {NOT_HERE}");
    }
    let names = width(finding.facts.iter().map(|fact| fact.what));
    for fact in &finding.facts {
        let (mark, name) = (mark(fact.is_as_predicted()), fact.what);
        let _ = writeln!(text, "  {mark} {name:names$}{:GAP$}{}", "", told(fact));
    }
    text
}

/// What was observed, and if it is something else, what was predicted.
fn told(fact: &Fact) -> String {
    let Fact {
        predicted,
        observed,
        ..
    } = fact;
    match fact.is_as_predicted() {
        true => observed.clone(),
        false => style::wrong(format!("{observed}, NOT as predicted: {predicted}")).to_string(),
    }
}

// ---- A line for each finding -----------------------------------------------------------------

fn table(findings: &[Finding]) -> String {
    let Some(names) = findings.iter().map(|f| &f.facts).find(|f| !f.is_empty()) else {
        return format!("{NOT_HERE}\n");
    };
    let whats: Vec<String> = findings.iter().map(row_title).collect();
    let mut columns = vec![("what happens", width(whats.iter().map(String::as_str)))];
    for (index, fact) in names.iter().enumerate() {
        let cells = findings.iter().filter_map(|f| f.facts.get(index));
        columns.push((fact.what, width(cells.map(|fact| fact.observed.as_str()))));
    }
    for (title, column) in &mut columns {
        *column = width([*title].into_iter()).max(*column) + GAP;
    }

    let mut header = String::new();
    for (title, column) in &columns {
        let _ = write!(header, "{title:column$}");
    }
    let mut text = format!("  {}\n", style::heading(header.trim_end()));
    for (finding, what) in findings.iter().zip(whats) {
        line(&mut text, finding, &what, &columns);
    }
    let names: Vec<&str> = names.iter().map(|fact| fact.what).collect();
    let facts = findings.iter().flat_map(|finding| &finding.facts);
    let cells: Vec<&str> = facts.map(|fact| fact.observed.as_str()).collect();
    text.push_str(&legend::of(&names, &cells));
    text
}

fn row_title(finding: &Finding) -> String {
    what(finding, ["mistake: ", "right way: "])
}

fn line(text: &mut String, finding: &Finding, what: &str, columns: &[(&str, usize)]) {
    let mark = finding.as_predicted.map_or("–".to_owned(), mark);
    let first = columns[0].1;
    let _ = write!(text, "{mark} {what:first$}");
    if finding.as_predicted.is_none() {
        let _ = writeln!(text, "{NOT_HERE}");
        return;
    }
    let last = finding.facts.len().saturating_sub(1);
    for (index, fact) in finding.facts.iter().enumerate() {
        let width = if index < last {
            columns[index + 1].1
        } else {
            0
        };
        let cell = format!("{:width$}", fact.observed);
        let _ = write!(text, "{}", coloured(&fact.observed, cell));
    }
    text.push('\n');
    for fact in finding.facts.iter().filter(|f| !f.is_as_predicted()) {
        let line = format!(
            "  NOT as predicted: {} is '{}', and was to be '{}'",
            fact.what, fact.observed, fact.predicted
        );
        let _ = writeln!(text, "{}", style::wrong(line));
    }
}

fn coloured(word: &str, cell: String) -> String {
    match word {
        "kept" => style::kept(cell).to_string(),
        "undone" => style::undone(cell).to_string(),
        "partly" => style::wrong(cell).to_string(),
        _ => cell,
    }
}

/// How wide the widest of some cells is.
fn width<'a>(cells: impl Iterator<Item = &'a str>) -> usize {
    cells.map(|cell| cell.chars().count()).max().unwrap_or(0)
}
