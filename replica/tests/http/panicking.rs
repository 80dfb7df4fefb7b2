//! A message that makes the program panic is rejected, and everything else goes on.

use std::path::PathBuf;
use std::time::Duration;

use candid::Principal;
use ic_agent::Agent;
use local_replica::message::{CallResult, Cycles};
use local_replica::owner::Handle;
use local_replica::state_folder::StateFolder;
use local_replica::{Config, NativeCanister, Replica};

use crate::harness::{Network, add, certified, counter, get, install, replica};

/// Fails over everything that it is asked.
#[derive(Clone)]
struct Fragile;

impl NativeCanister for Fragile {
    fn call(
        &mut self,
        _: &mut Replica,
        _: Principal,
        method: &str,
        _: &[u8],
        _: &mut Cycles,
    ) -> CallResult {
        panic!("this test wants it so: {method}");
    }

    fn is_query(&self, method: &str) -> bool {
        method == "look"
    }

    fn cycles(&self) -> Cycles {
        0
    }

    fn save(&self) -> Vec<u8> {
        Vec::new()
    }

    fn restore(&mut self, _: &[u8]) -> Result<(), String> {
        Ok(())
    }

    fn fork(&self) -> Box<dyn NativeCanister> {
        Box::new(self.clone())
    }
}

fn fragile() -> Principal {
    Principal::from_slice(&[0, 0, 0, 0, 0, 0, 0, 99, 1, 1])
}

/// Calls the fragile canister, and replies with the reject's text; counts that.
const CALLER: &str = r#"
(module
  (import "ic0" "msg_reply" (func $reply))
  (import "ic0" "msg_reply_data_append" (func $append (param i32 i32)))
  (import "ic0" "msg_reject_msg_size" (func $size (result i32)))
  (import "ic0" "msg_reject_msg_copy" (func $copy (param i32 i32 i32)))
  (import "ic0" "call_new" (func $call_new (param i32 i32 i32 i32 i32 i32 i32 i32)))
  (import "ic0" "call_perform" (func $call_perform (result i32)))
  (memory 1)
  (table 1 funcref)
  (elem (i32.const 0) $rejected)
  (data (i32.const 0) "\00\00\00\00\00\00\00\63\01\01work")
  (func $rejected (param i32)
    (call $copy (i32.const 100) (i32.const 0) (call $size))
    (call $append (i32.const 100) (call $size))
    (call $reply))
  (func (export "canister_update call")
    (call $call_new
      (i32.const 0) (i32.const 10) (i32.const 10) (i32.const 4)
      (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0))
    (drop (call $call_perform))))
"#;

fn with_fragile() -> Replica {
    let mut replica = replica(Config::default());
    replica.add_native(fragile(), Box::new(Fragile));
    replica
}

async fn network(own: impl FnOnce(Replica) -> Handle) -> Network {
    Network::of(with_fragile(), own).await
}

/// Has the program panic, again and again. What others do counts each time.
async fn goes_on(agent: &Agent, counter: Principal, first: u64) {
    let caller = install(agent, CALLER).await;
    for sum in first..first + 3 {
        let reject = certified(agent.update(&fragile(), "work").await);
        assert_eq!(reject.error_code.as_deref(), Some("IC0502"));
        let text = "the local replica itself failed (it panicked)";
        assert!(reject.reject_message.contains(text), "{reject:?}");
        let seen = agent.update(&caller, "call").await.unwrap();
        let seen = String::from_utf8(seen).unwrap();
        assert!(seen.contains(text), "{seen}");
        assert_eq!(add(agent, counter).await, sum);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn message_that_makes_the_program_panic_is_rejected_and_the_rest_goes_on() {
    let network = network(|replica| Handle::start(replica).unwrap()).await;
    let agent = network.user().await;
    let counter = counter(&agent).await;
    goes_on(&agent, counter, 1).await;
    let account = network.owner.with(|node| node.replica.cycles()).await;
    assert!(account.unwrap().is_balanced());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn query_that_makes_the_program_panic_fails_and_the_rest_goes_on() {
    let network = network(|replica| Handle::start(replica).unwrap()).await;
    let agent = network.user().await;
    let counter = counter(&agent).await;
    for sum in 1..4 {
        let failure = agent.query(&fragile(), "look").await.unwrap_err();
        assert!(failure.to_string().contains("500"), "{failure}");
        assert_eq!(add(&agent, counter).await, sum);
        assert_eq!(get(&agent, counter).await, sum);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn panic_does_not_come_back_at_the_next_start() {
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("http-panicking");
    let _gone = std::fs::remove_dir_all(&folder);
    let open = async || loop {
        // The one before needs a moment to end.
        match StateFolder::open(&folder, &Config::default()) {
            Ok(opened) => return opened,
            Err(error) => assert!(error.contains("is in use"), "{error}"),
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    };
    let mut counters = Vec::new();
    for round in 0..3 {
        let opened = open().await;
        let network = network(|replica| Handle::resume(replica, opened).unwrap().0).await;
        let agent = network.user().await;
        if round == 0 {
            counters.push(counter(&agent).await);
        }
        assert_eq!(get(&agent, counters[0]).await, 3 * round);
        goes_on(&agent, counters[0], 3 * round + 1).await;
    }
    std::fs::remove_dir_all(&folder).unwrap();
}
