//! What the tests share: a replica that is checked after every step, and short ways to make
//! canisters, call them and read what came back.

use std::fmt::Write;
use std::time::Duration;

use candid::{CandidType, Nat, Principal};
use ic_management_canister_types::{
    CanisterIdRecord, CanisterInstallMode, CanisterSettings,
    ProvisionalCreateCanisterWithCyclesArgs,
};
use local_replica::canister::Canister;
use local_replica::limits::Limits;
use local_replica::message::{CallResult, ErrorCode, IngressId, Reject, RejectCode};
use local_replica::system_api::functions;
use local_replica::timeline::{Ending, Event, Step};
use local_replica::{Config, IngressStatus, Replica};

use proptest::test_runner::{RngAlgorithm, TestRng, TestRunner};

pub use crate::deploying::MANAGEMENT;
use crate::deploying::{CREATE, created, creation, installation};
use crate::puppet::{self, Script};

/// Who calls and controls, if nothing else is said.
pub const USER: Principal = Principal::from_slice(&[1, 2]);

/// Somebody else.
pub const STRANGER: Principal = Principal::from_slice(&[3, 4]);

/// One trillion cycles.
pub const T: u128 = 1_000_000_000_000;

/// The network's rules, with limits that a loop without end reaches soon. With the environment
/// variable `COMPARE_MEMORY`, memory is kept in the way of platforms that can't map it.
pub fn config() -> Config {
    Config {
        limits: Limits {
            message_instructions: 10_000_000,
            query_instructions: 5_000_000,
            install_instructions: 20_000_000,
            inspect_instructions: 1_000_000,
            ..Limits::default()
        },
        mapped_memory: std::env::var_os("COMPARE_MEMORY").is_none(),
        ..Config::default()
    }
}

/// The same, with room for so many open calls from one canister to another.
pub fn queue_of(queue_capacity: usize) -> Config {
    let Config { limits, .. } = config();
    Config {
        limits: Limits {
            queue_capacity,
            ..limits
        },
        ..config()
    }
}

/// A replica and what was agreed about it.
pub struct World {
    pub replica: Replica,
}

impl World {
    pub fn new() -> Self {
        World::with(config())
    }

    pub fn with(config: Config) -> Self {
        World {
            replica: Replica::new(config),
        }
    }

    /// A new empty canister with 100 T cycles.
    pub fn create(&mut self) -> Principal {
        self.create_with(100 * T, CanisterSettings::default())
    }

    pub fn create_with(&mut self, cycles: u128, settings: CanisterSettings) -> Principal {
        let args = ProvisionalCreateCanisterWithCyclesArgs {
            amount: Some(Nat::from(cycles)),
            settings: Some(settings),
            ..Default::default()
        };
        let reply = self.call(MANAGEMENT, CREATE, &creation(args));
        created(&reply.unwrap())
    }

    /// A new puppet.
    pub fn puppet(&mut self) -> Principal {
        self.puppet_with(&[], "")
    }

    /// A new puppet with hooks, and with more WAT in its module.
    pub fn puppet_with(&mut self, hooks: &[&str], more: &str) -> Principal {
        let id = self.create();
        self.install(id, &puppet::module(hooks, more), &[]).unwrap();
        id
    }

    /// A new canister of a module in WAT, which may use all imports by their names.
    pub fn canister(&mut self, wat: &str) -> Principal {
        let id = self.create();
        self.install(id, &module(wat), &[]).unwrap();
        id
    }

    pub fn install(&mut self, id: Principal, wasm: &[u8], arg: &[u8]) -> CallResult {
        self.deploy(CanisterInstallMode::Install, id, wasm, arg)
    }

    pub fn upgrade(&mut self, id: Principal, wasm: &[u8], arg: &[u8]) -> CallResult {
        self.deploy(CanisterInstallMode::Upgrade(None), id, wasm, arg)
    }

    pub fn deploy(
        &mut self,
        mode: CanisterInstallMode,
        canister_id: Principal,
        wasm: &[u8],
        arg: &[u8],
    ) -> CallResult {
        let args = installation(canister_id, wasm, mode, arg);
        self.call(MANAGEMENT, "install_code", &args)
    }

