//! What it costs to keep the state. The figures are printed, not judged.

use std::time::Instant;

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
