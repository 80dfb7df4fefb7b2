//! What both languages did, side by side.

use crate::lesson::{Fact, fact};
use crate::lessons::rollback::{Outcome, Way};

pub(super) const TRAP: &str = "reject 5, IC0503";

/// Where Rust does the same, and where it can't do it.
pub(super) const SAME: &str = "=";
pub(super) const NO_SUCH_METHOD: &str = "–";

/// Where nothing is added in Motoko.
pub(super) const NOTHING: Way = Way {
    cleanup_by: "finally",
    ..Way::NOTHING
};

/// What was predicted and what came of it, and beside it what was predicted of Rust and what that did.
pub(super) fn facts(
    way: &Way,
    outcome: &Outcome,
    predicted: &str,
    rust: Option<&Outcome>,
) -> Vec<Fact> {
    let rust = match rust {
        None => NO_SUCH_METHOD.to_owned(),
        Some(rust) if rust == outcome => SAME.to_owned(),
        Some(rust) if rust.grown == outcome.grown => rust.got.clone(),
        Some(rust) => rust.grown.to_string(),
    };
    let mut facts = way.facts(outcome);
    facts.push(fact("Rust", predicted, rust));
    facts
}
