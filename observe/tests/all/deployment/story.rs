//! The whole story at the terminal, with the real `icp`, on the local replica: from the start of
//! the network to its end.

use std::fs;

use super::terminal::Terminal;

#[test]
fn icp_does_on_the_local_replica_what_a_user_does_at_the_terminal() {
    let terminal = Terminal::open("");
    let icp = |arguments: &[&str]| terminal.icp(arguments);

    // Somebody of one's own, not the anonymous user.
    icp(&[
        "identity",
        "new",
        "alice",
        "--storage",
        "plaintext",
        "--quiet",
    ]);
    icp(&["identity", "default", "alice"]);
    icp(&["network", "start", "--background"]);
    assert!(icp(&["cycles", "balance"]).contains("cycles"));
    assert!(icp(&["token", "balance"]).contains("ICP"));

    // Deployed, canister1 knows canister2; it fails, and nothing is undone.
    icp(&["deploy"]);
    let answer = icp(&["canister", "call", "canister1", "increment_both", "()"]);
    assert_eq!(
        answer.trim(),
        r#"(variant { Err = "Failed to complete the operation." })"#
    );
    assert_eq!(terminal.counters(), ["(1 : nat)", "(1 : nat)"]);

    // A trap undoes only what came after the await, and is in the log.
    let trap = [
        "canister",
        "call",
        "canister1",
        "increment_both_then_trap",
        "()",
    ];
    let reject = terminal.fails(&trap);
    let why = "Canister called `ic0.trap` with message: 'trapped on purpose'";
    assert!(
        reject.contains("IC0503") && reject.contains(why),
        "{reject}"
    );
    assert_eq!(terminal.counters(), ["(2 : nat)", "(2 : nat)"]);
    let log = icp(&["canister", "logs", "canister1"]);
    let trap = "[TRAP]: trapped on purpose\nCanister Backtrace:\n";
    assert!(
        log.contains(trap) && log.contains("ic_cdk::call::callback\n"),
        "{log}"
    );

    // A second deployment is an upgrade, and keeps the counters.
    icp(&["deploy"]);
    assert_eq!(terminal.counters(), ["(2 : nat)", "(2 : nat)"]);

    // An environment variable that is wrong makes canister1 trap, and say why.
    let variable = |value: &str| {
        let variable = format!("PUBLIC_CANISTER_ID:canister2={value}");
        let update = ["canister", "settings", "update", "canister1"];
        icp(&[&update[..], &["--add-environment-variable", &variable]].concat());
    };
    let canister2 = terminal.id("canister2");
    variable("nobody");
    let both = ["canister", "call", "canister1", "increment_both", "()"];
    assert!(
        terminal
            .fails(&both)
            .contains("should be the id of canister2, but is 'nobody'")
    );
    variable(&canister2);
    icp(&both);
    assert_eq!(terminal.counters(), ["(3 : nat)", "(3 : nat)"]);

    // A stopped canister takes no calls.
    icp(&["canister", "stop", "canister2"]);
    assert!(icp(&["canister", "status", "canister2"]).contains("Stopped"));
    let call = ["canister", "call", "canister2", "increment", "()"];
    assert!(terminal.fails(&call).contains("is stopped"));
    icp(&["canister", "start", "canister2"]);
    icp(&call);

    // A module above 2 MiB goes in chunks.
    let module = terminal.project.root.join(".icp/cache/artifacts/canister2");
    let mut module = fs::read(module).unwrap();
    module.extend(padding(3 * 1024 * 1024));
    let large = terminal.project.root.join("target/large.wasm");
    fs::write(&large, module).unwrap();
    let install = [
        "canister",
        "install",
        "canister2",
        "--mode",
        "reinstall",
        "--yes",
        "--wasm",
    ];
    icp(&[&install[..], &[large.to_str().unwrap()]].concat());
    assert_eq!(terminal.counters(), ["(3 : nat)", "(0 : nat)"]);

    icp(&["canister", "top-up", "canister2", "--amount", "1t"]);
    icp(&["canister", "stop", "canister2"]);
    icp(&["canister", "delete", "canister2"]);
    // Without canister2, canister1 sees a reject, and says so in its reply.
    let answer = icp(&both);
    assert!(
        answer.contains("Err") && answer.contains("not found"),
        "{answer}"
    );
    icp(&["network", "stop"]);
    terminal.fails(&["canister", "call", "canister1", "get", "()"]);
}

