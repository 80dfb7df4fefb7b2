//! When a message is said to change the state: when users can see that it did.

use observe::lesson::Finding;
use observe::lessons::LESSONS;
use observe::lessons::rollback::{Counters, LESSON};
use observe::stage::{Moment, Stage};

use crate::support::stage;

/// Of each message: whether memory moved, and whether it is said to change the state.
fn changes(stage: &Stage) -> Vec<(bool, bool)> {
    let changes = stage.scene().iter().filter_map(|moment| match moment {
        Moment::Event { event, changed, .. } => Some((event.changed_memory, *changed)),
        _ => None,
    });
    changes.collect()
}

fn call(method: &str) -> Vec<(bool, bool)> {
    let mut stage = stage(&LESSON);
    stage.look_closely(true);
    Counters::read(&mut stage).unwrap();
    let _answer = stage.call(stage.caller, method, ()).unwrap();
    changes(&stage)
}

#[test]
fn a_message_that_only_allocates_is_not_said_to_change_the_state() {
    // canister1 adds; canister2 adds; canister1 makes the text of its error.
    assert_eq!(
        call("increment_both"),
        [(true, true), (true, true), (true, false)]
    );
}

#[test]
fn what_was_undone_is_not_said_to_change_the_state_and_what_cleanup_does_is() {
    // The third is the callback that trapped, the fourth its cleanup, which counts.
    assert_eq!(
        call("increment_both_then_trap_with_guard"),
        [(true, true), (true, true), (true, false), (true, true)]
    );
}

#[test]
fn whoever_looks_closely_finds_the_same() {
    for lesson in LESSONS {
        let find = |closely| {
            let mut stage = stage(lesson);
            stage.look_closely(closely);
            let experiments = (lesson.experiments)();
            let findings: Vec<Finding> = experiments
                .iter()
                .map(|experiment| experiment.observe(lesson.name, &mut stage).unwrap())
                .collect();
            serde_json::to_value(findings).unwrap()
        };
        assert_eq!(find(true), find(false), "{}", lesson.name);
    }
}
