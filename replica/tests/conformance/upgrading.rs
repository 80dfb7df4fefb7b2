//! Canister interface, "Canister upgrades"; management canister, "IC method `install_code`" with the
//! mode `upgrade`.

use ic_management_canister_types::{CanisterInstallMode, UpgradeFlags, WasmMemoryPersistence};
use local_replica::message::ErrorCode::*;
use local_replica::message::RejectCode::*;

use crate::harness::{World, expect_reject, module, number};
use crate::installing::{contents, full, plain};
use crate::puppet::{self, call, script};

const KEEPS: &str = r#"(@custom "icp:private enhanced-orthogonal-persistence" "")"#;

fn upgrade(skip: Option<bool>, memory: Option<WasmMemoryPersistence>) -> CanisterInstallMode {
    CanisterInstallMode::Upgrade(Some(UpgradeFlags {
        skip_pre_upgrade: skip,
        wasm_memory_persistence: memory,
    }))
}

#[test]
fn upgrade_keeps_stable_memory_and_certified_data_but_neither_memory_nor_timer() {
    let mut world = World::new();
    let (id, before) = full(&mut world, "");
    world.upgrade(id, &plain(), b"").unwrap();
    let now = contents(&world, id);
    assert_eq!(
        (&now.stable, &now.certified),
        (&before.stable, &before.certified)
    );
    assert_eq!((world.cell(id, 0), now.timer), (0, 0));
    assert_eq!(now.version, before.version + 1);
}

#[test]
fn pre_upgrade_runs_on_the_old_code_and_post_upgrade_on_the_new() {
    let mut world = World::new();
    let id = world.puppet_with(&["canister_pre_upgrade"], "");
    let save = script()
        .stable_write(0, b"saved by old")
        .get_of("timer", 9, 77)
        .add(0, 1);
    let setup = script()
        .get_of("stable_grow", 1, 1)
        .hook("canister_pre_upgrade", save)
        .add(0, 5);
    world.run(id, setup.reply()).unwrap();
    let load = script()
        .get_of("stable_load", 2, 0)
        .get("version", 3)
        .print("post");
    world.upgrade(id, &plain(), &load.0).unwrap();
    assert_eq!(world.cell(id, 2).to_le_bytes(), *b"saved by");
    assert_eq!(world.cell(id, 0), 0);
    assert_eq!(world.cell(id, 3), world.state(id).version);
    assert_eq!(
        world.state(id).global_timer,
        0,
        "the old code's timer is gone"
    );
    assert_eq!(world.log(id), ["post"]);
}

#[test]
fn pre_upgrade_sees_the_timer_that_is_set() {
    let mut world = World::new();
    let id = world.puppet_with(&["canister_pre_upgrade"], "");
    let look = script()
        .get_of("timer", 9, 5)
        .when(9, script().trap("it was set"));
    let setup = script()
        .get_of("timer", 1, u64::MAX - 1)
        .hook("canister_pre_upgrade", look);
    world.run(id, setup.reply()).unwrap();
    let reject = world.upgrade(id, &plain(), b"").unwrap_err();
    assert!(reject.message.contains("'it was set'"), "{reject}");
    assert_eq!(world.state(id).global_timer, u64::MAX - 1);
}

#[test]
fn skip_pre_upgrade_skips_it() {
    let mut world = World::new();
    let id = world.puppet_with(&["canister_pre_upgrade"], "");
    let trap = script().hook("canister_pre_upgrade", script().trap("pre"));
    world.run(id, trap.reply()).unwrap();
    let result = world.upgrade(id, &plain(), b"");
    let reject = expect_reject(result, CanisterError, CanisterCalledTrap);
    assert!(reject.message.contains("'pre'"), "{reject}");
    world
        .deploy(upgrade(Some(true), None), id, &plain(), b"")
        .unwrap();
}