#[test]
fn icp_takes_restores_downloads_and_uploads_snapshots() {
    let terminal = Terminal::open("");
    let icp = |arguments: &[&str]| terminal.icp(arguments);
    let snapshot = |arguments: &[&str]| {
        let command = [&["canister", "snapshot"], arguments].concat();
        icp(&command).trim().to_owned()
    };
    icp(&["network", "start", "--background"]);
    icp(&["deploy"]);
    let both = ["canister", "call", "canister1", "increment_both", "()"];
    icp(&both);
    icp(&["canister", "stop", "canister2"]);
    let id = snapshot(&["create", "canister2", "--quiet"]);
    icp(&["canister", "start", "canister2"]);
    icp(&both);
    assert_eq!(terminal.counters(), ["(2 : nat)", "(2 : nat)"]);
    assert!(snapshot(&["list", "canister2"]).contains(&id));
    icp(&["canister", "stop", "canister2"]);
    snapshot(&["restore", "canister2", &id]);
    icp(&["canister", "start", "canister2"]);
    assert_eq!(terminal.counters(), ["(2 : nat)", "(1 : nat)"]);

    // What was downloaded is as good as the snapshot itself.
    let folder = terminal.project.root.join("target/snapshot");
    let _of_the_last_run = fs::remove_dir_all(&folder);
    let folder = folder.to_str().unwrap();
    snapshot(&["download", "canister2", &id, "--output", folder]);
    snapshot(&["delete", "canister2", &id]);
    icp(&both);
    let printed = snapshot(&["upload", "canister2", "--input", folder, "--quiet"]);
    let uploaded = printed.lines().next().unwrap();
    assert_ne!(uploaded, id);
    icp(&["canister", "stop", "canister2"]);
    snapshot(&["restore", "canister2", uploaded]);
    icp(&["canister", "start", "canister2"]);
    assert_eq!(terminal.counters(), ["(3 : nat)", "(1 : nat)"]);
    icp(&["network", "stop"]);
}

#[test]
fn icp_deploys_the_motoko_pair_from_its_own_folder_and_an_upgrade_keeps_its_counters() {
    let terminal = Terminal::open("canisters/motoko");
    terminal.icp(&["network", "start", "--background"]);
    terminal.icp(&["deploy"]);
    let call = |method| ["canister", "call", "canister1", method, "()"];
    let answer = terminal.icp(&call("increment_both"));
    assert_eq!(
        answer.trim(),
        r#"(variant { Err = "Failed to complete the operation." })"#
    );
    let reject = terminal.fails(&call("increment_both_then_throw"));
    assert!(
        reject.contains("IC0406") && reject.contains("thrown on purpose"),
        "{reject}"
    );
    assert_eq!(terminal.counters(), ["(3 : nat)", "(2 : nat)"]);

    // icp reads that the modules keep their memory, and says so to the network.
    let before = terminal.icp(&["canister", "status", "canister1"]);
    let source = terminal.folder.join("canister1.mo");
    let changed = fs::read_to_string(&source).unwrap();
    let changed = changed.replace("thrown on purpose", "thrown anew");
    fs::write(&source, changed).unwrap();
    terminal.icp(&["deploy"]);
    let after = terminal.icp(&["canister", "status", "canister1"]);
    let hash = |status: &str| {
        let line = status.lines().find(|line| line.contains("Module hash"));
        line.unwrap_or_else(|| panic!("no hash in: {status}"))
            .to_owned()
    };
    assert_ne!(hash(&before), hash(&after));
    assert_eq!(terminal.counters(), ["(3 : nat)", "(2 : nat)"]);
    let reject = terminal.fails(&call("increment_both_then_throw"));
    assert!(reject.contains("thrown anew"), "{reject}");
}

#[test]
fn icp_deploys_the_canisters_of_one_lesson_from_their_own_folder() {
    let terminal = Terminal::open("lessons");
    terminal.icp(&["network", "start", "--background"]);
    terminal.icp(&["deploy", "journal_caller", "journal_callee"]);
    let call = |canister, method, arguments| {
        let printed = terminal.icp(&["canister", "call", canister, method, arguments]);
        printed.trim().to_owned()
    };
    let opened = "(variant { Ok = 0 : nat64 })";
    assert_eq!(call("journal_caller", "open", "(100 : nat64)"), opened);
    let payer = format!("(principal \"{}\")", terminal.id("journal_caller"));
    assert_eq!(call("journal_callee", "open", &payer), opened);
    let transfer = "(record { account = 0 : nat64; number = 1 : nat64 }, 0 : nat64, 40 : nat64, \
                    variant { Nowhere })";
    let progress = call("journal_caller", "transfer", transfer);
    assert!(progress.contains("Ok = variant { Finished }"), "{progress}");
    let balance = call("journal_callee", "get_balance", "(0 : nat64)");
    assert_eq!(balance, "(opt (40 : nat64))");
}

/// A custom section of this size.
fn padding(size: usize) -> Vec<u8> {
    let name = b"padding";
    let mut section = vec![0];
    let mut length = size + name.len() + 1;
    loop {
        let low = (length & 0x7f) as u8;
        length >>= 7;
        section.push(if length == 0 { low } else { low | 0x80 });
        if length == 0 {
            break;
        }
    }
    section.push(name.len() as u8);
    section.extend_from_slice(name);
    section.resize(section.len() + size, 0);
    section
}
