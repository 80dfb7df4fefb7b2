//! The program `observe`: what it prints, and its exit status.

use std::fs;
use std::process::Command;

use crate::support::{empty_folder, observe, project, text, wasm};

#[test]
fn everything_is_as_predicted_and_the_exit_status_is_0() {
    let output = observe(&[]);
    assert_eq!(text(&output.stderr), "");
    assert_eq!(output.status.code(), Some(0));
    let printed = text(&output.stdout);
    assert!(printed.ends_with(" as predicted.\n"), "{printed}");
}

#[test]
fn a_row_that_differs_from_its_prediction_gives_exit_status_1() {
    // canister1 in the place of canister2: it has no method `increment`.
    let folder = empty_folder("wrong-pair");
    for name in ["canister1.wasm", "canister2.wasm"] {
        fs::copy(wasm().join("canister1.wasm"), folder.join(name)).unwrap();
    }
    let output = observe(&["--wasm", folder.to_str().unwrap(), "rollback"]);
    assert_eq!(output.status.code(), Some(1));
    let printed = text(&output.stdout);
    assert!(printed.contains("NOT as predicted"), "{printed}");
    assert!(printed.contains("This is not what was predicted"));
}

#[test]
fn json_has_every_row_with_prediction_and_observation() {
    let output = observe(&["rollback", "--json"]);
    assert_eq!(output.status.code(), Some(0));
    let findings: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let findings = findings.as_array().unwrap();
    assert_eq!(findings.len(), 13);
    for finding in findings {
        assert_eq!(finding["as_predicted"], true);
        for fact in finding["facts"].as_array().unwrap() {
            assert_eq!(fact["predicted"], fact["observed"]);
        }
    }
}

#[test]
fn one_method_can_be_seen_message_by_message() {
    let output = observe(&["rollback", "increment_both_then_trap", "--timeline"]);
    let printed = text(&output.stdout);
    assert_eq!(printed.matches("COMMIT POINT").count(), 3, "{printed}");
    assert_eq!(printed.matches("TRAPS").count(), 1, "{printed}");
    assert!(printed.ends_with("\n1 of 1 as predicted.\n"));
}

#[test]
fn diagrams_of_several_experiments_are_a_markdown_page() {
    let output = observe(&["callees", "wait_with_deadline", "--mermaid"]);
    assert!(text(&output.stdout).starts_with("sequenceDiagram\n"));
    let output = observe(&["reservation", "buy_in_two_steps", "--mermaid"]);
    let page = text(&output.stdout);
    let diagrams = page.matches("\n```mermaid\nsequenceDiagram\n").count();
    assert!(diagrams > 1, "{page}");
    assert_eq!(page.matches("### buy_in_two_steps: ").count(), diagrams);
}

#[test]
fn what_cannot_be_observed_is_said_in_one_line_with_exit_status_2() {
    let broken = empty_folder("broken-wasm");
    fs::write(broken.join("canister1.wasm"), b"\0asm, but broken").unwrap();
    fs::copy(wasm().join("canister2.wasm"), broken.join("canister2.wasm")).unwrap();
    let missing = empty_folder("missing-wasm");
    for (arguments, expected) in [
        (
            vec!["rolback"],
            "there is no lesson 'rolback'; there is: rollback",
        ),
        (
            vec!["--no-such-option"],
            "unexpected argument '--no-such-option'",
        ),
        (
            vec!["rollback", "increment_both", "more"],
            "unexpected argument 'more'",
        ),
        (
            vec!["rollback", "increment"],
            "rollback does not observe 'increment'",
        ),
        (
            vec!["retries", "ask:4"],
            "there is no experiment ':4' with this method; they go from :1 to :3",
        ),
        (
            vec!["--wasm", broken.to_str().unwrap()],
            "canister1.wasm: install_code: ",
        ),
        (
            vec!["--wasm", missing.to_str().unwrap()],
            "observe.sh builds what it runs",
        ),
    ] {
        let output = observe(&arguments);
        let error = text(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{error}");
        assert!(
            error.starts_with("error: ") && error.contains(expected),
            "{error}"
        );
        assert_eq!(error.lines().count(), 1, "{error}");
        assert_eq!(text(&output.stdout), "");
    }
}

#[test]
fn colours_are_only_where_they_are_wanted() {
    let escape = '\u{1b}';
    assert!(!text(&observe(&["rollback"]).stdout).contains(escape));
    let run = |variables: &[(&str, &str)]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_observe"));
        command.arg("--wasm").arg(wasm()).arg("rollback");
        let output = command.envs(variables.iter().copied()).output().unwrap();
        text(&output.stdout).contains(escape)
    };
    assert!(run(&[("CLICOLOR_FORCE", "1")]));
    assert!(!run(&[("CLICOLOR_FORCE", "1"), ("NO_COLOR", "1")]));
}

#[cfg(unix)]
#[test]
fn a_reader_who_has_seen_enough_is_no_error() {
    let mut child = Command::new(env!("CARGO_BIN_EXE_observe"))
        .arg("--wasm")
        .arg(wasm())
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert_eq!(text(&output.stderr), "");
    assert_eq!(output.status.code(), Some(0));
}

/// Whoever wants to see the first lesson waits for what it needs, and for nothing else.
#[test]
fn what_is_built_for_the_first_look_has_no_http_no_signatures_and_no_agent() {
    let tree = |features: &[&str]| {
        let output = Command::new(env!("CARGO"))
            .current_dir(project())
            .args([
                "tree",
                "--locked",
                "--offline",
                "-p",
                "observe",
                "-e",
                "normal",
            ])
            .args(["--prefix", "none"])
            .args(features)
            .output()
            .unwrap();
        assert!(output.status.success(), "{}", text(&output.stderr));
        text(&output.stdout).to_owned()
    };
    let heavy = [
        "axum",
        "hyper",
        "tokio",
        "reqwest",
        "rustls",
        "aws-lc-sys",
        "ic-agent",
        "k256",
        "p256",
        "ed25519-dalek",
        "ic-verify-bls-signature",
    ];
    let lean = tree(&[]);
    let with_network = tree(&["--features", "network"]);
    for name in heavy {
        let is_in = |tree: &str| {
            tree.lines()
                .any(|line| line.starts_with(&format!("{name} ")))
        };
        assert!(!is_in(&lean), "{name}");
        assert!(
            is_in(&with_network) || name == "axum" || name == "ic-verify-bls-signature",
            "{name}"
        );
    }
}

#[test]
fn nothing_is_said_to_change_the_state_that_nobody_could_see() {
    // It only asks its callee, which allocates memory, and tells what it heard.
    let output = observe(&["rejects", "call_missing_method", "--timeline"]);
    let printed = text(&output.stdout);
    assert!(
        printed.contains("COMMIT POINT") && !printed.contains("changes its state"),
        "{printed}"
    );
    let output = observe(&["rollback", "increment_both", "--timeline"]);
    assert_eq!(text(&output.stdout).matches("changes its state").count(), 2);
}
