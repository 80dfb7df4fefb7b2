//! Snapshots: what is in them, and what becomes of them when something goes wrong.

use std::fs;
use std::process::Command;
use std::time::Duration;

use candid::Principal;
use ic_agent::Agent;

use crate::canisters::COUNTER;
use crate::harness::{Folder, Running, add, compacting_in, get, install, program_in, refusal};

/// Has state of every kind that code can have. `show` answers with all of it.
pub const STATEFUL: &str = r#"
(module
  (import "ic0" "msg_reply" (func $reply))
  (import "ic0" "msg_reply_data_append" (func $append (param i32 i32)))
  (import "ic0" "stable64_grow" (func $grow (param i64) (result i64)))
  (import "ic0" "stable64_write" (func $write (param i64 i64 i64)))
  (import "ic0" "stable64_read" (func $read (param i64 i64 i64)))
  (memory 2 10)
  (table $entries 2 10 funcref)
  (elem (i32.const 0) $one $two)
  (global $i32 (mut i32) (i32.const 1))
  (global $i64 (mut i64) (i64.const 2))
  (global $f32 (mut f32) (f32.const 3))
  (global $f64 (mut f64) (f64.const 4))
  (global $v128 (mut v128) (v128.const i64x2 5 6))
  (global $reference (mut funcref) (ref.null func))
  (global $nothing (mut externref) (ref.null extern))
  (elem declare func $one $two)
  (type $number (func (result i32)))
  (func $one (result i32) (i32.const 1))
  (func $two (result i32) (i32.const 2))
  (func (export "canister_update change")
    (global.set $i32 (i32.const -7))
    (global.set $i64 (i64.const -8))
    (global.set $f32 (f32.const nan:0x200000))
    (global.set $f64 (f64.const -0x1.8p-1022))
    (global.set $v128 (v128.const i64x2 -9 10))
    (global.set $reference (ref.func $two))
    (drop (table.grow $entries (ref.func $two) (i32.const 3)))
    (table.set $entries (i32.const 0) (ref.func $two))
    (table.set $entries (i32.const 1) (ref.null func))
    (drop (memory.grow (i32.const 3)))
    (i64.store (i32.const 300000) (i64.const 11))
    (drop (call $grow (i64.const 2)))
    (i64.store (i32.const 0) (i64.const 12))
    (call $write (i64.const 70000) (i64.const 0) (i64.const 8))
    (call $reply))
  (func (export "canister_query show")
    (i32.store (i32.const 100) (global.get $i32))
    (i64.store (i32.const 104) (global.get $i64))
    (f32.store (i32.const 112) (global.get $f32))
    (f64.store (i32.const 116) (global.get $f64))
    (v128.store (i32.const 124) (global.get $v128))
    (i32.store (i32.const 140) (ref.is_null (global.get $reference)))
    (i32.store (i32.const 144) (ref.is_null (global.get $nothing)))
    (i32.store (i32.const 148) (table.size $entries))
    (i32.store (i32.const 152) (call_indirect $entries (type $number) (i32.const 0)))
    (i32.store (i32.const 156) (ref.is_null (table.get $entries (i32.const 1))))
    (i32.store (i32.const 160) (memory.size))
    (i64.store (i32.const 164) (i64.load (i32.const 300000)))
    (call $read (i64.const 172) (i64.const 70000) (i64.const 8))
    (call $append (i32.const 100) (i32.const 80))
    (call $reply)))
"#;

pub async fn show(agent: &Agent, canister: Principal) -> Vec<u8> {
    agent.query(&canister, "show").await.unwrap()
}

