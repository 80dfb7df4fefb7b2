//! What can't be explored: one line each, that says what was expected.

use std::process::Command;

use crate::harness::{Project, refusal};

#[tokio::test]
async fn each_kind_of_bad_input_gets_one_clear_line() {
    let project = Project::bank().await;
    let good = "canister1 withdraw (0, 80)";
    let explore = |arguments: &[&str]| project.refused(&[&["explore"], arguments].concat());
    for (call, words) in [
        (
            "canister3 withdraw (0, 80)",
            "no canister is called 'canister3'; there is canister1, canister2",
        ),
        (
            "ryjl3-tyaaa-aaaaa-aaaba-cai transfer ()",
            "ryjl3-tyaaa-aaaaa-aaaba-cai is a part of the network, and can't be explored",
        ),
        (
            "r7inp-6aaaa-aaaaa-aaabq-cai withdraw ()",
            "there is no canister r7inp-6aaaa-aaaaa-aaabq-cai on this network",
        ),
        (
            "canister1 withdrawal (0, 80)",
            "canister1 has no method 'withdrawal'; it has balance, open, settle, transfer,",
        ),
        (
            "canister1 withdraw (0)",
            "canister1 withdraw takes (nat64, nat64), and (0) is not that: it is 1 of 2",
        ),
        (
            "canister1 withdraw (0, \"much\")",
            "canister1 withdraw takes (nat64, nat64), and (0, \"much\") is not that: ",
        ),
        (
            "canister1 withdraw (0, 80",
            "its argument's bracket is not closed",
        ),
        (
            "canister1 withdraw (0, !)",
            "canister1 withdraw takes (nat64, nat64), and (0, !) is not that: ",
        ),
        ("canister1 withdraw 0x4", "'0x4' is no bytes"),
        (
            "canister1",
            "'canister1' is no call: it is a canister, a method",
        ),
        ("", "'' is no call"),
        ("user x: canister1 withdraw (0, 80)", "'x' is no user"),
        (
            "canister1 withdraw (0, 80) (0)",
            "after the argument stands (0)",
        ),
    ] {
        let error = explore(&["--together", call]);
        assert!(error.contains(words), "{call}: {error}");
    }
    for (property, words) in [
        (
            "canister1 balance (0)",
            "is no property: it is a query, a sign",
        ),
        ("canister1 balance (0) <=", "is no property"),
        (
            "canister1 open () = 1",
            "canister1 has no query 'open'; it has balance",
        ),
        (
            "canister1 balance (0) = 7",
            "canister1 balance answers (opt nat64), and 7 is not that: ",
        ),
        (
            "canister1 balance (0) <= opt 7",
            "only numbers are less or greater; canister1 balance answers (opt nat64)",
        ),
    ] {
        let error = explore(&["--together", good, "--always", property]);
        assert!(error.contains(words), "{property}: {error}");
    }
    for (more, words) in [
        (
            &["--faults", "flood"][..],
            "'flood' is no fault: it is one of trap,",
        ),
        (&["--limit", "0"], "the limit is a number of messages"),
        (
            &["--faults", "trap", "--max-faults", "9"],
            "at most 8 faults",
        ),
        (
            &[
                "--always",
                "canister1 balance (0) = null",
                "--always",
                "canister1 balance (0) = null",
            ],
            "two properties have the same name",
        ),
    ] {
        let error = explore(&[&["--together", good], more].concat());
        assert!(error.contains(words), "{more:?}: {error}");
    }
    let error = explore(&[]);
    assert!(error.starts_with("there is nothing to explore"), "{error}");
    let error = explore(&["--case", "nowhere"]);
    assert!(error.starts_with("can't read nowhere"), "{error}");
    let error = explore(&["--together", good].repeat(17));
    assert!(error.contains("at most 16 calls"), "{error}");
}

#[tokio::test]
async fn texts_that_nest_without_end_are_refused() {
    let project = Project::bank().await;
    for deep in [
        format!("({}0{})", "opt (".repeat(5000), ")".repeat(5000)),
        format!("({}0)", "opt ".repeat(15_000)),
        format!("({}", "record {".repeat(5000)),
        format!("({}{})", "vec {".repeat(5000), "}".repeat(5000)),
    ] {
        let body = serde_json::json!({ "together": [{
            "canister": project.id("canister1").to_text(),
            "method": "balance",
            "argument": deep,
        }]});
        let answer = crate::stream::ask(&project, &body).await;
        assert!(
            answer.contains("an argument nests at most 200 deep"),
            "{answer}"
        );
    }
    assert_eq!(
        project
            .run(&["explore", "--together", "canister1 balance (0)"])
            .0,
        0
    );
}

#[test]
fn network_that_is_not_there_is_named() {
    let explore = |url: &str| {
        let output = Command::new(env!("CARGO_BIN_EXE_local-replica"))
            .args(["explore", "--together", "a b ()", "--network", url])
            .output()
            .unwrap();
        refusal(&output)
    };
    let error = explore("http://127.0.0.1:9");
    assert!(
        error.starts_with("no local replica answers at http://127.0.0.1:9: "),
        "{error}"
    );
    for url in ["https://icp-api.io", "ic", "127.0.0.1:4943", ""] {
        let error = explore(url);
        assert!(error.contains("is no URL of a local replica"), "{error}");
    }
}

#[tokio::test]
async fn names_come_from_icp_or_dfx_and_only_those_on_this_network_count() {
    let project = Project::bank().await;
    let (canister1, canister2) = (project.id("canister1"), project.id("canister2"));
    let call = ["explore", "--together", "canister1 balance (0)"];
    assert_eq!(project.run(&call).0, 0);

    // dfx, with another network that has the name too.
    std::fs::remove_dir_all(project.folder.join(".icp")).unwrap();
    let error = project.refused(&call);
    assert!(error.contains("nothing is deployed yet"), "{error}");
    let dfx = project.folder.join(".dfx/local");
    std::fs::create_dir_all(&dfx).unwrap();
    let ids = serde_json::json!({ "canister1": { "local": canister1.to_text() } });
    std::fs::write(dfx.join("canister_ids.json"), ids.to_string()).unwrap();
    let ids = serde_json::json!({ "canister1": { "ic": "rdmx6-jaaaa-aaaaa-aaadq-cai" } });
    project.write("canister_ids.json", &ids.to_string());
    assert_eq!(project.run(&call).0, 0);

    let ids = serde_json::json!({ "canister1": { "other": canister2.to_text() } });
    project.write("canister_ids.json", &ids.to_string());
    let error = project.refused(&call);
    assert!(
        error.contains("on this network; write one of them"),
        "{error}"
    );
    let ids = serde_json::json!({ "canister3": { "ic": "rdmx6-jaaaa-aaaaa-aaadq-cai" } });
    project.write("canister_ids.json", &ids.to_string());
    let error = project.refused(&["explore", "--together", "canister3 get ()"]);
    assert_eq!(error, "canister3 is not deployed on this network");
    project.write("canister_ids.json", "{");
    let error = project.refused(&call);
    assert!(error.starts_with("can't read names in "), "{error}");
}
