//! Snapshots: taking, loading, listing and deleting them (the specification's sections "IC method
//! `take_canister_snapshot`" and so on).

use std::sync::Arc;

use candid::{Principal, Reserved};
use ic_management_canister_types::{
    CanisterIdRecord, ChangeDetails, DeleteCanisterSnapshotArgs, LoadCanisterSnapshotArgs,
    LoadSnapshotRecord, Snapshot, SnapshotSource, TakeCanisterSnapshotArgs,
};

use super::call::Call;
use super::canisters::{controlled, find};
use super::install::{charge, uninstall};
use crate::canister::{Canister, Code};
use crate::canister_snapshot::{CanisterSnapshot, LowMemoryHook, SnapshotId};
use crate::encoding::{empty_reply, encode};
use crate::explanations::{with_help, with_named_help};
use crate::fees;
use crate::message::{CallResult, CanisterId, Cycles, ErrorCode, Message, Reject, SystemTask};
use crate::message_name::MessageName;
use crate::module::CanisterModule;
use crate::rejects::{self, invalid_argument, invalid_module};
use crate::replica::Replica;
use crate::wasm::{Number, State, Unfit};

/// The most snapshots of a canister.
const MAX_SNAPSHOTS: usize = 10;

pub(super) fn take(replica: &mut Replica, call: &mut Call<'_>) -> CallResult {
    let args: TakeCanisterSnapshotArgs = call.decode()?;
    let replaced = args.replace_snapshot.as_deref().map(id_of).transpose()?;
    call.check_sender_version(replica, args.sender_canister_version)?;
    let id = args.canister_id;
    let low_memory = low_memory_hook(replica, id);
    let time = replica.environment.time;
    let canister = controlled(replica, id, call.caller)?;
    let replaced_size = room(canister, replaced)?;
    let uninstalls = args.uninstall_code == Some(true);
    let size = canister.size_of_snapshot();
    let uninstalled_size = match uninstalls {
        true => canister.size_of_code(),
        false => 0,
    };
    let stored = (canister.memory_size() + size).saturating_sub(replaced_size + uninstalled_size);
    let fee = fees::make_snapshot(size);
    check(canister, canister.balance, call.caller, (fee, stored))?;
    let Some(Code { module, state }) = &canister.code else {
        return Err(Reject::new(
            ErrorCode::CanisterRejectedMessage,
            format!("Failed to create snapshot for empty canister {id}:"),
        ));
    };
    let snapshot = CanisterSnapshot {
        taken_at: time,
        version: canister.version,
        size,
        module: Arc::clone(&module.bytes),
        state: state.clone(),
        stable: canister.stable.clone(),
        chunks: canister.chunks.clone(),
        certified_data: canister.certified_data.clone(),
        global_timer: Some(canister.global_timer),
        low_memory: Some(low_memory),
        uploaded: None,
    };
    let number = add(canister, replaced, snapshot);
    charge(replica, id, fee);
    if uninstalls {
        let origin = call.change_origin(args.sender_canister_version);
        uninstall(replica, id, origin);
    }
    let taken = SnapshotId {
        canister: id,
        number,
    };
    encode(&Snapshot {
        id: taken.to_bytes(),
        taken_at_timestamp: time,
        total_size: size,
    })
}

pub(super) fn load(replica: &mut Replica, call: &mut Call<'_>) -> CallResult {
    let args: LoadCanisterSnapshotArgs = call.decode()?;
    let snapshot_id = id_of(&args.snapshot_id)?;
    call.check_sender_version(replica, args.sender_canister_version)?;
    let id = args.canister_id;
    controlled(replica, id, call.caller)?;
    let snapshot = loadable(replica, call.caller, id, snapshot_id)?;
    // What fails from here on changes nothing, and costs nothing.
    let before = find(replica, id)?.clone();
    let baseline = fees::load_snapshot();
    let stored = before.memory_size();
    check(&before, before.balance, call.caller, (baseline, stored))?;
    let module = replica.environment.module(&snapshot.module);
    let module = module.map_err(|fault| invalid_module(id, &fault))?;
    let state = state_of(replica, id, &module, &snapshot)?;
    let mut canister = before;
    canister.stable = snapshot.stable.clone();
    canister.chunks = snapshot.chunks.clone();
    canister.certified_data = snapshot.certified_data.clone();
    let code = Code { module, state };
    let low = canister.is_memory_low(&code, &replica.environment.limits);
    let memory64 = code.module.memory64;
    let compilation = fees::compilation(code.module.code_instructions);
    let has_hook = code.module.has_hook(SystemTask::OnLowWasmMemory.export());
    canister.code = Some(code);
    let mut low_memory = None;
    if snapshot.uploaded.is_some() {
        if let Some(timer) = snapshot.global_timer {
            canister.global_timer = timer;
        }
        low_memory = snapshot.low_memory.filter(|_| has_hook);
        if low_memory.is_some_and(|hook| low != (hook != LowMemoryHook::NotDue)) {
            return Err(invalid_argument(format!(
                "Hook status ({low_memory:?}) of uploaded snapshot is inconsistent with the \
                 canister's state (hook condition satisfied: {low})."
            )));
        }
    }
    let fee = fees::execution(compilation + snapshot.size, memory64);
    let left = canister.balance - baseline;
    check(&canister, left, call.caller, (fee, canister.memory_size()))?;

    let source = match snapshot.uploaded {
        None => SnapshotSource::TakenFromCanister(Reserved),
        Some(_) => SnapshotSource::MetadataUpload(Reserved),
    };
    let details = ChangeDetails::LoadSnapshot(LoadSnapshotRecord {
        from_canister_id: Some(snapshot_id.canister).filter(|from| *from != id),
        snapshot_id: snapshot_id.to_bytes(),
        canister_version: snapshot.version,
        taken_at_timestamp: snapshot.taken_at,
        source,
    });
    let origin = call.change_origin(args.sender_canister_version);
    canister.record_change(replica.environment.time, origin, details);
    replica.environment.instances.forget(id);
    replica.canisters.insert(id, canister);
    charge(replica, id, baseline + fee);
    if let Some(hook) = low_memory {
        set_low_memory_hook(replica, id, hook);
    }
    replica.watch_timer(id);
    replica.notice_low_memory(id);
    Ok(empty_reply())
}