/// Waits until all that happened is in a snapshot.
pub async fn compacted(folder: &Folder) {
    let is_compacted = || {
        let (snapshots, journals) = (folder.numbers("snapshot"), folder.numbers("journal"));
        !snapshots.is_empty() && snapshots == journals && folder.has_no_records()
    };
    while !is_compacted() {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// A folder with a snapshot in which the counter stands at 2, and the counter.
async fn snapshot(test: &str) -> (Folder, Principal) {
    let folder = Folder::new(test);
    let program = Running::start(compacting_in(&folder));
    let agent = program.agent().await;
    let counter = install(&agent, COUNTER).await;
    add(&agent, counter).await;
    add(&agent, counter).await;
    compacted(&folder).await;
    program.kill();
    (folder, counter)
}

#[track_caller]
fn refused(folder: &Folder, words: &[&str]) {
    let before = folder.files();
    let (status, error) = refusal(program_in(folder));
    assert_eq!(status, Some(2), "{error}");
    assert!(error.starts_with("error: "), "{error}");
    for word in words {
        assert!(error.contains(word), "{error}");
    }
    assert_eq!(error.lines().count(), 1, "{error}");
    assert!(folder.files() == before, "it was changed");
}

#[tokio::test]
async fn state_of_every_kind_is_in_a_snapshot() {
    let folder = Folder::new("every-kind");
    let program = Running::start(compacting_in(&folder));
    let agent = program.agent().await;
    let canister = install(&agent, STATEFUL).await;
    let fresh = install(&agent, STATEFUL).await;
    agent.update(&canister, "change").await.unwrap();
    let (changed, unchanged) = (
        show(&agent, canister).await,
        agent.query(&fresh, "show").await,
    );
    // It has no stable memory to read.
    unchanged.unwrap_err();
    compacted(&folder).await;
    program.kill();

    let program = Running::in_folder(&folder);
    assert!(
        program.greeting.contains("; 0 messages were replayed"),
        "{}",
        program.greeting
    );
    let agent = program.agent().await;
    assert_eq!(show(&agent, canister).await, changed);
    agent.update(&fresh, "change").await.unwrap();
    assert_eq!(show(&agent, fresh).await, changed);
}

#[tokio::test]
async fn start_replays_only_what_is_not_in_the_snapshot() {
    let (folder, counter) = snapshot("replayed").await;
    let program = Running::in_folder(&folder);
    let words = "; 0 messages were replayed";
    assert!(program.greeting.contains(words), "{}", program.greeting);
    let agent = program.agent().await;
    assert_eq!(get(&agent, counter).await, 2);
    assert_eq!(add(&agent, counter).await, 3);
    program.kill();
    let program = Running::in_folder(&folder);
    let words = "; 1 messages were replayed";
    assert!(program.greeting.contains(words), "{}", program.greeting);
    assert_eq!(get(&program.agent().await, counter).await, 3);
}

#[tokio::test]
async fn truncated_snapshot_is_refused_and_works_again_when_it_is_put_back() {
    let (folder, counter) = snapshot("truncated").await;
    let path = folder.snapshot();
    let whole = fs::read(&path).unwrap();
    for length in [0, 10, 40, 60, whole.len() / 2, whole.len() - 1] {
        fs::write(&path, &whole[..length]).unwrap();
        refused(&folder, &[path.to_str().unwrap()]);
    }
    fs::write(&path, &whole).unwrap();
    let program = Running::in_folder(&folder);
    assert_eq!(get(&program.agent().await, counter).await, 2);
}

#[tokio::test]
async fn wrong_bit_anywhere_in_a_snapshot_is_refused() {
    let (folder, _) = snapshot("wrong-bit").await;
    let path = folder.snapshot();
    let whole = fs::read(&path).unwrap();
    for at in [33, 50, 100, whole.len() / 2, whole.len() - 1] {
        let mut bytes = whole.clone();
        bytes[at] ^= 4;
        fs::write(&path, &bytes).unwrap();
        refused(&folder, &[path.to_str().unwrap(), "is damaged"]);
    }
}

#[tokio::test]
async fn snapshot_of_another_format_is_refused_with_both_numbers() {
    let (folder, _) = snapshot("another-format").await;
    fs::write(folder.snapshot(), "local-replica snapshot, format 1\n").unwrap();
    refused(&folder, &["with format 1 of journals, and this has "]);
    fs::write(folder.snapshot(), "my notes").unwrap();
    refused(&folder, &["is not a snapshot of local-replica"]);
}

#[test]
fn state_of_format_1_is_refused_and_not_forgotten() {
    let folder = Folder::new("format-1");
    fs::create_dir(folder.path()).unwrap();
    let old = folder.path().join("local-replica.journal");
    fs::write(&old, "local-replica journal, format 1\n").unwrap();
    let (status, error) = refusal(program_in(&folder));
    assert_eq!(status, Some(2));
    assert!(error.contains("format 1 of journals"), "{error}");
    assert!(old.exists());
}

#[tokio::test]
async fn missing_journal_is_refused() {
    let (folder, _) = snapshot("missing").await;
    let journal = folder.journal();
    let moved = folder.path().join("moved");
    fs::rename(&journal, &moved).unwrap();
    refused(&folder, &[journal.to_str().unwrap(), "is missing"]);
    fs::rename(&moved, &journal).unwrap();
    Running::in_folder(&folder);
}

#[tokio::test]
async fn unfinished_snapshot_is_ignored_and_removed() {
    let (folder, counter) = snapshot("unfinished").await;
    let unfinished = folder.path().join("local-replica.unfinished");
    fs::write(&unfinished, "local-replica snap").unwrap();
    let program = Running::in_folder(&folder);
    assert_eq!(get(&program.agent().await, counter).await, 2);
    assert!(!unfinished.exists());
}

#[tokio::test]
async fn snapshot_that_can_not_be_written_is_said_and_nothing_is_lost() {
    let folder = Folder::new("no-room");
    // No file may become longer than 64 KiB, and the canister has twice as much.
    let full = COUNTER.replacen(
        "(memory 1)",
        "(memory 4)
         (func (export \"canister_update fill\")
           (memory.fill (i32.const 1000) (i32.const 1) (i32.const 200000)) (call $reply))",
        1,
    );
    let mut command = Command::new("bash");
    command
        .args(["-c", "trap '' XFSZ; ulimit -f 64; exec \"$@\"", "bash"])
        .arg(compacting_in(&folder).get_program())
        .args(compacting_in(&folder).get_args());
    let program = Running::start(command);
    let agent = program.agent().await;
    let counter = install(&agent, &full).await;
    agent.update(&counter, "fill").await.unwrap();
    // Another journal is begun only after the snapshot before has failed.
    let mut sum = 0;
    while folder.numbers("journal").len() < 5 {
        sum += 1;
        assert_eq!(add(&agent, counter).await, sum);
    }
    let said = program.kill();
    assert!(said.starts_with("warning: can't write "), "{said}");
    let program = Running::start(compacting_in(&folder));
    assert_eq!(get(&program.agent().await, counter).await, sum);
    compacted(&folder).await;
    program.kill();
    let program = Running::in_folder(&folder);
    assert_eq!(get(&program.agent().await, counter).await, sum);
}
