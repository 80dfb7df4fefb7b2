//! What the tests share: the program as a network, canisters on it with their interfaces, a project's
//! folder with their names, and the commands.

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};

use candid::{Principal, encode_one};
use ic_agent::Agent;
use ic_management_canister_types::{
    CanisterInstallMode, CanisterSettings, EnvironmentVariable,
    ProvisionalCreateCanisterWithCyclesArgs, UpdateSettingsArgs,
};
use serde_json::{Value, json};
use wasm_encoder::{CustomSection, Section};

use crate::deploying::{CREATE, MANAGEMENT, created, creation, installation};

/// The workspace.
pub fn workspace() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// Where cargo builds.
pub fn target() -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join("..")
}

/// A file of the project.
pub fn text(path: &str) -> String {
    fs::read_to_string(workspace().join(path)).unwrap()
}

/// A module with its interface in its metadata, as `icp` and `dfx` build them.
pub fn with_interface(mut wasm: Vec<u8>, interface: &str) -> Vec<u8> {
    let section = CustomSection {
        name: "icp:public candid:service".into(),
        data: interface.as_bytes().into(),
    };
    section.append_to(&mut wasm);
    wasm
}

/// A lesson's caller and callee, built. `room` is its folder: `03-interleaving`.
fn lesson(room: &str) -> [Vec<u8>; 2] {
    static BUILT: OnceLock<()> = OnceLock::new();
    BUILT.get_or_init(|| {
        let status = Command::new(env!("CARGO"))
            .current_dir(workspace())
            .args(["build", "--locked", "--quiet", "--release"])
            .args(["--target", "wasm32-unknown-unknown", "-p", "lessons"])
            .arg("--target-dir")
            .arg(target())
            .status()
            .unwrap();
        assert!(status.success(), "the canisters can't be built");
    });
    ["caller", "callee"].map(|name| {
        let wasm = format!("wasm32-unknown-unknown/release/{}_{name}.wasm", &room[3..]);
        let interface = text(&format!("lessons/{room}/{name}.did"));
        with_interface(fs::read(target().join(wasm)).unwrap(), &interface)
    })
}

/// A local replica that runs, and a project's folder whose canisters are deployed on it.
pub struct Project {
    pub folder: PathBuf,
    pub url: String,
    pub agent: Agent,
    pub program: Child,
}

impl Project {
    /// A project in which nothing is deployed.
    pub async fn new() -> Self {
        Project::with(&[]).await
    }

