//! Where a canister trapped, in its log and in the reject: as the network tells it.

use ic_management_canister_types::{CanisterSettings, LogVisibility};
use local_replica::Config;

use crate::harness::{STRANGER, World, config, module};
use crate::puppet::{call_method, script, tell_reject};

/// Traps in every way, three functions deep.
fn deep() -> Vec<u8> {
    module(
        r#"(memory 1) (data (i32.const 0) "boom")
           (func $outer (param i32) (call $inner (local.get 0) (i64.const 7)) (drop))
           (func $inner (param $how i32) (param i64) (result i64)
             (call $_ZN5crate9innermost17h0123456789abcdefE (local.get $how)) (local.get 1))
           (func $_ZN5crate9innermost17h0123456789abcdefE (param $how i32)
             (i64.store (i32.const 8) (i64.const 9))
             (if (i32.eq (local.get $how) (i32.const 0)) (then unreachable))
             (if (i32.eq (local.get $how) (i32.const 1))
               (then (call $trap (i32.const 0) (i32.const 4))))
             (if (i32.eq (local.get $how) (i32.const 2))
               (then (call $stable64_write (i64.const 0) (i64.const 0) (i64.const 1))))
             (if (i32.eq (local.get $how) (i32.const 3)) (then (loop (br 0))))
             (call $accept_message))
           (func $harmless)
           (func $"canister_update unreachable" (export "canister_update unreachable")
             (call $harmless) (call $outer (i32.const 0)))
           (func $"canister_update trap" (export "canister_update trap") (call $outer (i32.const 1)))
           (func $stable (export "canister_update stable") (call $outer (i32.const 2)))
           (func $loop (export "canister_update loop") (call $outer (i32.const 3)))
           (func $wrong (export "canister_update wrong") (call $outer (i32.const 4)))
           (func $ask (export "canister_query ask") (call $outer (i32.const 0)))
           (func $indirect (export "canister_update indirect")
             (call_indirect (param i32) (i32.const 0) (i32.const 0)))
           (func $count (export "canister_update count")
             (call $reply_number (call $performance_counter (i32.const 0))))
           (table 1 funcref) (elem (i32.const 0) $outer)"#,
    )
}

fn deployed(config: Config) -> (World, candid::Principal) {
    let mut world = World::with(config);
    let id = world.create();
    world.install(id, &deep(), b"").unwrap();
    (world, id)
}

const DEEP: &str = "crate::innermost\ninner\nouter\n";

#[test]
fn log_and_reject_say_which_functions_were_under_way() {
    let (mut world, id) = deployed(config());
    let reject = world.call(id, "unreachable", b"").unwrap_err();
    let backtrace = format!("Canister Backtrace:\n{DEEP}canister_update unreachable\n");
    assert!(
        reject.message.starts_with(&format!(
            "Error from Canister {id}: Canister trapped: unreachable\n{backtrace}.\nConsider "
        )),
        "{reject}"
    );
    assert_eq!(world.log(id), [format!("[TRAP]: unreachable\n{backtrace}")]);
    let reject = world.call(id, "trap", b"").unwrap_err();
    let backtrace = format!("Canister Backtrace:\n{DEEP}canister_update trap\n");
    assert!(
        reject
            .message
            .contains(&format!("message: 'boom'\n{backtrace}.\nConsider ")),
        "{reject}"
    );
    assert_eq!(world.log(id)[1], format!("[TRAP]: boom\n{backtrace}"));
}

#[test]
fn function_of_stable_memory_is_in_the_backtrace() {
    let (mut world, id) = deployed(config());
    let reject = world.call(id, "stable", b"").unwrap_err();
    assert!(
        reject.message.contains(&format!(
            "Canister Backtrace:\nstable64_write\n{DEEP}stable\n"
        )),
        "{reject}"
    );
}

#[test]
fn function_that_was_called_through_the_table_is_in_the_backtrace() {
    let (mut world, id) = deployed(config());
    let reject = world.call(id, "indirect", b"").unwrap_err();
    assert!(
        reject.message.contains(&format!("{DEEP}indirect\n")),
        "{reject}"
    );
}

#[test]
fn query_says_where_it_trapped_and_leaves_no_line() {
    let (mut world, id) = deployed(config());
    let reject = world.query(id, "ask", b"").unwrap_err();
    let backtrace = format!("Canister Backtrace:\n{DEEP}ask\n");
    assert!(reject.message.contains(&backtrace), "{reject}");
    let reject = world.replica.query(STRANGER, id, "ask", b"").unwrap_err();
    assert!(!reject.message.contains("Backtrace"), "{reject}");
    assert!(world.log(id).is_empty());
    world.call(id, "count", b"").unwrap();
}

