//! The whole story with a canister in Motoko: its double spend is found, and mended.

use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::json;

use crate::harness::{Project, target, workspace};

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

/// A source, compiled with the compiler that scripts/motoko.sh installs.
fn compile(folder: &Path, source: &str) -> Vec<u8> {
    let installed = Command::new(workspace().join("scripts/motoko.sh"))
        .env("CARGO_TARGET_DIR", target())
        .status()
        .unwrap();
    assert!(installed.success(), "the Motoko compiler can't be had");
    let tools = fs::read_dir(target().join("motoko-tools")).unwrap();
    let tools = tools.flatten().next().unwrap().path();
    let (mo, wasm) = (folder.join("bank.mo"), folder.join("bank.wasm"));
    fs::write(&mo, source).unwrap();
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/command/compile.mjs");
    let status = Command::new("node")
        .args([&script, &tools, &mo, &wasm])
        .status()
        .unwrap();
    assert!(status.success(), "it does not compile");
    fs::read(wasm).unwrap()
}

#[tokio::test]
async fn double_spend_of_a_motoko_canister_is_found_and_its_end_is_told() {
    let project = Project::new().await;
    let bank = project.create().await;
    project.install(bank, &compile(&project.folder, BANK)).await;
    project.name(&json!({ "bank": bank.to_text() }));
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
    let (status, text) = project.run(&explore);
    assert_eq!(status, 1, "{text}");
    for words in [
        "Call 2 comes to bank while call 1 awaits bank pay: bank paid () answers (160 : nat).",
        "FAILS in",
    ] {
        assert!(text.contains(words), "'{words}' is missing in:\n{text}");
    }
    let (_, diagram) = project.run(&[&explore[..7], &["--mermaid"]].concat());
    assert!(diagram.contains("the_user->>bank: withdraw"), "{diagram}");
    assert_eq!(project.run(&["replay", "bank.schedule"]).0, 1);

    project
        .reinstall(bank, &compile(&project.folder, &mended()))
        .await;
    let (status, text) = project.run(&explore);
    assert_eq!(status, 0, "{text}");
    assert!(text.contains("All holds, in every order."), "{text}");
    // The second withdrawal no longer comes to pay.
    let error = project.refused(&["replay", "bank.schedule"]);
    let fault = "bank.schedule: the schedule no longer fits: step 4 (";
    assert!(error.starts_with(fault), "{error}");
}
