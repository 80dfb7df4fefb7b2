//! A copy of the project, in which tools can build and write.
//!
//! All builds run in one copy under the target directory: the project itself stays as it is, and
//! what was compiled once serves every test and every later run.

use std::env;
use std::ffi::{OsStr, OsString};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Where cargo puts what it builds for canisters.
const WASM: &str = "target/wasm32-unknown-unknown/release";

/// A copy of the project, for one test at a time.
pub struct ProjectCopy {
    pub root: PathBuf,
    _alone: MutexGuard<'static, ()>,
}

impl ProjectCopy {
    pub fn new() -> Self {
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
    pub fn command(&self, program: impl AsRef<OsStr>) -> Command {
        let mut command = Command::new(program);
        command
            .current_dir(&self.root)
            .env("CARGO_TARGET_DIR", self.root.join("target"))
            .env_remove("CANISTER_ID_CANISTER2");
        command
    }

    /// Builds canister1 as dfx does, with these variables, and gives the Wasm.
    pub fn build_canister1(&self, variables: &[(&str, &str)]) -> Vec<u8> {
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
pub fn project() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
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
pub fn path_with_icp() -> OsString {
    super::icp::path_with_icp(&project().join("target"))
}

/// Runs a command that must succeed, and gives what it wrote to stdout.
pub fn run(command: &mut Command) -> String {
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

pub fn contains(wasm: &[u8], text: &str) -> bool {
    wasm.windows(text.len())
        .any(|bytes| bytes == text.as_bytes())
}
