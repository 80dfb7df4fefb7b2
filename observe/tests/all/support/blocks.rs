//! The blocks on pages: finding them, filling them, and taking functions out of sources.

use std::fmt::Write;

/// A page with every block filled anew that stands under a comment for which there is a text.
pub fn fill(page: &str, mut text_for: impl FnMut(&str) -> Option<String>) -> String {
    let mut fresh = String::new();
    let mut rest = page;
    while let Some((before, after)) = rest.split_once("<!-- ") {
        let (comment, after) = after.split_once("-->\n").expect("the comment ends");
        fresh.push_str(&format!("{before}<!-- {comment}-->\n"));
        rest = after;
        let Some(text) = text_for(comment.trim_end()) else {
            continue;
        };
        let block = after
            .strip_prefix("```")
            .and_then(|block| block.split_once('\n'));
        let (language, block) = block.unwrap_or_else(|| panic!("{comment}: no block follows"));
        // A block may be empty.
        let end = match block.starts_with("```\n") {
            true => 0,
            false => block.find("\n```\n").expect("the block ends") + 1,
        };
        assert!(
            !text.contains("\n```\n"),
            "{comment}: the block would end too early"
        );
        let ending = if text.ends_with('\n') { "" } else { "\n" };
        fresh.push_str(&format!("```{language}\n{text}{ending}"));
        rest = &block[end..];
    }
    fresh + rest
}

/// A function of a source, with the comments and attributes that belong to it.
pub fn function(source: &str, name: &str) -> Option<String> {
    // In Motoko, methods are indented: they stand in an actor.
    let lines = source
        .lines()
        .map(|line| line.strip_prefix("  ").unwrap_or(line));
    let lines: Vec<&str> = match source.contains("persistent actor") {
        true => lines.collect(),
        false => source.lines().collect(),
    };
    let is_it = |line: &&str| {
        let words = ["pub ", "public ", "async "];
        let line = words
            .iter()
            .fold(*line, |line, word| line.trim_start_matches(word));
        let rest = ["fn ", "func "]
            .iter()
            .find_map(|word| line.strip_prefix(word));
        let rest = rest.and_then(|rest| rest.strip_prefix(name));
        rest.is_some_and(|rest| rest.starts_with(['(', '<']))
    };
    let first = lines.iter().position(is_it)?;
    let above = lines[..first]
        .iter()
        .rev()
        .take_while(|line| line.starts_with("///") || line.starts_with("#["));
    let begin = first - above.count();
    let is_end = |line: &&str| ["}", "};"].contains(line);
    let end = first + lines[first..].iter().position(is_end)?;
    Some(lines[begin..=end].join("\n") + "\n")
}

/// A function without its comments, and beside it a bracket for each message that runs it: they end
/// where it awaits.
pub fn with_messages(function: &str, messages: &[&str]) -> String {
    let lines: Vec<&str> = function
        .lines()
        .filter(|line| !line.trim_start().starts_with("//") && !line.is_empty())
        .collect();
    let width = lines.iter().map(|line| line.chars().count()).max();
    let width = width.unwrap_or_default() + 2;
    let mut parts: Vec<Vec<&str>> = vec![Vec::new()];
    for line in &lines {
        parts.last_mut().expect("there is one").push(line);
        if line.contains(".await") {
            parts.push(Vec::new());
        }
    }
    assert_eq!(parts.len(), messages.len(), "the messages of\n{function}");
    let mut text = String::new();
    for (part, message) in parts.iter().zip(messages) {
        let last = part.len() - 1;
        for (index, line) in part.iter().enumerate() {
            let bracket = match index {
                0 => format!("┐ message {message}"),
                index if index == last => "┘ COMMIT POINT".to_owned(),
                _ => "│".to_owned(),
            };
            let _ = writeln!(text, "{line:width$}// {bracket}");
        }
    }
    text
}

#[test]
fn a_block_is_filled_whatever_it_holds() {
    let page = "a\n<!-- output of x -->\n```text\nold\n```\n<!-- other -->\nb\n<!-- output of y -->\n```rust\n```\nc\n";
    let fresh = fill(page, |comment| {
        comment
            .strip_prefix("output of ")
            .map(|what| format!("new {what}\n"))
    });
    assert_eq!(
        fresh,
        "a\n<!-- output of x -->\n```text\nnew x\n```\n<!-- other -->\nb\n<!-- output of y -->\n```rust\nnew y\n```\nc\n"
    );
}

#[test]
fn a_function_is_found_with_its_comments_and_split_at_its_awaits() {
    let source = "fn other() {\n}\n\n/// Does.\n#[update]\nasync fn it(a: u8) {\n    // Why.\n    a();\n    b().await;\n    c();\n}\n\nfn items() {\n}\n";
    let it = function(source, "it").unwrap();
    assert!(it.starts_with("/// Does.\n#[update]\nasync fn it") && it.ends_with("c();\n}\n"));
    assert_eq!(function(source, "item"), None);
    let motoko =
        "persistent actor {\n  /// Does.\n  public func it() : async () {\n    a();\n  };\n};\n";
    let same = "/// Does.\npublic func it() : async () {\n  a();\n};\n";
    assert_eq!(function(motoko, "it").as_deref(), Some(same));
    let expected = "\
#[update]             // ┐ message 1
async fn it(a: u8) {  // │
    a();              // │
    b().await;        // ┘ COMMIT POINT
    c();              // ┐ message 3
}                     // ┘ COMMIT POINT
";
    assert_eq!(with_messages(&it, &["1", "3"]), expected);
}