    /// The same, with more arguments for the network.
    pub async fn with(arguments: &[&str]) -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let name = format!("command-{}-{number}", std::process::id());
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
        fs::create_dir_all(&folder).unwrap();
        fs::write(folder.join("icp.yaml"), "canisters: []\n").unwrap();
        let mut program = Command::new(env!("CARGO_BIN_EXE_local-replica"))
            .args(["--port", "0"])
            .args(arguments)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(program.stdout.take().unwrap())
            .read_line(&mut line)
            .unwrap();
        let (_, rest) = line.split_once("listens at ").unwrap();
        let (url, _) = rest.split_once(". ").unwrap();
        let agent = Agent::builder().with_url(url).build().unwrap();
        agent.fetch_root_key().await.unwrap();
        Project {
            folder,
            url: url.to_owned(),
            agent,
            program,
        }
    }

    /// A project with the canisters of the lesson `interleaving`: canister1 has account 0 with 100,
    /// and canister2 pays.
    pub async fn bank() -> Self {
        let project = Project::lesson("03-interleaving").await;
        let nothing = candid::encode_args(()).unwrap();
        let canister1 = project.id("canister1");
        let open = project.agent.update(&canister1, "open").with_arg(nothing);
        open.await.unwrap();
        project
    }

    /// A project with a lesson's caller and callee, as canister1 and canister2.
    pub async fn lesson(room: &str) -> Self {
        let project = Project::new().await;
        let [caller, callee] = lesson(room);
        let canister1 = project.create().await;
        let canister2 = project.create().await;
        project
            .set_variable(
                canister1,
                &format!("PUBLIC_CANISTER_ID:{}_callee", &room[3..]),
                canister2,
            )
            .await;
        project.install(canister2, &callee).await;
        project.install(canister1, &caller).await;
        project.name(&json!({
            "canister1": canister1.to_text(),
            "canister2": canister2.to_text(),
        }));
        project
    }

    /// Writes the names of canisters down, as `icp deploy` does.
    pub fn name(&self, names: &Value) {
        let mappings = self.folder.join(".icp/cache/mappings");
        fs::create_dir_all(&mappings).unwrap();
        fs::write(mappings.join("local.ids.json"), names.to_string()).unwrap();
    }

    /// The id of a canister.
    pub fn id(&self, name: &str) -> Principal {
        let file = self.folder.join(".icp/cache/mappings/local.ids.json");
        let names: Value = serde_json::from_str(&fs::read_to_string(file).unwrap()).unwrap();
        Principal::from_text(names[name].as_str().unwrap()).unwrap()
    }

    pub async fn create(&self) -> Principal {
        let first = Principal::from_text("rwlgt-iiaaa-aaaaa-aaaaa-cai").unwrap();
        let create = self
            .agent
            .update(&MANAGEMENT, CREATE)
            .with_effective_canister_id(first)
            .with_arg(creation(ProvisionalCreateCanisterWithCyclesArgs::default()));
        created(&create.await.unwrap())
    }

    pub async fn install(&self, canister: Principal, wasm: &[u8]) {
        let mode = CanisterInstallMode::Install;
        self.agent
            .update(&MANAGEMENT, "install_code")
            .with_effective_canister_id(canister)
            .with_arg(installation(canister, wasm, mode, b"DIDL\0\0"))
            .await
            .unwrap();
    }

    async fn set_variable(&self, canister_id: Principal, name: &str, value: Principal) {
        let args = UpdateSettingsArgs {
            canister_id,
            settings: CanisterSettings {
                environment_variables: Some(vec![EnvironmentVariable {
                    name: name.to_owned(),
                    value: value.to_text(),
                }]),
                ..CanisterSettings::default()
            },
            sender_canister_version: None,
        };
        self.agent
            .update(&MANAGEMENT, "update_settings")
            .with_effective_canister_id(canister_id)
            .with_arg(encode_one(args).unwrap())
            .await
            .unwrap();
    }

    /// A command in the project's folder, not started yet.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_local-replica"));
        command
            .current_dir(&self.folder)
            .args(arguments)
            .args(["--network", &self.url]);
        command
    }

    /// A command's exit status and what it prints.
    pub fn run(&self, arguments: &[&str]) -> (i32, String) {
        let output = self.command(arguments).output().unwrap();
        assert_eq!(printed(&output.stderr), "");
        (output.status.code().unwrap(), printed(&output.stdout))
    }

    /// What a command says that can't be done: one line.
    #[track_caller]
    pub fn refused(&self, arguments: &[&str]) -> String {
        refusal(&self.command(arguments).output().unwrap())
    }

    /// What `explore` finds, as JSON.
    pub fn found(&self, arguments: &[&str]) -> Value {
        let arguments = [&["explore", "--json"], arguments].concat();
        let (_, printed) = self.run(&arguments);
        serde_json::from_str(&printed).unwrap_or_else(|error| panic!("{error}: {printed}"))
    }

    /// Writes a file into the folder.
    pub fn write(&self, file: &str, text: &str) {
        fs::write(self.folder.join(file), text).unwrap();
    }

    pub fn read(&self, file: &str) -> String {
        fs::read_to_string(self.folder.join(file)).unwrap()
    }
}

impl Drop for Project {
    fn drop(&mut self) {
        let _ended = self.program.kill();
        let _ended = self.program.wait();
        let _gone = fs::remove_dir_all(&self.folder);
    }
}

pub fn printed(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

/// The one line that says why a command could not be done.
#[track_caller]
pub fn refusal(output: &Output) -> String {
    let error = printed(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{error}");
    assert_eq!(printed(&output.stdout), "");
    assert_eq!(error.lines().count(), 1, "{error}");
    let error = error.trim_end().strip_prefix("error: ");
    error.expect("it begins with error:").to_owned()
}
