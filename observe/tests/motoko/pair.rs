//! A caller and a callee, each in Rust or in Motoko, on a replica of their own.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use candid::utils::ArgumentEncoder;
use candid::{Nat, Principal};
use ic_management_canister_types::{
    CanisterIdRecord, CanisterInstallMode, CanisterSettings, EnvironmentVariable, InstallCodeArgs,
    ProvisionalCreateCanisterWithCyclesArgs, UpdateSettingsArgs,
};
use local_replica::message::CallResult;
use local_replica::timeline::{Ending, Event, Step};
use local_replica::{Config, Replica};

/// What a canister is written in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Language {
    Rust,
    Motoko,
}

impl Language {
    /// A canister's Wasm, built from source.
    pub fn module(self, canister: &str) -> Vec<u8> {
        let folder = match self {
            Language::Rust => rust_wasm(),
            Language::Motoko => motoko_wasm(),
        };
        fs::read(folder.join(canister).with_extension("wasm")).unwrap()
    }
}

/// The root of the project.
pub fn project() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn rust_wasm() -> &'static Path {
    static FOLDER: OnceLock<PathBuf> = OnceLock::new();
    FOLDER.get_or_init(|| {
        let target = project().join("target");
        let mut cargo = Command::new(env!("CARGO"));
        cargo
            .current_dir(project())
            .env_remove("CANISTER_ID_CANISTER2")
            .args(["build", "--locked", "--release", "--quiet"])
            .args(["--target", "wasm32-unknown-unknown"])
            .args(["-p", "canister1", "-p", "canister2", "--target-dir"])
            .arg(&target);
        succeed(&mut cargo);
        target.join("wasm32-unknown-unknown/release")
    })
}

fn motoko_wasm() -> &'static Path {
    static FOLDER: OnceLock<PathBuf> = OnceLock::new();
    FOLDER.get_or_init(|| {
        let mut script = Command::new(project().join("scripts/motoko.sh"));
        succeed(script.env_remove("CANISTER_ID_CANISTER2"));
        project().join("target/motoko")
    })
}

fn succeed(command: &mut Command) {
    let output = command.output().expect("it starts");
    assert!(
        output.status.success(),
        "{command:?}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
}

/// What the two canisters have counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    pub canister1: u64,
    pub canister2: u64,
    pub drops: u64,
}

/// canister1 and canister2.
pub struct Pair {
    pub replica: Replica,
    pub canister1: Principal,
    pub canister2: Principal,
}

/// What a call of canister1 did.
pub struct Story {
    /// By how much the counters grew.
    pub grown: Counters,
    /// What the caller got.
    pub answer: CallResult,
    /// Every execution and how it ended.
    pub steps: Vec<String>,
}

impl Pair {
    /// Deploys both, as `icp deploy` does: canister1 is told the id of canister2 before its code
    /// is installed.
    pub fn deploy(caller: Language, callee: Language) -> Self {
        let mut pair = Pair {
            replica: Replica::new(Config::default()),
            canister1: Principal::anonymous(),
            canister2: Principal::anonymous(),
        };
        pair.canister1 = pair.create();
        pair.canister2 = pair.create();
        pair.introduce(Some(&pair.canister2.to_text()));
        for (canister, module) in [
            (pair.canister2, callee.module("canister2")),
            (pair.canister1, caller.module("canister1")),
        ] {
            let mode = CanisterInstallMode::Install;
            pair.install(canister, module, mode).unwrap();
        }
        pair
    }

    /// Tells canister1 an id of canister2, or none.
    pub fn introduce(&mut self, id: Option<&str>) {
        let variables = id.map(|id| EnvironmentVariable {
            name: "PUBLIC_CANISTER_ID:canister2".to_owned(),
            value: id.to_owned(),
        });
        let args = UpdateSettingsArgs {
            canister_id: self.canister1,
            settings: CanisterSettings {
                environment_variables: Some(variables.into_iter().collect()),
                ..CanisterSettings::default()
            },
            sender_canister_version: None,
        };
        self.manage("update_settings", (args,)).unwrap();
    }

    /// Installs a module.
    pub fn install(
        &mut self,
        canister: Principal,
        wasm_module: Vec<u8>,
        mode: CanisterInstallMode,
    ) -> CallResult {
        let args = InstallCodeArgs {
            mode,
            canister_id: canister,
            wasm_module,
            arg: candid::encode_args(()).unwrap(),
            sender_canister_version: None,
        };
        self.manage("install_code", (args,))
    }

    /// Calls a method of the management canister.
    pub fn manage(&mut self, method: &str, arguments: impl ArgumentEncoder) -> CallResult {
        let arguments = candid::encode_args(arguments).unwrap();
        let management = Principal::management_canister();
        let user = Principal::anonymous();
        self.replica
            .call(user, management, method, &arguments)
            .expect("it is answered")
    }

    /// Calls a method of canister1 that takes nothing.
    pub fn call(&mut self, method: &str) -> CallResult {
        let nothing = candid::encode_args(()).unwrap();
        let user = Principal::anonymous();
        self.replica
            .call(user, self.canister1, method, &nothing)
            .expect("it is answered")
    }

    /// Calls a method of canister1, and sees what comes of it.
    pub fn story(&mut self, method: &str) -> Story {
        let before = self.counters();
        let first = self.replica.timeline().next_number();
        let answer = self.call(method);
        self.replica.run(100);
        let steps = self.replica.timeline().since(first);
        let steps = steps.map(|event| self.describe(event)).collect();
        let after = self.counters();
        Story {
            grown: Counters {
                canister1: after.canister1 - before.canister1,
                canister2: after.canister2 - before.canister2,
                drops: after.drops - before.drops,
            },
            answer,
            steps,
        }
    }

    /// What both have counted.
    pub fn counters(&mut self) -> Counters {
        Counters {
            canister1: self.read(self.canister1, "get"),
            canister2: self.read(self.canister2, "get"),
            drops: self.read(self.canister1, "get_drops"),
        }
    }

    fn create(&mut self) -> Principal {
        let args = ProvisionalCreateCanisterWithCyclesArgs::default();
        let method = "provisional_create_canister_with_cycles";
        let reply = self.manage(method, (args,)).unwrap();
        candid::decode_one::<CanisterIdRecord>(&reply)
            .unwrap()
            .canister_id
    }

    fn read(&mut self, canister: Principal, method: &str) -> u64 {
        let nothing = candid::encode_args(()).unwrap();
        let user = Principal::anonymous();
        let reply = self.replica.query(user, canister, method, &nothing);
        let counter: Nat = candid::decode_one(&reply.unwrap()).unwrap();
        u64::try_from(counter.0).unwrap()
    }

    fn describe(&self, event: &Event) -> String {
        let canister = match event.canister {
            id if id == self.canister1 => "canister1",
            id if id == self.canister2 => "canister2",
            _ => "nowhere",
        };
        let step = match &event.step {
            Step::Method { .. } => "method",
            Step::Callback { reject: None, .. } => "reply callback",
            Step::Callback { .. } => "reject callback",
            Step::Cleanup => "cleanup",
            Step::AnsweredBySystem(_) => return format!("{canister}: answered by the system"),
            other => panic!("not a part of a call: {other:?}"),
        };
        let ending = match event.ending {
            Ending::Committed => "kept",
            Ending::Undone(_) => "undone",
        };
        format!("{canister}: {step}, {ending}")
    }
}
