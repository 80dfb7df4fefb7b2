//! How fast the replica is: transactions beside bare Wasm calls, installs, and how the cost grows
//! with memory and with the number of canisters. Compare figures of one run only.

#![allow(missing_docs, reason = "criterion's macros make public functions")]

#[path = "../tests/support/deploying.rs"]
mod deploying;

use std::collections::BTreeMap;
use std::hint::black_box;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;

use candid::{Principal, encode_one};
use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use ic_management_canister_types::{
    CanisterInstallMode, CanisterSettings, EnvironmentVariable,
    ProvisionalCreateCanisterWithCyclesArgs, UpdateSettingsArgs,
};
use local_replica::limits::Limits;
use local_replica::module::CanisterModule;
use local_replica::settings::Settings;
use local_replica::stable_memory::StableMemory;
use local_replica::subnet::Subnet;
use local_replica::system_api::{EntryPoint, SystemApi, View, functions};
use local_replica::wasm::{Allowance, Engine, Entry, Room};
use local_replica::{Config, Replica};

use deploying::{CREATE, MANAGEMENT, created, creation};

const USER: Principal = Principal::anonymous();
const MIB: u64 = 1024 * 1024;

/// The Wasm of canister1 or canister2, built as it is deployed.
fn canister(number: u8) -> Vec<u8> {
    let project = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let name = format!("canister{number}");
    let status = Command::new(env!("CARGO"))
        .current_dir(&project)
        .args(["build", "--locked", "--release", "--quiet", "--target"])
        .args([
            "wasm32-unknown-unknown",
            "--target-dir",
            "target",
            "-p",
            &name,
        ])
        .status();
    assert!(status.expect("cargo starts").success());
    let folder = project.join("target/wasm32-unknown-unknown/release");
    std::fs::read(folder.join(name).with_extension("wasm")).expect("it was built")
}

/// A replica, with the timeline or without.
fn replica(timeline_capacity: usize) -> Replica {
    Replica::new(Config {
        timeline_capacity,
        ..Config::default()
    })
}

fn manage(replica: &mut Replica, method: &str, argument: &[u8]) -> Vec<u8> {
    let answer = replica.call(USER, MANAGEMENT, method, argument);
    answer.expect("an answer").expect("a reply")
}

fn create(replica: &mut Replica) -> Principal {
    let args = ProvisionalCreateCanisterWithCyclesArgs::default();
    created(&manage(replica, CREATE, &creation(args)))
}

fn install(replica: &mut Replica, canister: Principal, wasm: &[u8], mode: CanisterInstallMode) {
    let args = deploying::installation(canister, wasm, mode, b"DIDL\0\0");
    manage(replica, "install_code", &args);
}

fn deploy(replica: &mut Replica, wasm: &[u8]) -> Principal {
    let canister = create(replica);
    install(replica, canister, wasm, CanisterInstallMode::Install);
    canister
}

fn call(replica: &mut Replica, canister: Principal, method: &str) {
    let argument = b"DIDL\0\0";
    let answer = replica.call(USER, canister, method, argument);
    black_box(answer).expect("an answer").expect("a reply");
}

/// The view of `increment`, for a call without a replica around it.
fn view(subnet: &Arc<Subnet>, settings: &Arc<Settings>) -> View {
    View {
        entry_point: EntryPoint::Update,
        subnet: Arc::clone(subnet),
        canister: Principal::from_slice(&[0, 0, 0, 0, 0, 0, 0, 1, 1, 1]),
        settings: Arc::clone(settings),
        version: 1,
        status: 1,
        time: 1,
        caller: USER,
        argument: b"DIDL\0\0".to_vec(),
        reject: None,
        method: String::new(),
        deadline: None,
        refunded: 0,
        responded: false,
        context_instructions: 0,
        replicated: true,
        certified_data: None,
        freezing_limit: 0,
        limits: Arc::new(Limits::default()),
    }
}