#[test]
fn installation_says_where_it_trapped() {
    let mut world = World::new();
    let id = world.create();
    let bad = module(
        r#"(memory 1)
           (func $"canister_init" (export "canister_init") (call $setup))
           (func $setup
             (drop (call $stable64_grow (i64.const 1)))
             (if (i64.ne (call $stable64_size) (i64.const 1)) (then (call $impossible)))
             unreachable)
           (func $impossible unreachable)"#,
    );
    let reject = world.install(id, &bad, b"").unwrap_err();
    let backtrace = "Canister Backtrace:\nsetup\ncanister_init\n";
    assert!(reject.message.contains(backtrace), "{reject}");
    assert_eq!(world.log(id), [format!("[TRAP]: unreachable\n{backtrace}")]);
    assert_eq!(world.state(id).stable.pages(), 0);
}

#[test]
fn upgrade_says_where_it_trapped_and_sees_what_the_old_code_saved() {
    let mut world = World::new();
    let id = world.create();
    let old = module(
        r#"(memory 1) (func (export "canister_pre_upgrade")
             (drop (call $stable64_grow (i64.const 1)))
             (call $stable64_write (i64.const 0) (i64.const 0) (i64.const 8)))
           (data (i32.const 0) "saved...")"#,
    );
    world.install(id, &old, b"").unwrap();
    let new = module(
        r#"(memory 1) (func $after (export "canister_post_upgrade")
             (call $stable64_read (i64.const 16) (i64.const 0) (i64.const 8))
             (if (i32.eq (i32.load8_u (i32.const 16)) (i32.const 0x73)) (then (call $found_it))))
           (func $found_it unreachable)"#,
    );
    let reject = world.upgrade(id, &new, b"").unwrap_err();
    assert!(
        reject
            .message
            .contains("Canister Backtrace:\nfound_it\nafter\n"),
        "{reject}"
    );
    assert_eq!(world.state(id).stable.pages(), 0);
}

#[test]
fn what_is_no_trap_has_no_backtrace() {
    let (mut world, id) = deployed(config());
    for method in ["loop", "wrong"] {
        let reject = world.call(id, method, b"").unwrap_err();
        assert!(!reject.message.contains("Backtrace"), "{reject}");
    }
    assert!(world.log(id).is_empty());
}

#[test]
fn module_without_names_has_no_backtrace() {
    let mut world = World::new();
    let bare =
        wat::parse_str(r#"(module (func (export "canister_update run") unreachable))"#).unwrap();
    let id = world.create();
    world.install(id, &bare, b"").unwrap();
    let reject = world.call(id, "run", b"").unwrap_err();
    assert!(reject.message.contains("unreachable.\n"), "{reject}");
    assert_eq!(world.log(id), ["[TRAP]: unreachable"]);
}

#[test]
fn those_who_may_read_the_log_alone_are_told() {
    let (mut world, id) = deployed(config());
    let told = |world: &mut World, visibility| {
        let settings = CanisterSettings {
            log_visibility: Some(visibility),
            ..Default::default()
        };
        world.settings(id, settings).unwrap();
        let reject = world.call_as(STRANGER, id, "trap", b"").unwrap_err();
        assert!(world.log(id).last().unwrap().contains("Backtrace"));
        reject.message.contains("Backtrace")
    };
    assert!(!told(&mut world, LogVisibility::Controllers));
    assert!(told(
        &mut world,
        LogVisibility::AllowedViewers(vec![STRANGER])
    ));
    assert!(told(&mut world, LogVisibility::Public));
}

#[test]
fn canister_that_may_not_read_the_log_is_told_no_backtrace() {
    let (mut world, id) = deployed(config());
    let caller = world.puppet();
    let made = || script().call(call_method(id, "trap", b"").on_reject(tell_reject()));
    let (_, told) = crate::harness::rejected(world.run(caller, made()));
    assert!(!told.contains("Backtrace"), "{told}");
    let settings = CanisterSettings {
        log_visibility: Some(LogVisibility::AllowedViewers(vec![caller])),
        ..Default::default()
    };
    world.settings(id, settings).unwrap();
    let (_, told) = crate::harness::rejected(world.run(caller, made()));
    assert!(
        told.contains("Canister Backtrace:\ncrate::innermost"),
        "{told}"
    );
}

#[test]
fn backtraces_change_no_figure_and_no_state() {
    let (mut with, id) = deployed(config());
    let (mut without, same) = deployed(Config {
        backtraces: false,
        ..config()
    });
    assert_eq!(id, same);
    for method in ["count", "trap", "stable", "unreachable", "count"] {
        let (a, b) = (with.call(id, method, b""), without.call(id, method, b""));
        assert_eq!(a.is_ok(), b.is_ok(), "{method}");
        if a.is_ok() {
            assert_eq!(a, b);
        }
        assert_eq!(with.state(id).balance, without.state(id).balance);
        assert_eq!(
            with.last_event().instructions,
            without.last_event().instructions
        );
    }
    assert_eq!(with.state(id).stable.pages(), 0);
    assert!(
        without
            .log(id)
            .iter()
            .all(|line| !line.contains("Backtrace"))
    );
}
