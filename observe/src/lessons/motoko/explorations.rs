//! What is gone through in every order: the two counters, where a canister of the pair is in Motoko.

use anyhow::Result;

use crate::exploration::{Exploration, Plan, finds, holds};
use crate::lessons::rollback::explorations::{COMMITTED_BEFORE, all_or_nothing, two_calls};
use crate::stage::Language::{Motoko, Rust};
use crate::stage::{Language, Stage};

const IN_MOTOKO: (Language, Language) = (Motoko, Motoko);
const COUNTED: &str = "count although the caller gets a reject";

pub fn all() -> Vec<Exploration> {
    vec![
        finds(
            "increment_both_then_throw",
            "one call, which throws after its await",
            COUNTED,
            |stage| rejected(stage, "increment_both_then_throw"),
        ),
        finds(
            "increment_both_then_assert_false",
            "one call, which traps after its await",
            COUNTED,
            |stage| rejected(stage, "increment_both_then_assert_false"),
        ),
        two("two calls at the same time, in Motoko", IN_MOTOKO),
        two("the same from Motoko to Rust", (Motoko, Rust)),
        two("the same from Rust to Motoko", (Rust, Motoko)),
    ]
}

fn rejected(stage: &mut Stage, method: &'static str) -> Result<Plan> {
    in_pair(stage, IN_MOTOKO, |stage| all_or_nothing(stage, method))
}

fn two(what: &'static str, languages: (Language, Language)) -> Exploration {
    holds("increment_both", what, COMMITTED_BEFORE, move |stage| {
        in_pair(stage, languages, two_calls)
    })
}

/// A plan for a new pair in these languages.
fn in_pair(
    stage: &mut Stage,
    (caller, callee): (Language, Language),
    plan: impl FnOnce(&mut Stage) -> Result<Plan>,
) -> Result<Plan> {
    let pair = stage.new_pair_in(caller, callee)?;
    stage.with_pair(pair, plan)
}
