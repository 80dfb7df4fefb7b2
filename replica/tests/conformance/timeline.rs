//! The timeline: what it tells of what happened.

use candid::Principal;
use local_replica::message::ErrorCode::*;
use local_replica::module::MethodKind;
use local_replica::system_api::EntryPoint;
use local_replica::timeline::{Answer, Ending, Event, Step};

use crate::harness::{MANAGEMENT, USER, World, module};
use crate::puppet::{call, call_method, script};

/// Everything that happened since the event number `first`.
fn since(world: &World, first: u64) -> Vec<Event> {
    world.replica.timeline().since(first).cloned().collect()
}

fn management(method: &str) -> Step {
    Step::Management(method.to_owned())
}

/// A module with all hooks of an installation, of which one traps.
fn hooked(trapping: &str) -> Vec<u8> {
    let body = |hook| if hook == trapping { "unreachable" } else { "" };
    module(&format!(
        r#"(memory 1) (func $begin {}) (start $begin)
           (func (export "canister_init") {})
           (func (export "canister_pre_upgrade") {})
           (func (export "canister_post_upgrade") {})"#,
        body("start"),
        body("init"),
        body("pre_upgrade"),
        body("post_upgrade"),
    ))
}

/// Holds that these hooks ran, and that only the last one trapped, if the result is a reject.
#[track_caller]
fn expect_hooks(world: &World, first: u64, id: Principal, hooks: &[EntryPoint], traps: bool) {
    let events = since(world, first);
    let (last, ran) = events.split_last().unwrap();
    assert_eq!(
        (last.canister, &last.step),
        (MANAGEMENT, &management("install_code"))
    );
    assert_eq!((last.caller, &last.ending), (USER, &Ending::Committed));
    let rejected = matches!(last.response, Some(Answer::Reject(_)));
    assert_eq!(rejected, traps, "{last:?}");
    let steps: Vec<_> = ran.iter().map(|event| event.step.clone()).collect();
    let expected: Vec<_> = hooks.iter().map(|hook| Step::Hook(*hook)).collect();
    assert_eq!(steps, expected);
    for (index, event) in ran.iter().enumerate() {
        assert_eq!((event.canister, event.caller), (id, USER));
        match &event.ending {
            Ending::Committed => assert!(!traps || index + 1 < ran.len(), "{event:?}"),
            Ending::Undone(reject) => {
                assert!(traps && index + 1 == ran.len(), "{event:?}");
                assert_eq!(reject.error_code, CanisterTrapped);
                assert_eq!(last.response, Some(Answer::Reject(reject.clone())));
            }
        }
    }
}

#[test]
fn hooks_of_installations_are_events_with_their_traps() {
    use EntryPoint::{Init, PostUpgrade, PreUpgrade, Start};
    let mut world = World::new();
    let id = world.create();
    for (trapping, hooks) in [("start", &[Start][..]), ("init", &[Start, Init])] {
        let first = world.replica.timeline().next_number();
        world.install(id, &hooked(trapping), b"").unwrap_err();
        expect_hooks(&world, first, id, hooks, true);
    }
    let first = world.replica.timeline().next_number();
    world.install(id, &hooked("pre_upgrade"), b"").unwrap();
    expect_hooks(&world, first, id, &[Start, Init], false);
    let first = world.replica.timeline().next_number();
    world.upgrade(id, &hooked(""), b"").unwrap_err();
    expect_hooks(&world, first, id, &[PreUpgrade], true);

    let id = world.create();
    world.install(id, &hooked(""), b"").unwrap();
    for (trapping, hooks) in [
        ("start", &[PreUpgrade, Start][..]),
        ("post_upgrade", &[PreUpgrade, Start, PostUpgrade]),
        ("", &[PreUpgrade, Start, PostUpgrade]),
    ] {
        let first = world.replica.timeline().next_number();
        let result = world.upgrade(id, &hooked(trapping), b"");
        assert_eq!(result.is_err(), !trapping.is_empty());
        expect_hooks(&world, first, id, hooks, !trapping.is_empty());
    }
}