    /// A call of the management canister.
    pub fn manage<A: CandidType>(&mut self, method: &str, argument: &A) -> CallResult {
        self.manage_as(USER, method, argument)
    }

    pub fn manage_as<A: CandidType>(
        &mut self,
        sender: Principal,
        method: &str,
        argument: &A,
    ) -> CallResult {
        let argument = candid::encode_one(argument).unwrap();
        self.call_as(sender, MANAGEMENT, method, &argument)
    }

    /// A call of a management method that takes only a canister's id.
    pub fn command(&mut self, method: &str, canister_id: Principal) -> CallResult {
        self.manage(method, &CanisterIdRecord { canister_id })
    }

    pub fn settings(&mut self, canister_id: Principal, settings: CanisterSettings) -> CallResult {
        let args = ic_management_canister_types::UpdateSettingsArgs {
            canister_id,
            settings,
            sender_canister_version: None,
        };
        self.manage("update_settings", &args)
    }

    /// Sets a freezing threshold that binds about so many cycles.
    pub fn bind(&mut self, id: Principal, cycles: u128) {
        let seconds = self.seconds_that_cost(id, cycles);
        let settings = CanisterSettings {
            freezing_threshold: Some(Nat::from(seconds)),
            ..Default::default()
        };
        self.settings(id, settings).unwrap();
        assert!(self.state(id).freezing_limit().abs_diff(cycles) < cycles / 100);
    }

    /// Sees to it that a canister can spend exactly so many cycles, and has more.
    pub fn leave(&mut self, id: Principal, liquid: u128) {
        let settled = self.state(id).balance - liquid + T / 1000;
        let settings = CanisterSettings {
            freezing_threshold: Some(Nat::from(self.seconds_that_cost(id, settled))),
            ..Default::default()
        };
        self.settings(id, settings).unwrap();
        let canister = self.state(id);
        self.top_up(id, canister.freezing_limit() + liquid - canister.balance);
        assert_eq!(self.state(id).liquid_balance(), liquid);
    }

    /// How long so many cycles pay for what a canister stores.
    fn seconds_that_cost(&self, id: Principal, cycles: u128) -> u128 {
        const DAY: u128 = 24 * 60 * 60;
        cycles * DAY / self.state(id).idle_cost_per_day()
    }

    pub fn top_up(&mut self, canister_id: Principal, cycles: u128) {
        let args = ic_management_canister_types::ProvisionalTopUpCanisterArgs {
            canister_id,
            amount: Nat::from(cycles),
        };
        self.manage("provisional_top_up_canister", &args).unwrap();
    }

    pub fn call(&mut self, id: Principal, method: &str, argument: &[u8]) -> CallResult {
        self.call_as(USER, id, method, argument)
    }

    pub fn call_as(
        &mut self,
        sender: Principal,
        id: Principal,
        method: &str,
        argument: &[u8],
    ) -> CallResult {
        let id = self.replica.submit(sender, id, method, argument)?;
        while self.answer(id).is_none() {
            assert!(self.step(), "the call is never answered");
        }
        self.answer(id).unwrap()
    }

    /// Has a puppet run a script in an update.
    pub fn run(&mut self, id: Principal, script: Script) -> CallResult {
        self.call(id, "run", &script.0)
    }

    /// Submits a script for a puppet and delivers nothing.
    pub fn submit(&mut self, id: Principal, script: Script) -> IngressId {
        self.replica.submit(USER, id, "run", &script.0).unwrap()
    }

    /// Has a puppet run a script in a query.
    pub fn ask(&mut self, id: Principal, script: Script) -> CallResult {
        self.query(id, "ask", &script.0)
    }

    pub fn query(&mut self, id: Principal, method: &str, argument: &[u8]) -> CallResult {
        let result = self.replica.query(USER, id, method, argument);
        self.check();
        result
    }

    /// A cell of a puppet.
    pub fn cell(&mut self, id: Principal, cell: u8) -> u64 {
        number(&self.ask(id, puppet::script().reply_cell(cell)).unwrap())
    }

    pub fn step(&mut self) -> bool {
        let went = self.replica.step();
        self.check();
        went
    }

