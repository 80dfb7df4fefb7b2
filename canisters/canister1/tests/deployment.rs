//! What `dfx deploy` and `icp deploy` build: canister1 finds canister2, and both carry their
//! interfaces.
//!
//! All builds run in one copy of the project under the target directory: the project itself
//! stays as it is, and what was compiled once serves every test and every later run.

use std::{
    env,
    ffi::{OsStr, OsString},
    fs,
    path::{Path, PathBuf},
    process::Command,
    sync::{Mutex, MutexGuard, PoisonError},
};

const CANISTER1_ID: &str = "bkyz2-fmaaa-aaaaa-qaaaq-cai";
const CANISTER2_ID: &str = "bd3sg-teaaa-aaaaa-qaaba-cai";

/// The canister environment variable that `icp deploy` sets.
const RUN_TIME: &str = "PUBLIC_CANISTER_ID:canister2";

/// Where cargo puts what it builds for canisters.
const WASM: &str = "target/wasm32-unknown-unknown/release";

#[test]
fn the_id_that_dfx_gives_to_the_build_arrives() {
    let project = ProjectCopy::new();
    let wasm = project.build_canister1(&[
        ("CANISTER_CANDID_PATH", "candid/canister1.did"),
        ("CANISTER_CANDID_PATH_CANISTER2", "candid/canister2.did"),
        ("CANISTER_ID", CANISTER1_ID),
        ("CANISTER_ID_CANISTER1", CANISTER1_ID),
        ("CANISTER_ID_CANISTER2", CANISTER2_ID),
        ("DFX_NETWORK", "local"),
        ("DFX_VERSION", "0.32.0"),
    ]);
    assert!(contains(&wasm, CANISTER2_ID));
    assert!(contains(&wasm, RUN_TIME));

    // Cargo notices that the variable is gone, and so is the id.
    let wasm = project.build_canister1(&[]);
    assert!(!contains(&wasm, CANISTER2_ID));
    assert!(contains(&wasm, RUN_TIME));
}

#[test]
fn icp_builds_both_and_each_carries_its_interface() {
    let path = path_with_icp();
    let project = ProjectCopy::new();
    run(project
        .command("icp")
        .arg("build")
        .env("PATH", &path)
        .env("DO_NOT_TRACK", "1"));
    for canister in ["canister1", "canister2"] {
        // What cargo built carries it already; icp replaces it and adds no second.
        let by_cargo = Path::new(WASM).join(canister).with_extension("wasm");
        let by_icp = Path::new(".icp/cache/artifacts").join(canister);
        for wasm in [by_cargo, by_icp] {
            let metadata = |arguments: &[&str]| {
                let mut command = project.command("ic-wasm");
                command.arg(&wasm).arg("metadata").args(arguments);
                run(command.env("PATH", &path))
            };
            assert_eq!(metadata(&[]).trim_end(), "icp:public candid:service");
            let file = project.root.join(format!("candid/{canister}.did"));
            assert_eq!(
                metadata(&["candid:service"]).trim_end(),
                fs::read_to_string(file).unwrap().trim_end(),
            );
        }
    }
}

/// A copy of the project, for one test at a time.
struct ProjectCopy {
    root: PathBuf,
    _alone: MutexGuard<'static, ()>,
}

impl ProjectCopy {
    fn new() -> Self {
        static ALONE: Mutex<()> = Mutex::new(());
        // The copy is made anew, so it does not matter whether the last test failed.
        let alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
        let root = Path::new(env!("CARGO_TARGET_TMPDIR")).join("deployment");
        fs::create_dir_all(&root).unwrap();
        for old in fs::read_dir(&root).unwrap() {
            let old = old.unwrap();
            if old.file_name() == "target" {
                continue;
            }
            if old.file_type().unwrap().is_dir() {
                fs::remove_dir_all(old.path()).unwrap();
            } else {
                fs::remove_file(old.path()).unwrap();
            }
        }
        copy_directory(&project(), &root);
        Self {
            root,
            _alone: alone,
        }
    }

    /// A command that runs in the copy, whatever the environment of the tests says.
    fn command(&self, program: impl AsRef<OsStr>) -> Command {
        let mut command = Command::new(program);
        command
            .current_dir(&self.root)
            .env("CARGO_TARGET_DIR", self.root.join("target"))
            .env_remove("CANISTER_ID_CANISTER2");
        command
    }

    /// Builds canister1 as dfx does, with these variables, and gives the Wasm.
    fn build_canister1(&self, variables: &[(&str, &str)]) -> Vec<u8> {
        let cargo = env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
        run(self
            .command(cargo)
            .args(["build", "--target", "wasm32-unknown-unknown", "--release"])
            .args(["-p", "canister1", "--locked"])
            .envs(variables.iter().copied()));
        fs::read(self.root.join(WASM).join("canister1.wasm")).unwrap()
    }
}

/// The project that these tests are part of.
fn project() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// Copies all but what is hidden and what was built or downloaded.
fn copy_directory(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let name = entry.file_name();
        let is_hidden = name.to_string_lossy().starts_with('.');
        if is_hidden || name == "target" || name == "node_modules" {
            continue;
        }
        if entry.file_type().unwrap().is_dir() {
            copy_directory(&entry.path(), &to.join(name));
        } else {
            fs::copy(entry.path(), to.join(name)).unwrap();
        }
    }
}

/// PATH, with the directories of `icp` and `ic-wasm` in front if they are in target/icp-tools.
fn path_with_icp() -> OsString {
    let packages = project().join("target/icp-tools/node_modules/@icp-sdk");
    let mut directories: Vec<PathBuf> = fs::read_dir(packages)
        .into_iter()
        .flatten()
        .map(|package| package.unwrap().path().join("bin"))
        .collect();
    let path = env::var_os("PATH").unwrap_or_default();
    directories.extend(env::split_paths(&path));
    for tool in ["icp", "ic-wasm"] {
        let file = format!("{tool}{}", env::consts::EXE_SUFFIX);
        assert!(
            directories.iter().any(|at| at.join(&file).is_file()),
            "`{tool}` is neither on PATH nor in target/icp-tools. Put both there, with the names \
             of your platform: npm install --prefix target/icp-tools \
             @icp-sdk/icp-cli-linux-x64 @icp-sdk/ic-wasm-linux-x64"
        );
    }
    env::join_paths(directories).unwrap()
}

/// Runs a command that must succeed, and gives what it wrote to stdout.
fn run(command: &mut Command) -> String {
    let output = match command.output() {
        Ok(output) => output,
        Err(error) => panic!("{command:?} did not start: {error}"),
    };
    let stdout = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(
        output.status.success(),
        "{command:?} failed: {}\n{stdout}\n{}",
        output.status,
        String::from_utf8_lossy(&output.stderr),
    );
    stdout
}

fn contains(wasm: &[u8], text: &str) -> bool {
    wasm.windows(text.len())
        .any(|bytes| bytes == text.as_bytes())
}
