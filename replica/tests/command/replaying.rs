//! Schedules that are kept, and followed again.

use crate::harness::Project;

#[tokio::test]
async fn schedule_that_is_kept_does_the_same_later_and_says_so() {
    let project = Project::bank().await;
    let call = "canister1 withdraw_unguarded (0, 80)";
    let canister1 = project.id("canister1");
    let property = format!("canister2 paid (principal \"{canister1}\", 0) <= 100");
    let (status, _) = project.run(&[
        "explore",
        "--together",
        call,
        "--together",
        call,
        "--at-end",
        &property,
        "--save",
        "double.schedule",
    ]);
    assert_eq!(status, 1);
    let kept = project.read("double.schedule");
    assert!(kept.starts_with("# Call 2 comes to canister1"), "{kept}");
    assert!(kept.contains(&format!("\ntogether {call}\n")), "{kept}");

    // Other calls come between; the schedule means the same.
    let args = candid::encode_args((1_u64, 10_u64)).unwrap();
    let nothing = candid::encode_args(()).unwrap();
    let open = project.agent.update(&canister1, "open").with_arg(nothing);
    open.await.unwrap();
    let withdraw = project.agent.update(&canister1, "withdraw").with_arg(args);
    withdraw.await.unwrap();
    let (status, text) = project.run(&["replay", "double.schedule"]);
    assert_eq!(status, 1, "{text}");
    for words in [
        "deliver call 1  # the user calls canister1 withdraw_unguarded",
        "    canister1: withdraw_unguarded; calls canister2 pay; COMMIT POINT",
        "    canister1: goes on after the reply of pay; replies; COMMIT POINT",
        "call 1  canister1 withdraw_unguarded (0, 80): (variant { Ok })",
        ": (160 : nat64)",
        "FAILS: at the end canister2 paid",
    ] {
        assert!(text.contains(words), "'{words}' is missing in:\n{text}");
    }
    let (_, diagram) = project.run(&["replay", "double.schedule", "--mermaid"]);
    assert!(diagram.starts_with("sequenceDiagram\n"), "{diagram}");
    let (_, json) = project.run(&["replay", "double.schedule", "--json"]);
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(json["failing"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn schedule_that_no_longer_fits_is_refused_in_one_line() {
    let project = Project::bank().await;
    let together = "together canister1 withdraw (0, 80)\n";
    for (schedule, words) in [
        ("deliver call 2\n", "kept: step 1: there is no call 2"),
        (
            "deliver call 1\ndeliver request canister1 9\n",
            "kept: the schedule no longer fits: step 2 ('deliver request canister1 9'): ",
        ),
        (
            "deliver call 1\ndeliver call 1\n",
            "kept: the schedule no longer fits: step 2 ('deliver call 1'): ",
        ),
        (
            "wait\n",
            "kept: the schedule no longer fits: step 1 ('wait'): nobody waits",
        ),
        ("eat call 1\n", "kept: step 1: 'eat' is no fault"),
        (
            "deliver call one\n",
            "kept: step 1: 'deliver call one' is no step",
        ),
        (
            "deliver request canister9 1\n",
            "kept: line 2: no canister is called 'canister9'",
        ),
        ("show canister2\n", "kept: line 2: 'canister2' is no call"),
    ] {
        project.write("kept", &format!("{together}{schedule}"));
        let error = project.refused(&["replay", "kept"]);
        assert!(error.starts_with(words), "{error}");
    }
    project.write("kept", "deliver call 1\n");
    let error = project.refused(&["replay", "kept"]);
    assert!(error.contains("there is no call to be explored"), "{error}");
    let error = project.refused(&["replay", "nowhere"]);
    assert!(error.starts_with("can't read nowhere"), "{error}");
}
