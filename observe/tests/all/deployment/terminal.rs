//! A terminal with the real `icp`, whose network is the local replica.

use std::ffi::OsString;
use std::fs;
use std::net::TcpListener;
use std::path::PathBuf;
use std::process::{Command, Output};

use super::project::{ProjectCopy, path_with_icp, project};

/// `icp`, at home in a folder of its own, in a folder of the copy of the project.
pub struct Terminal {
    pub project: ProjectCopy,
    pub folder: PathBuf,
    path: OsString,
    launcher: PathBuf,
}

impl Terminal {
    /// In this folder of the project, with the local replica as its network, at a free port.
    pub fn open(folder: &str) -> Self {
        Terminal::with_network(folder, "")
    }

    /// The same, with further lines in the network's configuration.
    pub fn with_network(folder: &str, configuration: &str) -> Self {
        let path = path_with_icp();
        let project = ProjectCopy::new();
        let folder = project.root.join(folder);
        for old in [folder.join(".icp"), project.root.join(".home")] {
            if old.exists() {
                fs::remove_dir_all(old).unwrap();
            }
        }
        let port = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = port.local_addr().unwrap().port();
        let manifest = folder.join("icp.yaml");
        let mut yaml = fs::read_to_string(&manifest).unwrap();
        yaml.push_str(&format!(
            "\nnetworks:\n  - name: local\n    mode: managed\n    gateway:\n      port: {port}\n\
             {configuration}"
        ));
        fs::write(&manifest, yaml).unwrap();
        let terminal = Terminal {
            project,
            folder,
            path,
            launcher: launcher(),
        };
        fs::create_dir_all(terminal.project.root.join(".home")).unwrap();
        terminal
    }

    pub fn run(&self, arguments: &[&str]) -> Output {
        let mut command = self.project.command("icp");
        let home = self.project.root.join(".home");
        // Where rustup and cargo are is found by the old home.
        let old_home = PathBuf::from(std::env::var_os("HOME").unwrap_or_default());
        for (variable, folder) in [("CARGO_HOME", ".cargo"), ("RUSTUP_HOME", ".rustup")] {
            if std::env::var_os(variable).is_none() {
                command.env(variable, old_home.join(folder));
            }
        }
        command
            .current_dir(&self.folder)
            .args(arguments)
            .env("PATH", &self.path)
            .env("HOME", home)
            .env("DO_NOT_TRACK", "1")
            .env("RUST_BACKTRACE", "0")
            .env("ICP_CLI_NETWORK_LAUNCHER_PATH", &self.launcher)
            .output()
            .expect("icp starts")
    }

    /// What `icp` prints when it succeeds.
    pub fn icp(&self, arguments: &[&str]) -> String {
        let output = self.run(arguments);
        let printed = text(&output);
        assert!(output.status.success(), "icp {arguments:?}: {printed}");
        printed
    }

    /// What `icp` prints when it fails.
    pub fn fails(&self, arguments: &[&str]) -> String {
        let output = self.run(arguments);
        let printed = text(&output);
        assert!(!output.status.success(), "icp {arguments:?}: {printed}");
        printed
    }

    pub fn id(&self, canister: &str) -> String {
        let status = self.icp(&["canister", "status", canister]);
        let mut lines = status.lines();
        let id = lines.find_map(|line| line.trim().strip_prefix("Canister Id: "));
        id.unwrap_or_else(|| panic!("no id in: {status}"))
            .to_owned()
    }

    pub fn counters(&self) -> [String; 2] {
        ["canister1", "canister2"].map(|canister| {
            let printed = self.icp(&["canister", "call", canister, "get", "()", "--query"]);
            printed.trim().to_owned()
        })
    }
}

impl Drop for Terminal {
    /// Ends the network, also after a failure.
    fn drop(&mut self) {
        self.run(&["network", "stop"]);
    }
}

fn text(output: &Output) -> String {
    let (out, error) = (&output.stdout, &output.stderr);
    String::from_utf8_lossy(out).into_owned() + &String::from_utf8_lossy(error)
}

/// The program `local-replica`, built.
fn launcher() -> PathBuf {
    let target = project().join("target");
    let status = Command::new(env!("CARGO"))
        .current_dir(project())
        .args(["build", "--locked", "--quiet", "-p", "local-replica"])
        .arg("--target-dir")
        .arg(&target)
        .status()
        .expect("cargo starts");
    assert!(status.success(), "the local replica can't be built");
    target.canonicalize().unwrap().join("debug/local-replica")
}
