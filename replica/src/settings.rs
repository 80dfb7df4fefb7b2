//! A canister's settings, checked (Interface Specification, "IC method `create_canister`").

use std::collections::{BTreeMap, BTreeSet};

use candid::{Nat, Principal};
use ic_management_canister_types::{
    CanisterSettings, DefiniteCanisterSettings, EnvironmentVariable, LogVisibility,
    SnapshotVisibility, StatusVisibility,
};
use serde::{Deserialize, Serialize};

use crate::fees::{self, DEFAULT_FREEZING_THRESHOLD};
use crate::message::{Cycles, ErrorCode, Reject};

/// The most controllers that a canister can have, and viewers that a visibility can name.
const MAX_PRINCIPALS: usize = 10;

/// The memory that updates may not grow past if nobody set a limit: 3 GiB.
const DEFAULT_WASM_MEMORY_LIMIT: u64 = 3 * 1024 * 1024 * 1024;

/// The most environment variables that a canister can have.
const MAX_VARIABLES: usize = 20;

/// The longest name and value of an environment variable, in bytes.
const MAX_VARIABLE_LENGTH: usize = 128;

/// The largest limit of the log, in bytes.
const MAX_LOG_MEMORY: u64 = 2 * 1024 * 1024;

/// The largest limit of the Wasm memory, and threshold, in bytes.
const MAX_WASM_MEMORY: u64 = 1 << 48;

/// The settings of one canister.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Settings {
    /// Who controls the canister.
    pub controllers: BTreeSet<Principal>,
    /// In percent.
    pub compute_allocation: u64,
    /// In bytes.
    pub memory_allocation: u64,
    /// In seconds.
    pub freezing_threshold: u64,
    /// In cycles.
    pub reserved_cycles_limit: Cycles,
    /// The cycles that a call by another canister must bring.
    pub minimum_incoming_canister_call_cycles: Cycles,
    /// Who may read the log.
    pub log_visibility: LogVisibility,
    /// How much of the log is kept, in bytes.
    pub log_memory_limit: u64,
    /// Who may read snapshots.
    pub snapshot_visibility: SnapshotVisibility,
    /// Who may read the status.
    pub status_visibility: StatusVisibility,
    /// The memory in bytes that updates may not grow past; 0 is no limit.
    pub wasm_memory_limit: u64,
    /// The remaining memory in bytes that calls for `canister_on_low_wasm_memory`.
    pub wasm_memory_threshold: u64,
    /// The canister's environment variables.
    pub environment_variables: BTreeMap<String, String>,
}

impl Settings {
    /// What a canister has if nothing else is said.
    pub fn controlled_by(controller: Principal) -> Self {
        Settings {
            controllers: BTreeSet::from([controller]),
            compute_allocation: 0,
            memory_allocation: 0,
            freezing_threshold: DEFAULT_FREEZING_THRESHOLD,
            reserved_cycles_limit: 5_000_000_000_000,
            minimum_incoming_canister_call_cycles: 0,
            log_visibility: LogVisibility::Controllers,
            log_memory_limit: 4096,
            snapshot_visibility: SnapshotVisibility::Controllers,
            status_visibility: StatusVisibility::Controllers,
            wasm_memory_limit: DEFAULT_WASM_MEMORY_LIMIT,
            wasm_memory_threshold: 0,
            environment_variables: BTreeMap::new(),
        }
    }

