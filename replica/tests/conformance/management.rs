//! Management canister: what canisters and users can ask it for, and what a local replica does not
//! have.

use candid::{CandidType, Nat, Principal};
use ic_management_canister_types::{
    CanisterIdRecord, CanisterInfoArgs, CanisterInfoResult, CanisterMetricsResult,
    CanisterSettings, CanisterStatusResult, ChangeDetails, CreateCanisterArgs, EnvironmentVariable,
    NodeMetricsHistoryArgs, NodeMetricsHistoryResult, SubnetInfoArgs, SubnetInfoResult,
};
use local_replica::Config;
use local_replica::message::CallResult;
use local_replica::message::ErrorCode::*;
use local_replica::message::RejectCode::*;

use crate::harness::{MANAGEMENT, T, USER, World, config, expect_reject, rejected};
use crate::puppet::{call, call_method, script};

/// Has a puppet call the management canister.
fn by<A: CandidType>(world: &mut World, id: Principal, method: &str, argument: &A) -> CallResult {
    let argument = candid::encode_one(argument).unwrap();
    world.run(
        id,
        script().call(call_method(MANAGEMENT, method, &argument)),
    )
}

fn random(world: &mut World, id: Principal) -> Vec<u8> {
    let empty = candid::encode_args(()).unwrap();
    let reply = world.run(
        id,
        script().call(call_method(MANAGEMENT, "raw_rand", &empty)),
    );
    candid::decode_one(&reply.unwrap()).unwrap()
}

#[test]
fn raw_rand_gives_32_bytes_that_follow_from_the_seed() {
    let drawn = |seed: &[u8]| {
        let mut world = World::with(Config {
            seed: seed.to_vec(),
            ..config()
        });
        let id = world.puppet();
        [random(&mut world, id), random(&mut world, id)]
    };
    let [first, second] = drawn(b"a");
    assert_eq!((first.len(), second.len()), (32, 32));
    assert_ne!(first, second);
    assert_eq!(drawn(b"a"), [first.clone(), second]);
    assert_ne!(drawn(b"b")[0], first);
}

#[test]
fn users_are_refused_what_only_canisters_can_call() {
    let mut world = World::new();
    let id = world.puppet();
    let empty = candid::encode_args(()).unwrap();
    let record = candid::encode_one(CanisterIdRecord { canister_id: id }).unwrap();
    let create = candid::encode_one(CreateCanisterArgs::default()).unwrap();
    let info = CanisterInfoArgs {
        canister_id: id,
        num_requested_changes: None,
    };
    let info = candid::encode_one(info).unwrap();
    for (method, argument) in [
        ("raw_rand", empty),
        ("deposit_cycles", record),
        ("create_canister", create),
        ("canister_info", info),
    ] {
        let result = world.call(MANAGEMENT, method, &argument);
        let reject = expect_reject(result, CanisterReject, CanisterRejectedMessage);
        assert!(reject.message.contains(method), "{reject}");
    }
}

#[test]
fn what_a_local_replica_lacks_says_so() {
    let mut world = World::new();
    let id = world.puppet();
    for (method, what) in [
        ("sign_with_ecdsa", "threshold signatures"),
        ("ecdsa_public_key", "threshold signatures"),
        ("sign_with_schnorr", "threshold signatures"),
        ("vetkd_derive_key", "threshold signatures"),
        ("http_request", "HTTPS outcalls"),
        ("bitcoin_get_balance", "Bitcoin"),
    ] {
        let reject = world.call(MANAGEMENT, method, b"DIDL\0\0").unwrap_err();
        assert!(
            reject.message.contains(method) && reject.message.contains(what),
            "{reject}"
        );
        let (_, message) = rejected(by(&mut world, id, method, &0u8));
        assert!(
            message.contains(method) && message.contains(what),
            "{message}"
        );
    }
}

