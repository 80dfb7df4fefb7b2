//! Whatever a thousand strangers call, a user finds the canisters of a lesson as usable as before. Each
//! lesson has such a test beside its others. Here is that of the two pairs.

use std::fs;
use std::path::Path;

use candid::Principal;
use ic_management_canister_types::{UpgradeFlags, WasmMemoryPersistence};
use observe::lesson::Lesson;
use observe::lessons::rollback::Counters;
use observe::lessons::{all, motoko, rollback};
use observe::stage::{Language, Stage, accepted};

use crate::support::{project, stage_in};

#[test]
fn every_lesson_has_a_test_with_a_thousand_strangers() {
    for lesson in all() {
        let own = project().join("observe/tests/all").join(lesson.name);
        let here = project().join("observe/tests/all/strangers.rs");
        let files = [own.with_extension("rs"), here];
        assert!(
            files.iter().any(|file| has_test(file, lesson.name)),
            "{}",
            lesson.name
        );
    }
}

/// Whether a file has such a test, of this lesson: in this file the name of the test says whose it is.
fn has_test(file: &Path, lesson: &str) -> bool {
    let source = fs::read_to_string(file).unwrap_or_default();
    let mut tests = source.lines().filter_map(|line| line.strip_prefix("fn "));
    let is_own = !file.ends_with("strangers.rs");
    tests.any(|name| {
        let many = name.contains("a_thousand_") && name.contains("strange");
        many && (is_own || name.contains(lesson))
    })
}

#[test]
fn a_thousand_strangers_leave_the_pair_of_rollback_as_usable_as_it_was() {
    let mut stage = stage_in(Language::Rust, Language::Rust);
    let methods = methods(&rollback::LESSON);
    let_a_thousand_strangers_call(&mut stage, &methods);
    assert_usable(&mut stage);
    for canister in [stage.caller, stage.callee] {
        accepted(stage.upgrade(canister).unwrap()).unwrap();
    }
    assert_usable(&mut stage);
}

#[test]
fn a_thousand_strangers_leave_the_pair_in_motoko_as_usable_as_it_was() {
    let mut stage = stage_in(Language::Motoko, Language::Motoko);
    let methods = methods(&motoko::LESSON);
    let_a_thousand_strangers_call(&mut stage, &methods);
    assert_usable(&mut stage);
    for canister in [stage.caller, stage.callee] {
        // Stopped first: traps in `finally` have left calls behind that it takes for open ones.
        command(&mut stage, canister, "stop_canister");
        let keep = Some(UpgradeFlags {
            skip_pre_upgrade: None,
            wasm_memory_persistence: Some(WasmMemoryPersistence::Keep),
        });
        stage.upgrade_with(canister, keep).unwrap().unwrap();
        command(&mut stage, canister, "start_canister");
    }
    assert_usable(&mut stage);
}

/// The methods that a lesson has experiments with.
fn methods(lesson: &Lesson) -> Vec<&'static str> {
    let experiments = (lesson.experiments)();
    experiments.iter().map(|one| one.method).collect()
}

fn let_a_thousand_strangers_call(stage: &mut Stage, methods: &[&str]) {
    for stranger in 1..=1000 {
        stage.become_user(stranger).unwrap();
        let method = methods[stranger % methods.len()];
        let _however_it_ends = stage.call(stage.caller, method, ()).unwrap();
        let method = ["increment", "increment_then_trap", "increment_then_reject"][stranger % 3];
        let _however_it_ends = stage.call(stage.callee, method, ()).unwrap();
    }
    stage.become_user(0).unwrap();
}

/// Nothing is left open or locked: a call adds 1 to each counter, as the first call did.
fn assert_usable(stage: &mut Stage) {
    let before = Counters::read(stage).unwrap();
    let _err = stage.call(stage.caller, "increment_both", ()).unwrap();
    let one_more = Counters {
        canister1: 1,
        canister2: 1,
        drops: 0,
    };
    assert_eq!(Counters::read(stage).unwrap().since(before), one_more);
}

fn command(stage: &mut Stage, canister: Principal, method: &str) {
    accepted(stage.command(canister, method).unwrap()).unwrap();
}
