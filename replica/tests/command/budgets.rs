//! What a case may say of faults and of how far it is gone through, and a network with a token.

use serde_json::Value;

use crate::harness::Project;

/// How each outcome that is found comes about, in the words of a schedule.
fn ways(report: &Value) -> Vec<Vec<&str>> {
    let outcomes = report["outcomes"].as_array().unwrap().iter();
    let ways = outcomes.map(|outcome| {
        let steps = outcome["schedule"].as_array().unwrap().iter();
        steps.map(|step| step["step"].as_str().unwrap()).collect()
    });
    ways.collect()
}

#[tokio::test]
async fn every_fault_can_be_asked_for_and_makes_an_outcome_of_its_own() {
    let project = Project::lesson("02-rejects").await;
    for fault in ["trap", "reject", "lose", "stop", "upgrade", "late"] {
        let report = project.found(&[
            "--together",
            "canister1 call_with_bounded_wait ()",
            "--show",
            "canister2 get ()",
            "--faults",
            fault,
        ]);
        assert_eq!(report["exhaustive"], true, "{report}");
        let ways = ways(&report);
        let has_fault =
            |way: &Vec<&str>| way.iter().any(|step| step.split(' ').next() == Some(fault));
        assert!(ways.iter().any(has_fault), "{fault}: {ways:?}");
    }
}

#[tokio::test]
async fn lost_answer_is_told_replayed_and_followed_by_sys_unknown() {
    let project = Project::lesson("02-rejects").await;
    let (status, text) = project.run(&[
        "explore",
        "--together",
        "canister1 call_with_bounded_wait ()",
        "--at-end",
        "canister2 get () != 1",
        "--sometimes",
        "canister2 get () = 0",
        "--faults",
        "lose,late",
        "--max-faults",
        "2",
        "--save",
        "lost.schedule",
    ]);
    assert_eq!(status, 1, "{text}");
    let all = "These are all that can happen with at most 2 faults (lose, late).";
    assert!(text.contains(all), "{text}");
    for words in ["lose response canister1", "wait", "reject 6"] {
        assert!(text.contains(words), "'{words}' is missing in:\n{text}");
    }
    assert_eq!(project.run(&["replay", "lost.schedule"]).0, 1);
}

#[tokio::test]
async fn case_says_how_far_it_is_gone_through_and_what_is_drawn_beyond() {
    let project = Project::lesson("02-rejects").await;
    let call = ["--together", "canister1 call_with_bounded_wait ()"];
    let run = |more: &[&str]| project.run(&[&["explore"], &call[..], more].concat());
    let (_, text) = run(&["--faults", "lose", "--max-waits", "0"]);
    assert!(text.contains("runs were cut off"), "{text}");
    let (_, text) = run(&["--max-steps", "2"]);
    assert!(text.contains("1 runs were cut off"), "{text}");
    let drawn = ["--limit", "1", "--random", "20", "--seed", "7"];
    let (_, text) = run(&drawn);
    let words = "Beyond it, 20 orders were drawn at random, with the seed 7.";
    assert!(text.contains(words), "{text}");

    // In a file too.
    let line = [
        &["--together", "'canister1 call_with_bounded_wait ()'"],
        &drawn[..],
    ]
    .concat();
    project.write("cases", &line.join(" "));
    let (_, text) = project.run(&["explore", "--case", "cases"]);
    assert!(text.contains(words), "{text}");

    for (arguments, fault) in [
        (
            ["--max-waits", "1001"],
            "one order has at most 1000 waits for the clock",
        ),
        (
            ["--max-steps", "10001"],
            "one order has at most 10000 steps",
        ),
        (
            ["--random", "1000001"],
            "at most 1000000 orders are drawn at random",
        ),
    ] {
        let arguments = [&["explore"], &call[..], &arguments].concat();
        let error = project.refused(&arguments);
        assert!(error.contains(fault), "{error}");
    }
}

#[tokio::test]
async fn network_with_a_token_is_explored_with_it_and_not_without() {
    let project = Project::with(&["--token", "secret"]).await;
    let canister = project.create().await.to_text();
    let call = format!("{canister} nothing 0x");
    let explore = ["explore", "--together", &call];
    let error = project.refused(&explore);
    assert!(error.contains("token"), "{error}");
    let wrong = project.refused(&[&explore[..], &["--token", "guess"]].concat());
    assert!(wrong.contains("token"), "{wrong}");
    let right = project.refused(&[&explore[..], &["--token", "secret"]].concat());
    assert!(right.contains("nothing is installed in it"), "{right}");
}
