//! What an experiment leaves behind that failed in the middle: nothing that harms the next one.

use crate::support::stage;
use anyhow::{Result, bail};
use observe::lesson::{Fact, rule};
use observe::lessons::rollback::{Counters, LESSON};
use observe::stage::{Stage, accepted};

/// An experiment that can't be observed to its end.
fn fail(stage: &mut Stage, run: impl Fn(&mut Stage) -> Result<Vec<Fact>> + 'static) {
    let experiment = rule("increment_both", "fails in the middle", run).on_local_replica();
    experiment.observe("rollback", stage).unwrap_err();
}

#[test]
fn a_canister_that_was_stopped_runs_again() {
    let mut stage = stage(&LESSON);
    fail(&mut stage, |stage| {
        stage.hold()?;
        accepted(stage.command(stage.callee, "stop_canister")?)?;
        bail!("and now?")
    });
    let before = Counters::read(&mut stage).unwrap();
    stage
        .call(stage.caller, "increment_both", ())
        .unwrap()
        .unwrap();
    assert_eq!(
        Counters::read(&mut stage).unwrap().since(before).canister2,
        1
    );
}

#[test]
fn messages_are_not_held_back_any_more_however_many_wait() {
    let mut stage = stage(&LESSON);
    fail(&mut stage, |stage| {
        stage.hold()?;
        // More messages than are delivered before an end is no longer expected.
        for _ in 0..400 {
            stage.send(stage.caller, "increment_both", ())?;
        }
        Ok(Vec::new())
    });
    let refused = stage.send(stage.callee, "increment", ()).err();
    let refused = refused.expect("it is sent only while they are held back");
    assert_eq!(refused.to_string(), "messages are not held back");
}
