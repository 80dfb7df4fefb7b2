//! What `explore` finds, and how it tells it.

use crate::harness::Project;

/// What canister2 has paid for account 0, as a call in words.
fn paid(project: &Project) -> String {
    let canister1 = project.id("canister1");
    format!("canister2 paid (principal \"{canister1}\", 0)")
}

#[tokio::test]
async fn two_withdrawals_without_a_guard_pay_160_of_100_and_the_way_to_it_is_told() {
    let project = Project::bank().await;
    let call = "canister1 withdraw_unguarded (0, 80)";
    let paid = paid(&project);
    let property = format!("{paid} <= 100");
    let arguments = [
        "explore",
        "--together",
        call,
        "--together",
        call,
        "--show",
        &paid,
        "--at-end",
        &property,
    ];
    let (status, text) = project.run(&arguments);
    assert_eq!(status, 1, "{text}");
    for words in [
        "These are all that can happen without a fault.",
        "2 different outcomes:",
        "(160 : nat64)",
        "(80 : nat64)",
        &format!("orders: at the end {property}"),
        "Call 2 comes to canister1 while call 1 awaits canister2 pay",
        &format!("{paid} answers (160 : nat64)"),
        "deliver call 2                # the user calls canister1 withdraw_unguarded",
        "# canister1 calls canister2 pay",
        "# canister2 answers canister1: pay",
        "The nearest order in which it holds; > marks the first difference:",
        "1 of 1 properties do not hold.",
    ] {
        assert!(text.contains(words), "'{words}' is missing in:\n{text}");
    }

    // The schedule that fails delivers both calls before the first answer.
    let report = project.found(&arguments[1..]);
    let failure = &report["failures"][0];
    let steps = failure["schedule"].as_array().unwrap();
    let place = |text: &str| steps.iter().position(|step| step["step"] == text).unwrap();
    let is_answer = |step: &serde_json::Value| step["message"]["kind"] == "response";
    let answer = steps.iter().position(is_answer).unwrap();
    assert!(place("deliver call 1") < answer && place("deliver call 2") < answer);
    assert_eq!(report["exhaustive"], true);
    assert_eq!(report["holds"], false);
}

#[tokio::test]
async fn withdrawals_with_a_guard_hold_in_every_order_and_with_rejected_requests() {
    let project = Project::bank().await;
    let call = "canister1 withdraw (0, 80)";
    let paid = paid(&project);
    let property = format!("{paid} <= 100");
    let sometimes = format!("{paid} = 80");
    let (status, text) = project.run(&[
        "explore",
        "--together",
        call,
        "--together",
        call,
        "--always",
        &property,
        "--sometimes",
        &sometimes,
        "--all-answered",
        "--faults",
        "reject",
        "--max-faults",
        "2",
    ]);
    assert_eq!(status, 0, "{text}");
    let all = "These are all that can happen with at most 2 faults (reject).";
    assert!(text.contains(all), "{text}");
    assert!(text.contains("All holds, in every order."), "{text}");
}

#[tokio::test]
async fn built_in_property_that_fails_is_told_and_kept_alone_with_its_schedule() {
    let project = Project::bank().await;
    let (status, text) = project.run(&[
        "explore",
        "--together",
        "canister1 withdraw_then_trap (0, 80)",
        "--all-answered",
        "--no-traps",
        "--cycles-conserved",
        "--save",
        "trap.schedule",
    ]);
    assert_eq!(status, 1, "{text}");
    for words in [
        "no message traps",
        "\nA message of canister1 traps: Error from Canister canister1: Canister called `ic0.trap` \
         with message: 'trapped on purpose'.\n",
        "1 of 3 properties do not hold.",
    ] {
        assert!(text.contains(words), "{words}: {text}");
    }
    let saved = project.read("trap.schedule");
    assert!(saved.lines().any(|line| line == "no-traps"), "{saved}");
    assert!(!saved.contains("all-answered") && !saved.contains("cycles-conserved"));
    let (status, text) = project.run(&["replay", "trap.schedule"]);
    assert_eq!(status, 1, "{text}");
}

