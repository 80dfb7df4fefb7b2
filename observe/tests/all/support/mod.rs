//! What the tests share: the canisters, built as they are deployed, and a stage for a lesson.

pub mod blocks;

use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::OnceLock;
use std::time::Duration;

use candid::Principal;
use ic_management_canister_types::CanisterInstallMode;
use observe::answer::Got;
use observe::deployment::{Modules, install_args};
use observe::lesson::Lesson;
use observe::lessons::rollback::{self, Counters};
use observe::network::timeline::{Ending, Step};
use observe::network::{Delivery, Embedded, WaitingMessage};
use observe::stage::{Folders, Language, Stage};

/// The root of the project.
pub fn project() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// The folder with all canisters' Wasm. Builds them if they are not up to date.
pub fn wasm() -> &'static Path {
    static FOLDER: OnceLock<PathBuf> = OnceLock::new();
    FOLDER.get_or_init(|| {
        let target = project().join("target");
        let status = Command::new(env!("CARGO"))
            .current_dir(project())
            .env_remove("CANISTER_ID_CANISTER2")
            .args(["build", "--locked", "--release", "--quiet"])
            .args(["--target", "wasm32-unknown-unknown"])
            .args(["-p", "canister1", "-p", "canister2", "-p", "lessons"])
            .arg("--target-dir")
            .arg(&target)
            .status()
            .expect("cargo starts");
        assert!(status.success(), "the canisters can't be built");
        target.join("wasm32-unknown-unknown/release")
    })
}

/// The folder with the Motoko pair's Wasm. Builds it if it is not up to date; this needs Node.js.
pub fn motoko() -> &'static Path {
    static FOLDER: OnceLock<PathBuf> = OnceLock::new();
    FOLDER.get_or_init(|| {
        let status = Command::new(project().join("scripts/motoko.sh"))
            .env_remove("CANISTER_ID_CANISTER2")
            .status()
            .expect("the script starts");
        assert!(status.success(), "the Motoko pair can't be built");
        project().join("target/motoko")
    })
}

/// The folder with a language's Wasm.
pub fn folder(language: Language) -> &'static Path {
    match language {
        Language::Rust => wasm(),
        Language::Motoko => motoko(),
    }
}

/// A lesson's canisters on a replica of their own.
pub fn stage(lesson: &Lesson) -> Stage {
    stage_of(lesson.modules(&folders(wasm())))
}

/// A pair of a caller and a callee in these languages, on a replica of its own.
pub fn stage_in(caller: Language, callee: Language) -> Stage {
    stage_of(Modules::pair(folder(caller), folder(callee)))
}

/// A caller and a callee with these modules, on a replica of their own.
pub fn stage_of(modules: Modules) -> Stage {
    let in_motoko = [&modules.caller, &modules.callee]
        .into_iter()
        .any(|module| !module.starts_with(wasm()));
    let motoko = if in_motoko {
        motoko()
    } else {
        Path::new("none")
    };
    let stage = Stage::deploy(Box::new(Embedded::new()), folders(motoko), modules);
    stage.expect("the canisters can be deployed")
}

/// Where the canisters' Wasm is.
pub fn folders(motoko: &Path) -> Folders {
    Folders {
        rust: wasm().to_owned(),
        motoko: motoko.to_owned(),
    }
}

/// What one call of canister1 did.
#[derive(Debug, PartialEq)]
pub struct Story {
    /// By how much the counters grew.
    pub grown: Counters,
    /// What the caller got.
    pub got: Got,
    /// Every execution and how it ended.
    pub steps: Vec<String>,
}

/// Calls `method` of canister1 on a new pair.
pub fn story(method: &str) -> Story {
    story_on(&mut stage(&rollback::LESSON), method)
}

/// Calls `method` of canister1.
pub fn story_on(stage: &mut Stage, method: &str) -> Story {
    stage.begin_scene().expect("the network answers");
    let before = Counters::read(stage).expect("counters can be read");
    let answer = stage.call(stage.caller, method, ());
    let after = Counters::read(stage).expect("counters can be read");
    Story {
        grown: after.since(before),
        got: Got::read(&answer.expect("it is answered")),
        steps: steps(stage),
    }
}

fn steps(stage: &Stage) -> Vec<String> {
    let steps = stage.events().map(|event| {
        let canister = stage.name(&event.canister);
        let step = match &event.step {
            Step::Method { .. } => "method",
            Step::Callback { reject: None, .. } => "reply callback",
            Step::Callback { .. } => "reject callback",
            Step::Cleanup => "cleanup",
            Step::SystemTask(_) => "system task",
            Step::Hook(_) | Step::Management(_) => "management",
            Step::AnsweredBySystem(_) => return format!("{canister}: answered by the system"),
        };
        let ending = match (&event.ending, event.changed_memory) {
            (Ending::Committed, true) => "change kept",
            (Ending::Committed, false) => "nothing changed",
            (Ending::Undone(_), true) => "change undone",
            (Ending::Undone(_), false) => "nothing to undo",
        };
        format!("{canister}: {step}, {ending}")
    });
    steps.collect()
}