#[test]
fn failed_upgrade_leaves_everything_as_it_was() {
    let mut world = World::new();
    let (id, before) = full(&mut world, "");
    let dirty = || {
        let dirty = script()
            .add(0, 1)
            .stable_write(100, b"lost")
            .get_of("stable_grow", 1, 3);
        dirty
            .certify(b"new")
            .get_of("timer", 1, 9)
            .get_of("memory_grow", 1, 2)
    };
    // In the new code:
    let result = world.upgrade(id, &plain(), &dirty().trap("post").0);
    expect_reject(result, CanisterError, CanisterCalledTrap);
    assert_eq!(contents(&world, id), before);
    // In the old code, and in the new code after the old one's changes:
    for (pre, post) in [
        (dirty().trap("pre"), script()),
        (dirty(), script().trap("post")),
    ] {
        world
            .run(id, script().hook("canister_pre_upgrade", pre).reply())
            .unwrap();
        let before = contents(&world, id);
        let result = world.upgrade(id, &plain(), &post.0);
        expect_reject(result, CanisterError, CanisterCalledTrap);
        assert_eq!(contents(&world, id), before);
    }
    // And a module that is none.
    let result = world.upgrade(id, b"\0asm", b"");
    expect_reject(result, CanisterError, CanisterInvalidWasm);
    assert_eq!(world.cell(id, 0), 7);
}

#[test]
fn upgrade_keeps_the_memory_if_asked_and_able_to() {
    let mut world = World::new();
    let keeping = puppet::module(&[], KEEPS);
    let (id, before) = full(&mut world, "");
    let keep = upgrade(None, Some(WasmMemoryPersistence::Keep));
    let result = world.deploy(keep, id, &plain(), b"");
    expect_reject(result, CanisterError, CanisterContractViolation);
    assert_eq!(contents(&world, id), before);
    world
        .run(id, script().get_of("memory_grow", 1, 3).reply())
        .unwrap();
    world.deploy(keep, id, &keeping, b"").unwrap();
    assert_eq!(world.cell(id, 0), 7);
    assert_eq!(world.state(id).wasm_memory_size(), 4 * 65536);
    // Code that keeps its memory can't lose it by an option that was forgotten.
    let result = world.upgrade(id, &keeping, b"");
    expect_reject(result, CanisterError, CanisterContractViolation);
    let replace = upgrade(None, Some(WasmMemoryPersistence::Replace));
    world.deploy(replace, id, &keeping, b"").unwrap();
    assert_eq!(world.cell(id, 0), 0);
}

#[test]
fn section_about_persistence_counts_only_if_it_is_private() {
    let mut world = World::new();
    let public = KEEPS.replace("icp:private", "icp:public");
    let (id, before) = full(&mut world, &public);
    let keep = upgrade(None, Some(WasmMemoryPersistence::Keep));
    let result = world.deploy(keep, id, &puppet::module(&[], &public), b"");
    expect_reject(result, CanisterError, CanisterContractViolation);
    assert_eq!(contents(&world, id), before);
    // Nor does the public section demand the option.
    world
        .upgrade(id, &puppet::module(&[], &public), b"")
        .unwrap();
    assert_eq!(world.cell(id, 0), 0);
}

#[test]
fn response_to_a_call_of_the_old_code_runs_the_new_code_s_callback() {
    let mut world = World::new();
    let (a, b) = (world.puppet(), world.puppet());
    let id = world.submit(
        a,
        script().call(call(b, script().reply()).on_reply(puppet::Callback::Index(0))),
    );
    world.step();
    // In the new module, the function at index 0 replies.
    let new = module(
        r#"(memory 1) (table 1 funcref) (elem (i32.const 0) $done)
           (func $done (param i32) (call $reply_number (i64.const 9)))"#,
    );
    world.upgrade(a, &new, b"").unwrap();
    world.settle();
    assert_eq!(number(&world.answer(id).unwrap().unwrap()), 9);
}
