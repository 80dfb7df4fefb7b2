//! Faults at every message of a run, one at a time and in pairs.
//!
//! A [`Scenario`] runs on a replica that holds all messages back. They are delivered one by one,
//! oldest first, and a fault hits the one that the plan names. A first run without faults shows
//! which messages there are; then each gets every fault that fits it, and each run with one fault
//! shows the messages that a second can hit. After the faults comes recovery, which a fault may hit
//! as well, until a round of it was left in peace.

use std::time::Duration;

use candid::utils::ArgumentEncoder;
use candid::{CandidType, Principal, decode_one, encode_args, encode_one};
use ic_management_canister_types::{
    CanisterIdRecord, CanisterInstallMode, CanisterSettings, ChunkHash, EnvironmentVariable,
    InstallChunkedCodeArgs, InstallCodeArgs, ProvisionalCreateCanisterWithCyclesArgs,
    UninstallCodeArgs, UpdateSettingsArgs, UploadChunkArgs,
};
use local_replica::canister::{CHUNK_SIZE, Status};
use local_replica::hold::{Delivery, Kind, WaitingMessage};
use local_replica::message::IngressId;
use local_replica::{Config, IngressStatus, Replica};
use observe::lesson::Lesson;
use serde::de::DeserializeOwned;

use super::{folders, wasm};

/// What can befall a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// It is executed to its end, and traps there.
    Trap,
    /// The system rejects the request in place of the callee.
    Reject,
    /// The bounded-wait request, or the answer to one, gets lost.
    Lose,
    /// The receiver is told to stop before the message arrives. It is started again when recovery
    /// begins.
    Stop,
    /// The receiver is upgraded as it should be: before the message arrives it is told to stop, and
    /// when it has stopped it is upgraded and started.
    Upgrade,
    /// The receiver is upgraded before the message arrives, whatever it waits for. The answers that
    /// it waits for then meet code that never asked.
    UpgradeInFlight,
}

/// The faults that may happen to anybody. An upgrade in flight is a choice, and a bad one.
pub const FAULTS: &[Fault] = &[
    Fault::Trap,
    Fault::Reject,
    Fault::Lose,
    Fault::Stop,
    Fault::Upgrade,
];

/// The faults of one run, each with the number of the message that it hits, counted from 0.
pub type Plan = Vec<(usize, Fault)>;

/// What is tried under faults. `T` is what a run must remember, such as the ids of its accounts.
pub struct Scenario<T> {
    /// The lesson whose canisters it is about.
    pub lesson: &'static Lesson,
    /// Prepares a new deployment. No fault can hit this.
    pub prepare: fn(&mut World) -> T,
    /// The calls that it is about.
    pub act: fn(&mut World, &T),
    /// The calls that somebody makes to recover. Before each round of recovery, both canisters are
    /// started, and the clock moves ahead, so that timers run and lost calls end.
    pub recover: fn(&mut World, &T),
    /// Whether all is well in the end, and if not, what is wrong.
    pub check: fn(&mut World, &T) -> Result<(), String>,
}

/// A message that was delivered.
struct Delivered {
    message: WaitingMessage,
    /// Whether its receiver took calls then.
    was_running: bool,
}

impl Fault {
    /// Whether it can befall a message.
    fn fits(self, delivered: &Delivered) -> bool {
        let Delivered {
            message,
            was_running,
        } = delivered;
        match self {
            Fault::Trap => true,
            Fault::Reject => message.kind == Kind::Request,
            Fault::Lose => message.bounded_wait,
            Fault::Stop | Fault::Upgrade | Fault::UpgradeInFlight => *was_running,
        }
    }
}

/// Runs a scenario without faults, then with each that fits, and so on with up to `at_once` of them.
/// Returns how many runs that was.
///
/// # Panics
///
/// If all is not well at the end of one of them.
pub fn try_all<T>(scenario: &Scenario<T>, faults: &[Fault], at_once: usize) -> usize {
    let mut world = World::new(scenario.lesson);
    let mut runs = 0;
    let mut plans: Vec<Plan> = vec![Vec::new()];
    while let Some(plan) = plans.pop() {
        let delivered = run(scenario, &mut world, &plan);
        runs += 1;
        if plan.len() == at_once {
            continue;
        }
        let first = plan.last().map_or(0, |(last, _)| last + 1);
        for (number, delivered) in delivered.iter().enumerate().skip(first) {
            for fault in faults.iter().filter(|fault| fault.fits(delivered)) {
                let mut longer = plan.clone();
                longer.push((number, *fault));
                plans.push(longer);
            }
        }
    }
    runs
}

