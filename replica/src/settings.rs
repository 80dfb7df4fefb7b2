//! A canister's settings, checked (Interface Specification, "IC method `create_canister`").

use std::collections::{BTreeMap, BTreeSet};

use candid::{Nat, Principal};
use ic_management_canister_types::{
    CanisterSettings, DefiniteCanisterSettings, EnvironmentVariable, LogVisibility,
    SnapshotVisibility, StatusVisibility,
};
use serde::{Deserialize, Serialize};

use crate::fees::DEFAULT_FREEZING_THRESHOLD;
use crate::message::Cycles;

/// The most controllers that a canister can have, and viewers that a visibility can name.
const MAX_PRINCIPALS: usize = 10;

/// The memory that updates may not grow past if nobody set a limit: 3 GiB.
const DEFAULT_WASM_MEMORY_LIMIT: u64 = 3 * 1024 * 1024 * 1024;

/// The most environment variables that a canister can have.
const MAX_VARIABLES: usize = 20;

/// The longest name and value of an environment variable, in bytes.
const MAX_VARIABLE_LENGTH: usize = 128;

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
    /// Which setting is not allowed, and why.
    pub fn changed(&self, changes: CanisterSettings) -> Result<Settings, String> {
        let mut new = self.clone();
        if let Some(controllers) = changes.controllers {
            limit_principals("controllers", controllers.len())?;
            new.controllers = controllers.into_iter().collect();
        }
        set(
            "compute_allocation",
            changes.compute_allocation,
            100,
            &mut new.compute_allocation,
        )?;
        set(
            "memory_allocation",
            changes.memory_allocation,
            u64::MAX,
            &mut new.memory_allocation,
        )?;
        set(
            "freezing_threshold",
            changes.freezing_threshold,
            u64::MAX,
            &mut new.freezing_threshold,
        )?;
        set(
            "reserved_cycles_limit",
            changes.reserved_cycles_limit,
            u128::MAX,
            &mut new.reserved_cycles_limit,
        )?;
        set(
            "minimum_incoming_canister_call_cycles",
            changes.minimum_incoming_canister_call_cycles,
            u128::MAX,
            &mut new.minimum_incoming_canister_call_cycles,
        )?;
        set(
            "log_memory_limit",
            changes.log_memory_limit,
            2 * 1024 * 1024,
            &mut new.log_memory_limit,
        )?;
        set(
            "wasm_memory_limit",
            changes.wasm_memory_limit,
            1 << 48,
            &mut new.wasm_memory_limit,
        )?;
        set(
            "wasm_memory_threshold",
            changes.wasm_memory_threshold,
            1 << 48,
            &mut new.wasm_memory_threshold,
        )?;
        if let Some(visibility) = changes.log_visibility {
            if let LogVisibility::AllowedViewers(viewers) = &visibility {
                limit_principals("log_visibility", viewers.len())?;
            }
            new.log_visibility = visibility;
        }
        if let Some(visibility) = changes.snapshot_visibility {
            if let SnapshotVisibility::AllowedViewers(viewers) = &visibility {
                limit_principals("snapshot_visibility", viewers.len())?;
            }
            new.snapshot_visibility = visibility;
        }
        if let Some(visibility) = changes.status_visibility {
            if let StatusVisibility::AllowedViewers(viewers) = &visibility {
                limit_principals("status_visibility", viewers.len())?;
            }
            new.status_visibility = visibility;
        }
        if let Some(variables) = changes.environment_variables {
            new.environment_variables = checked_variables(variables)?;
        }
        Ok(new)
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

fn set<N>(name: &str, value: Option<Nat>, maximum: N, setting: &mut N) -> Result<(), String>
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
        None => Err(format!("'{name}' is {value}, but can be at most {maximum}")),
    }
}

fn limit_principals(name: &str, length: usize) -> Result<(), String> {
    match length <= MAX_PRINCIPALS {
        true => Ok(()),
        false => Err(format!(
            "'{name}' length exceeds maximum size allowed of {MAX_PRINCIPALS}"
        )),
    }
}

fn checked_variables(
    variables: Vec<EnvironmentVariable>,
) -> Result<BTreeMap<String, String>, String> {
    if variables.len() > MAX_VARIABLES {
        return Err(format!(
            "'environment_variables' has {} entries, but can have at most {MAX_VARIABLES}",
            variables.len()
        ));
    }
    let mut checked = BTreeMap::new();
    for EnvironmentVariable { name, value } in variables {
        if name.is_empty() || name.len() > MAX_VARIABLE_LENGTH || value.len() > MAX_VARIABLE_LENGTH
        {
            return Err(format!(
                "environment variable {name:?}: a name has 1 to {MAX_VARIABLE_LENGTH} bytes, a \
                 value at most {MAX_VARIABLE_LENGTH}"
            ));
        }
        if checked.insert(name.clone(), value).is_some() {
            return Err(format!("environment variable {name:?} is given twice"));
        }
    }
    Ok(checked)
}
