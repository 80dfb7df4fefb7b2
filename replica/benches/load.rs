//! How many calls the program answers over HTTP, and what that costs both sides. The client is no
//! bottleneck: its calls are made and signed before, and it looks only at how an answer begins.
//!
//! A row is printed for each kind of load. Compare figures of one run only. `LOCAL_REPLICA` names another
//! build of the program to measure.

#![allow(missing_docs, reason = "it is a program")]

#[path = "support/building.rs"]
mod building;
#[path = "../tests/support/deploying.rs"]
mod deploying;
#[path = "support/wire.rs"]
mod wire;

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Instant;

use candid::{Principal, encode_one};
use ic_agent::identity::BasicIdentity;
use ic_agent::{Agent, Identity};
use ic_management_canister_types::{
    CanisterInstallMode, CanisterSettings, EnvironmentVariable,
    ProvisionalCreateCanisterWithCyclesArgs, UpdateSettingsArgs,
};

use deploying::{CREATE, MANAGEMENT, created, creation, installation};
use wire::{Connection, Prepared};

/// The calls of each row.
const CALLS: usize = 800;

/// As many connections have a call under way at the same time, where calls are concurrent.
const CONCURRENT: usize = 400;

/// How often a row is measured. The best counts, since others may use the machine.
const TIMES: usize = 2;

/// The clock of a process's processor time, in ticks a second: the same on every Linux.
const TICKS: f64 = 100.0;

/// The program with the pair of canisters on it.
struct Server {
    child: Child,
    address: String,
}

impl Server {
    fn start(state: Option<&Path>) -> Self {
        let other = std::env::var("LOCAL_REPLICA").ok();
        let program = other.unwrap_or_else(|| env!("CARGO_BIN_EXE_local-replica").to_owned());
        let mut command = Command::new(program);
        command.args(["--port", "0"]).stdout(Stdio::piped());
        if let Some(folder) = state {
            command.arg("--state-dir").arg(folder);
        }
        let mut child = command.spawn().expect("the program starts");
        let output = child.stdout.take().expect("it is piped");
        let mut greeting = String::new();
        BufReader::new(output)
            .read_line(&mut greeting)
            .expect("it says where it listens");
        let address = greeting.split("http://").nth(1).expect("an address");
        let address = address.split(". ").next().expect("an address").to_owned();
        Server { child, address }
    }

    async fn agent(&self, identity: Option<Box<dyn Identity>>) -> Agent {
        let mut builder = Agent::builder().with_url(format!("http://{}", self.address));
        if let Some(identity) = identity {
            builder = builder.with_identity(identity);
        }
        let agent = builder.build().expect("an agent");
        agent.fetch_root_key().await.expect("the root key");
        agent
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ended = self.child.kill();
        let _ended = self.child.wait();
    }
}

/// The processor time of a process so far, in seconds; none where the system does not tell.
fn processor_time(process: u32) -> Option<f64> {
    let stat = fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
    let mut fields = stat.rsplit_once(')')?.1.split_whitespace().skip(11);
    let mut ticks = || fields.next()?.parse::<f64>().ok();
    Some((ticks()? + ticks()?) / TICKS)
}

async fn manage(agent: &Agent, canister: Principal, method: &str, argument: Vec<u8>) -> Vec<u8> {
    let call = agent.update(&MANAGEMENT, method).with_arg(argument);
    let call = call.with_effective_canister_id(canister);
    call.await.expect("the management canister replies")
}

async fn deploy(agent: &Agent, wasm: &[u8]) -> Principal {
    let anywhere = Principal::from_text("rwlgt-iiaaa-aaaaa-aaaaa-cai").expect("a principal");
    // Enough for every call that is open at the same time.
    let args = ProvisionalCreateCanisterWithCyclesArgs {
        amount: Some(1_000_000_000_000_000_u64.into()),
        ..ProvisionalCreateCanisterWithCyclesArgs::default()
    };
    let canister = created(&manage(agent, anywhere, CREATE, creation(args)).await);
    let install = installation(canister, wasm, CanisterInstallMode::Install, b"DIDL\0\0");
    manage(agent, canister, "install_code", install).await;
    canister
}

