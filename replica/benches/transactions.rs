//! How fast the replica is: transactions beside bare Wasm calls, installs, and how the cost grows
//! with memory and with the number of canisters. Compare figures of one run only.

#![allow(missing_docs, reason = "criterion's macros make public functions")]

#[path = "support/canisters.rs"]
mod canisters;

use std::collections::BTreeMap;
use std::hint::black_box;
use std::sync::Arc;

use candid::Principal;
use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use ic_management_canister_types::CanisterInstallMode;
use local_replica::limits::Limits;
use local_replica::module::CanisterModule;
use local_replica::settings::Settings;
use local_replica::stable_memory::StableMemory;
use local_replica::subnet::Subnet;
use local_replica::system_api::{EntryPoint, SystemApi, View, functions};
use local_replica::wasm::{Allowance, Engine, Entry, Room};
use local_replica::{Config, Replica};

use canisters::{USER, call, create, deploy, install, pair, wasm};

const MIB: u64 = 1024 * 1024;

/// A replica, with the timeline or without.
fn replica(timeline_capacity: usize) -> Replica {
    Replica::new(Config {
        timeline_capacity,
        ..Config::default()
    })
}

fn canister(number: u8) -> Vec<u8> {
    let name = format!("canister{number}");
    wasm(&name, &name)
}

fn update(replica: &mut Replica, canister: Principal, method: &str) {
    black_box(call(replica, canister, method, b"DIDL\0\0"));
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
        stored_beside_memory: 0,
        reserved_for_responses: 0,
        memory64: false,
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
            bencher.iter(|| update(&mut replica, canister, "increment"));
        });
    }
    group.finish();
}

fn increment_both(criterion: &mut Criterion) {
    let mut replica = replica(0);
    let (canister1, _) = pair(&mut replica, &[canister(1), canister(2)], "canister2");
    criterion.bench_function("increment_both", |bencher| {
        bencher.iter(|| update(&mut replica, canister1, "increment_both"));
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
                update(&mut replica, *canister, "increment");
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
            bencher.iter(|| update(&mut replica, canister, "increment"));
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