#[test]
fn metrics_tell_controllers_what_a_canister_has_paid_and_for_what() {
    let mut world = World::new();
    let a = world.puppet();
    let b = world.puppet();
    let metrics = |world: &mut World, id| {
        let argument = candid::encode_one(CanisterIdRecord { canister_id: id }).unwrap();
        // The call is paid for itself, so the query comes after it.
        let called = world.command("canister_metrics", id).unwrap();
        let reply = world.query(MANAGEMENT, "canister_metrics", &argument);
        let result: CanisterMetricsResult = candid::decode_one(&reply.unwrap()).unwrap();
        assert_eq!(
            candid::decode_one::<CanisterMetricsResult>(&called).unwrap(),
            result
        );
        let used = result.cycles_consumed;
        let parts = [
            used.ingress_induction,
            used.instructions,
            used.request_and_response_transmission,
            used.canister_creation,
            used.burned_cycles,
        ];
        parts.map(|part| u128::try_from(part.0).unwrap())
    };
    let made = call(b, script().reply()).on_reply(script().reply());
    world
        .run(a, script().get_of("burn", 0, 5).call(made))
        .unwrap();
    for id in [a, b] {
        let paid = metrics(&mut world, id);
        assert_eq!(paid.iter().sum::<u128>(), 100 * T - world.state(id).balance);
        assert!(paid[1] > 5_000_000);
    }
    let [a, b] = [a, b].map(|id| metrics(&mut world, id));
    assert!(
        a[0] > b[0] + 1_200_000 && b[0] > 1_200_000,
        "both took in their installation, and a another message of a user: {a:?} {b:?}"
    );
    assert!(a[2] > 260_000 && b[2] == 0, "only a sent a request");
    assert_eq!((a[4], b[4]), (5, 0));
}

#[test]
fn metrics_tell_what_the_creation_cost() {
    let mut world = World::new();
    let a = world.puppet();
    let create = candid::encode_one(CreateCanisterArgs::default()).unwrap();
    let made = call_method(MANAGEMENT, "create_canister", &create).cycles(10 * T);
    let reply = world.run(a, script().call(made)).unwrap();
    let created: CanisterIdRecord = candid::decode_one(&reply).unwrap();
    let reply = by(&mut world, a, "canister_metrics", &created).unwrap();
    let result: CanisterMetricsResult = candid::decode_one(&reply).unwrap();
    let creation = result.cycles_consumed.canister_creation;
    assert_eq!(creation, Nat::from(500_000_000_000u64));
    // Nobody else is told.
    let result = world.manage("canister_metrics", &created);
    expect_reject(result, CanisterError, CanisterInvalidController);
}

#[test]
fn canisters_are_told_of_the_subnet() {
    let mut world = World::new();
    let a = world.puppet();
    let subnet_id = world.replica.subnet_id();
    let info = by(&mut world, a, "subnet_info", &SubnetInfoArgs { subnet_id }).unwrap();
    let info: SubnetInfoResult = candid::decode_one(&info).unwrap();
    assert!(info.replica_version.starts_with("local-replica-"));
    let history = |subnet_id| NodeMetricsHistoryArgs {
        subnet_id,
        start_at_timestamp_nanos: 0,
    };
    let nodes = by(&mut world, a, "node_metrics_history", &history(subnet_id)).unwrap();
    let nodes: NodeMetricsHistoryResult = candid::decode_one(&nodes).unwrap();
    assert!(
        nodes.is_empty(),
        "without consensus no node proposes blocks"
    );
    let (code, message) = rejected(by(&mut world, a, "node_metrics_history", &history(USER)));
    assert_eq!((code, &message[..7]), (4, "IC0404:"), "{message}");
    let args = SubnetInfoArgs { subnet_id };
    let result = world.manage("subnet_info", &args);
    expect_reject(result, CanisterReject, CanisterRejectedMessage);
}

#[test]
fn canister_info_tells_the_history() {
    let mut world = World::new();
    let (a, b) = (world.puppet(), world.puppet());
    world
        .upgrade(b, &crate::puppet::module(&[], ""), b"")
        .unwrap();
    let controllers = Some(vec![USER, a]);
    world
        .settings(
            b,
            CanisterSettings {
                controllers,
                ..Default::default()
            },
        )
        .unwrap();
    let args = CanisterInfoArgs {
        canister_id: b,
        num_requested_changes: Some(3),
    };
    let info = by(&mut world, a, "canister_info", &args).unwrap();
    let info: CanisterInfoResult = candid::decode_one(&info).unwrap();
    assert_eq!(info.total_num_changes, 4);
    assert!(info.module_hash.is_some());
    assert_eq!(info.controllers.len(), 2);
    let details: Vec<_> = info
        .recent_changes
        .iter()
        .map(|c| c.details.clone().unwrap())
        .collect();
    assert!(matches!(
        details[..],
        [
            ChangeDetails::CodeDeployment(_),
            ChangeDetails::CodeDeployment(_),
            ChangeDetails::ControllersChange(_)
        ]
    ));
}

