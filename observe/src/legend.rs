//! What the columns of all tables mean. Every table prints the lines for the columns that it has, and
//! the page `docs/map.md` has all of them.

/// One line of the legend.
pub struct Line {
    /// The columns that it explains.
    pub columns: &'static [&'static str],
    /// What they mean.
    pub text: &'static str,
}

/// The legend of all tables.
pub const LEGEND: &[Line] = &[
    Line {
        columns: &["C1 before", "C1 after", "C2"],
        text: "C1, C2: what canister1 changed before and after its last await, and what canister2 changed.",
    },
    Line {
        columns: &["Drop"],
        text: "Drop: what became of the change that a Drop made in cleanup.",
    },
    Line {
        columns: &["finally"],
        text: "finally: what became of the change that a finally made, or in Rust a Drop.",
    },
    Line {
        columns: &["the user got"],
        text: "the user got: the answer. reject 5, IC0503 is a reject with its code and its error code.",
    },
    Line {
        columns: &["grew by"],
        text: "grew by: the counter of canister1, that of canister2, and the count of Drop or finally.",
    },
    Line {
        columns: &["Rust"],
        text: "Rust: what the Rust pair did. = is the same growth and the same answer.",
    },
    Line {
        columns: &["saw"],
        text: "saw: the error that the caller got.",
    },
    Line {
        columns: &["may conclude"],
        text: "may conclude: what the caller's function conclude makes of the error.",
    },
    Line {
        columns: &["clean", "retryable"],
        text: "clean, retryable: what ic-cdk's is_clean_reject and is_immediately_retryable say.",
    },
    Line {
        columns: &["callee grew by"],
        text: "callee grew by: the callee's counter.",
    },
    Line {
        columns: &["pending", "paid", "left", "together"],
        text: "pending: before it was settled. paid: by the callee at the end. left: in the account at the end.\n\
               together: paid and left, of 100.",
    },
    Line {
        columns: &["caller saw", "attached"],
        text: "caller saw: the answer to its call. attached: in cycles; the price is 400.",
    },
    Line {
        columns: &["caller + callee + lost"],
        text: "caller + callee + lost: where the attached cycles are at the end. Fees are not in it.",
    },
    Line {
        columns: &["–"],
        text: "–: there was nothing to change, or there is no such method.",
    },
];

/// The part of the legend for a table with these columns and cells.
pub fn of(columns: &[&str], cells: &[&str]) -> String {
    let is_shown =
        |line: &&Line| matches(line, columns) || line.columns == ["–"] && cells.contains(&"–");
    text(LEGEND.iter().filter(is_shown))
}

fn matches(line: &Line, columns: &[&str]) -> bool {
    line.columns.iter().any(|column| columns.contains(column))
}

/// All of it.
pub fn whole() -> String {
    text(LEGEND.iter())
}

fn text<'a>(lines: impl Iterator<Item = &'a Line>) -> String {
    lines.map(|line| format!("{}\n", line.text)).collect()
}
