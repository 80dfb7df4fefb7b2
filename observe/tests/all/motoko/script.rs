//! `scripts/motoko.sh` says what is wrong, where, and what to do.

use std::env;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use ic_management_canister_types::CanisterInstallMode;
use observe::deployment::install_args;

use super::{introduce, stage};
use crate::support::{empty_folder, motoko, project, story_on};

/// A copy of what the script reads, with the compiler that is installed already.
fn copy(name: &str) -> PathBuf {
    motoko();
    let root = empty_folder(name);
    for folder in ["scripts", "candid", "canisters/motoko"] {
        fs::create_dir_all(root.join(folder)).unwrap();
        for entry in fs::read_dir(project().join(folder)).unwrap() {
            let entry = entry.unwrap();
            if entry.file_type().unwrap().is_file() {
                fs::copy(entry.path(), root.join(folder).join(entry.file_name())).unwrap();
            }
        }
    }
    fs::create_dir(root.join("target")).unwrap();
    let tools = project()
        .join("target/motoko-tools")
        .canonicalize()
        .unwrap();
    symlink(tools, root.join("target/motoko-tools")).unwrap();
    root
}

fn run(root: &Path) -> Output {
    Command::new(root.join("scripts/motoko.sh"))
        .env_remove("CANISTER_ID_CANISTER2")
        .output()
        .unwrap()
}

fn complaint(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

/// Misspells something in a source file, and returns where: `file:line:column`.
fn misspell(root: &Path, file: &str) -> String {
    let path = root.join(file);
    let source = fs::read_to_string(&path).unwrap();
    let at = source.find("counter += 1").unwrap();
    fs::write(&path, source.replacen("counter += 1", "conter += 1", 1)).unwrap();
    let line = source[..at].lines().count();
    let column = at - source[..at].rfind('\n').unwrap();
    format!("{file}:{line}:{column}")
}

#[test]
fn an_error_is_reported_with_file_line_and_column() {
    let root = copy("motoko-error");
    let place = misspell(&root, "canisters/motoko/canister2.mo");
    let output = run(&root);
    assert_eq!(output.status.code(), Some(2));
    let complaint = complaint(&output);
    let error = format!("{place}: error [M0057]: unbound variable conter");
    assert!(complaint.contains(&error), "{complaint}");
    let last = "error: canisters/motoko/canister2.mo does not compile";
    assert_eq!(complaint.lines().last(), Some(last));
    assert!(!root.join("target/motoko/canister2.wasm").exists());
}

#[test]
fn it_compiles_without_a_warning_and_only_what_has_changed() {
    let root = copy("motoko-once");
    let first = run(&root);
    assert!(first.status.success());
    let both =
        ["canister2", "canister1"].map(|c| format!("== Compiling canisters/motoko/{c}.mo\n"));
    assert_eq!(complaint(&first), both.concat());
    let built = fs::read(root.join("target/motoko/canister1.wasm")).unwrap();
    assert!(built == fs::read(motoko().join("canister1.wasm")).unwrap());

    let second = run(&root);
    assert!(second.status.success());
    assert_eq!(complaint(&second), "");

    misspell(&root, "canisters/motoko/canister2.mo");
    for _ in 0..2 {
        assert!(complaint(&run(&root)).contains("unbound variable"));
    }
}

/// dfx knows all ids before it builds, and gives them to the compiler.
#[test]
fn an_id_that_is_given_to_the_build_is_used_where_none_is_given_at_run_time() {
    let mut stage = stage();
    let canister1 = stage.caller;
    let root = copy("motoko-id");
    let mut script = Command::new(root.join("scripts/motoko.sh"));
    script.env("CANISTER_ID_CANISTER2", stage.callee.to_text());
    assert!(script.arg("canister1").status().unwrap().success());
    let module = fs::read(root.join("target/motoko/canister1.wasm")).unwrap();
    introduce(&mut stage, None);
    let args = install_args(canister1, module, CanisterInstallMode::Reinstall).unwrap();
    let installed = stage.manage(canister1, "install_code", (args,));
    installed.unwrap().unwrap();
    assert_eq!(story_on(&mut stage, "increment_both").grown.canister2, 1);

    // The one given at run time goes first.
    let nobody = "ghzi7-pdon5-3wqzl-smuqq-cai";
    introduce(&mut stage, Some(nobody));
    assert_eq!(story_on(&mut stage, "increment_both").grown.canister2, 0);
}

#[test]
fn without_node_it_says_what_to_install() {
    let root = copy("motoko-node");
    let only = root.join("path");
    fs::create_dir(&only).unwrap();
    for tool in ["bash", "dirname"] {
        let path = env::var_os("PATH").unwrap();
        let found = env::split_paths(&path).map(|folder| folder.join(tool));
        let found = found.into_iter().find(|file| file.is_file()).unwrap();
        symlink(found, only.join(tool)).unwrap();
    }
    let mut script = Command::new(root.join("scripts/motoko.sh"));
    let output = script.env("PATH", only).output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert_eq!(
        complaint(&output),
        "error: The Motoko compiler needs Node.js with npm: install Node.js 20 or later.\n"
    );
}