pub(super) fn list(replica: &mut Replica, caller: Principal, argument: &[u8]) -> CallResult {
    let id = crate::encoding::decode::<CanisterIdRecord>(argument)?.canister_id;
    let snapshots = readable(replica, id, caller)?.snapshots.iter();
    let snapshots = snapshots.map(|(number, snapshot)| Snapshot {
        id: SnapshotId {
            canister: id,
            number,
        }
        .to_bytes(),
        taken_at_timestamp: snapshot.taken_at,
        total_size: snapshot.size,
    });
    encode(&snapshots.collect::<Vec<_>>())
}

pub(super) fn delete(replica: &mut Replica, call: &mut Call<'_>) -> CallResult {
    let args: DeleteCanisterSnapshotArgs = call.decode()?;
    let snapshot_id = id_of(&args.snapshot_id)?;
    let canister = controlled(replica, args.canister_id, call.caller)?;
    let size = of(canister, snapshot_id)?.size;
    let stored = canister.memory_size() - size;
    check(canister, canister.balance, call.caller, (0, stored))?;
    canister.snapshots.remove(snapshot_id.number);
    Ok(empty_reply())
}

/// The id that an argument names.
pub(super) fn id_of(bytes: &[u8]) -> Result<SnapshotId, Reject> {
    SnapshotId::from_bytes(bytes)
        .map_err(|fault| invalid_argument(format!("Error decoding candid: {fault}")))
}

/// A canister, if `caller` may read its snapshots.
pub(super) fn readable(
    replica: &mut Replica,
    id: CanisterId,
    caller: Principal,
) -> Result<&mut Canister, Reject> {
    match find(replica, id)?.settings.may_read_snapshots(&caller) {
        true => find(replica, id),
        false => controlled(replica, id, caller),
    }
}

/// A canister's snapshot.
pub(super) fn of(canister: &Canister, id: SnapshotId) -> Result<&Arc<CanisterSnapshot>, Reject> {
    if id.canister != canister.id {
        return Err(with_help(
            ErrorCode::CanisterRejectedMessage,
            &format!(
                "The snapshot {id} does not belong to canister {}.",
                canister.id
            ),
            "Use the `list_canister_snapshot` API to see which snapshots are present.",
            "canister-snapshot-invalid-ownership",
        ));
    }
    let snapshot = canister.snapshots.get(id.number);
    snapshot.ok_or_else(|| not_found(canister.id, id))
}

fn not_found(canister: CanisterId, id: SnapshotId) -> Reject {
    with_help(
        ErrorCode::CanisterSnapshotNotFound,
        &format!("Could not find the snapshot ID {id} for canister {canister}."),
        "Use the `list_canister_snapshot` API to see which snapshots are present.",
        "canister-snapshot-not-found",
    )
}

/// How many bytes the snapshot takes that another one will replace. If none is replaced, there must be
/// room for one more.
pub(super) fn room(canister: &Canister, replaced: Option<SnapshotId>) -> Result<u64, Reject> {
    match replaced {
        Some(replaced) => Ok(of(canister, replaced)?.size),
        None if canister.snapshots.count() < MAX_SNAPSHOTS => Ok(0),
        None => Err(with_named_help(
            ErrorCode::CanisterRejectedMessage,
            &format!(
                "Canister {} has reached the maximum number of snapshots allowed: {MAX_SNAPSHOTS}.",
                canister.id
            ),
            "Consider deleting an unnecessary snapshot of the specified canister before creating a \
             new one.",
            "canister-snapshot-limit-exceeded",
        )),
    }
}

