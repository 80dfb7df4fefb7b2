//! What the columns of all tables mean. Every table prints those that it has, and the page `docs/map.md`
//! has all of them.

use std::fmt::Write;

/// How wide a line of a legend is at most.
const WIDTH: usize = 100;

/// The columns of all tables, and the signs in them, each with its meaning.
pub const LEGEND: &[(&str, &str)] = &[
    ("C1 before", "what canister1 changed before its last await"),
    ("C1 after", "what it changed after that await"),
    ("C2", "what canister2 changed"),
    ("Drop", "what Drop counted"),
    ("finally", "what finally counted, or Drop in Rust"),
    ("saw", "the error that the caller got"),
    ("caller saw", "the answer that the caller got"),
    (
        "may conclude",
        "what the caller's conclude makes of the error",
    ),
    ("clean", "whether ic-cdk says is_clean_reject"),
    ("retryable", "whether ic-cdk says is_immediately_retryable"),
    ("callee grew by", "by how much the callee's counter grew"),
    ("the user got", "the answer to the user's call"),
    (
        "grew by",
        "by how much the counter of canister1, that of canister2, and the count of Drop or finally grew",
    ),
    (
        "Rust",
        "what the Rust pair did; = is the same growth and the same answer",
    ),
    ("pending", "what was pending, before it was settled"),
    ("paid", "what the callee had paid at the end"),
    ("left", "what the account had at the end"),
    ("together", "paid and left, of 100"),
    (
        "attached",
        "the cycles that the caller attached; the price is 400",
    ),
    (
        "caller + callee + lost",
        "where the attached cycles were at the end; fees are paid from the balance and are not in it",
    ),
    (
        "reject 5, IC0503",
        "a reject with its code and its error code",
    ),
    ("–", "nothing to change, or no such method"),
];

/// The part of the legend that belongs to a table with these columns and cells.
pub fn of(columns: &[&str], cells: &[&str]) -> String {
    let is_shown = |name: &str| match name {
        "–" => cells.contains(&name),
        "reject 5, IC0503" => cells.iter().any(|cell| cell.contains(", IC0")),
        _ => columns.contains(&name),
    };
    let shown = LEGEND.iter().filter(|(name, _)| is_shown(name));
    let meanings = shown.map(|(name, meaning)| format!("{name}: {meaning}."));
    wrapped(&meanings.collect::<Vec<_>>().join(" "))
}

/// All of it, a line for each.
pub fn whole() -> String {
    let names = LEGEND.iter().map(|(name, _)| name.chars().count());
    let width = names.max().unwrap_or(0);
    let mut text = String::new();
    for (name, meaning) in LEGEND {
        let _ = writeln!(text, "{name:width$}  {meaning}");
    }
    text
}

fn wrapped(text: &str) -> String {
    let mut lines = vec![String::new()];
    for word in text.split(' ') {
        let last = lines.last_mut().expect("there is a line");
        let length = last.chars().count() + 1 + word.chars().count();
        match last.is_empty() {
            true => last.push_str(word),
            false if length <= WIDTH => {
                last.push(' ');
                last.push_str(word);
            }
            false => lines.push(word.to_owned()),
        }
    }
    lines.join("\n") + "\n"
}
