//! What an experiment leaves behind that failed in the middle: nothing that harms the next one.

mod support;

use anyhow::{Result, bail};
use observe::lesson::{Experiment, Fact, Side};
use observe::stage::{Stage, accepted};
use support::stage;

/// An experiment that can't be observed to its end.
fn fail(stage: &mut Stage, run: impl Fn(&mut Stage) -> Result<Vec<Fact>> + 'static) {
    let experiment = Experiment {
        method: "increment_both",
        what: "fails in the middle",
        side: Side::Rule,
        needs_local_replica: true,
        question: None,
        run: Box::new(run),
    };
    experiment.observe("rollback", stage).unwrap_err();
}

#[test]
fn a_canister_that_was_stopped_runs_again() {
    let mut stage = stage();
    fail(&mut stage, |stage| {
        stage.hold()?;
        accepted(stage.command(stage.canister2, "stop_canister")?)?;
        bail!("and now?")
    });
    let before = stage.counters().unwrap();
    stage
        .call(stage.canister1, "increment_both", ())
        .unwrap()
        .unwrap();
    assert_eq!(stage.counters().unwrap().since(before).canister2, 1);
}

#[test]
fn messages_are_not_held_back_any_more_however_many_wait() {
    let mut stage = stage();
    let canister2 = stage.canister2;
    let list: u64 = stage.reply(canister2, "ordering_open_list", ()).unwrap();
    fail(&mut stage, move |stage| {
        stage.hold()?;
        for _ in 0..6 {
            let arguments = (list, 100u64);
            stage.send(stage.canister1, "ordering_append_in_parallel", arguments)?;
        }
        Ok(Vec::new())
    });
    let refused = stage.send(canister2, "increment", ()).err();
    let refused = refused.expect("it is sent only while they are held back");
    assert_eq!(refused.to_string(), "messages are not held back");
}
