//! Many calls at the same time: each is executed once, and none is lost.

use std::collections::BTreeSet;
use std::sync::mpsc;
use std::time::Instant;

use ic_agent::{Agent, Identity};
use local_replica::owner::Node;
use tokio::task::JoinSet;

use crate::harness::{Network, add, counter, get};
use crate::identities::{ed25519, p256, secp256k1};

const AGENTS: u8 = 6;
const CALLS: u64 = 300;

fn identity(number: u8) -> Box<dyn Identity> {
    match number % 3 {
        0 => Box::new(ed25519(number + 10)),
        1 => Box::new(secp256k1(number + 10)),
        _ => Box::new(p256(number + 10)),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn calls_of_many_agents_at_once_are_each_executed_once() {
    let network = Network::start().await;
    let user = network.user().await;
    let counter = counter(&user).await;
    let mut agents: Vec<Agent> = Vec::new();
    for number in 0..AGENTS {
        agents.push(network.agent(identity(number)).await);
    }
    let began = Instant::now();
    let mut calls = JoinSet::new();
    for (_, agent) in (0..CALLS).zip(agents.iter().cycle()) {
        let agent = agent.clone();
        calls.spawn(async move { add(&agent, counter).await });
    }
    let answers: BTreeSet<u64> = calls.join_all().await.into_iter().collect();
    let seconds = began.elapsed().as_secs_f64();
    println!(
        "{CALLS} calls in {seconds:.2} s: {:.0} a second",
        CALLS as f64 / seconds
    );
    // Every number once: each call saw its own moment.
    assert_eq!(answers, (1..=CALLS).collect());
    assert_eq!(get(&user, counter).await, CALLS);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn queries_are_answered_while_calls_are_made() {
    let network = Network::start().await;
    let user = network.user().await;
    let counter = counter(&user).await;
    let mut calls = JoinSet::new();
    for _ in 0..50 {
        let agent = user.clone();
        calls.spawn(async move { add(&agent, counter).await });
    }
    let mut seen = Vec::new();
    while seen.last() != Some(&50) {
        seen.push(get(&user, counter).await);
    }
    assert!(seen.is_sorted(), "{seen:?}");
    calls.join_all().await;
}

#[tokio::test]
async fn status_is_answered_while_the_replica_is_busy() {
    let network = Network::start().await;
    let (begin, begun) = tokio::sync::oneshot::channel();
    let (end, ended) = mpsc::channel::<()>();
    let owner = network.owner.clone();
    let long = tokio::spawn(async move {
        let work = move |_: &mut Node| {
            begin.send(()).unwrap();
            // An error: the other end was dropped.
            ended.recv().unwrap_err();
        };
        owner.with(work).await.unwrap();
    });
    begun.await.unwrap();
    network.check().await;
    drop(end);
    long.await.unwrap();
}
