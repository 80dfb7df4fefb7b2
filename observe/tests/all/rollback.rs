//! Every row of the table, on deployed Wasm: both counters, the answer, and for every message
//! whether its changes were kept or undone.

use crate::support::{Story, story};
use observe::answer::Got;
use observe::lessons::rollback::{Counters, LESSON};

fn grown(canister1: u64, canister2: u64, drops: u64) -> Counters {
    Counters {
        canister1,
        canister2,
        drops,
    }
}

/// The reject of a caller whose canister trapped.
fn assert_trapped(story: &Story, text: &str) {
    let Got::Reject {
        code,
        error_code,
        message,
    } = &story.got
    else {
        panic!("not a reject: {}", story.got);
    };
    assert_eq!((*code, error_code.as_str()), (5, "IC0503"));
    assert!(
        message.starts_with("Error from Canister ")
            && message.contains(&format!(
                ": Canister called `ic0.trap` with message: '{text}'"
            )),
        "{message}"
    );
}

/// The reject that canister1 saw, as it tells it.
fn assert_saw(story: &Story, code: u32, text: &str) {
    let Got::ReplySawReject {
        code: seen,
        message,
    } = &story.got
    else {
        panic!("canister1 saw no reject: {}", story.got);
    };
    assert_eq!(*seen, code);
    assert!(message.contains(text), "{message}");
}

#[test]
fn err_after_the_await_undoes_nothing() {
    let story = story("increment_both");
    assert_eq!(story.grown, grown(1, 1, 0));
    let message = "Failed to complete the operation.".to_owned();
    assert_eq!(story.got, Got::ReplyErr(message));
    assert_eq!(
        story.steps,
        [
            "canister1: method, change kept",
            "canister2: method, change kept",
            "canister1: reply callback, change kept",
        ]
    );
}

#[test]
fn trap_after_the_await_keeps_the_increment_before_it() {
    let story = story("increment_both_then_trap");
    assert_eq!(story.grown, grown(1, 1, 0));
    assert_trapped(&story, "trapped on purpose");
    assert_eq!(
        story.steps,
        [
            "canister1: method, change kept",
            "canister2: method, change kept",
            "canister1: reply callback, change undone",
            "canister1: cleanup, change kept",
        ]
    );
}

#[test]
fn trap_before_any_await_undoes_everything() {
    let story = story("increment_then_trap");
    assert_eq!(story.grown, grown(0, 0, 0));
    assert_trapped(&story, "trapped on purpose");
    assert_eq!(story.steps, ["canister1: method, change undone"]);
}

#[test]
fn an_await_that_sends_nothing_is_no_commit_point() {
    let story = story("increment_then_await_nothing_then_trap");
    assert_eq!(story.grown, grown(0, 0, 0));
    assert_trapped(&story, "trapped on purpose");
    assert_eq!(story.steps, ["canister1: method, change undone"]);
}

#[test]
fn a_trap_discards_the_one_way_call_of_the_same_message() {
    let story = story("increment_both_one_way_then_trap");
    assert_eq!(story.grown, grown(0, 0, 0));
    assert_trapped(&story, "trapped on purpose");
    // canister2 is never called.
    assert_eq!(story.steps, ["canister1: method, change undone"]);
}

#[test]
fn a_trap_of_the_callee_undoes_only_the_callee() {
    let story = story("increment_then_call_trapping_callee");
    assert_eq!(story.grown, grown(2, 0, 0));
    assert_saw(&story, 5, "IC0503: Error from Canister ");
    assert_saw(
        &story,
        5,
        "Canister called `ic0.trap` with message: 'canister2 trapped on purpose'",
    );
    assert_eq!(
        story.steps,
        [
            "canister1: method, change kept",
            "canister2: method, change undone",
            "canister1: reject callback, change kept",
        ]
    );
}