/// Every question of a lesson has the right answer among its choices.
pub fn assert_questions_can_be_answered(lesson: &'static Lesson) {
    let mut stage = stage(lesson);
    for experiment in (lesson.experiments)() {
        let finding = experiment.observe(lesson.name, &mut stage);
        let finding = finding.expect("it can be observed");
        let question = experiment.question.expect("it has a question");
        let mut facts = finding.facts.iter();
        let asked = facts.find(|fact| fact.what == question.fact);
        let right = &asked.expect("the question is about a fact").predicted;
        assert!(question.choices.contains(right), "{}", question.ask);
        assert!((3..=5).contains(&question.choices.len()));
    }
}

/// A canister that answers one update method with these bytes, whatever it is asked.
pub fn module_replying(method: &str, reply: &[u8]) -> Vec<u8> {
    let sized = |bytes: &[u8]| {
        let length = u8::try_from(bytes.len()).ok().filter(|length| *length < 64);
        // Longer ones would need two bytes.
        [&[length.expect("it is short")], bytes].concat()
    };
    let import = |name: &str, signature: u8| {
        [sized(b"ic0"), sized(name.as_bytes()), vec![0, signature]].concat()
    };
    let [append, send] = ["msg_reply_data_append", "msg_reply"];
    let export = sized(format!("canister_update {method}").as_bytes());
    let length = reply.len() as u8;
    let sections: [(u8, Vec<u8>); 7] = [
        // Signatures: of two numbers, and of none.
        (1, b"\x02\x60\x02\x7f\x7f\0\x60\0\0".to_vec()),
        (2, [vec![2], import(append, 0), import(send, 1)].concat()),
        (3, vec![1, 1]),    // One function, of no number.
        (5, vec![1, 0, 1]), // A page of memory.
        (7, [vec![1], export, vec![0, 2]].concat()),
        // append(0, length); send()
        (
            10,
            [
                vec![1],
                sized(&[0, 0x41, 0, 0x41, length, 0x10, 0, 0x10, 1, 0x0b]),
            ]
            .concat(),
        ),
        // The reply, at 0.
        (11, [vec![1, 0, 0x41, 0, 0x0b], sized(reply)].concat()),
    ];
    let mut module = b"\0asm\x01\0\0\0".to_vec();
    for (number, content) in sections {
        module.push(number);
        module.extend(sized(&content));
    }
    module
}

/// Puts another module in the place of a canister's, which loses its state.
pub fn reinstall(stage: &mut Stage, canister: Principal, module: Vec<u8>) {
    let args = install_args(canister, module, CanisterInstallMode::Reinstall).unwrap();
    let installed = stage.manage(canister, "install_code", (args,));
    installed.unwrap().unwrap();
}

/// Runs the program with these arguments, as `scripts/observe.sh` does.
pub fn observe(arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_observe"));
    command.arg("--wasm").arg(wasm());
    if arguments.contains(&"motoko") {
        command.arg("--motoko").arg(motoko());
    }
    command
        .args(arguments)
        .env_remove("CLICOLOR_FORCE")
        .output()
        .expect("observe starts")
}

/// An empty folder for one test.
pub fn empty_folder(name: &str) -> PathBuf {
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name);
    if folder.exists() {
        std::fs::remove_dir_all(&folder).expect("it can be removed");
    }
    std::fs::create_dir_all(&folder).expect("it can be created");
    folder
}

/// What a program printed.
pub fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).expect("it prints UTF-8")
}

/// What an experiment of a lesson found, each fact as a line.
pub fn found(stage: &mut Stage, lesson: &Lesson, method: &str) -> Vec<String> {
    let experiments = (lesson.experiments)();
    let mut lines = Vec::new();
    for experiment in experiments.iter().filter(|one| one.method == method) {
        let finding = experiment.observe(lesson.name, stage);
        let facts = finding.expect("it can be observed").facts;
        lines.extend(facts.iter().map(|f| format!("{}: {}", f.what, f.observed)));
    }
    lines
}

/// Has every call that waits for the callee get no answer, until the caller makes no more. Returns
/// for how many seconds the caller has waited.
pub fn silence(stage: &mut Stage) -> u64 {
    let mut seconds = 0;
    while let Some(call) = waiting_call(stage) {
        stage.deliver(|one| *one == call, Delivery::Lose).unwrap();
        stage.advance_time(Duration::from_secs(30)).unwrap();
        stage.deliver_response(&call.method).unwrap();
        seconds += 30;
    }
    seconds
}

/// A call that waits for the callee.
fn waiting_call(stage: &mut Stage) -> Option<WaitingMessage> {
    let waiting = stage.waiting().unwrap();
    waiting.into_iter().find(|one| one.to == stage.callee)
}
