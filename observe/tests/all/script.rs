//! `scripts/observe.sh`: it builds what the arguments ask for, and nothing else. A cargo that only
//! writes down what it is told stands in for the real one.

#![cfg(unix)]

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::process::{Command, Output};

use crate::support::{empty_folder, project, text, wasm};

const PAIR: &str = "-p canister1 -p canister2";
const JOURNAL: &str = "-p lessons --bin journal_caller --bin journal_callee";
const ALL: &str = "-p canister1 -p canister2 -p lessons";

/// Runs the script from another folder. Returns which canisters it had built, whether what reaches
/// networks was built, and what `observe` said.
fn script(name: &str, arguments: &[&str]) -> (Vec<String>, bool, Output) {
    wasm();
    let folder = empty_folder(name);
    let cargo = folder.join("cargo");
    fs::write(&cargo, "#!/bin/sh\necho \"$*\" >> \"$TOLD\"\n").unwrap();
    fs::set_permissions(&cargo, fs::Permissions::from_mode(0o755)).unwrap();
    let told = folder.join("told");
    let path = std::env::var_os("PATH").unwrap_or_default();
    let path = std::iter::once(folder.clone()).chain(std::env::split_paths(&path));
    let output = Command::new(project().join("scripts/observe.sh"))
        .args(arguments)
        .current_dir(&folder)
        .env("PATH", std::env::join_paths(path).unwrap())
        .env("TOLD", &told)
        .output()
        .unwrap();
    let told = fs::read_to_string(told).unwrap();
    let canisters = told
        .lines()
        .filter_map(|line| line.split_once("--target wasm32-unknown-unknown "))
        .map(|(_, canisters)| canisters.to_owned());
    let has_network = told.contains("-p observe --features network");
    (canisters.collect(), has_network, output)
}

#[test]
fn a_lesson_builds_its_own_canisters_and_all_lessons_build_all() {
    for (arguments, canisters) in [
        (&["rollback", "increment_both"][..], PAIR),
        (&["journal", "resume"], JOURNAL),
        (&["--json", "journal"], JOURNAL),
        (&[], ALL),
    ] {
        let (built, has_network, output) = script("script-lesson", arguments);
        assert_eq!((built, has_network), (vec![canisters.to_owned()], false));
        assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    }
}

#[test]
fn what_is_only_told_needs_no_canisters() {
    for (arguments, expected) in [
        (&["--list"][..], "journal "),
        (&["--help"], "--network <URL>"),
        (&["journal", "--help"], "--network <URL>"),
        (&["--help", "rollback"], "--identity <FILE>"),
    ] {
        let (built, _, output) = script("script-told", arguments);
        assert_eq!(built, Vec::<String>::new(), "{arguments:?}");
        assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
        assert!(text(&output.stdout).contains(expected), "{arguments:?}");
    }
}

#[test]
fn networks_are_built_only_for_who_asks_for_one() {
    let nobody = "http://127.0.0.1:1";
    let with_equals = format!("--network={nobody}");
    for arguments in [
        &["journal", "--network", nobody][..],
        &["--network", nobody, "journal"],
        &["journal", &with_equals],
    ] {
        let (built, has_network, output) = script("script-network", arguments);
        assert_eq!((built, has_network), (vec![JOURNAL.to_owned()], true));
        assert!(text(&output.stderr).contains("no network answers at http://127.0.0.1:1"));
    }
}

#[test]
fn an_unknown_lesson_is_refused_by_observe_in_one_line() {
    for lesson in ["jornal", "?ournal", "journal/"] {
        let (_, _, output) = script("script-unknown", &[lesson]);
        assert_eq!(output.status.code(), Some(2));
        let error = text(&output.stderr).lines().last().unwrap_or_default();
        let expected = format!("error: there is no lesson '{lesson}'");
        assert!(error.starts_with(&expected), "{error}");
    }
}
