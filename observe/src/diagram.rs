//! A timeline as a Mermaid sequence diagram.

use candid::Principal;
use local_replica::diagram::{Diagram, Names, Remarks};

use crate::network::timeline::Step;
use crate::stage::{Moment, Stage};
use crate::story;

/// What happened on the stage, as a diagram.
pub fn draw(stage: &Stage) -> String {
    let mut diagram = Diagram::new(stage, &participants(stage));
    for moment in stage.scene() {
        match moment {
            Moment::Event { event, changed, .. } => {
                let is_cleanup = event.step == Step::Cleanup;
                let cleanup = is_cleanup.then(|| story::cleanup(stage, &event.canister));
                let remarks = Remarks {
                    changed: *changed,
                    cleanup,
                };
                diagram.event(event, remarks);
            }
            Moment::Lost(lost) => diagram.lost(lost.kind, &lost.from, &lost.to, &lost.method),
            // Where it was given is seen already.
            Moment::Answer { .. } => {}
        }
    }
    diagram.finish()
}

impl Names for Stage {
    fn name(&self, principal: &Principal) -> String {
        Stage::name(self, principal)
    }

    fn is_user(&self, principal: &Principal) -> bool {
        self.number_of_user(principal).is_some()
    }
}

/// Everybody: callers to the left of those whom they call.
fn participants(stage: &Stage) -> Vec<String> {
    let mut all: Vec<String> = Vec::new();
    for event in stage.events() {
        for principal in [event.caller, event.canister] {
            let name = stage.name(&principal);
            if !all.contains(&name) {
                all.push(name);
            }
        }
    }
    let rank = |name: &String| match name.as_str() {
        "canister1" | "caller" => 1,
        "proxy" => 2,
        "canister2" | "callee" => 3,
        "the management canister" => 4,
        _ => 0,
    };
    all.sort_by_key(rank);
    all
}
