//! The network while somebody explores, and after.

use std::process::Command;

use tokio::io::AsyncReadExt;

use crate::harness::Project;
use crate::stream::{endless, send};

#[tokio::test]
async fn network_answers_while_it_is_explored_and_is_as_it_was_after() {
    let project = Project::bank().await;
    let canister1 = project.id("canister1");
    let argument = candid::encode_one(0_u64).unwrap();
    let balance = || {
        project
            .agent
            .query(&canister1, "balance")
            .with_arg(argument.clone())
    };
    let before = balance().await.unwrap();
    let body = endless(canister1).to_string();
    let mut exploring = send(&project, "explore", &body).await;
    // It goes on until nobody reads: progress comes, and calls are answered between.
    let mut lines = String::new();
    for _ in 0..3 {
        let mut some = [0; 4096];
        let length = exploring.read(&mut some).await.unwrap();
        assert!(length > 0, "it ended: {lines}");
        lines.push_str(&String::from_utf8_lossy(&some[..length]));
        assert_eq!(balance().await.unwrap(), before);
    }
    assert!(lines.contains("{\"progress\":{"), "{lines}");
    assert!(!lines.contains("{\"report\":"), "{lines}");
    let nothing = candid::encode_args(()).unwrap();
    let open = project.agent.update(&canister1, "open").with_arg(nothing);
    let (opened,): (Result<u64, String>,) = candid::decode_args(&open.await.unwrap()).unwrap();
    assert_eq!(opened, Ok(1), "account 0 is the only one so far");
    drop(exploring);

    // What was explored did not happen.
    assert_eq!(balance().await.unwrap(), before);
    let (status, _) = project.run(&[
        "explore",
        "--together",
        "canister1 withdraw_unguarded (0, 80)",
    ]);
    assert_eq!(status, 0);
    assert_eq!(balance().await.unwrap(), before);
}

#[tokio::test]
async fn who_goes_away_ends_the_exploration_and_more_than_two_wait_for_it() {
    let project = Project::bank().await;
    let body = endless(project.id("canister1")).to_string();
    let mut going_on = Vec::new();
    for _ in 0..2 {
        let mut exploring = send(&project, "explore", &body).await;
        let mut some = [0; 4096];
        assert!(exploring.read(&mut some).await.unwrap() > 0);
        going_on.push(exploring);
    }
    let call = ["explore", "--together", "canister1 balance (0)"];
    let error = project.refused(&call);
    assert_eq!(error, "2 explorations go on already; wait for one to end");
    drop(going_on);
    // Each notices after a while that nobody reads.
    while !project.command(&call).output().unwrap().status.success() {}
}

#[cfg(unix)]
#[tokio::test]
async fn program_that_is_told_to_stop_does_not_wait_for_an_exploration() {
    let mut project = Project::bank().await;
    let body = endless(project.id("canister1")).to_string();
    let mut exploring = send(&project, "explore", &body).await;
    let mut some = [0; 4096];
    assert!(exploring.read(&mut some).await.unwrap() > 0);
    let id = project.program.id().to_string();
    let told = Command::new("kill").args(["-INT", &id]).status().unwrap();
    assert!(told.success());
    assert!(project.program.wait().unwrap().success());
}
