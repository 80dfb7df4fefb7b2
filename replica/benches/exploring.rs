//! How fast orders are explored, beside plain execution of the same messages. Compare figures of one
//! run only.

#![allow(missing_docs, reason = "criterion's macros make public functions")]

#[path = "support/canisters.rs"]
mod canisters;

use std::hint::black_box;
use std::time::Instant;

use candid::{Principal, decode_one, encode_args};
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use local_replica::explore::Explore;
use local_replica::{Config, Replica};

use canisters::{USER, call, deploy, pair, wasm};

/// A replica without a timeline.
fn replica() -> Replica {
    Replica::new(Config {
        timeline_capacity: 0,
        ..Config::default()
    })
}

/// The pair of the lesson `interleaving`, with an account that has 100.
fn shop() -> (Replica, Principal, Principal, u64) {
    let mut replica = replica();
    let wasm = ["interleaving_caller", "interleaving_callee"].map(|name| wasm("lessons", name));
    let (caller, callee) = pair(&mut replica, &wasm, "interleaving_callee");
    let opened = call(&mut replica, caller, "open", b"DIDL\0\0");
    let account: Result<u64, String> = decode_one(&opened).expect("it is that");
    (replica, caller, callee, account.expect("there is room"))
}

/// Withdrawals of about 80 at the same time: one can be paid.
fn withdrawals(number: usize, method: &str) -> Explore {
    let (replica, caller, callee, account) = shop();
    let asked = encode_args((caller, account)).expect("it can be encoded");
    let mut explore = Explore::from(&replica).look(USER, callee, "paid", &asked);
    for number in 0..number {
        // No two are the same: then there are more orders that differ.
        let argument = encode_args((account, 80 - number as u64)).expect("it can be encoded");
        explore = explore.together(USER, caller, method, &argument);
    }
    explore.at_end("at most 100 is paid", |seen| {
        let paid = seen.looks[0].as_ref().map(|paid| decode_one::<u64>(paid));
        matches!(paid, Ok(Ok(0..=100)))
    })
}

fn deliveries(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("deliveries of increment_both");
    let mut replica = replica();
    let wasm = ["canister1", "canister2"].map(|name| wasm(name, name));
    let (canister1, _) = pair(&mut replica, &wasm, "canister2");
    let begun = || {
        let mut explore = Explore::from(&replica);
        for number in 0..3 {
            let user = Principal::from_slice(&[number]);
            explore = explore.together(user, canister1, "increment_both", b"DIDL\0\0");
        }
        explore
    };
    let report = begun().run();
    group.throughput(Throughput::Elements(report.deliveries));
    group.bench_function("explored", |bencher| {
        let explore = begun();
        bencher.iter(|| black_box(explore.run().runs));
    });
    // Each `increment_both` is three deliveries.
    group.throughput(Throughput::Elements(3));
    group.bench_function("executed", |bencher| {
        let mut replica = replica.fork();
        bencher.iter(|| call(&mut replica, canister1, "increment_both", b"DIDL\0\0"));
    });
    group.finish();
}

/// The most memory that this process had so far, in MiB; 0 where that is not known.
fn peak() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let number = line.and_then(|line| line.trim().split(' ').next()?.parse::<u64>().ok());
    number.unwrap_or(0) / 1024
}

/// Explores, and prints how much there was and what it took.
fn measure(what: &str, explore: Explore) {
    let (start, before) = (Instant::now(), peak());
    let report = explore.threads(2).random(0, 1).run();
    let failing = report.failures.first();
    println!(
        "{what}: {}{} orders, {} run, {} deliveries, {:?}, {} MiB more, {} fail",
        if report.is_exhaustive() {
            ""
        } else {
            "more than "
        },
        report.orders.number,
        report.runs,
        report.deliveries,
        start.elapsed(),
        peak() - before,
        failing.map_or(0, |failure| failure.orders.number),
    );
}

/// Users of the shop of the module's example, whose memory has so many pages, all of them written.
fn memory(_: &mut Criterion) {
    for pages in [16, 4096] {
        let filling = format!(
            r#"(memory 1)
            (func (export "canister_init")
                (drop (memory.grow (i32.const {})))
                (memory.fill (i32.const 4096) (i32.const 1) (i32.const {})))"#,
            pages - 1,
            pages * 65_536 - 4096
        );
        let shop = include_str!("../src/explore/shop.wat").replace("(memory 1)", &filling);
        let mut replica = replica();
        let shop = deploy(&mut replica, &wat::parse_str(shop).expect("it is Wasm"));
        let mut explore = Explore::from(&replica);
        for number in 0..4 {
            explore = explore.together(Principal::from_slice(&[number]), shop, "buy", b"");
        }
        measure(&format!("4 × buy with {} MiB", pages / 16), explore);
    }
}

fn exhaustion(_: &mut Criterion) {
    for method in ["withdraw_unguarded", "withdraw"] {
        for number in 2..=6 {
            measure(&format!("{number} × {method}"), withdrawals(number, method));
        }
    }
}

criterion_group! {
    name = benches;
    config = Criterion::default().sample_size(10);
    targets = deliveries, memory, exhaustion
}
criterion_main!(benches);