/// Runs a scenario on a new deployment. Returns the messages that were delivered.
fn run<T>(scenario: &Scenario<T>, world: &mut World, plan: &Plan) -> Vec<Delivered> {
    world.deploy();
    world.plan = plan.clone();
    let prepared = (scenario.prepare)(world);
    world.replica.hold_messages(true);
    (scenario.act)(world, &prepared);
    world.settle();
    let mut in_peace = false;
    while !in_peace {
        let (faults, upgrades) = (world.plan.len(), world.upgrading.len());
        world.start_all();
        world.pass_time();
        (scenario.recover)(world, &prepared);
        world.settle();
        let no_fault = world.plan.len() == faults;
        assert!(
            !no_fault || world.upgrading.is_empty(),
            "{plan:?}: an upgrade waits for ever"
        );
        in_peace = no_fault && upgrades == 0;
    }
    assert!(
        world.plan.is_empty(),
        "{plan:?} has faults that hit nothing"
    );
    if let Err(wrong) = (scenario.check)(world, &prepared) {
        panic!("with {plan:?}: {wrong}\n{}", world.story());
    }
    world.remove();
    std::mem::take(&mut world.delivered)
}

/// How many minutes pass before each round of recovery: more than the 300 seconds that a bounded-wait
/// call takes at most.
const MINUTES: u64 = 6;

/// More messages than any run needs.
const MANY: usize = 1000;

/// A module that is read and compiled once, for many runs: the replica compiles it again only when
/// no canister has it any more.
struct StoredModule {
    /// A canister that has it, and its chunks.
    keeper: Principal,
    chunks: Vec<ChunkHash>,
}

/// A caller and a callee on a replica, whose user controls them.
pub struct World {
    /// The caller.
    pub caller: Principal,
    /// The callee.
    pub callee: Principal,
    replica: Replica,
    /// What the caller knows the callee by.
    callee_name: String,
    /// The modules of the caller and the callee.
    modules: Vec<StoredModule>,
    /// The faults to come.
    plan: Plan,
    delivered: Vec<Delivered>,
    /// The canisters to be upgraded as soon as they have stopped.
    upgrading: Vec<Principal>,
}

impl World {
    fn new(lesson: &Lesson) -> Self {
        let nobody = Principal::management_canister();
        let modules = lesson.modules(&folders(wasm()));
        let callee = modules.callee.file_stem().expect("it is a file");
        let mut world = World {
            callee_name: callee.to_string_lossy().into_owned(),
            caller: nobody,
            callee: nobody,
            replica: Replica::new(Config {
                timeline_capacity: 0,
                ..Config::default()
            }),
            modules: Vec::new(),
            plan: Plan::new(),
            delivered: Vec::new(),
            upgrading: Vec::new(),
        };
        for file in [&modules.caller, &modules.callee] {
            let module = std::fs::read(file).expect("it is built");
            let stored = world.store(module);
            world.modules.push(stored);
        }
        world
    }

    /// Puts a module where many installations can have it from.
    fn store(&mut self, module: Vec<u8>) -> StoredModule {
        let keeper = self.create();
        let chunks = module.chunks(CHUNK_SIZE).map(|chunk| {
            let args = UploadChunkArgs {
                canister_id: keeper,
                chunk: chunk.to_vec(),
            };
            decode_one(&self.manage("upload_chunk", args)).expect("it is the hash")
        });
        let chunks = chunks.collect();
        let args = InstallCodeArgs {
            mode: CanisterInstallMode::Install,
            canister_id: keeper,
            wasm_module: module,
            arg: encode_args(()).expect("nothing can be encoded"),
            sender_canister_version: None,
        };
        self.manage("install_code", args);
        StoredModule { keeper, chunks }
    }

