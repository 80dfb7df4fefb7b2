//! What can be learned about a canister: status, history, metadata and log.

use candid::{Nat, Principal};
use ic_management_canister_types::{
    CanisterIdRecord, CanisterInfoArgs, CanisterInfoResult, CanisterLogFilter, CanisterLogRecord,
    CanisterMetadataArgs, CanisterMetadataResult, CanisterMetricsResult, CanisterStatusResult,
    CanisterStatusType, CyclesConsumed, FetchCanisterLogsArgs, FetchCanisterLogsResult,
    MemoryMetrics, QueryStats,
};

use super::call::Call;
use super::canisters::{controlled, controllers_of, find};
use crate::canister::{Canister, Status};
use crate::canister_log::LogRecord;
use crate::encoding::{decode, encode};
use crate::message::{CallResult, ErrorCode, Reject};
use crate::replica::Replica;

pub(super) fn canister_status(
    replica: &mut Replica,
    caller: Principal,
    argument: &[u8],
) -> CallResult {
    let id = decode::<CanisterIdRecord>(argument)?.canister_id;
    let has_no_messages = !replica.pool.iter().any(|m| m.receiver() == id);
    let canister = find(replica, id)?;
    if caller != id && !canister.settings.may_read_status(&caller) {
        return Err(Reject::new(
            ErrorCode::CanisterInvalidController,
            format!(
                "Caller {caller} is not allowed to read the status of canister {id}. Canister's \
                 controllers: {}",
                controllers_of(canister)
            ),
        ));
    }
    let status = match canister.status {
        Status::Running => CanisterStatusType::Running,
        Status::Stopping { .. } => CanisterStatusType::Stopping,
        Status::Stopped => CanisterStatusType::Stopped,
    };
    let queries = canister.query_statistics;
    encode(&CanisterStatusResult {
        ready_for_migration: status == CanisterStatusType::Stopped && has_no_messages,
        status,
        version: canister.version,
        settings: canister.settings.definite(),
        module_hash: module_hash(canister),
        memory_size: Nat::from(canister.memory_size()),
        memory_metrics: memory_metrics(canister),
        cycles: Nat::from(canister.balance),
        reserved_cycles: Nat::from(0u8),
        idle_cycles_burned_per_day: Nat::from(canister.idle_cost_per_day()),
        query_stats: QueryStats {
            num_calls_total: Nat::from(queries.calls),
            num_instructions_total: Nat::from(queries.instructions),
            request_payload_bytes_total: Nat::from(queries.request_bytes),
            response_payload_bytes_total: Nat::from(queries.response_bytes),
        },
    })
}

fn module_hash(canister: &Canister) -> Option<Vec<u8>> {
    let code = canister.code.as_ref()?;
    Some(code.module.hash.to_vec())
}

fn memory_metrics(canister: &Canister) -> MemoryMetrics {
    let usage = canister.memory_usage();
    MemoryMetrics {
        wasm_memory_size: Nat::from(usage.wasm),
        stable_memory_size: Nat::from(usage.stable),
        global_memory_size: Nat::from(usage.globals),
        wasm_binary_size: Nat::from(usage.binary),
        custom_sections_size: Nat::from(usage.custom_sections),
        canister_history_size: Nat::from(usage.history),
        wasm_chunk_store_size: Nat::from(usage.chunks),
        snapshots_size: Nat::from(usage.snapshots),
        log_memory_store_size: Nat::from(usage.log),
    }
}

pub(super) fn canister_metrics(
    replica: &mut Replica,
    caller: Principal,
    argument: &[u8],
) -> CallResult {
    let id = decode::<CanisterIdRecord>(argument)?.canister_id;
    let used = controlled(replica, id, caller)?.consumed;
    encode(&CanisterMetricsResult {
        cycles_consumed: CyclesConsumed {
            memory: Nat::from(used.memory),
            compute_allocation: Nat::from(used.compute_allocation),
            ingress_induction: Nat::from(used.ingress),
            instructions: Nat::from(used.instructions),
            request_and_response_transmission: Nat::from(used.transmission),
            uninstall: Nat::from(used.uninstall),
            canister_creation: Nat::from(used.creation),
            http_outcalls: Nat::from(0u8),
            burned_cycles: Nat::from(used.burned),
        },
    })
}

pub(super) fn canister_info(replica: &mut Replica, call: &mut Call<'_>) -> CallResult {
    let args: CanisterInfoArgs = call.decode()?;
    let canister = find(replica, args.canister_id)?;
    let history = canister.history.changes();
    let wanted = usize::try_from(args.num_requested_changes.unwrap_or(0)).unwrap_or(usize::MAX);
    let skipped = history.len().saturating_sub(wanted);
    encode(&CanisterInfoResult {
        total_num_changes: canister.history.total(),
        recent_changes: history.iter().skip(skipped).cloned().collect(),
        module_hash: module_hash(canister),
        controllers: canister.settings.controllers.iter().copied().collect(),
    })
}

pub(super) fn canister_metadata(replica: &mut Replica, call: &mut Call<'_>) -> CallResult {
    let args: CanisterMetadataArgs = call.decode()?;
    let canister = find(replica, args.canister_id)?;
    let id = canister.id;
    let Some(code) = &canister.code else {
        return Err(Reject::new(
            ErrorCode::CanisterWasmModuleNotFound,
            format!("The canister {id} has no Wasm module and hence no metadata is available."),
        ));
    };
    let metadata = code.module.metadata.get(&args.name);
    let may_read = |public| public || canister.settings.controllers.contains(&call.caller);
    match metadata.filter(|metadata| may_read(metadata.public)) {
        Some(metadata) => encode(&CanisterMetadataResult {
            value: metadata.content.clone(),
        }),
        None => Err(Reject::new(
            ErrorCode::CanisterRejectedMessage,
            format!(
                "The canister {id} has no metadata section with the name {}.",
                args.name
            ),
        )),
    }
}

pub(super) fn fetch_canister_logs(
    replica: &mut Replica,
    caller: Principal,
    argument: &[u8],
) -> CallResult {
    let args: FetchCanisterLogsArgs = decode(argument)?;
    let canister = find(replica, args.canister_id)?;
    if !canister.settings.may_read_log(&caller) {
        return Err(Reject::new(
            ErrorCode::CanisterRejectedMessage,
            format!("Caller {caller} is not allowed to access canister logs"),
        ));
    }
    let wanted = |record: &&LogRecord| match &args.filter {
        None => true,
        Some(CanisterLogFilter::ByIdx { start, end }) => (*start..*end).contains(&record.index),
        Some(CanisterLogFilter::ByTimestampNanos { start, end }) => {
            (*start..*end).contains(&record.time)
        }
    };
    let records = canister
        .log
        .records()
        .filter(wanted)
        .map(|record| CanisterLogRecord {
            idx: record.index,
            timestamp_nanos: record.time,
            content: record.content.clone(),
        });
    encode(&FetchCanisterLogsResult {
        canister_log_records: records.collect(),
    })
}
