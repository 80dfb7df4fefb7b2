//! The whole story with a canister in Motoko that `icp` has deployed: its double spend is found, and
//! mended.

use std::fs;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::harness::{printed, target, workspace};
use crate::icp::path_with_icp;

/// A bank that checks, awaits, and then charges.
const BANK: &str = "
persistent actor Bank {
  var balance : Nat = 100;
  var sum : Nat = 0;
  public query func paid() : async Nat { sum };
  public func pay(amount : Nat) : async () { sum += amount };
  public func withdraw(amount : Nat) : async Bool {
    if (balance < amount) { return false };
    await pay(amount);
    balance := if (balance > amount) { balance - amount } else { 0 };
    true;
  };
};
";

/// The same, charged before the await.
fn mended() -> String {
    let charge = "balance := if (balance > amount) { balance - amount } else { 0 };";
    let (begin, rest) = BANK.split_once("await pay(amount);").unwrap();
    let rest = rest.replace(charge, "");
    format!("{begin}balance -= amount; await pay(amount);{rest}")
}

/// A port that is free just now.
fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().port()
}

/// A project of somebody's own, with the local replica as icp's network.
struct Bank {
    folder: PathBuf,
}

impl Bank {
    fn new() -> Self {
        let name = format!("icp-bank-{}", std::process::id());
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
        fs::create_dir_all(folder.join("home")).unwrap();
        let port = free_port();
        let manifest = format!(
            "networks:
  - name: local
    mode: managed
    gateway:
      port: {port}
canisters:
  - name: bank
    build:
      steps:
        - type: pre-built
          path: bank.wasm
"
        );
        fs::write(folder.join("icp.yaml"), manifest).unwrap();
        let bank = Bank { folder };
        bank.icp(&["network", "start", "--background"]);
        bank
    }

    fn icp(&self, arguments: &[&str]) {
        let output = self.command(arguments).output().unwrap();
        let error = printed(&output.stderr);
        assert!(output.status.success(), "icp {arguments:?}: {error}");
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut icp = Command::new("icp");
        icp.current_dir(&self.folder)
            .args(arguments)
            .env("PATH", path_with_icp(&target()))
            .env("HOME", self.folder.join("home"))
            .env("DO_NOT_TRACK", "1")
            .env(
                "ICP_CLI_NETWORK_LAUNCHER_PATH",
                env!("CARGO_BIN_EXE_local-replica"),
            );
        icp
    }

    /// Compiles it, with the compiler that scripts/motoko.sh installs, and deploys it.
    fn deploy(&self, source: &str) {
        let installed = Command::new(workspace().join("scripts/motoko.sh"))
            .env("CARGO_TARGET_DIR", target())
            .status()
            .unwrap();
        assert!(installed.success(), "the Motoko compiler can't be had");
        let tools = fs::read_dir(target().join("motoko-tools")).unwrap();
        let tools = tools.flatten().next().unwrap().path();
        let (mo, wasm) = (self.folder.join("bank.mo"), self.folder.join("bank.wasm"));
        fs::write(&mo, source).unwrap();
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/command/compile.mjs");
        let status = Command::new("node")
            .args([&script, &tools, &mo, &wasm])
            .status()
            .unwrap();
        assert!(status.success(), "it does not compile");
        self.icp(&["deploy"]);
    }

    /// The exit status of a command in the project's folder, and what it prints and complains of. It is
    /// not told where the network is.
    fn run(&self, arguments: &[&str]) -> (i32, String, String) {
        let output = Command::new(env!("CARGO_BIN_EXE_local-replica"))
            .current_dir(&self.folder)
            .args(arguments)
            .output()
            .unwrap();
        let status = output.status.code().unwrap();
        (status, printed(&output.stdout), printed(&output.stderr))
    }
}

impl Drop for Bank {
    fn drop(&mut self) {
        let _stopped = self.command(&["network", "stop"]).output();
        let _gone = fs::remove_dir_all(&self.folder);
    }
}

#[test]
fn double_spend_of_a_motoko_canister_is_found_after_icp_deploy_and_its_end_is_told() {
    let bank = Bank::new();
    bank.deploy(BANK);
    let explore = [
        "explore",
        "--together",
        "bank withdraw (80)",
        "--together",
        "bank withdraw (80)",
        "--at-end",
        "bank paid () <= 100",
        "--save",
        "bank.schedule",
    ];
    let (status, text, error) = bank.run(&explore);
    assert_eq!(status, 1, "{text}{error}");
    for words in [
        "Call 2 comes to bank while call 1 awaits bank pay: bank paid () answers (160 : nat).",
        "FAILS in",
    ] {
        assert!(text.contains(words), "'{words}' is missing in:\n{text}");
    }
    let (_, diagram, _) = bank.run(&[&explore[..7], &["--mermaid"]].concat());
    assert!(diagram.contains("the_user->>bank: withdraw"), "{diagram}");
    assert_eq!(bank.run(&["replay", "bank.schedule"]).0, 1);

    bank.deploy(&mended());
    let (status, text, error) = bank.run(&explore);
    assert_eq!(status, 0, "{text}{error}");
    assert!(text.contains("All holds, in every order."), "{text}");
    // The second withdrawal no longer comes to pay.
    let (status, _, error) = bank.run(&["replay", "bank.schedule"]);
    assert_eq!(status, 2, "{error}");
    let fault = "error: bank.schedule: the schedule no longer fits: step 4 (";
    assert!(error.starts_with(fault), "{error}");
}