/// Adds a snapshot, and returns its number.
pub(super) fn add(
    canister: &mut Canister,
    replaced: Option<SnapshotId>,
    snapshot: CanisterSnapshot,
) -> u64 {
    if let Some(replaced) = replaced {
        canister.snapshots.remove(replaced.number);
    }
    canister.snapshots.add(snapshot)
}

/// Refuses what a canister with this balance can't pay for: the fee, and that it stores so many bytes
/// afterwards.
pub(super) fn check(
    canister: &Canister,
    balance: Cycles,
    caller: Principal,
    (fee, stored): (Cycles, u64),
) -> Result<(), Reject> {
    let stays = canister.freezing_limit_of(stored);
    if balance < stays {
        let paid_for = |bytes: u64| bytes.max(canister.settings.memory_allocation);
        let more = paid_for(stored).saturating_sub(paid_for(canister.memory_size()));
        return Err(with_help(
            ErrorCode::InsufficientCyclesInMemoryGrow,
            &format!(
                "Canister cannot grow memory by {more} bytes due to insufficient cycles. At least {} \
                 additional cycles are required.",
                stays - balance
            ),
            "Top up the canister with more cycles.",
            "insufficient-cycles-in-memory-grow-1",
        ));
    }
    match (stays + fee).saturating_sub(balance) {
        0 => Ok(()),
        missing => {
            let told = canister.settings.controllers.contains(&caller);
            let Reject { message, .. } =
                rejects::out_of_cycles(canister.id, told.then_some(missing));
            Err(with_named_help(
                ErrorCode::CanisterOutOfCycles,
                &format!("Canister snapshotting failed with: `{message}`"),
                "Try sending more cycles with the request.",
                "canister-snapshot-not-enough-cycles",
            ))
        }
    }
}

/// A snapshot that `caller` may load onto a canister: one of this, or of another one that it controls
/// too.
fn loadable(
    replica: &mut Replica,
    caller: Principal,
    onto: CanisterId,
    id: SnapshotId,
) -> Result<Arc<CanisterSnapshot>, Reject> {
    let owner = replica.canisters.get(&id.canister);
    let snapshot = owner.and_then(|owner| Some((owner, owner.snapshots.get(id.number)?)));
    match snapshot {
        None => Err(not_found(onto, id)),
        Some((owner, _)) if !owner.settings.controllers.contains(&caller) => Err(with_named_help(
            ErrorCode::CanisterRejectedMessage,
            &format!(
                "Only a controller of the canister that snapshot {id} belongs to can load it on \
                 canister {onto}. Sender: {caller}."
            ),
            "Make sure you are a controller of the canister that the snapshot belongs to.",
            "canister-snapshot-not-controller",
        )),
        Some((_, snapshot)) => Ok(Arc::clone(snapshot)),
    }
}

/// The state that an instance has with a snapshot.
fn state_of(
    replica: &Replica,
    canister: CanisterId,
    module: &CanisterModule,
    snapshot: &CanisterSnapshot,
) -> Result<State, Reject> {
    let Some(values) = &snapshot.uploaded else {
        return Ok(snapshot.state.clone());
    };
    let room = replica.environment.room(module);
    let memory = &snapshot.state;
    let state = module
        .compiled
        .state_of(&module.globals, values, memory, room);
    state.map_err(|unfit| match unfit {
        Unfit::Globals => invalid_argument(
            "Wasm exported globals of canister module and snapshot metadata do not match.",
        ),
        Unfit::Module(fault) => invalid_module(canister, &fault),
    })
}

/// The values of the globals in a snapshot; of a reference, nothing.
pub(super) fn globals(
    replica: &Replica,
    canister: CanisterId,
    snapshot: &CanisterSnapshot,
) -> Result<Vec<Option<Number>>, Reject> {
    if let Some(values) = &snapshot.uploaded {
        return Ok(values.iter().copied().map(Some).collect());
    }
    let environment = &replica.environment;
    let module = environment.module(&snapshot.module);
    let values = module.and_then(|module| {
        let room = environment.room(&module);
        module
            .compiled
            .globals(&module.globals, &snapshot.state, room)
    });
    values.map_err(|fault| invalid_module(canister, &fault))
}

/// Where a canister's hook for low memory stands.
fn low_memory_hook(replica: &Replica, id: CanisterId) -> LowMemoryHook {
    let noticed = replica.canisters.get(&id);
    let noticed = noticed.is_some_and(|canister| canister.low_memory_noticed);
    match noticed {
        false => LowMemoryHook::NotDue,
        true if replica.pool.has_task(id, SystemTask::OnLowWasmMemory) => LowMemoryHook::Ready,
        true => LowMemoryHook::Executed,
    }
}

fn set_low_memory_hook(replica: &mut Replica, id: CanisterId, hook: LowMemoryHook) {
    let task = SystemTask::OnLowWasmMemory;
    if let Some(canister) = replica.canisters.get_mut(&id) {
        canister.low_memory_noticed = hook != LowMemoryHook::NotDue;
    }
    replica.pool.take(MessageName::Task(id, task));
    if hook == LowMemoryHook::Ready {
        replica.pool.push_first(Message::Task(id, task));
    }
}