#[test]
fn calls_of_the_management_canister_are_events_of_it() {
    let mut world = World::new();
    let id = world.puppet();
    let empty = candid::encode_args(()).unwrap();
    let first = world.replica.timeline().next_number();
    let asked = script().call(call_method(MANAGEMENT, "raw_rand", &empty));
    let random = world.run(id, asked).unwrap();
    let events = since(&world, first);
    let event = &events[1];
    assert_eq!((event.canister, event.caller), (MANAGEMENT, id));
    assert_eq!(event.step, management("raw_rand"));
    assert_eq!(event.response, Some(Answer::Reply { size: random.len() }));
    assert_eq!(event.call_context, None);

    let asked = script().call(call_method(MANAGEMENT, "no_such_method", &empty));
    world.run(id, asked).unwrap();
    let event = since(&world, first).into_iter().nth(4).unwrap();
    assert_eq!(event.step, management("no_such_method"));
    let Some(Answer::Reject(reject)) = event.response else {
        panic!("{event:?}");
    };
    assert_eq!(reject.error_code, CanisterMethodNotFound);

    world.settings(id, Default::default()).unwrap();
    assert_eq!(world.last_event().step, management("update_settings"));
    assert_eq!(world.last_event().caller, USER);
}

#[test]
fn stop_canister_is_an_event_when_it_is_answered() {
    let mut world = World::new();
    let id = world.puppet();
    // The second finds a canister that has stopped already.
    for _ in 0..2 {
        let first = world.replica.timeline().next_number();
        world.command("stop_canister", id).unwrap();
        let events = since(&world, first);
        assert_eq!(events.len(), 1);
        assert_eq!((events[0].canister, events[0].caller), (MANAGEMENT, USER));
        assert_eq!(events[0].step, management("stop_canister"));
        assert!(matches!(events[0].response, Some(Answer::Reply { .. })));
    }
}

#[test]
fn methods_are_told_with_their_kind_and_answers_with_their_size() {
    let mut world = World::new();
    let (a, b) = (world.puppet(), world.puppet());
    let first = world.replica.timeline().next_number();
    let method = |kind, name: &str| Step::Method {
        kind,
        name: name.to_owned(),
    };
    let inner = call_method(b, "ask", &script().append(b"12345").reply().0);
    let made = inner.on_reply(script().append(b"123").reply());
    world.run(a, script().call(made)).unwrap();
    let seen: Vec<_> = since(&world, first)
        .into_iter()
        .map(|event| (event.canister, event.step, event.response))
        .collect();
    let callback = Step::Callback {
        from: b,
        method: "ask".to_owned(),
        reject: None,
    };
    let reply = |size| Some(Answer::Reply { size });
    assert_eq!(
        seen,
        [
            (a, method(MethodKind::Update, "run"), None),
            (b, method(MethodKind::Query, "ask"), reply(5)),
            (a, callback, reply(3)),
        ]
    );
}

#[test]
fn events_say_whether_memory_was_changed_and_what_was_called() {
    let mut world = World::new();
    let (a, b) = (world.puppet(), world.puppet());
    let first = world.replica.timeline().next_number();
    let made = call(b, script().reply()).cycles(7);
    world
        .run(a, script().call(made.clone()).trap("boom"))
        .unwrap_err();
    world.run(a, script().call(made)).unwrap();
    let events = since(&world, first);
    assert!(matches!(events[0].ending, Ending::Undone(_)));
    assert_eq!(events[1].ending, Ending::Committed);
    for event in &events[..2] {
        assert!(event.changed_memory && event.instructions > 0);
        let calls: Vec<_> = event
            .calls
            .iter()
            .map(|call| (call.receiver, call.method.as_str(), call.cycles))
            .collect();
        assert_eq!(calls, [(b, "run", 7)], "also calls that are not sent");
    }
    assert_eq!(events[0].caller, USER);
    assert_eq!(events[2].caller, a);
}

#[test]
fn event_names_its_message_what_it_sent_and_whom_it_answered() {
    let mut world = World::new();
    let (a, b) = (world.puppet(), world.puppet());
    let first = world.replica.timeline().next_number();
    let calling = script().call(call(b, script().reply()).on_reply(script().reply()));
    world.run(a, calling).unwrap();
    let events = since(&world, first);
    let [calls, replies, goes_on] = &events[..] else {
        panic!("{events:?}");
    };
    assert_eq!(calls.sent, [replies.message.unwrap()]);
    assert_eq!(replies.sent, [goes_on.message.unwrap()]);
    assert_eq!(goes_on.answered, [calls.message.unwrap()]);
    assert!(goes_on.sent.is_empty() && calls.answered.is_empty() && replies.answered.is_empty());
}

#[test]
fn event_of_a_message_that_trapped_sent_no_call_and_says_whom_its_trap_answers() {
    let mut world = World::new();
    let (a, b) = (world.puppet(), world.puppet());
    let calling = script().call(call(b, script().reply())).trap("boom");
    world.run(a, calling).unwrap_err();
    let event = world.last_event();
    assert!(event.sent.is_empty());
    assert_eq!(event.calls.len(), 1);
    assert_eq!(event.answered, [event.message.unwrap()]);
}
