//! The program `observe`: what it prints, and its exit status.

mod support;

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use observe::lesson::Lesson;
use observe::lessons::LESSONS;
use support::{observe, project, text, wasm};

#[test]
fn everything_is_as_predicted_and_the_exit_status_is_0() {
    let output = observe(&[]);
    assert_eq!(text(&output.stderr), "");
    assert_eq!(output.status.code(), Some(0));
    let printed = text(&output.stdout);
    assert!(printed.ends_with(" as predicted.\n"), "{printed}");
}

/// With `UPDATE_PAGES` set, this test writes what it otherwise compares.
#[test]
fn readme_and_docs_show_what_is_printed_today() {
    const COMMENT: &str = "<!-- output of ./scripts/observe.sh";
    let pages = fs::read_dir(project().join("docs")).unwrap();
    let pages = pages.map(|page| page.unwrap().path());
    let mut shown = 0;
    for page in pages.chain([project().join("README.md")]) {
        let written = fs::read_to_string(&page).unwrap();
        let mut fresh = String::new();
        for (index, part) in written.split(COMMENT).enumerate() {
            if index == 0 {
                fresh.push_str(part);
                continue;
            }
            let (arguments, after) = part.split_once("-->\n```").expect("a block follows");
            let (language, after) = after.split_once('\n').expect("the block begins");
            let (_, after) = after.split_once("```\n").expect("the block ends");
            let split: Vec<&str> = arguments.split_whitespace().collect();
            let output = observe(&split);
            let printed = text(&output.stdout);
            fresh.push_str(&format!(
                "{COMMENT}{arguments}-->\n```{language}\n{printed}```\n{after}"
            ));
            shown += 1;
        }
        if std::env::var_os("UPDATE_PAGES").is_some() {
            fs::write(&page, fresh).unwrap();
        } else {
            let page = page.display();
            assert!(
                written == fresh,
                "{page} is stale; UPDATE_PAGES=1 cargo test -p observe --test program refreshes it"
            );
        }
    }
    assert!(shown >= 3, "only {shown} outputs were found");
}

#[test]
fn every_lesson_is_in_the_readme_and_its_page_leads_to_the_next() {
    let readme = fs::read_to_string(project().join("README.md")).unwrap();
    let names: Vec<&str> = LESSONS.iter().map(|lesson| lesson.name).collect();
    for (index, lesson) in LESSONS.iter().enumerate() {
        let Lesson { name, about, .. } = lesson;
        let row = format!("| [{name}](docs/{name}.md) | {about} | `./scripts/observe.sh {name}` |");
        assert!(readme.contains(&row), "README has no row\n{row}");
        let page = project().join(format!("docs/{name}.md"));
        let page = fs::read_to_string(page).unwrap();
        let link = |name: &&str| format!("[{name}]({name}.md)");
        let previous = index.checked_sub(1).map(|index| link(&names[index]));
        let links = [
            previous.map(|link| format!("Previous: {link}")),
            names
                .get(index + 1)
                .map(|next| format!("Next: {}", link(next))),
        ];
        let links: Vec<String> = links.into_iter().flatten().collect();
        let last = page.trim_end().lines().last().unwrap();
        assert_eq!(last, links.join(" · "), "docs/{name}.md");
        let code = format!("canisters/canister1/src/{name}.rs");
        assert!(
            project().join(&code).exists() && page.contains(&code),
            "{code}"
        );
        let experiment = format!("observe/src/lessons/{name}.rs");
        assert!(page.contains(&experiment), "{experiment}");
    }
}

#[test]
fn a_row_that_differs_from_its_prediction_gives_exit_status_1() {
    // canister1 in the place of canister2: it has no method `increment`.
    let folder = folder("wrong-pair");
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
    let output = observe(&["callees", "callees_wait_with_deadline", "--mermaid"]);
    assert!(text(&output.stdout).starts_with("sequenceDiagram\n"));
    let output = observe(&["reservation", "reservation_buy_in_two_steps", "--mermaid"]);
    let page = text(&output.stdout);
    let diagrams = page.matches("\n```mermaid\nsequenceDiagram\n").count();
    assert!(diagrams > 1, "{page}");
    assert_eq!(
        page.matches("### reservation_buy_in_two_steps: ").count(),
        diagrams
    );
}

#[test]
fn what_cannot_be_observed_is_said_in_one_line_with_exit_status_2() {
    let broken = folder("broken-wasm");
    fs::write(broken.join("canister1.wasm"), b"\0asm, but broken").unwrap();
    fs::copy(wasm().join("canister2.wasm"), broken.join("canister2.wasm")).unwrap();
    let missing = folder("missing-wasm");
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
            vec!["retries", "retries_ask:4"],
            "there is no experiment ':4' with this method; they go from :1 to :3",
        ),
        (
            vec!["--wasm", broken.to_str().unwrap()],
            "canister1.wasm: install_code: ",
        ),
        (
            vec!["--wasm", missing.to_str().unwrap()],
            "observe.sh builds the canisters",
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

/// An empty folder for one test.
fn folder(name: &str) -> PathBuf {
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name);
    if folder.exists() {
        fs::remove_dir_all(&folder).unwrap();
    }
    fs::create_dir_all(&folder).unwrap();
    folder
}
