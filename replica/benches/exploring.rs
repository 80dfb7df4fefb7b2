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

use canisters::{USER, call, pair, wasm};

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

fn exhaustion(_: &mut Criterion) {
    for method in ["withdraw_unguarded", "withdraw"] {
        for number in 2..=6 {
            let explore = withdrawals(number, method);
            let start = Instant::now();
            let report = explore.limit(20_000_000).run();
            println!(
                "{number} × {method}: {} orders, {} run, {} deliveries, {:?}, {} fail",
                report.orders.number,
                report.runs,
                report.deliveries,
                start.elapsed(),
                report
                    .failures
                    .first()
                    .map_or(0, |failure| failure.orders.number),
            );
        }
    }
}

criterion_group! {
    name = benches;
    config = Criterion::default().sample_size(10);
    targets = deliveries, exhaustion
}
criterion_main!(benches);
