//! What is gone through in every order: an order that keeps its user busy.

use anyhow::Result;

use crate::exploration::{Exploration, FAULTS, Plan, holds};
use crate::stage::Stage;

pub fn all() -> Vec<Exploration> {
    vec![holds(
        "order",
        "a user orders",
        "in the end the user is free to order again",
        order,
    )]
}

fn order(stage: &mut Stage) -> Result<Plan> {
    let plan = Plan::from(stage)?
        .call(stage.caller, "order", ())?
        .look(stage.caller, "is_free", (stage.user(),))?
        .faults(FAULTS, 2);
    Ok(plan.at_end(|seen| seen.look(0)))
}
