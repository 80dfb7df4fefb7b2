//! Folders and files that can't be used, and disks that are full: each is said in one line.

use std::fs;
use std::process::Command;

use crate::canisters::COUNTER;
use crate::harness::{Folder, Running, add, get, install, program, program_in, refusal, send};

/// Checks that the program refuses to start, says this, and changes nothing.
#[track_caller]
fn refused(folder: &Folder, words: &str) {
    let before = folder.files();
    let (status, error) = refusal(program_in(folder));
    assert_eq!(status, Some(2), "{error}");
    assert!(
        error.starts_with("error: ") && error.contains(words),
        "{error}"
    );
    assert_eq!(error.lines().count(), 1, "{error}");
    let mut after = folder.files();
    after.retain(|name, _| before.contains_key(name) || name != "local-replica.lock");
    assert!(after == before, "it was changed");
}

#[tokio::test]
async fn torn_record_is_cut_off_and_said() {
    let folder = Folder::new("torn");
    let program = Running::in_folder(&folder);
    let agent = program.agent().await;
    let counter = install(&agent, COUNTER).await;
    assert_eq!(add(&agent, counter).await, 1);
    let whole = folder.size();
    assert_eq!(add(&agent, counter).await, 2);
    program.kill();

    let mut bytes = fs::read(folder.journal()).unwrap();
    bytes.pop();
    fs::write(folder.journal(), &bytes).unwrap();
    let program = Running::in_folder(&folder);
    assert_eq!(folder.size(), whole);
    let agent = program.agent().await;
    assert_eq!(get(&agent, counter).await, 1);
    assert_eq!(add(&agent, counter).await, 2);
    let said = program.kill();
    let cut = bytes.len() as u64 - whole;
    assert!(
        said.starts_with("warning: ")
            && said.contains(&format!("its last {cut} bytes were cut off")),
        "{said}"
    );

    let program = Running::in_folder(&folder);
    assert_eq!(get(&program.agent().await, counter).await, 2);
    assert_eq!(program.kill(), "");
}

#[tokio::test]
async fn flipped_bit_in_the_middle_is_refused() {
    let folder = Folder::new("flipped");
    let program = Running::in_folder(&folder);
    let agent = program.agent().await;
    let counter = install(&agent, COUNTER).await;
    let place = folder.size();
    add(&agent, counter).await;
    add(&agent, counter).await;
    program.kill();
    let mut bytes = fs::read(folder.journal()).unwrap();
    bytes[place as usize + 40] ^= 1;
    fs::write(folder.journal(), bytes).unwrap();
    refused(&folder, &format!("is damaged at byte {place}"));
}

#[test]
fn file_that_is_no_journal_is_refused() {
    let folder = Folder::new("foreign");
    fs::create_dir(folder.path()).unwrap();
    fs::write(folder.journal(), "my notes").unwrap();
    refused(&folder, "is not a journal of local-replica");
    fs::write(folder.journal(), "local-replica journal, format 0\n").unwrap();
    refused(&folder, "with format 0 of journals, and this has ");
}

#[tokio::test]
async fn folder_in_use_is_refused_and_still_works_for_its_user() {
    let folder = Folder::new("locked");
    let program = Running::in_folder(&folder);
    refused(&folder, "is in use by another local-replica");
    install(&program.agent().await, COUNTER).await;
    program.kill();
    Running::in_folder(&folder);
}

#[test]
fn folder_that_can_not_be_used_is_refused() {
    let folder = Folder::new("unusable");
    fs::create_dir(folder.path()).unwrap();
    let file = folder.path().join("file");
    fs::write(&file, "").unwrap();
    for path in [file.clone(), file.join("below"), folder.path().join("a/b")] {
        let mut command = program();
        command.arg("--state-dir").arg(&path);
        let (status, error) = refusal(command);
        assert_eq!(status, Some(2), "{error}");
        assert!(error.starts_with("error: can't "), "{error}");
        assert!(error.contains(path.to_str().unwrap()), "{error}");
        assert_eq!(error.lines().count(), 1, "{error}");
    }
    assert_eq!(fs::read(&file).unwrap(), b"");
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
}

#[tokio::test]
async fn full_disk_ends_the_program_before_it_answers_what_is_not_kept() {
    let folder = Folder::new("full");
    // No file may become longer than 16 KiB.
    let mut command = Command::new("bash");
    command
        .args(["-c", "trap '' XFSZ; ulimit -f 16; exec \"$@\"", "bash"])
        .arg(program_in(&folder).get_program())
        .args(program_in(&folder).get_args());
    let program = Running::start(command);
    let agent = program.agent().await;
    let counter = install(&agent, COUNTER).await;
    let path = format!("/api/v2/canister/{counter}/call");
    let mut accepted = 0;
    let refused = loop {
        let call = agent.update(&counter, "add").sign().unwrap();
        match program.request("POST", &path, &call.signed_update) {
            Ok(answer) if answer.starts_with("HTTP/1.1 202") => accepted += 1,
            // The program may be gone before it says that it stops.
            Ok(answer) if !answer.is_empty() => {
                assert!(answer.starts_with("HTTP/1.1 503"), "{answer}");
                break call;
            }
            _ => break call,
        }
    };
    let (status, error) = program.end();
    assert_eq!(status.code(), Some(2), "{error}");
    assert!(error.starts_with("error: can't write to "), "{error}");
    assert_eq!(error.lines().count(), 1, "{error}");

    let program = Running::in_folder(&folder);
    let agent = program.agent().await;
    assert_eq!(get(&agent, counter).await, accepted);
    send(&agent, &refused).await.unwrap();
    assert_eq!(get(&agent, counter).await, accepted + 1);
}
