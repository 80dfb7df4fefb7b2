//! `local-replica --state-dir`: what was answered is still so when the program starts anew, however
//! it ended. All through the real program, by `ic-agent`.

mod canister_snapshots;
mod compacting;
mod harness;
mod killing;
mod measuring;
mod refusing;
mod surviving;

#[path = "../support/agents.rs"]
mod agents;
#[path = "../support/canisters.rs"]
#[expect(dead_code, reason = "not all of them are needed here")]
mod canisters;
#[path = "../support/deploying.rs"]
mod deploying;
