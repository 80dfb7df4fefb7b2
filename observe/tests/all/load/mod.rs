//! A thousand users' calls at once, over HTTP, to the program as it is: each call does its work
//! once and is answered, and what the program remembers of the calls is bounded.

mod server;

use std::fmt;
use std::time::{Duration, Instant};

use candid::{Principal, decode_one, encode_args};
use ic_agent::Agent;
use ic_agent::identity::BasicIdentity;
use observe::lessons::rollback::{Counters, LESSON};
use observe::network::Remote;
use observe::stage::Stage;
use tokio::runtime::Runtime;
use tokio::task::JoinSet;

use self::server::Server;
use crate::support::{folders, wasm};

const AGENTS: u8 = 20;
const CALLS: usize = 1000;

/// How many requests of one agent are open at the same time, each on a connection of its own: as
/// many as the files that a process may open by default, 1024 on Linux and 256 on macOS, have
/// room for. The agent keeps its other calls until one is answered.
const REQUESTS_OF_AN_AGENT: usize = if cfg!(target_os = "linux") { 45 } else { 10 };

/// By how much the program may grow, in MiB: with the first thousand calls, and with each later
/// thousand.
const GROWTH: u64 = 64;
const LATER_GROWTH: u64 = 16;

#[test]
fn a_thousand_concurrent_calls_are_each_executed_once_in_bounded_memory() {
    let server = Server::start();
    let network = Remote::at(server.url(), None, None).unwrap();
    let folders = folders(wasm());
    let modules = LESSON.modules(&folders);
    let mut stage = Stage::deploy(Box::new(network), folders, modules).unwrap();
    let runtime = Runtime::new().unwrap();
    let agents = runtime.block_on(agents(&server));

    let mut before = server.peak_memory();
    for (round, allowed) in [GROWTH, LATER_GROWTH, LATER_GROWTH].into_iter().enumerate() {
        let figures = runtime.block_on(call_at_once(&agents, stage.caller));
        println!("{figures}");
        let calls = (CALLS * (round + 1)) as u64;
        let expected = Counters {
            canister1: calls,
            canister2: calls,
            drops: 0,
        };
        assert_eq!(Counters::read(&mut stage).unwrap(), expected);

        let after = server.peak_memory();
        if let (Some(before), Some(after)) = (before, after) {
            println!("peak memory: {before} MiB before, {after} MiB after");
            assert!(after - before <= allowed, "{CALLS} calls more: {after} MiB");
        }
        before = after;
    }
}

/// Agents, each of a user of its own.
async fn agents(server: &Server) -> Vec<Agent> {
    let mut agents = Vec::new();
    for number in 0..AGENTS {
        let agent = Agent::builder()
            .with_url(server.url())
            .with_identity(BasicIdentity::from_raw_key(&[number; 32]))
            .with_max_concurrent_requests(REQUESTS_OF_AN_AGENT)
            .build()
            .unwrap();
        agent.fetch_root_key().await.unwrap();
        agents.push(agent);
    }
    agents
}

/// Begins all calls at once and waits for every answer.
async fn call_at_once(agents: &[Agent], canister1: Principal) -> Figures {
    let began = Instant::now();
    let mut calls = JoinSet::new();
    for agent in agents.iter().cycle().take(CALLS) {
        let agent = agent.clone();
        calls.spawn(async move {
            let began = Instant::now();
            let call = agent.update(&canister1, "increment_both");
            let reply = call.with_arg(encode_args(()).unwrap()).await.unwrap();
            let answer: Result<(), String> = decode_one(&reply).unwrap();
            (answer, began.elapsed())
        });
    }
    let mut latencies = Vec::new();
    for (answer, latency) in calls.join_all().await {
        assert_eq!(answer, Err("Failed to complete the operation.".to_owned()));
        latencies.push(latency);
    }
    latencies.sort();
    Figures {
        took: began.elapsed(),
        latencies,
    }
}

/// How long calls took.
struct Figures {
    /// All of them, together.
    took: Duration,
    /// Each, the shortest first.
    latencies: Vec<Duration>,
}

impl fmt::Display for Figures {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        let calls = self.latencies.len();
        let seconds = self.took.as_secs_f64();
        let percentile = |percent: usize| self.latencies[(calls - 1) * percent / 100].as_secs_f64();
        write!(
            f,
            "{calls} calls at once in {seconds:.2} s: {:.0} a second; \
             latency p50 {:.2} s, p90 {:.2} s, p99 {:.2} s",
            calls as f64 / seconds,
            percentile(50),
            percentile(90),
            percentile(99),
        )
    }
}