/// The pair: the caller and the callee.
async fn pair(agent: &Agent) -> [Principal; 2] {
    let [caller, callee] = ["canister1", "canister2"].map(|name| building::wasm(name, name));
    let (caller, callee) = (deploy(agent, &caller).await, deploy(agent, &callee).await);
    let variable = EnvironmentVariable {
        name: "PUBLIC_CANISTER_ID:canister2".to_owned(),
        value: callee.to_text(),
    };
    let settings = CanisterSettings {
        environment_variables: Some(vec![variable]),
        ..CanisterSettings::default()
    };
    let args = UpdateSettingsArgs {
        canister_id: caller,
        settings,
        sender_canister_version: None,
    };
    let args = encode_one(args).expect("it can be encoded");
    manage(agent, caller, "update_settings", args).await;
    [caller, callee]
}

/// What is measured in a row.
struct Load {
    name: &'static str,
    canister: Principal,
    method: &'static str,
    connections: usize,
    /// Whether the answer is polled for, as older agents do.
    polls: bool,
}

/// Makes the calls of a row.
async fn measure(server: &Server, agent: &Agent, load: &Load) {
    let mut best: Option<[f64; 3]> = None;
    for _ in 0..TIMES {
        let figures = once(server, agent, load).await;
        if best.is_none_or(|best| figures[0] < best[0]) {
            best = Some(figures);
        }
    }
    let Some([seconds, server, client]) = best else {
        return;
    };
    println!(
        "{:44} {:7.0} calls/s   server {:6.3} ms, client {:6.3} ms of processor time a call",
        load.name,
        CALLS as f64 / seconds,
        server * 1000.0 / CALLS as f64,
        client * 1000.0 / CALLS as f64,
    );
}

/// The seconds that it took, and those of processor time of the server and of the client.
async fn once(server: &Server, agent: &Agent, load: &Load) -> [f64; 3] {
    let prepare = || {
        Prepared::new(
            &server.address,
            agent,
            load.canister,
            load.method,
            load.polls,
        )
    };
    let calls: Vec<Prepared> = (0..CALLS).map(|_| prepare()).collect();
    let mut connections = Vec::new();
    for _ in 0..load.connections {
        connections.push(Connection::open(&server.address).await);
    }
    let used = || [server.child.id(), std::process::id()].map(processor_time);
    let (before, began) = (used(), Instant::now());
    let mut calls = calls.into_iter();
    let share = CALLS / load.connections;
    let tasks: Vec<_> = connections
        .into_iter()
        .map(|mut connection| {
            let calls: Vec<Prepared> = calls.by_ref().take(share).collect();
            tokio::spawn(async move {
                for call in calls {
                    connection.make(&call).await;
                }
            })
        })
        .collect();
    for task in tasks {
        task.await.expect("all calls are answered");
    }
    let (seconds, after) = (began.elapsed().as_secs_f64(), used());
    let cost = |index: usize| Some(after[index]? - before[index]?);
    [
        seconds,
        cost(0).unwrap_or(f64::NAN),
        cost(1).unwrap_or(f64::NAN),
    ]
}

async fn measure_all(name: &str, state: Option<&Path>) {
    let server = Server::start(state);
    println!("{name}");
    let anonymous = server.agent(None).await;
    let [caller, callee] = pair(&anonymous).await;
    let signer = BasicIdentity::from_raw_key(&[7; 32]);
    let signed = server.agent(Some(Box::new(signer))).await;
    let one = |name, canister, method| Load {
        name,
        canister,
        method,
        connections: 1,
        polls: false,
    };
    let many = |name, polls| Load {
        name,
        canister: caller,
        method: "increment_both",
        connections: CONCURRENT,
        polls,
    };
    let rows = [
        (
            &anonymous,
            one("increment, one after the other", callee, "increment"),
        ),
        (
            &signed,
            one("increment, signed with Ed25519", callee, "increment"),
        ),
        (
            &anonymous,
            one(
                "increment_both, one after the other",
                caller,
                "increment_both",
            ),
        ),
        (&anonymous, many("increment_both, 400 at once", false)),
        (&signed, many("increment_both, 400 at once, signed", false)),
        (
            &anonymous,
            many("increment_both, 400 at once, polled for", true),
        ),
    ];
    for (agent, load) in &rows {
        measure(&server, agent, load).await;
    }
}

fn main() {
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("load");
    let _none = fs::remove_dir_all(&folder);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    runtime.block_on(async {
        measure_all("The state is forgotten at the end:", None).await;
        measure_all("With --state-dir:", Some(&folder)).await;
    });
    let _gone = fs::remove_dir_all(&folder);
}
