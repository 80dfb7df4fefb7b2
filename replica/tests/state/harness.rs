//! What the tests share: the program as a child process, agents for it, and canisters on it.

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};

use candid::utils::ArgumentEncoder;
use candid::{CandidType, Principal, encode_args, encode_one};
use ic_agent::Agent;
use ic_agent::agent::CallResponse;
use ic_agent::agent::signed::SignedUpdate;
use ic_agent::identity::AnonymousIdentity;
use serde::de::DeserializeOwned;
use serde_json::Value;

pub use crate::agents::{add, get, install, number};
pub use crate::deploying::MANAGEMENT;

/// A folder for a state, empty at first, and gone at the end.
pub struct Folder(PathBuf);

impl Folder {
    pub fn new(test: &str) -> Self {
        let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("state-{test}"));
        if path.exists() {
            fs::remove_dir_all(&path).unwrap();
        }
        Folder(path)
    }

    pub fn path(&self) -> &Path {
        &self.0
    }

    /// The journal that is written.
    pub fn journal(&self) -> PathBuf {
        let last = self.numbers("journal").pop().unwrap_or(0);
        self.0.join(format!("local-replica.{last}.journal"))
    }

    /// Whether the journal ends with its first frame, in which no records are.
    pub fn has_no_records(&self) -> bool {
        let Ok(bytes) = fs::read(self.journal()) else {
            return false;
        };
        let line = bytes.iter().position(|byte| *byte == b'\n');
        let Some(head) = line.and_then(|end| bytes.get(end + 1..end + 13)) else {
            return false;
        };
        let content = u32::from_le_bytes(head[4..8].try_into().unwrap()) as usize;
        line.map(|end| end + 13 + content) == Some(bytes.len())
    }

    /// The snapshot with the highest number.
    pub fn snapshot(&self) -> PathBuf {
        let last = self.numbers("snapshot").pop().unwrap();
        self.0.join(format!("local-replica.{last}.snapshot"))
    }

    /// The numbers of the files with this ending, in their order.
    pub fn numbers(&self, ending: &str) -> Vec<u64> {
        let names = fs::read_dir(&self.0).into_iter().flatten();
        let names = names.map(|entry| entry.unwrap().file_name().into_string().unwrap());
        let mut numbers: Vec<u64> = names
            .filter_map(|name| {
                let rest = name.strip_prefix("local-replica.")?;
                rest.strip_suffix(ending)?.strip_suffix('.')?.parse().ok()
            })
            .collect();
        numbers.sort_unstable();
        numbers
    }

    /// All its files, with what they contain.
    pub fn files(&self) -> BTreeMap<String, Vec<u8>> {
        let files = fs::read_dir(&self.0).unwrap().map(|entry| {
            let entry = entry.unwrap();
            let name = entry.file_name().into_string().unwrap();
            (name, fs::read(entry.path()).unwrap())
        });
        files.collect()
    }

    pub fn size(&self) -> u64 {
        fs::metadata(self.journal()).unwrap().len()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _gone = fs::remove_dir_all(&self.0);
    }
}

/// The program, not started yet.
pub fn program() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_local-replica"));
    command.args(["--port", "0"]);
    command
}

/// The program with its state in a folder, not started yet.
pub fn program_in(folder: &Folder) -> Command {
    let mut command = program();
    command.arg("--state-dir").arg(folder.path());
    command
}

/// The program with its state in a folder, which compacts it again and again; not started yet.
pub fn compacting_in(folder: &Folder) -> Command {
    let mut command = program_in(folder);
    command.args(["--compact-after", "0"]);
    command
}

/// How the program ended that could not start: its exit status, and what it said.
pub fn refusal(mut command: Command) -> (Option<i32>, String) {
    let output = command.output().unwrap();
    assert_eq!(String::from_utf8(output.stdout).unwrap(), "");
    (
        output.status.code(),
        String::from_utf8(output.stderr).unwrap(),
    )
}

/// The program at work, until it is dropped.
pub struct Running {
    child: Child,
    address: String,
    /// What it said at its start.
    pub greeting: String,
}