    /// Delivers everything that can be delivered.
    pub fn settle(&mut self) {
        while self.step() {}
    }

    pub fn advance(&mut self, seconds: u64) {
        self.replica.advance_time(Duration::from_secs(seconds));
        self.check();
    }

    fn check(&self) {
        let cycles = self.replica.cycles();
        assert!(cycles.is_balanced(), "{cycles:?}");
    }

    pub fn answer(&self, id: IngressId) -> Option<CallResult> {
        match self.replica.ingress_status(id) {
            Some(IngressStatus::Answered(result)) => Some(result.clone()),
            _ => None,
        }
    }

    pub fn state(&self, id: Principal) -> &Canister {
        self.replica.canister(&id).unwrap()
    }

    pub fn log(&self, id: Principal) -> Vec<String> {
        let lines = self.state(id).log.records();
        lines
            .map(|line| String::from_utf8(line.content.clone()).unwrap())
            .collect()
    }

    /// The last event of the timeline.
    pub fn last_event(&self) -> Event {
        self.replica.timeline().since(0).last().unwrap().clone()
    }

    /// The steps of a canister, and whether each was kept.
    pub fn steps(&self, id: Principal) -> Vec<(Step, bool)> {
        let events = self.replica.timeline().since(0);
        events
            .filter(|event| event.canister == id)
            .map(|event| (event.step.clone(), event.ending == Ending::Committed))
            .collect()
    }
}

/// The imports of all functions of the System API, each under its own name.
pub fn imports(memory64: bool) -> String {
    let mut text = String::new();
    for function in functions().iter().filter(|f| f.in_memory64 || !memory64) {
        text += &import(function, memory64);
    }
    text
}

/// The import of one function.
pub fn import(
    function: &local_replica::wasm::HostFunction<local_replica::system_api::SystemApi>,
    memory64: bool,
) -> String {
    let wide = |ty: local_replica::wasm::ValueType| match ty.is_64_bit(memory64) {
        true => "i64",
        false => "i32",
    };
    let name = function.name;
    let mut text = format!("(import \"ic0\" \"{name}\" (func ${name}");
    for parameter in function.parameters {
        write!(text, " (param {})", wide(*parameter)).unwrap();
    }
    if let Some(result) = function.result {
        write!(text, " (result {})", wide(result)).unwrap();
    }
    text + "))\n"
}

/// A module of what is written in `wat`, with all imports and a way to reply with a number.
pub fn module(wat: &str) -> Vec<u8> {
    let text = format!(
        "(module {}
           (func $reply_number (param $n i64)
             (i64.store (i32.const 8) (local.get $n))
             (call $msg_reply_data_append (i32.const 8) (i32.const 8)) (call $msg_reply))
           {wat})",
        imports(false)
    );
    wat::parse_str(&text).unwrap_or_else(|error| panic!("{error}"))
}

/// The number in a reply.
#[track_caller]
pub fn number(reply: &[u8]) -> u64 {
    u64::from_le_bytes(reply.try_into().expect("a reply of eight bytes"))
}

/// The numbers in a reply.
#[track_caller]
pub fn numbers(reply: &[u8]) -> Vec<u64> {
    assert_eq!(reply.len() % 8, 0, "{reply:?}");
    reply.chunks(8).map(number).collect()
}

/// The reject that a puppet saw in its callback and told in its reply.
#[track_caller]
pub fn rejected(result: CallResult) -> (u64, String) {
    let reply = result.unwrap();
    let (code, message) = reply.split_at(8);
    (number(code), String::from_utf8(message.to_vec()).unwrap())
}

/// Holds a result to be a reject of this class, with this error.
#[track_caller]
pub fn expect_reject(result: CallResult, code: RejectCode, error: ErrorCode) -> Reject {
    let reject = result.expect_err("a reject");
    assert_eq!((reject.code, reject.error_code), (code, error), "{reject}");
    reject
}

/// Runs property tests with the same random numbers every time.
pub fn runner(cases: u32) -> TestRunner {
    let config = proptest::test_runner::Config {
        cases,
        failure_persistence: None,
        ..Default::default()
    };
    TestRunner::new_with_rng(config, TestRng::deterministic_rng(RngAlgorithm::ChaCha))
}
