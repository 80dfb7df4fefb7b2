//! What only Motoko can show: the counters, the answer, and whether each message was kept or undone.

use observe::answer::Got;
use observe::lessons::rollback::Counters;

use super::{introduce, stage};
use crate::support::{Story, story_on};

fn story(method: &str) -> Story {
    story_on(&mut stage(), method)
}

/// The reject code, the error code and the text that the user got.
fn reject(story: &Story) -> (u64, &str, &str) {
    match &story.got {
        Got::Reject {
            code,
            error_code,
            message,
        } => (*code, error_code, message),
        got => panic!("not a reject: {got}"),
    }
}

fn grown(canister1: u64, canister2: u64, drops: u64) -> Counters {
    Counters {
        canister1,
        canister2,
        drops,
    }
}

/// What `throw` gives to the user: a reject on purpose, with the error's text and no more.
fn assert_threw(story: &Story, text: &str) {
    assert_eq!(reject(story), (4, "IC0406", text));
}

fn assert_trapped(story: &Story, text: &str) {
    let (code, error_code, message) = reject(story);
    assert_eq!((code, error_code), (5, "IC0503"));
    let text = format!("Canister called `ic0.trap` with message: '{text}'");
    assert!(message.contains(&text), "{message}");
}

#[test]
fn a_throw_before_any_await_undoes_nothing() {
    let story = story("increment_then_throw");
    assert_eq!(story.grown, grown(1, 0, 0));
    assert_threw(&story, "thrown on purpose");
    assert_eq!(story.steps, ["canister1: method, change kept"]);
}

#[test]
fn a_throw_after_the_await_undoes_nothing() {
    let story = story("increment_both_then_throw");
    assert_eq!(story.grown, grown(2, 1, 0));
    assert_threw(&story, "thrown on purpose");
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
fn a_throw_runs_finally_in_the_same_message_and_what_it_did_is_kept() {
    let story = story("increment_both_then_throw_with_finally");
    assert_eq!(story.grown, grown(2, 1, 1));
    assert_threw(&story, "thrown on purpose");
    // There is no cleanup.
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
fn a_trap_runs_finally_in_cleanup_and_what_it_did_is_kept() {
    let story = story("increment_both_then_trap_with_guard");
    assert_eq!(story.grown, grown(1, 1, 1));
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
fn a_trap_in_finally_undoes_what_went_well_and_repeats_in_cleanup() {
    let story = story("increment_both_then_trap_in_finally");
    assert_eq!(story.grown, grown(1, 1, 0));
    assert_trapped(&story, "trapped on purpose, in finally");
    let (_, _, message) = reject(&story);
    let (first, second) = message
        .split_once("\n\ncall_on_cleanup also failed:\n\n")
        .unwrap();
    assert!(first.ends_with(second), "{message}");
    assert_eq!(
        story.steps,
        [
            "canister1: method, change kept",
            "canister2: method, change kept",
            "canister1: reply callback, change undone",
            "canister1: cleanup, change undone",
        ]
    );
}

#[test]
fn a_reject_that_nobody_catches_is_passed_on_as_it_is() {
    let story = story("increment_then_call_rejecting_callee_uncaught");
    assert_eq!(story.grown, grown(1, 1, 0));
    assert_threw(&story, "canister2 rejected on purpose");
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
fn a_trap_of_the_callee_that_nobody_catches_becomes_a_reject_with_code_4() {
    let mut stage = stage();
    let story = story_on(&mut stage, "increment_then_call_trapping_callee_uncaught");
    assert_eq!(story.grown, grown(1, 0, 0));
    let text = format!(
        "IC0503: Error from Canister {}: Canister called `ic0.trap` with message: 'canister2 \
         trapped on purpose'",
        stage.callee
    );
    let (code, error_code, thrown) = reject(&story);
    assert_eq!((code, error_code), (4, "IC0406"));
    assert!(thrown.starts_with(&text), "{thrown}");
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
fn an_await_of_an_async_block_is_a_commit_point() {
    let story = story("increment_then_await_async_block_then_trap");
    assert_eq!(story.grown, grown(2, 0, 0));
    assert_trapped(&story, "trapped on purpose");
    // The second message is the block: canister1 calls itself.
    assert_eq!(
        story.steps,
        [
            "canister1: method, change kept",
            "canister1: method, change kept",
            "canister1: reply callback, change undone",
            "canister1: cleanup, change kept",
        ]
    );
}

#[test]
fn an_await_star_of_a_local_function_is_no_commit_point() {
    let story = story("increment_then_await_nothing_then_trap");
    assert_eq!(story.grown, grown(0, 0, 0));
    assert_trapped(&story, "trapped on purpose");
    assert_eq!(story.steps, ["canister1: method, change undone"]);
}

#[test]
fn a_trap_discards_the_call_that_was_not_awaited() {
    let story = story("increment_both_without_await_then_trap");
    assert_eq!(story.grown, grown(0, 0, 0));
    assert_trapped(&story, "trapped on purpose");
    // canister2 is never called.
    assert_eq!(story.steps, ["canister1: method, change undone"]);
}

#[test]
fn an_assert_that_does_not_hold_is_a_trap() {
    let story = story("increment_both_then_assert_false");
    assert_eq!(story.grown, grown(1, 1, 0));
    let source = include_str!("../../../../canisters/motoko/canister1.mo");
    let line = source
        .lines()
        .position(|line| line.contains("assert false;"));
    let line = line.unwrap() + 1;
    let place = format!("canister1.mo:{line}.5-{line}.17");
    assert_trapped(&story, &format!("assertion failed at {place}"));
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
fn attaching_more_cycles_than_there_are_is_a_trap() {
    let story = story("increment_then_call_with_too_many_cycles");
    assert_eq!(story.grown, grown(0, 0, 0));
    let (code, error_code, _) = reject(&story);
    assert_eq!((code, error_code), (5, "IC0520"));
    assert_eq!(story.steps, ["canister1: method, change undone"]);
}

#[test]
fn canister1_traps_and_changes_nothing_until_it_knows_canister2() {
    let mut stage = stage();
    for (id, expected) in [
        (None, "Deploy both with `icp deploy` or `dfx deploy`"),
        (Some("canister2"), "invalid principal"),
    ] {
        introduce(&mut stage, id);
        let story = story_on(&mut stage, "increment_both");
        assert_eq!(story.grown, Counters::default());
        let (_, _, message) = reject(&story);
        assert!(message.contains(expected), "{message}");
    }
    let canister2 = stage.callee.to_text();
    introduce(&mut stage, Some(&canister2));
    assert_eq!(story_on(&mut stage, "increment_both").grown, grown(1, 1, 0));
}
