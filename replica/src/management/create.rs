//! New canisters, and cycles for them.

use candid::{Nat, Principal};
use ic_management_canister_types::{
    CanisterIdRecord, CanisterSettings, ChangeDetails, ChangeOrigin, CreateCanisterArgs,
    CreationRecord, ProvisionalCreateCanisterWithCyclesArgs, ProvisionalTopUpCanisterArgs,
};
use sha2::{Digest, Sha256};

use super::call::Call;
use super::canisters::find;
use crate::canister::Canister;
use crate::encoding::{empty_reply, encode};
use crate::explanations::with_help;
use crate::fees;
use crate::message::{CallResult, CanisterId, Cycles, ErrorCode, Reject};
use crate::rejects::invalid_argument;
use crate::replica::Replica;
use crate::settings::Settings;

/// The cycles of a new canister, if nothing is said: 100 T.
const DEFAULT_CYCLES: Cycles = 100_000_000_000_000;

/// A canister's canister: the cycles of the call become the new one's, less the fee.
pub(super) fn create_canister(replica: &mut Replica, call: &mut Call<'_>) -> CallResult {
    let args: CreateCanisterArgs = call.decode()?;
    call.check_sender_version(replica, args.sender_canister_version)?;
    if call.cycles < fees::CREATE_CANISTER {
        return Err(with_help(
            ErrorCode::InsufficientCyclesForCreateCanister,
            &format!(
                "Creating a canister requires a fee of {} that is deducted from the canister's \
                 initial balance but only {} cycles were received with the create_canister request.",
                fees::CREATE_CANISTER,
                call.cycles
            ),
            "Try sending more cycles with the request.",
            "create-canister-not-enough-cycles",
        ));
    }
    let settings = settings(call.caller, args.settings)?;
    let id = replica.fresh_canister_id();
    let balance = std::mem::take(&mut call.cycles) - fees::CREATE_CANISTER;
    replica.environment.consumed += fees::CREATE_CANISTER;
    let origin = call.change_origin(args.sender_canister_version);
    let paid = (balance, fees::CREATE_CANISTER);
    insert(replica, origin, id, settings, paid);
    encode(&CanisterIdRecord { canister_id: id })
}

/// Anybody's canister, with cycles made for it.
pub(super) fn provisional(replica: &mut Replica, call: &mut Call<'_>) -> CallResult {
    let args: ProvisionalCreateCanisterWithCyclesArgs = call.decode()?;
    call.check_sender_version(replica, args.sender_canister_version)?;
    let settings = settings(call.caller, args.settings)?;
    let cycles = args.amount.map_or(DEFAULT_CYCLES, amount_of);
    let id = match args.specified_id {
        None => replica.fresh_canister_id(),
        Some(id) => {
            check_specified_id(replica, id)?;
            id
        }
    };
    mint(replica, cycles)?;
    let origin = call.change_origin(args.sender_canister_version);
    insert(replica, origin, id, settings, (cycles, 0));
    encode(&CanisterIdRecord { canister_id: id })
}

/// More cycles for a canister, made for it.
pub(super) fn provisional_top_up(replica: &mut Replica, call: &mut Call<'_>) -> CallResult {
    let args: ProvisionalTopUpCanisterArgs = call.decode()?;
    let amount = amount_of(args.amount);
    find(replica, args.canister_id)?;
    mint(replica, amount)?;
    find(replica, args.canister_id)?.balance += amount;
    Ok(empty_reply())
}

/// The cycles of the call become those of a canister.
pub(super) fn deposit_cycles(replica: &mut Replica, call: &mut Call<'_>) -> CallResult {
    let id = call.canister_id()?;
    find(replica, id)?.balance += std::mem::take(&mut call.cycles);
    Ok(empty_reply())
}

/// A canister made by the network itself, with cycles that are there already.
#[cfg(feature = "server")]
pub(crate) fn by_system(
    replica: &mut Replica,
    caller: Principal,
    changes: Option<CanisterSettings>,
    cycles: Cycles,
) -> Result<CanisterId, Reject> {
    if cycles < fees::CREATE_CANISTER {
        return Err(invalid_argument(format!(
            "creating a canister costs {} cycles, and only {cycles} are there",
            fees::CREATE_CANISTER
        )));
    }
    let settings = settings(caller, changes)?;
    let id = replica.fresh_canister_id();
    replica.environment.consumed += fees::CREATE_CANISTER;
    let origin =
        ChangeOrigin::FromUser(ic_management_canister_types::FromUserRecord { user_id: caller });
    let paid = (cycles - fees::CREATE_CANISTER, fees::CREATE_CANISTER);
    insert(replica, origin, id, settings, paid);
    Ok(id)
}

/// Adds cycles that are there already to a canister's. Returns whether there is such a canister.
#[cfg(feature = "server")]
pub(crate) fn give_cycles(replica: &mut Replica, id: CanisterId, cycles: Cycles) -> bool {
    match find(replica, id) {
        Ok(canister) => {
            canister.balance += cycles;
            true
        }
        Err(_) => false,
    }
}

fn mint(replica: &mut Replica, cycles: Cycles) -> Result<(), Reject> {
    // All cycles together must fit into a balance.
    match replica.minted.checked_add(cycles) {
        Some(minted) => {
            replica.minted = minted;
            Ok(())
        }
        None => Err(invalid_argument("there can't be more than 2^128-1 cycles")),
    }
}

/// An amount that no balance can have counts as none given, as on the network.
fn amount_of(amount: Nat) -> Cycles {
    Cycles::try_from(amount.0).unwrap_or(DEFAULT_CYCLES)
}

fn settings(caller: Principal, changes: Option<CanisterSettings>) -> Result<Settings, Reject> {
    let settings = Settings::controlled_by(caller);
    settings.changed(changes.unwrap_or_default())
}

/// Canister ids have ten bytes, of which the last two are 1.
fn check_specified_id(replica: &Replica, id: Principal) -> Result<(), Reject> {
    if !matches!(id.as_slice(), [_, _, _, _, _, _, _, _, 1, 1]) {
        return Err(invalid_argument(format!(
            "{id} is not the id of a canister"
        )));
    }
    match replica.canisters.contains(&id) || replica.deleted.contains(&id) {
        false => Ok(()),
        true => Err(Reject::new(
            ErrorCode::CanisterIdAlreadyExists,
            format!("Canister {id} exists already, or did and was deleted"),
        )),
    }
}

fn insert(
    replica: &mut Replica,
    origin: ChangeOrigin,
    id: CanisterId,
    settings: Settings,
    (balance, creation): (Cycles, Cycles),
) {
    let variables = &settings.environment_variables;
    let environment_variables_hash = (!variables.is_empty()).then(|| {
        let mut hashes: Vec<Vec<u8>> = variables
            .iter()
            .map(|(name, value)| {
                [
                    Sha256::digest(name).as_slice(),
                    Sha256::digest(value).as_slice(),
                ]
                .concat()
            })
            .collect();
        hashes.sort();
        Sha256::digest(hashes.concat()).to_vec()
    });
    let details = ChangeDetails::Creation(CreationRecord {
        controllers: settings.controllers.iter().copied().collect(),
        environment_variables_hash,
    });
    // A canister takes the place of a stand-in that had its id.
    if let Some(stand_in) = replica.native.remove(&id) {
        replica.burned += stand_in.cycles();
    }
    let mut canister = Canister::new(id, settings, balance);
    canister.consumed.creation = creation;
    let time = replica.environment.time;
    canister.record(time, origin, details);
    canister.charged_until = time;
    replica.canisters.insert(id, canister);
}