#[tokio::test]
async fn trap_after_the_payment_is_told_as_what_went_wrong() {
    let project = Project::bank().await;
    let paid = paid(&project);
    let balance = "canister1 balance (0) != (opt 100)";
    // A trap after the payment undoes the charge, and not the payment.
    let (status, text) = project.run(&[
        "explore",
        "--together",
        "canister1 withdraw (0, 80)",
        "--show",
        &paid,
        "--at-end",
        balance,
        "--sometimes",
        &format!("{paid} > 100"),
        "--faults",
        "trap",
    ]);
    assert_eq!(status, 1, "{text}");
    for words in [
        "FAILS in",
        "traps",
        "made to trap",
        "canister1 balance (0) answers (opt (100 : nat64))",
        "NEVER: sometimes canister2 paid",
        "2 of 2 properties do not hold.",
    ] {
        assert!(text.contains(words), "'{words}' is missing in:\n{text}");
    }
}

#[tokio::test]
async fn limit_that_is_reached_is_said() {
    let project = Project::bank().await;
    let call = "canister1 withdraw_unguarded (0, 20)";
    let calls = ["--together", call].repeat(4);
    let (status, text) =
        project.run(&[&["explore", "--limit", "50"][..], calls.as_slice()].concat());
    assert_eq!(status, 0, "{text}");
    assert!(text.contains("NOT EXHAUSTIVE"), "{text}");
}

#[tokio::test]
async fn users_are_told_apart_by_number() {
    let project = Project::bank().await;
    // Account 0 belongs to the anonymous user.
    let report = project.found(&[
        "--together",
        "user 2: canister1 withdraw (0, 10)",
        "--together",
        "canister1 withdraw (0, 10)",
    ]);
    let outcomes = report["outcomes"].as_array().unwrap();
    let refused = "(variant { Err = \"account 0 belongs to another caller\" })";
    assert!(!outcomes.is_empty());
    for outcome in outcomes {
        let answer = outcome["seen"]["answers"][0].as_str().unwrap();
        assert!(answer == refused || answer.contains("busy"), "{answer}");
        let first = &outcome["schedule"][0]["message"];
        assert_eq!(first["kind"], "ingress");
    }
}

#[tokio::test]
async fn diagram_shows_the_schedule_that_fails() {
    let project = Project::bank().await;
    let call = "canister1 withdraw_unguarded (0, 80)";
    let property = format!("{} <= 100", paid(&project));
    let (status, text) = project.run(&[
        "explore",
        "--together",
        call,
        "--together",
        call,
        "--at-end",
        &property,
        "--mermaid",
    ]);
    assert_eq!(status, 1, "{text}");
    assert!(text.starts_with("sequenceDiagram\n"), "{text}");
    for line in [
        "    participant canister1 as canister1",
        "    the_user->>canister1: withdraw_unguarded",
        "    canister1->>canister2: pay",
        "    canister2-->>canister1: reply of pay",
        "    Note over canister1: calls pay<br/>COMMIT POINT",
    ] {
        assert!(text.lines().any(|one| one == line), "{line}: {text}");
    }
}

#[tokio::test]
async fn file_has_one_case_a_line() {
    let project = Project::bank().await;
    let paid = paid(&project);
    project.write(
        "cases",
        &format!(
            "# What may never be paid.\n\
             --together 'canister1 withdraw (0, 80)' --together 'canister1 withdraw (0, 80)' \\\n\
             \x20   --at-end '{paid} <= 100'\n\
             \n\
             --together 'canister1 withdraw_unguarded (0, 80)' --together 'canister1 \
             withdraw_unguarded (0, 80)' --at-end '{paid} <= 100' # the mistake\n"
        ),
    );
    let (status, text) = project.run(&["explore", "--case", "cases"]);
    assert_eq!(status, 1, "{text}");
    let (first, second) = text.split_once("== line 5 ==").unwrap();
    assert!(first.starts_with("== line 2 =="), "{first}");
    assert!(first.contains("All holds, in every order."), "{first}");
    assert!(second.contains("FAILS in"), "{second}");
    project.write("cases", "--together 'canister1 balance (0)'\n--togethr x\n");
    let error = project.refused(&["explore", "--case", "cases"]);
    assert!(
        error.starts_with("cases: line 2: unexpected argument"),
        "{error}"
    );
}