    /// Deploys a new caller and a new callee.
    fn deploy(&mut self) {
        self.caller = self.create();
        self.callee = self.create();
        let id = EnvironmentVariable {
            name: format!("PUBLIC_CANISTER_ID:{}", self.callee_name),
            value: self.callee.to_text(),
        };
        let settings = UpdateSettingsArgs {
            canister_id: self.caller,
            settings: CanisterSettings {
                environment_variables: Some(vec![id]),
                ..CanisterSettings::default()
            },
            sender_canister_version: None,
        };
        self.manage("update_settings", settings);
        self.install(self.callee, CanisterInstallMode::Install);
        self.install(self.caller, CanisterInstallMode::Install);
    }

    /// Removes both, so that no timer of it runs beside the next one.
    fn remove(&mut self) {
        for canister_id in [self.caller, self.callee] {
            let args = UninstallCodeArgs {
                canister_id,
                sender_canister_version: None,
            };
            self.manage("uninstall_code", args);
        }
        self.replica.hold_messages(false);
    }

    // ---- What scenarios do ---------------------------------------------------------------------

    /// Calls a method that replies with one value. Only to prepare: later, messages are held back.
    pub fn call<R: CandidType + DeserializeOwned>(
        &mut self,
        canister: Principal,
        method: &str,
        arguments: impl ArgumentEncoder,
    ) -> R {
        let argument = encode_args(arguments).expect("arguments can be encoded");
        let answer = self.replica.call(user(), canister, method, &argument);
        let reply = answer.expect("messages are not held back yet");
        decode_one(&reply.expect("it is replied to")).expect("the reply is of this type")
    }

    /// Sends a call, which waits with all other messages. A canister that does not run refuses it;
    /// there is another round of recovery then.
    pub fn send(&mut self, canister: Principal, method: &str, arguments: impl ArgumentEncoder) {
        let argument = encode_args(arguments).expect("arguments can be encoded");
        let sent = self.replica.submit(user(), canister, method, &argument);
        if let Err(reject) = sent {
            assert!(!self.is_running(canister), "{method}: {}", reject.message);
        }
    }

    /// Queries a method that returns one value.
    pub fn query<R: CandidType + DeserializeOwned>(
        &mut self,
        canister: Principal,
        method: &str,
        arguments: impl ArgumentEncoder,
    ) -> R {
        let argument = encode_args(arguments).expect("arguments can be encoded");
        let reply = self.replica.query(user(), canister, method, &argument);
        decode_one(&reply.expect("it is replied to")).expect("the reply is of this type")
    }

    // ---- Messages ------------------------------------------------------------------------------

    /// Delivers messages, oldest first, until none waits.
    fn settle(&mut self) {
        loop {
            // While messages are held back, a step only lets timers go that are due.
            self.replica.step();
            let waiting = self.replica.waiting_messages();
            let Some(message) = waiting.into_iter().find(|message| message.deliverable) else {
                return;
            };
            self.deliver(message);
            assert!(self.delivered.len() < MANY, "there is no end to it");
        }
    }

    /// Lets time pass as it does: a timer runs when it is due, and not many times at once.
    fn pass_time(&mut self) {
        for _ in 0..MINUTES {
            self.replica.advance_time(Duration::from_secs(60));
            self.settle();
        }
    }

    fn deliver(&mut self, message: WaitingMessage) {
        let fault = self
            .plan
            .first()
            .is_some_and(|(number, _)| *number == self.delivered.len());
        let fault = fault.then(|| self.plan.remove(0).1);
        let number = message.name;
        let receiver = message.to;
        self.delivered.push(Delivered {
            was_running: self.is_running(receiver),
            message,
        });
        match fault {
            Some(Fault::Stop) => self.stop(receiver),
            Some(Fault::Upgrade) => {
                self.stop(receiver);
                self.upgrading.push(receiver);
                self.upgrade_what_stopped();
            }
            Some(Fault::UpgradeInFlight) => self.upgrade(receiver),
            _ => {}
        }
        let how = match fault {
            Some(Fault::Trap) => Delivery::Trap,
            Some(Fault::Reject) => Delivery::Reject,
            Some(Fault::Lose) => Delivery::Lose,
            _ => Delivery::Normally,
        };
        let delivered = self.replica.deliver_message(number, how);
        delivered.expect("it may go next, and the fault fits it");
        self.upgrade_what_stopped();
    }

