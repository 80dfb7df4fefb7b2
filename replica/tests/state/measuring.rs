//! What it costs to keep the state. The figures are printed, not judged.

use std::time::Instant;

use serde_json::json;

use crate::canisters::COUNTER;
use crate::harness::{Folder, Running, get, install, program, program_in};

const CALLS: u64 = 400;
const CALLERS: usize = 8;

/// Calls a second when many are sent at once, and when each waits for the one before; of calls that
/// are only taken in and executed, since certificates take longer than anything else here.
async fn speed(program: &Running) -> (f64, f64) {
    let agent = program.agent().await;
    let counter = install(&agent, COUNTER).await;
    let path = format!("/api/v2/canister/{counter}/call");
    let sign = || agent.update(&counter, "add").sign().unwrap().signed_update;
    let calls: Vec<Vec<u8>> = (0..CALLS).map(|_| sign()).collect();
    let (at_once, one_by_one) = calls.split_at(calls.len() / 2);
    let send = |calls: &[Vec<u8>]| {
        for call in calls {
            let answer = program.request("POST", &path, call).unwrap();
            assert!(answer.starts_with("HTTP/1.1 202"), "{answer}");
        }
    };
    let a_second = |began: Instant| CALLS as f64 / 2.0 / began.elapsed().as_secs_f64();

    let began = Instant::now();
    std::thread::scope(|scope| {
        for calls in at_once.chunks(at_once.len().div_ceil(CALLERS)) {
            scope.spawn(|| send(calls));
        }
    });
    let fast = a_second(began);
    let began = Instant::now();
    send(one_by_one);
    let slow = a_second(began);
    while get(&agent, counter).await < CALLS {}
    (fast, slow)
}

#[tokio::test]
async fn calls_a_second_with_and_without_a_folder() {
    let folder = Folder::new("measured");
    let without = speed(&Running::start(program())).await;
    let kept = Running::start(program_in(&folder));
    let before = folder.size();
    let with = speed(&kept).await;
    let bytes = (folder.size() - before) / CALLS;
    kept.kill();
    let began = Instant::now();
    let again = Running::start(program_in(&folder));
    let restart = began.elapsed().as_secs_f64();
    println!(
        "calls a second, {CALLERS} callers: {:.0} without a folder, {:.0} with one\n\
         calls a second, one caller: {:.0} without, {:.0} with\n\
         {bytes} bytes a call, with the canister's module spread over them\n\
         restarted in {restart:.2} s: {}",
        without.0,
        with.0,
        without.1,
        with.1,
        again.greeting.lines().nth(1).unwrap()
    );
}

/// How long a start takes when a canister's heartbeat ran many times before: a second has five.
#[tokio::test]
async fn start_after_many_heartbeats() {
    let count = std::env::var("HEARTBEATS").map_or(500, |count| count.parse().unwrap());
    let folder = Folder::new("heartbeats");
    let program = Running::in_folder(&folder);
    let agent = program.agent().await;
    let beating = install(&agent, BEATING).await;
    let before = get(&agent, beating).await;
    // A connection lasts no longer than ten minutes, and this may.
    while get(&program.agent().await, beating).await < before + count {
        let advance = || {
            for _ in 0..100 {
                program.control("POST", "advance_time", &json!({ "seconds": 1 }));
            }
        };
        std::thread::scope(|scope| {
            for _ in 0..CALLERS {
                scope.spawn(advance);
            }
        });
    }
    let beaten = get(&program.agent().await, beating).await;
    program.kill();
    let files = folder.files();
    let bytes: usize = files.values().map(Vec::len).sum();
    let began = Instant::now();
    let again = Running::in_folder(&folder);
    let restart = began.elapsed().as_secs_f64();
    assert!(get(&again.agent().await, beating).await >= beaten);
    println!(
        "after {beaten} heartbeats {} files with {bytes} bytes; started in {restart:.2} s: {}",
        files.len(),
        again.greeting.lines().nth(1).unwrap()
    );
}

/// Counts its heartbeats.
const BEATING: &str = r#"
(module
  (import "ic0" "msg_reply" (func $reply))
  (import "ic0" "msg_reply_data_append" (func $append (param i32 i32)))
  (memory 1)
  (func (export "canister_heartbeat")
    (i64.store (i32.const 0) (i64.add (i64.load (i32.const 0)) (i64.const 1))))
  (func (export "canister_query get")
    (call $append (i32.const 0) (i32.const 8)) (call $reply)))
"#;