    /// These settings with what `changes` names changed.
    ///
    /// # Errors
    ///
    /// The reject that says which setting is not allowed.
    pub fn changed(&self, changes: CanisterSettings) -> Result<Settings, Reject> {
        let mut new = self.clone();
        if let Some(controllers) = changes.controllers {
            limit_principals(controllers.len())?;
            new.controllers = controllers.into_iter().collect();
        }
        set(
            "ComputeAllocation expected to be in the range [0..100]",
            changes.compute_allocation,
            100,
            &mut new.compute_allocation,
        )?;
        set(
            "MemoryAllocation expected to be in the range [0..18_446_744_073_709_551_615]",
            changes.memory_allocation,
            u64::MAX,
            &mut new.memory_allocation,
        )?;
        set(
            "Freezing threshold expected to be in the range of [0..2^64-1]",
            changes.freezing_threshold,
            u64::MAX,
            &mut new.freezing_threshold,
        )?;
        set(
            "Reserved cycles limit expected to be in the range of [0..2^128-1]",
            changes.reserved_cycles_limit,
            u128::MAX,
            &mut new.reserved_cycles_limit,
        )?;
        set(
            "Minimum incoming canister call cycles expected to be in the range of [0..2^128-1]",
            changes.minimum_incoming_canister_call_cycles,
            u128::MAX,
            &mut new.minimum_incoming_canister_call_cycles,
        )?;
        // The network's texts name a larger range than it allows.
        set(
            "Wasm memory limit expected to be in the range of [0..2^64-1]",
            changes.wasm_memory_limit,
            MAX_WASM_MEMORY,
            &mut new.wasm_memory_limit,
        )?;
        set(
            "Wasm memory threshold expected to be in the range of [0..2^64-1]",
            changes.wasm_memory_threshold,
            MAX_WASM_MEMORY,
            &mut new.wasm_memory_threshold,
        )?;
        if let Some(limit) = changes.log_memory_limit {
            new.log_memory_limit = log_memory(&limit)?;
        }
        if let Some(visibility) = changes.log_visibility {
            if let LogVisibility::AllowedViewers(viewers) = &visibility {
                limit_principals(viewers.len())?;
            }
            new.log_visibility = visibility;
        }
        if let Some(visibility) = changes.snapshot_visibility {
            if let SnapshotVisibility::AllowedViewers(viewers) = &visibility {
                limit_principals(viewers.len())?;
            }
            new.snapshot_visibility = visibility;
        }
        if let Some(visibility) = changes.status_visibility {
            if let StatusVisibility::AllowedViewers(viewers) = &visibility {
                limit_principals(viewers.len())?;
            }
            new.status_visibility = visibility;
        }
        if let Some(variables) = changes.environment_variables {
            new.environment_variables = checked_variables(variables)?;
        }
        Ok(new)
    }

    /// The bytes that a canister pays for that stores so many: at least those that it has allocated.
    pub fn paid_bytes(&self, stored: u64) -> u64 {
        stored.max(self.memory_allocation)
    }

    /// What a canister costs for a day that stores so many bytes and has so many reserved for
    /// responses, if it does nothing.
    pub fn cost_per_day(&self, stored: u64, reserved: u64) -> Cycles {
        let bytes = self.paid_bytes(stored).saturating_add(reserved);
        fees::idle_per_day(bytes, self.compute_allocation)
    }

    /// The cycles that must stay in the balance of such a canister.
    pub fn freezing_limit(&self, stored: u64, reserved: u64) -> Cycles {
        fees::idle(self.cost_per_day(stored, reserved), self.freezing_threshold)
    }

    /// As `canister_status` shows them.
    pub fn definite(&self) -> DefiniteCanisterSettings {
        let variables = self.environment_variables.iter();
        DefiniteCanisterSettings {
            controllers: self.controllers.iter().copied().collect(),
            compute_allocation: Nat::from(self.compute_allocation),
            memory_allocation: Nat::from(self.memory_allocation),
            freezing_threshold: Nat::from(self.freezing_threshold),
            reserved_cycles_limit: Nat::from(self.reserved_cycles_limit),
            minimum_incoming_canister_call_cycles: Nat::from(
                self.minimum_incoming_canister_call_cycles,
            ),
            log_visibility: self.log_visibility.clone(),
            log_memory_limit: Nat::from(self.log_memory_limit),
            snapshot_visibility: self.snapshot_visibility.clone(),
            status_visibility: self.status_visibility.clone(),
            wasm_memory_limit: Nat::from(self.wasm_memory_limit),
            wasm_memory_threshold: Nat::from(self.wasm_memory_threshold),
            environment_variables: variables
                .map(|(name, value)| EnvironmentVariable {
                    name: name.clone(),
                    value: value.clone(),
                })
                .collect(),
        }
    }

