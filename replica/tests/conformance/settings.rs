//! Management canister, "IC method `create_canister`" and "IC method `update_settings`": what settings
//! can't be, as the network says it.

use candid::{Nat, Principal};
use ic_management_canister_types::{
    CanisterSettings, EnvironmentVariable, LogVisibility, ProvisionalCreateCanisterWithCyclesArgs,
};
use local_replica::message::ErrorCode::{self, *};
use local_replica::message::Reject;

use crate::harness::{MANAGEMENT, T, USER, World};

fn both(settings: &CanisterSettings) -> [Reject; 2] {
    let mut world = World::new();
    let id = world.create();
    let args = ProvisionalCreateCanisterWithCyclesArgs {
        settings: Some(settings.clone()),
        ..Default::default()
    };
    let before = world.state(id).version;
    let rejects = [
        world.settings(id, settings.clone()).unwrap_err(),
        world
            .manage("provisional_create_canister_with_cycles", &args)
            .unwrap_err(),
    ];
    assert_eq!(world.state(id).version, before);
    rejects
}

#[track_caller]
fn expect(settings: CanisterSettings, code: ErrorCode, text: &str) {
    for reject in both(&settings) {
        assert_eq!((reject.error_code, reject.message.as_str()), (code, text));
    }
}

fn variables(variables: &[(&str, &str)]) -> CanisterSettings {
    let variables = variables.iter().map(|(name, value)| EnvironmentVariable {
        name: (*name).to_owned(),
        value: (*value).to_owned(),
    });
    CanisterSettings {
        environment_variables: Some(variables.collect()),
        ..Default::default()
    }
}

#[test]
fn numbers_out_of_range_are_refused_with_the_range() {
    let too_large = || Some(Nat::from(u128::MAX) + 1u8);
    let number = "340_282_366_920_938_463_463_374_607_431_768_211_456";
    for (settings, range) in [
        (
            CanisterSettings {
                compute_allocation: Some(Nat::from(101u8)),
                ..Default::default()
            },
            "ComputeAllocation expected to be in the range [0..100], got 101".to_owned(),
        ),
        (
            CanisterSettings {
                memory_allocation: too_large(),
                ..Default::default()
            },
            format!(
                "MemoryAllocation expected to be in the range [0..18_446_744_073_709_551_615], got \
                 {number}"
            ),
        ),
        (
            CanisterSettings {
                freezing_threshold: too_large(),
                ..Default::default()
            },
            format!("Freezing threshold expected to be in the range of [0..2^64-1], got {number}"),
        ),
        (
            CanisterSettings {
                reserved_cycles_limit: too_large(),
                ..Default::default()
            },
            format!(
                "Reserved cycles limit expected to be in the range of [0..2^128-1], got {number}"
            ),
        ),
        (
            CanisterSettings {
                wasm_memory_limit: Some(Nat::from((1u64 << 48) + 1)),
                ..Default::default()
            },
            "Wasm memory limit expected to be in the range of [0..2^64-1], got 281_474_976_710_657"
                .to_owned(),
        ),
        (
            CanisterSettings {
                wasm_memory_threshold: too_large(),
                ..Default::default()
            },
            format!(
                "Wasm memory threshold expected to be in the range of [0..2^64-1], got {number}"
            ),
        ),
    ] {
        expect(settings, CanisterContractViolation, &range);
    }
    let log = CanisterSettings {
        log_memory_limit: Some(Nat::from(2 * 1024 * 1024 + 1u64)),
        ..Default::default()
    };
    let text = "The canister log memory limit 2097153 is too high. It must be at most 2097152.";
    expect(log, CanisterRejectedMessage, text);
}

#[test]
fn lists_of_principals_have_at_most_ten() {
    let eleven: Vec<Principal> = (0..11).map(|n| Principal::from_slice(&[n, 1, 2])).collect();
    let settings = [
        CanisterSettings {
            controllers: Some(eleven.clone()),
            ..Default::default()
        },
        CanisterSettings {
            log_visibility: Some(LogVisibility::AllowedViewers(eleven)),
            ..Default::default()
        },
    ];
    for settings in settings {
        for reject in both(&settings) {
            assert_eq!(reject.error_code, InvalidManagementPayload);
            let text = "The number of elements exceeds maximum allowed 10";
            assert!(reject.message.contains(text), "{reject}");
        }
    }
}

#[test]
fn environment_variables_out_of_range_are_refused() {
    let long = "x".repeat(129);
    expect(
        variables(&[("a", "1"), ("a", "2")]),
        InvalidManagementPayload,
        "Duplicate environment variables are not allowed",
    );
    expect(
        variables(&[(&long, "1")]),
        InvalidManagementPayload,
        &format!("Environment variable name \"{long}\" exceeds the maximum allowed length of 128."),
    );
    expect(
        variables(&[("a", &long)]),
        InvalidManagementPayload,
        &format!(
            "Environment variable value \"{long}\" exceeds the maximum allowed length of 128."
        ),
    );
    let names: Vec<String> = (0..21).map(|n| n.to_string()).collect();
    let many: Vec<(&str, &str)> = names.iter().map(|name| (name.as_str(), "")).collect();
    expect(
        variables(&many),
        InvalidManagementPayload,
        "Too many environment variables: 21 (max: 20)",
    );
}

#[test]
fn allocation_that_a_canister_can_not_pay_for_is_refused_with_what_is_missing() {
    let mut world = World::new();
    let id = world.create_with(T, CanisterSettings::default());
    let compute = CanisterSettings {
        compute_allocation: Some(Nat::from(50u8)),
        ..Default::default()
    };
    let memory = CanisterSettings {
        memory_allocation: Some(Nat::from(10u64 << 30)),
        ..Default::default()
    };
    for (settings, code, begins, section) in [
        (
            compute,
            InsufficientCyclesInComputeAllocation,
            "Cannot increase compute allocation to 50% due to insufficient cycles. At least ",
            "insufficient-cycles-in-compute-allocation",
        ),
        (
            memory,
            InsufficientCyclesInMemoryAllocation,
            "Cannot increase memory allocation to 10.00 GiB due to insufficient cycles. At least ",
            "insufficient-cycles-in-memory-allocation",
        ),
    ] {
        let reject = world.settings(id, settings).unwrap_err();
        assert_eq!(reject.error_code, code);
        let ends = format!(
            " additional cycles are required.\nTop up the canister with more cycles. See \
             documentation: https://internetcomputer.org/docs/current/references/execution-errors#{section}"
        );
        let text = &reject.message;
        assert!(text.starts_with(begins) && text.ends_with(&ends), "{text}");
    }
}

#[test]
fn amount_of_cycles_that_no_balance_can_have_counts_as_none_given() {
    let mut world = World::new();
    let args = ProvisionalCreateCanisterWithCyclesArgs {
        amount: Some(Nat::from(u128::MAX) + 1u8),
        ..Default::default()
    };
    let args = candid::encode_one(args).unwrap();
    let made = world.call(MANAGEMENT, "provisional_create_canister_with_cycles", &args);
    let id = crate::deploying::created(&made.unwrap());
    assert_eq!(world.state(id).balance, 100 * T);
    let args = ic_management_canister_types::ProvisionalTopUpCanisterArgs {
        canister_id: id,
        amount: Nat::from(u128::MAX) + 1u8,
    };
    world
        .manage_as(USER, "provisional_top_up_canister", &args)
        .unwrap();
    assert_eq!(world.state(id).balance, 200 * T);
}