    /// What was delivered, for somebody who looks for the fault.
    fn story(&self) -> String {
        let lines = self
            .delivered
            .iter()
            .enumerate()
            .map(|(number, delivered)| {
                let WaitingMessage {
                    kind, to, method, ..
                } = &delivered.message;
                let to = if *to == self.caller {
                    "caller"
                } else {
                    "callee"
                };
                format!("{number}: {kind:?} {method} to the {to}\n")
            });
        lines.collect()
    }

    // ---- What a controller does ----------------------------------------------------------------

    fn create(&mut self) -> Principal {
        let args = ProvisionalCreateCanisterWithCyclesArgs::default();
        let reply = self.manage("provisional_create_canister_with_cycles", args);
        let created: CanisterIdRecord = decode_one(&reply).expect("it is the id");
        created.canister_id
    }

    fn install(&mut self, canister: Principal, mode: CanisterInstallMode) {
        let module = &self.modules[usize::from(canister == self.callee)];
        let keeper = self.replica.canister(&module.keeper);
        let code = keeper.and_then(|keeper| keeper.code.as_ref());
        let args = InstallChunkedCodeArgs {
            mode,
            target_canister: canister,
            store_canister: Some(module.keeper),
            chunk_hashes_list: module.chunks.clone(),
            wasm_module_hash: code.expect("it has code").module.hash.to_vec(),
            arg: encode_args(()).expect("nothing can be encoded"),
            sender_canister_version: None,
        };
        self.manage("install_chunked_code", args);
    }

    fn upgrade(&mut self, canister: Principal) {
        self.install(canister, CanisterInstallMode::Upgrade(None));
    }

    /// Upgrades and starts the canisters that were to be and have stopped.
    fn upgrade_what_stopped(&mut self) {
        for canister in self.upgrading.clone() {
            if matches!(self.status(canister), Status::Stopped) {
                self.upgrade(canister);
                self.start(canister);
                self.upgrading.retain(|other| *other != canister);
            }
        }
    }

    fn stop(&mut self, canister: Principal) {
        let args = CanisterIdRecord {
            canister_id: canister,
        };
        let argument = encode_one(args).expect("it can be encoded");
        self.deliver_management("stop_canister", &argument);
    }

    fn start(&mut self, canister: Principal) {
        let args = CanisterIdRecord {
            canister_id: canister,
        };
        self.manage("start_canister", args);
    }

    /// Starts what was stopped. What is stopping for an upgrade goes on doing so.
    fn start_all(&mut self) {
        for canister in [self.caller, self.callee] {
            if !self.upgrading.contains(&canister) {
                self.start(canister);
            }
        }
    }

    fn status(&self, canister: Principal) -> &Status {
        &self.replica.canister(&canister).expect("it exists").status
    }

    fn is_running(&self, canister: Principal) -> bool {
        matches!(self.status(canister), Status::Running)
    }

    /// Calls a method of the management canister that replies at once.
    fn manage(&mut self, method: &str, args: impl CandidType) -> Vec<u8> {
        let argument = encode_one(args).expect("it can be encoded");
        if !self.replica.holds_messages() {
            let management = Principal::management_canister();
            let answer = self.replica.call(user(), management, method, &argument);
            return answer.expect("it is answered").expect("it is replied to");
        }
        let sent = self.deliver_management(method, &argument);
        match self.replica.ingress_status(sent) {
            Some(IngressStatus::Answered(answer)) => answer.clone().expect("it is replied to"),
            _ => panic!("{method} was not answered"),
        }
    }

    /// Delivers a call of the management canister past everything that waits.
    fn deliver_management(&mut self, method: &str, argument: &[u8]) -> IngressId {
        let management = Principal::management_canister();
        let sent = self.replica.submit(user(), management, method, argument);
        let sent = sent.expect("the network takes it");
        let waiting = self.replica.waiting_messages();
        let is_it =
            |message: &&WaitingMessage| message.kind == Kind::Ingress && message.to == management;
        let message = waiting.iter().find(is_it).expect("it waits");
        let delivered = self
            .replica
            .deliver_message(message.name, Delivery::Normally);
        delivered.expect("it may go next");
        sent
    }
}

/// Who calls, and controls both.
fn user() -> Principal {
    Principal::anonymous()
}
