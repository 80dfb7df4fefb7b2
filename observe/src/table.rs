//! Findings as a table.

use std::fmt::Write;

use crate::lessons::rollback::{Fate, Finding};
use crate::pair::Counters;
use crate::style;

/// The widths of the columns: what happens, canister1 before and after its last await, canister2,
/// drops, the caller, the prediction.
const WIDTHS: [usize; 7] = [43, 9, 9, 11, 9, 23, 11];

/// The table of findings, one line each. A finding that is not as predicted gets a second line.
pub fn render(findings: &[Finding]) -> String {
    let mut text = String::new();
    for titles in [
        [
            "",
            "canister1",
            "",
            "canister2",
            "Drop",
            "the caller got",
            "predicted",
            "observed",
        ],
        [
            "what happens",
            "before",
            "after",
            "",
            "",
            "",
            "C1 C2 D",
            "C1 C2 D",
        ],
    ] {
        let columns = titles.iter().zip(WIDTHS.iter().chain(&[0]));
        let title: String = columns
            .map(|(title, width)| format!("{title:width$}"))
            .collect();
        let _ = writeln!(text, "{}", style::heading(title.trim_end()));
    }
    for finding in findings {
        line(&mut text, finding);
    }
    text.push_str(LEGEND);
    text
}

const LEGEND: &str = "\
before, after: what canister1 changed before and after its last await. –: there was nothing to change.
C1 C2 D: by how much the counter of canister1, that of canister2, and the count of drops grew.
";

fn line(text: &mut String, finding: &Finding) {
    let [what, before, after, callee, drops, answer, predicted] = WIDTHS;
    let _ = write!(text, "{:what$}", finding.what);
    cell(text, finding.before_await, before);
    cell(text, finding.after_await, after);
    cell(text, finding.callee, callee);
    cell(text, finding.drops, drops);
    let _ = write!(text, "{:answer$}", finding.observed_answer.words());
    let _ = write!(text, "{:predicted$}", numbers(finding.predicted));
    let observed = numbers(finding.observed);
    if finding.as_predicted {
        let _ = writeln!(text, "{observed}");
        return;
    }
    let _ = writeln!(text, "{}", style::wrong(&observed));
    let prediction = format!(
        "  NOT as predicted: C1, C2 and D were to grow by {}, the caller was to get: {}",
        numbers(finding.predicted),
        finding.predicted_answer
    );
    let _ = writeln!(text, "{}", style::wrong(prediction));
}

fn cell(text: &mut String, fate: Fate, width: usize) {
    let word = match fate {
        Fate::Kept => "kept",
        Fate::Undone => "undone",
        Fate::Partly => "partly",
        Fate::None => "–",
    };
    let word = format!("{word:width$}");
    let _ = match fate {
        Fate::Kept => write!(text, "{}", style::kept(word)),
        Fate::Undone => write!(text, "{}", style::undone(word)),
        Fate::Partly => write!(text, "{}", style::wrong(word)),
        Fate::None => write!(text, "{word}"),
    };
}

fn numbers(grown: Counters) -> String {
    let Counters {
        canister1,
        canister2,
        drops,
    } = grown;
    format!("+{canister1} +{canister2} +{drops}")
}
