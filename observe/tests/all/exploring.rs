//! `observe --explore`: every exploration of every lesson, and what is printed of it.
//!
//! Each explores from a start state and calls alone. So the mistakes are found here and not shown, and
//! the right ways hold whatever the messages suffer.

use std::fs;

use observe::exploration::{Expected, Explored, Fault, Plan, finds, holds};
use observe::lesson::{Canisters, Lesson};
use observe::lessons::{all, interleaving, rollback};
use observe::stage::Language;

use crate::support::{empty_folder, observe, stage, stage_in, text, wasm};

/// What a lesson's explorations came to. All are as expected.
fn explored(name: &str) -> Vec<Explored> {
    let lesson: &Lesson = all().find(|lesson| lesson.name == name).unwrap();
    let mut stage = match lesson.canisters {
        Canisters::PairInTwoLanguages => stage_in(Language::Motoko, Language::Motoko),
        _ => stage(lesson),
    };
    let explorations = (lesson.explorations)();
    let explored = explorations
        .iter()
        .map(|one| one.explore(lesson.name, &mut stage).unwrap());
    let explored: Vec<Explored> = explored.collect();
    for one in &explored {
        assert!(one.as_expected, "{}", one.tell());
        assert!(one.exhaustive, "{}", one.tell());
    }
    explored
}

/// The right ways of a lesson hold in every order, at least this many of them with two faults; and it
/// has a mistake that is found.
fn any_two_faults(name: &str, at_least: usize) {
    let explored = explored(name);
    let holds = |one: &&Explored| one.expected == Expected::Holds && one.most_faults == 2;
    let number = explored.iter().filter(holds).count();
    assert!(number >= at_least, "{number}");
    let runs: u64 = explored.iter().map(|one| one.runs).sum();
    println!("{name}: {runs} runs");
    let mistakes = explored
        .iter()
        .filter(|one| one.expected == Expected::Finds);
    for mistake in mistakes {
        assert!(!mistake.shortest.is_empty());
    }
}

#[test]
fn any_two_faults_leave_canister2_with_no_more_than_canister1_committed() {
    any_two_faults("rollback", 1);
}

#[test]
fn any_two_faults_leave_true_what_a_caller_concludes() {
    any_two_faults("rejects", 6);
}

#[test]
fn any_two_faults_leave_80_paid_at_most_once() {
    any_two_faults("interleaving", 6);
}

#[test]
fn any_two_faults_leave_an_account_with_what_was_not_paid() {
    any_two_faults("refund", 4);
}

#[test]
fn any_two_faults_leave_room_and_bike_booked_or_neither() {
    any_two_faults("compensation", 4);
}

#[test]
fn any_two_faults_leave_every_sold_seat_paid_and_with_a_ticket() {
    any_two_faults("reservation", 2);
}

#[test]
fn any_two_faults_leave_exactly_one_transfer() {
    any_two_faults("journal", 3);
}

#[test]
fn any_two_faults_leave_exactly_one_point_also_if_it_is_called_for_twice_at_once() {
    any_two_faults("retries", 2);
}

#[test]
fn any_two_faults_leave_the_right_prices_and_all_items_or_none() {
    any_two_faults("ordering", 2);
}

#[test]
fn any_two_faults_of_a_callee_leave_no_account_waiting() {
    any_two_faults("callees", 4);
}

#[test]
fn any_two_faults_leave_work_done_once_with_a_journal() {
    any_two_faults("upgrades", 1);
}

#[test]
fn any_two_faults_leave_400_cycles_with_who_worked_for_them() {
    any_two_faults("cycles", 4);
}

#[test]
fn any_two_faults_leave_as_many_receipts_as_orders_and_open_locks() {
    any_two_faults("awaits", 1);
}

#[test]
fn any_two_faults_leave_one_transfer_at_the_ledger() {
    any_two_faults("ledger", 2);
}

#[test]
fn any_two_faults_leave_the_user_free_to_order() {
    any_two_faults("loops", 1);
}

#[test]
fn any_two_faults_leave_the_same_rules_in_motoko() {
    any_two_faults("motoko", 3);
}

#[test]
fn every_lesson_has_a_test_here() {
    let source = include_str!("exploring.rs");
    for lesson in all() {
        let call = format!("any_two_faults(\"{}\"", lesson.name);
        assert!(source.contains(&call), "{}", lesson.name);
    }
}

// ---- What is printed -----------------------------------------------------------------------------

#[test]
fn a_mistake_is_told_with_its_shortest_order_and_whose_message_is_delivered() {
    let output = observe(&["interleaving", "withdraw_unguarded", "--explore"]);
    assert_eq!(output.status.code(), Some(0));
    let expected = "\
withdraw_unguarded: two withdrawals of 80 from 100
  ✓ of 14 orders, 12 pay twice; the shortest:
    1. call 1: caller executes withdraw_unguarded
    2. call 2: caller executes withdraw_unguarded
    3. call 1: callee executes pay
    4. call 2: callee executes pay
    5. call 1: caller gets the answer of pay
    6. call 2: caller gets the answer of pay

1 of 1 as expected.
";
    assert_eq!(text(&output.stdout), expected);
}

#[test]
fn json_has_every_exploration_with_its_numbers() {
    let output = observe(&["retries", "--explore", "--json"]);
    assert_eq!(output.status.code(), Some(0));
    let explored: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let explored = explored.as_array().unwrap();
    assert_eq!(explored.len(), 3);
    for one in explored {
        assert_eq!(one["as_expected"], true);
        assert_eq!(one["exhaustive"], true);
        let is_found = one["expected"] == "finds";
        assert_eq!(one["wrong"].as_u64().unwrap() > 0, is_found);
        assert_eq!(one["shortest"].as_array().unwrap().is_empty(), !is_found);
    }
}

