//! A fork goes on by itself, from the same state.

use local_replica::hold::Delivery;

use crate::harness::World;
use crate::puppet::{Script, call, script};

/// Writes a number to the log.
fn note(number: u64) -> Script {
    script().print(&number.to_string())
}

/// What a user can see of two canisters, and where their cycles are.
fn seen(world: &mut World, canisters: [candid::Principal; 2]) -> (Vec<Vec<String>>, String) {
    let logs = canisters.map(|canister| world.log(canister)).to_vec();
    (logs, format!("{:?}", world.replica.cycles()))
}

/// A world in which `a` has called `b`, and both messages after that wait.
fn half_way() -> (World, candid::Principal, candid::Principal) {
    let mut world = World::new();
    let (a, b) = (world.puppet(), world.puppet());
    world.replica.hold_messages(true);
    let on_reply = note(2).reply();
    let request = call(b, note(1).reply()).on_reply(on_reply);
    world.submit(a, note(0).call(request));
    let name = world.replica.waiting_messages()[0].name;
    world
        .replica
        .deliver_message(name, Delivery::Normally)
        .unwrap();
    (world, a, b)
}

fn deliver_all(world: &mut World, how: Delivery) {
    while let Some(message) = world.replica.waiting_messages().first() {
        world.replica.deliver_message(message.name, how).unwrap();
    }
}

#[test]
fn what_happens_to_a_fork_is_not_seen_in_the_other() {
    let (mut world, a, b) = half_way();
    let before = seen(&mut world, [a, b]);
    let mut fork = World {
        replica: world.replica.fork(),
    };
    deliver_all(&mut fork, Delivery::Trap);
    let undone = seen(&mut fork, [a, b]);
    assert_eq!(seen(&mut world, [a, b]), before);
    deliver_all(&mut world, Delivery::Normally);
    let done = seen(&mut world, [a, b]);
    assert_eq!(seen(&mut fork, [a, b]), undone);
    assert_eq!(done.0, [vec!["0", "2"], vec!["1"]]);
    assert_ne!(undone, done);
}

#[test]
fn forks_that_get_the_same_messages_come_to_the_same_end() {
    let (mut world, a, b) = half_way();
    let mut forks: Vec<World> = (0..3)
        .map(|_| World {
            replica: world.replica.fork(),
        })
        .collect();
    deliver_all(&mut world, Delivery::Normally);
    let end = seen(&mut world, [a, b]);
    let timeline = |world: &World| {
        let events = world.replica.timeline().since(0);
        events.map(|event| format!("{event:?}")).collect::<Vec<_>>()
    };
    for fork in &mut forks {
        deliver_all(fork, Delivery::Normally);
        assert_eq!(seen(fork, [a, b]), end);
        assert_eq!(timeline(fork), timeline(&world));
    }
}

#[test]
fn fork_can_be_given_to_another_thread() {
    let (world, a, b) = half_way();
    let fork = world.replica.fork();
    let log = std::thread::spawn(move || {
        let mut fork = World { replica: fork };
        deliver_all(&mut fork, Delivery::Normally);
        seen(&mut fork, [a, b]).0
    });
    assert_eq!(log.join().unwrap(), [vec!["0", "2"], vec!["1"]]);
    assert_eq!(world.replica.pool().len(), 1);
}