#[test]
fn a_reject_on_purpose_keeps_what_the_callee_changed() {
    let story = story("increment_then_call_rejecting_callee");
    assert_eq!(story.grown, grown(2, 1, 0));
    let message = "canister2 rejected on purpose".to_owned();
    assert_eq!(story.got, Got::ReplySawReject { code: 4, message });
    assert_eq!(
        story.steps,
        [
            "canister1: method, change kept",
            "canister2: method, change kept",
            "canister1: reject callback, change kept",
        ]
    );
}

#[test]
fn a_missing_method_is_a_reject_with_code_5() {
    let story = story("increment_then_call_missing_method");
    assert_eq!(story.grown, grown(2, 0, 0));
    assert_saw(&story, 5, "IC0536: Error from Canister ");
    assert_saw(&story, 5, "Canister has no update method 'no_such_method'.");
    assert_eq!(
        story.steps,
        [
            "canister1: method, change kept",
            "canister2: answered by the system",
            "canister1: reject callback, change kept",
        ]
    );
}

#[test]
fn a_missing_canister_is_a_reject_with_code_3() {
    let story = story("increment_then_call_missing_canister");
    assert_eq!(story.grown, grown(2, 0, 0));
    assert_saw(&story, 3, "Canister ghzi7-pdon5-3wqzl-smuqq-cai not found");
    assert_eq!(
        story.steps,
        [
            "canister1: method, change kept",
            "ghzi7-pdon5-3wqzl-smuqq-cai: answered by the system",
            "canister1: reject callback, change kept",
        ]
    );
}

#[test]
fn a_call_that_cannot_be_performed_fails_at_once_in_the_same_message() {
    let story = story("increment_then_call_with_too_many_cycles");
    assert_eq!(story.grown, grown(2, 0, 0));
    assert!(
        matches!(&story.got, Got::ReplyNotSent(why) if why.contains("cycle")),
        "{}",
        story.got
    );
    assert_eq!(story.steps, ["canister1: method, change kept"]);
}

#[test]
fn a_trap_undoes_only_what_came_after_the_second_of_two_awaits() {
    let story = story("increment_both_twice_then_trap");
    assert_eq!(story.grown, grown(2, 2, 0));
    assert_trapped(&story, "trapped on purpose");
    assert_eq!(
        story.steps,
        [
            "canister1: method, change kept",
            "canister2: method, change kept",
            "canister1: reply callback, change kept",
            "canister2: method, change kept",
            "canister1: reply callback, change undone",
            "canister1: cleanup, change kept",
        ]
    );
}

#[test]
fn what_drop_does_in_cleanup_is_kept() {
    let story = story("increment_both_then_trap_with_guard");
    assert_eq!(story.grown, grown(1, 1, 1));
    assert_trapped(&story, "trapped on purpose");
    assert_eq!(
        story.steps.last().map(String::as_str),
        Some("canister1: cleanup, change kept")
    );
}

#[test]
fn what_drop_does_in_cleanup_is_lost_if_cleanup_traps() {
    let story = story("increment_both_then_trap_in_cleanup_too");
    assert_eq!(story.grown, grown(1, 1, 0));
    assert_trapped(&story, "trapped on purpose");
    let Got::Reject { message, .. } = &story.got else {
        unreachable!("it was a reject two lines ago");
    };
    let also = "\n\ncall_on_cleanup also failed:\n\nCanister called `ic0.trap` with message: \
                'trapped on purpose, in cleanup'";
    assert!(message.ends_with(also), "{message}");
    assert_eq!(
        story.steps.last().map(String::as_str),
        Some("canister1: cleanup, change undone")
    );
}

#[test]
fn the_table_has_every_failing_method_of_the_interface() {
    let interface = include_str!("../../../candid/canister1.did");
    let methods = interface.lines().filter_map(|line| {
        let (name, _) = line.trim().split_once(" : (")?;
        name.starts_with("increment").then_some(name)
    });
    let mut methods: Vec<&str> = methods.collect();
    let rows = (LESSON.experiments)();
    let mut observed: Vec<&str> = rows.iter().map(|row| row.method).collect();
    methods.sort_unstable();
    observed.sort_unstable();
    assert_eq!(methods, observed);
}