/// The lesson's caller with a callee of another lesson, in a folder of its own.
fn with_callee_of(lesson: &str) -> String {
    let folder = empty_folder(&format!("explored-with-callee-of-{lesson}"));
    let from = |name: &str| wasm().join(format!("{name}.wasm"));
    let caller = "interleaving_caller.wasm";
    fs::copy(wasm().join(caller), folder.join(caller)).unwrap();
    let callee = folder.join("interleaving_callee.wasm");
    fs::copy(from(&format!("{lesson}_callee")), callee).unwrap();
    folder.to_str().unwrap().to_owned()
}

#[test]
fn what_does_not_come_out_as_expected_gives_exit_status_1() {
    // It pays only with a number, so nothing is paid here, and nothing twice.
    let folder = with_callee_of("refund");
    let mistake = ["interleaving", "withdraw_unguarded", "--explore"];
    let output = observe(&[&["--wasm", &folder][..], &mistake].concat());
    assert_eq!(output.status.code(), Some(1));
    let printed = text(&output.stdout);
    assert!(
        printed.contains("✗ of 14 orders, none is found that does this: pay twice"),
        "{printed}"
    );
    assert!(printed.contains("in no order: 80 are paid"), "{printed}");
    assert!(printed.ends_with("\n0 of 1 as expected.\n"), "{printed}");
}

#[test]
fn what_cannot_be_looked_at_is_said_in_one_line() {
    // It has no method `paid`.
    let folder = with_callee_of("ordering");
    let output = observe(&["--wasm", &folder, "interleaving", "--explore"]);
    let error = text(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{error}");
    let expected = "error: withdraw_unguarded: two withdrawals of 80 from 100: look 1: ";
    assert!(error.starts_with(expected), "{error}");
    assert_eq!(error.lines().count(), 1, "{error}");
}

#[test]
fn what_cannot_be_explored_is_said_in_one_line() {
    for (arguments, expected) in [
        (
            vec!["journal", "no_such_method", "--explore"],
            "journal does not explore 'no_such_method'; it explores: transfer_without_journal, ",
        ),
        (
            vec!["journal", "--explore", "--network", "ic"],
            "cannot be used with",
        ),
    ] {
        let output = observe(&arguments);
        let error = text(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{error}");
        assert!(error.contains(expected), "{error}");
        assert_eq!(error.lines().count(), 1, "{error}");
    }
}

// ---- What an exploration is held to ---------------------------------------------------------------

/// One call of `increment_both`, and this check.
fn one_call(stage: &mut observe::stage::Stage, right: bool) -> anyhow::Result<Plan> {
    let plan = Plan::from(stage)?.call(stage.caller, "increment_both", ())?;
    Ok(plan.at_end(move |_| Ok(right)))
}

#[test]
fn a_mistake_that_is_not_found_and_a_right_way_that_fails_are_not_as_expected() {
    let mut stage = stage(&rollback::LESSON);
    let missed = finds("increment_both", "one call", "fail", |stage| {
        one_call(stage, true)
    });
    let missed = missed.explore("rollback", &mut stage).unwrap();
    assert!(!missed.as_expected);
    assert!(
        missed
            .tell()
            .contains("of 1 order, none is found that does this: fail")
    );
    let fails = holds("increment_both", "one call", "all is well", |stage| {
        one_call(stage, false)
    });
    let fails = fails.explore("rollback", &mut stage).unwrap();
    assert!(!fails.as_expected);
    let told = fails.tell();
    assert!(
        told.contains("in 1 of 1 order this does not hold: all is well"),
        "{told}"
    );
    assert_eq!(fails.shortest.len(), 3);
}

#[test]
fn a_check_that_can_t_fail_and_a_search_that_was_cut_are_not_as_expected() {
    let mut stage = stage(&rollback::LESSON);
    let vacuous = holds("increment_both", "one call", "all is well", |stage| {
        Ok(one_call(stage, true)?.sometimes("it snows", |_| Ok(false)))
    });
    let vacuous = vacuous.explore("rollback", &mut stage).unwrap();
    assert!(!vacuous.as_expected);
    assert!(vacuous.tell().contains("in no order: it snows"));
    let cut = holds("increment_both", "one call", "all is well", |stage| {
        Ok(one_call(stage, true)?
            .faults(&[Fault::Stop], 1)
            .most_waits(0))
    });
    let cut = cut.explore("rollback", &mut stage).unwrap();
    assert!(!cut.exhaustive && !cut.as_expected);
    assert!(cut.tell().contains("not all was seen"), "{}", cut.tell());
}

#[test]
fn what_is_seen_and_can_t_be_read_is_an_error() {
    let mut stage = stage(&rollback::LESSON);
    let misread = holds("increment_both", "one call", "all is well", |stage| {
        let plan = Plan::from(stage)?
            .call(stage.caller, "increment_both", ())?
            .look(stage.caller, "get", ())?;
        Ok(plan.at_end(|seen| Ok(seen.look::<String>(0)?.is_empty())))
    });
    let error = misread.explore("rollback", &mut stage).unwrap_err();
    let error = format!("{error:#}");
    assert!(
        error.starts_with("increment_both: one call: look 0 saw something else"),
        "{error}"
    );
}

#[test]
fn exploring_leaves_the_canisters_as_they_were() {
    let mut stage = stage(&interleaving::LESSON);
    let first = &(interleaving::LESSON.explorations)()[0];
    let once = first.explore("interleaving", &mut stage).unwrap();
    let again = first.explore("interleaving", &mut stage).unwrap();
    assert_eq!((once.orders, once.wrong), (again.orders, again.wrong));
    assert_eq!(stage.waiting().unwrap(), []);
}