#[test]
fn status_tells_settings_and_memory() {
    let mut world = World::new();
    let settings = CanisterSettings {
        compute_allocation: Some(Nat::from(5u8)),
        freezing_threshold: Some(Nat::from(1000u32)),
        environment_variables: Some(vec![EnvironmentVariable {
            name: "n".to_owned(),
            value: "v".to_owned(),
        }]),
        ..Default::default()
    };
    let id = world.create_with(5 * T, settings);
    world
        .install(id, &crate::puppet::module(&[], ""), b"")
        .unwrap();
    world
        .run(id, script().get_of("stable_grow", 0, 3).reply())
        .unwrap();
    let status = world.command("canister_status", id).unwrap();
    let status: CanisterStatusResult = candid::decode_one(&status).unwrap();
    assert_eq!(status.settings.controllers, [USER]);
    assert_eq!(status.settings.compute_allocation, Nat::from(5u8));
    assert_eq!(status.settings.freezing_threshold, Nat::from(1000u32));
    assert_eq!(status.settings.environment_variables[0].value, "v");
    assert_eq!(
        status.memory_metrics.stable_memory_size,
        Nat::from(3u64 * 65536)
    );
    assert_eq!(status.memory_metrics.wasm_memory_size, Nat::from(65536u64));
    assert_eq!(status.cycles, Nat::from(world.state(id).balance));
    assert_eq!(status.version, world.state(id).version);
    let argument = candid::encode_one(CanisterIdRecord { canister_id: id }).unwrap();
    let queried = world
        .query(MANAGEMENT, "canister_status", &argument)
        .unwrap();
    let queried: CanisterStatusResult = candid::decode_one(&queried).unwrap();
    assert_eq!(queried.version, status.version);
}

#[test]
fn settings_out_of_range_change_nothing() {
    let mut world = World::new();
    let id = world.create();
    let before = world.state(id).settings.clone();
    let variable = |name: &str| EnvironmentVariable {
        name: name.to_owned(),
        value: String::new(),
    };
    for settings in [
        CanisterSettings {
            compute_allocation: Some(Nat::from(101u8)),
            ..Default::default()
        },
        CanisterSettings {
            controllers: Some(vec![USER; 11]),
            ..Default::default()
        },
        CanisterSettings {
            freezing_threshold: Some(Nat::from(u64::MAX) + Nat::from(1u8)),
            controllers: Some(vec![]),
            ..Default::default()
        },
        CanisterSettings {
            environment_variables: Some(vec![variable("a"), variable("a")]),
            ..Default::default()
        },
        CanisterSettings {
            environment_variables: Some((0..21).map(|n| variable(&n.to_string())).collect()),
            ..Default::default()
        },
    ] {
        world.settings(id, settings).unwrap_err();
        assert_eq!(world.state(id).settings, before);
    }
}

#[test]
fn canister_can_install_code_in_a_canister_that_it_created() {
    let mut world = World::new();
    let a = world.puppet();
    let create = candid::encode_one(CreateCanisterArgs::default()).unwrap();
    let made = call_method(MANAGEMENT, "create_canister", &create).cycles(10 * T);
    let reply = world.run(a, script().call(made)).unwrap();
    let created: CanisterIdRecord = candid::decode_one(&reply).unwrap();
    let install = ic_management_canister_types::InstallCodeArgs {
        mode: ic_management_canister_types::CanisterInstallMode::Install,
        canister_id: created.canister_id,
        wasm_module: crate::puppet::module(&[], ""),
        arg: Vec::new(),
        sender_canister_version: None,
    };
    by(&mut world, a, "install_code", &install).unwrap();
    assert!(world.state(created.canister_id).code.is_some());
    assert_eq!(world.cell(created.canister_id, 0), 0);
    // The user who asked for it is no controller.
    let result = world.command("uninstall_code", created.canister_id);
    expect_reject(result, CanisterError, CanisterInvalidController);
}