    /// Whether `who` may read the log.
    pub fn may_read_log(&self, who: &Principal) -> bool {
        self.controllers.contains(who)
            || match &self.log_visibility {
                LogVisibility::Controllers => false,
                LogVisibility::Public => true,
                LogVisibility::AllowedViewers(viewers) => viewers.contains(who),
            }
    }

    /// Whether `who` may read snapshots.
    pub fn may_read_snapshots(&self, who: &Principal) -> bool {
        self.controllers.contains(who)
            || match &self.snapshot_visibility {
                SnapshotVisibility::Controllers => false,
                SnapshotVisibility::Public => true,
                SnapshotVisibility::AllowedViewers(viewers) => viewers.contains(who),
            }
    }

    /// Whether `who` may read the status.
    pub fn may_read_status(&self, who: &Principal) -> bool {
        self.controllers.contains(who)
            || match &self.status_visibility {
                StatusVisibility::Controllers => false,
                StatusVisibility::Public => true,
                StatusVisibility::AllowedViewers(viewers) => viewers.contains(who),
            }
    }
}

/// Sets a number, if it is given; `range` says which it can be.
fn set<N>(range: &str, value: Option<Nat>, maximum: N, setting: &mut N) -> Result<(), Reject>
where
    N: TryFrom<u128> + Into<u128> + Copy,
{
    let Some(value) = value else { return Ok(()) };
    let maximum: u128 = maximum.into();
    let number = u128::try_from(value.0.clone())
        .ok()
        .filter(|n| *n <= maximum);
    match number.and_then(|n| N::try_from(n).ok()) {
        Some(number) => {
            *setting = number;
            Ok(())
        }
        None => Err(Reject::new(
            ErrorCode::CanisterContractViolation,
            format!("{range}, got {value}"),
        )),
    }
}

fn log_memory(limit: &Nat) -> Result<u64, Reject> {
    let number = u64::try_from(limit.0.clone()).ok();
    number.filter(|n| *n <= MAX_LOG_MEMORY).ok_or_else(|| {
        Reject::new(
            ErrorCode::CanisterRejectedMessage,
            format!(
                "The canister log memory limit {} is too high. It must be at most \
                 {MAX_LOG_MEMORY}.",
                limit.0
            ),
        )
    })
}

fn limit_principals(length: usize) -> Result<(), Reject> {
    match length <= MAX_PRINCIPALS {
        true => Ok(()),
        false => Err(unfit(format!(
            "Error decoding candid: Deserialize error: The number of elements exceeds maximum \
             allowed {MAX_PRINCIPALS}"
        ))),
    }
}

fn checked_variables(
    variables: Vec<EnvironmentVariable>,
) -> Result<BTreeMap<String, String>, Reject> {
    let count = variables.len();
    let variables = variables.into_iter();
    let checked: BTreeMap<String, String> = variables
        .map(|variable| (variable.name, variable.value))
        .collect();
    if checked.len() < count {
        return Err(unfit("Duplicate environment variables are not allowed"));
    }
    if count > MAX_VARIABLES {
        return Err(unfit(format!(
            "Too many environment variables: {count} (max: {MAX_VARIABLES})"
        )));
    }
    let check = |what: &str, text: &str| match text.len() <= MAX_VARIABLE_LENGTH {
        true => Ok(()),
        false => Err(unfit(format!(
            "Environment variable {what} \"{text}\" exceeds the maximum allowed length of \
             {MAX_VARIABLE_LENGTH}."
        ))),
    };
    for (name, value) in &checked {
        check("name", name)?;
        check("value", value)?;
    }
    Ok(checked)
}

fn unfit(fault: impl Into<String>) -> Reject {
    Reject::new(ErrorCode::InvalidManagementPayload, fault)
}