fn increment(criterion: &mut Criterion) {
    let wasm = canister(2);
    let mut group = criterion.benchmark_group("increment");

    let engine: Engine<SystemApi> = Engine::new("ic0", functions());
    let module = CanisterModule::new(&engine, &wasm).expect("a module");
    let room = Room {
        memory: 4096 * MIB,
        mapped: true,
    };
    let mut instance = module.compiled.instantiate(room).expect("an instance");
    let subnet = Arc::new(Subnet::from_seed(b"bench"));
    let settings = Arc::new(Settings::controlled_by(USER));
    group.bench_function("bare Wasm call", |bencher| {
        bencher.iter(|| {
            let view = view(&subnet, &settings);
            let stable = StableMemory::default();
            let api = SystemApi::new(view, 1 << 60, 0, stable, BTreeMap::new(), 0);
            let limits = Allowance {
                instructions: 40_000_000_000,
                memory: 4096 * MIB,
                soft_memory: None,
            };
            let entry = Entry::Export("canister_update increment");
            let (_, result, instructions) = instance.call(entry, api, limits);
            assert!(result.is_ok());
            black_box(instructions)
        });
    });

    for (name, timeline) in [("transaction", 0), ("transaction, with timeline", 10_000)] {
        let mut replica = replica(timeline);
        let canister = deploy(&mut replica, &wasm);
        group.bench_function(name, |bencher| {
            bencher.iter(|| call(&mut replica, canister, "increment"));
        });
    }
    group.finish();
}

fn increment_both(criterion: &mut Criterion) {
    let mut replica = replica(0);
    let canister1 = deploy(&mut replica, &canister(1));
    let canister2 = deploy(&mut replica, &canister(2));
    let variable = EnvironmentVariable {
        name: "PUBLIC_CANISTER_ID:canister2".to_owned(),
        value: canister2.to_text(),
    };
    let settings = CanisterSettings {
        environment_variables: Some(vec![variable]),
        ..CanisterSettings::default()
    };
    let args = UpdateSettingsArgs {
        canister_id: canister1,
        settings,
        sender_canister_version: None,
    };
    let args = encode_one(args).expect("it can be encoded");
    manage(&mut replica, "update_settings", &args);
    criterion.bench_function("increment_both", |bencher| {
        bencher.iter(|| call(&mut replica, canister1, "increment_both"));
    });
}

fn installation(criterion: &mut Criterion) {
    let wasm = canister(1);
    let mut group = criterion.benchmark_group("install canister1");
    let engine: Engine<SystemApi> = Engine::new("ic0", functions());
    group.bench_function("compile", |bencher| {
        bencher.iter(|| CanisterModule::new(&engine, &wasm).expect("a module").size);
    });
    let mut replica = replica(0);
    let canister = create(&mut replica);
    install(&mut replica, canister, &wasm, CanisterInstallMode::Install);
    group.bench_function("reinstall what is compiled", |bencher| {
        bencher.iter(|| {
            install(
                &mut replica,
                canister,
                &wasm,
                CanisterInstallMode::Reinstall,
            )
        });
    });
    group.finish();
}

fn canisters(criterion: &mut Criterion) {
    let wasm = canister(2);
    let mut group = criterion.benchmark_group("increment, by number of canisters");
    for number in [1, 10, 100, 1000] {
        let mut replica = replica(0);
        let canisters: Vec<Principal> = (0..number).map(|_| deploy(&mut replica, &wasm)).collect();
        let mut next = canisters.iter().cycle();
        group.bench_function(BenchmarkId::from_parameter(number), |bencher| {
            bencher.iter(|| {
                let canister = next.next().expect("it cycles");
                call(&mut replica, *canister, "increment");
            });
        });
    }
    group.finish();
}

fn memory(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("an update, by memory in MiB");
    for mebibytes in [1, 4, 16, 64, 256_u64] {
        let pages = mebibytes * 16;
        let wat = format!(
            r#"(module
                (import "ic0" "msg_reply" (func $reply))
                (memory {pages})
                (func (export "canister_init")
                    (memory.fill (i32.const 0) (i32.const 1) (i32.const {})))
                (func (export "canister_update increment")
                    (i64.store (i32.const 8) (i64.add (i64.load (i32.const 8)) (i64.const 1)))
                    (call $reply)))"#,
            mebibytes * MIB
        );
        let mut replica = replica(0);
        let canister = deploy(&mut replica, &wat::parse_str(wat).expect("it is Wasm"));
        group.bench_function(BenchmarkId::from_parameter(mebibytes), |bencher| {
            bencher.iter(|| call(&mut replica, canister, "increment"));
        });
    }
    group.finish();
}

criterion_group! {
    name = benches;
    config = Criterion::default().sample_size(20);
    targets = increment, increment_both, installation, canisters, memory
}
criterion_main!(benches);