impl Running {
    pub fn start(mut command: Command) -> Self {
        let mut child = command
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap());
        let mut greeting = String::new();
        while !greeting.contains("With icp:") {
            let read = lines.read_line(&mut greeting).unwrap();
            if read == 0 {
                let mut error = String::new();
                let mut errors = child.stderr.take().unwrap();
                errors.read_to_string(&mut error).unwrap();
                panic!("it did not start: {error}");
            }
        }
        let address = greeting.split_once("http://").unwrap().1;
        let address = address.split_once(". ").unwrap().0.to_owned();
        Running {
            child,
            address,
            greeting,
        }
    }

    pub fn in_folder(folder: &Folder) -> Self {
        Running::start(program_in(folder))
    }

    /// `kill -9`. Returns what it had said on stderr.
    pub fn kill(mut self) -> String {
        self.child.kill().unwrap();
        self.end().1
    }

    /// Asks it to stop, as Ctrl-C and `kill` do.
    pub fn stop(self) {
        let kill = Command::new("kill")
            .arg(self.child.id().to_string())
            .status();
        assert!(kill.unwrap().success());
        let (status, error) = self.end();
        assert!(status.success(), "{status}: {error}");
    }

    /// Waits until it has ended. Returns how, and what it had said on stderr.
    pub fn end(mut self) -> (ExitStatus, String) {
        let mut error = String::new();
        let mut errors = self.child.stderr.take().unwrap();
        errors.read_to_string(&mut error).unwrap();
        (self.child.wait().unwrap(), error)
    }

    /// An agent that checks everything that agents can check.
    pub async fn agent(&self) -> Agent {
        let agent = Agent::builder()
            .with_url(format!("http://{}", self.address))
            .with_identity(AnonymousIdentity)
            .build()
            .unwrap();
        agent.fetch_root_key().await.unwrap();
        agent
    }

    /// Asks for what only a local replica has.
    pub fn control(&self, method: &str, path: &str, body: &Value) -> Value {
        let path = format!("/local-replica/{path}");
        let answer = self.request(method, &path, body.to_string().as_bytes());
        let answer = answer.unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        assert!(head.starts_with("HTTP/1.1 200"), "{answer}");
        serde_json::from_str(body).unwrap()
    }

    /// Sends a request, and returns the whole answer.
    pub fn request(&self, method: &str, path: &str, body: &[u8]) -> io::Result<String> {
        let mut stream = TcpStream::connect(&self.address)?;
        let head = format!(
            "{method} {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\
             content-length: {}\r\n\r\n",
            body.len()
        );
        stream.write_all(&[head.as_bytes(), body].concat())?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        Ok(answer)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended.
        let _gone = self.child.kill();
        let _gone = self.child.wait();
    }
}

/// The reply to an update with these arguments.
pub async fn update<T: CandidType + DeserializeOwned>(
    agent: &Agent,
    canister: Principal,
    method: &str,
    args: impl ArgumentEncoder,
) -> T {
    let update = agent
        .update(&canister, method)
        .with_arg(encode_args(args).unwrap());
    candid::decode_one(&update.await.unwrap()).unwrap()
}

/// A call of a method of the management canister that is about one canister.
pub async fn manage(agent: &Agent, method: &str, canister: Principal, args: impl CandidType) {
    agent
        .update(&MANAGEMENT, method)
        .with_effective_canister_id(canister)
        .with_arg(encode_one(args).unwrap())
        .await
        .unwrap();
}

/// Sends a call and waits for its reply; nothing if the program ends before.
pub async fn send(agent: &Agent, call: &SignedUpdate) -> Option<Vec<u8>> {
    let bytes = call.signed_update.clone();
    let sent = agent.update_signed(call.effective_canister_id, bytes).await;
    match sent.ok()? {
        CallResponse::Response(reply) => Some(reply),
        CallResponse::Poll(id) => {
            let answer = agent.wait(&id, call.effective_canister_id).await;
            answer.ok().map(|(reply, _)| reply)
        }
    }
}
