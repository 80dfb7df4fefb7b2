//! The management canister `aaaaa-aa` (Interface Specification, "The IC management canister").
//!
//! It is called like a canister, by users and by canisters, but it is a part of the replica.

mod chunks;
mod control;
pub(crate) mod create;
mod install;
mod observe;

use candid::utils::ArgumentDecoder;
use candid::{CandidType, DecoderConfig, Deserialize, Principal};
use ic_management_canister_types::{
    CanisterIdRecord, ChangeOrigin, FromCanisterRecord, FromUserRecord,
};
use sha2::{Digest, Sha256};

use crate::canister::Canister;
use crate::message::{CallOrigin, CallResult, CanisterId, Cycles, ErrorCode, Reject};
use crate::replica::{Replica, not_found};

/// A call to the management canister.
pub(crate) struct Call<'a> {
    caller: Principal,
    /// Whether the caller is a canister.
    by_canister: bool,
    origin: CallOrigin,
    method: &'a str,
    argument: &'a [u8],
    /// The cycles that the call brought and that were not used yet.
    cycles: Cycles,
}

/// What becomes of a call.
enum Answer {
    /// It is answered now.
    Now(CallResult),
    /// It will be answered when something else has happened.
    Later,
}

/// The Candid encoding of no values.
pub(crate) fn empty_reply() -> Vec<u8> {
    candid::encode_args(()).expect("no values can be encoded")
}

/// Answers a call, now or later.
pub(crate) fn call(
    replica: &mut Replica,
    origin: CallOrigin,
    method: &str,
    argument: &[u8],
    cycles: Cycles,
) {
    let caller = origin.caller();
    let mut call = Call {
        caller,
        by_canister: matches!(origin, CallOrigin::Canister { .. }),
        origin,
        method,
        argument,
        cycles,
    };
    if let Answer::Now(result) = dispatch(replica, &mut call) {
        let time = replica.environment.time;
        replica.timeline.management(caller, time, method, &result);
        let id = Principal::management_canister();
        replica.respond(call.origin, id, result, call.cycles);
    }
}

/// Answers a query call.
///
/// # Errors
///
/// A reject, also for methods that are not queries.
pub(crate) fn query(
    replica: &mut Replica,
    caller: Principal,
    method: &str,
    argument: &[u8],
) -> CallResult {
    match method {
        "canister_status" => observe::canister_status(replica, caller, argument),
        "fetch_canister_logs" => observe::fetch_canister_logs(replica, caller, argument),
        "list_canisters" => Err(unknown(method)),
        _ => Err(Reject::new(
            ErrorCode::CanisterMethodNotFound,
            format!("Management canister has no query method '{method}'"),
        )),
    }
}

fn dispatch(replica: &mut Replica, call: &mut Call<'_>) -> Answer {
    let result = match call.method {
        "stop_canister" => match control::stop_canister(replica, call) {
            Ok(answer) => return answer,
            Err(reject) => Err(reject),
        },
        "create_canister" => create::create_canister(replica, call),
        "provisional_create_canister_with_cycles" => create::provisional(replica, call),
        "provisional_top_up_canister" => create::provisional_top_up(replica, call),
        "deposit_cycles" => create::deposit_cycles(replica, call),
        "install_code" => install::install_code(replica, call),
        "install_chunked_code" => install::install_chunked_code(replica, call),
        "uninstall_code" => install::uninstall_code(replica, call),
        "upload_chunk" => chunks::upload_chunk(replica, call),
        "clear_chunk_store" => chunks::clear_chunk_store(replica, call),
        "stored_chunks" => chunks::stored_chunks(replica, call),
        "start_canister" => control::start_canister(replica, call),
        "delete_canister" => control::delete_canister(replica, call),
        "update_settings" => control::update_settings(replica, call),
        "canister_status" => observe::canister_status(replica, call.caller, call.argument),
        "canister_info" => observe::canister_info(replica, call),
        "canister_metadata" => observe::canister_metadata(replica, call),
        "raw_rand" => raw_rand(replica, call),
        method => Err(unknown(method)),
    };
    Answer::Now(result)
}

/// Refuses a user's call that would be rejected anyway, before anything is done with it.
///
/// # Errors
///
/// The reject.
pub(crate) fn accept(
    replica: &mut Replica,
    sender: Principal,
    method: &str,
    argument: &[u8],
) -> Result<(), Reject> {
    #[derive(CandidType, Deserialize)]
    struct OfTarget {
        target_canister: CanisterId,
    }
    match method {
        "provisional_create_canister_with_cycles" | "provisional_top_up_canister" => Ok(()),
        "canister_status" => {
            decode::<CanisterIdRecord>(argument)?;
            Ok(())
        }
        "install_chunked_code" => {
            let id = decode::<OfTarget>(argument)?.target_canister;
            controlled(replica, id, sender).map(|_| ())
        }
        "install_code" | "uninstall_code" | "update_settings" | "start_canister"
        | "stop_canister" | "delete_canister" | "upload_chunk" | "clear_chunk_store"
        | "stored_chunks" => {
            let id = decode::<CanisterIdRecord>(argument)?.canister_id;
            controlled(replica, id, sender).map(|_| ())
        }
        "create_canister" | "deposit_cycles" | "raw_rand" | "canister_info"
        | "canister_metadata" => Err(only_canisters(method)),
        method => Err(unknown(method)),
    }
}

fn only_canisters(method: &str) -> Reject {
    Reject::new(
        ErrorCode::CanisterRejectedMessage,
        format!("{method} can be called only by canisters, not by users"),
    )
}

/// Refuses a method, and says of those that exist on the network why they don't exist here.
fn unknown(method: &str) -> Reject {
    let feature = match method {
        "fetch_canister_logs" => {
            return Reject::new(
                ErrorCode::CanisterRejectedMessage,
                "fetch_canister_logs can be called only as a query",
            );
        }
        "ecdsa_public_key" | "sign_with_ecdsa" | "schnorr_public_key" | "sign_with_schnorr"
        | "vetkd_public_key" | "vetkd_derive_key" => "threshold signatures",
        "http_request" | "flexible_http_request" => "HTTPS outcalls",
        "take_canister_snapshot"
        | "load_canister_snapshot"
        | "list_canister_snapshots"
        | "delete_canister_snapshot"
        | "read_canister_snapshot_metadata"
        | "read_canister_snapshot_data"
        | "upload_canister_snapshot_metadata"
        | "upload_canister_snapshot_data" => "snapshots",
        "node_metrics_history"
        | "subnet_info"
        | "subnet_metrics"
        | "canister_metrics"
        | "list_canisters" => "metrics of the network",
        method if method.starts_with("bitcoin_") => "the Bitcoin integration",
        _ => {
            return Reject::new(
                ErrorCode::CanisterMethodNotFound,
                format!("Management canister has no method '{method}'"),
            );
        }
    };
    Reject::new(
        ErrorCode::UnknownManagementMessage,
        format!("'{method}' is not available: this local replica does not have {feature}"),
    )
}

fn raw_rand(replica: &mut Replica, call: &Call<'_>) -> CallResult {
    call.only_canisters()?;
    replica.drawn += 1;
    let mut hash = Sha256::new();
    hash.update(b"raw_rand");
    hash.update(&replica.seed);
    hash.update(replica.drawn.to_be_bytes());
    encode(&hash.finalize().to_vec())
}

impl Call<'_> {
    /// Refuses users.
    fn only_canisters(&self) -> Result<(), Reject> {
        match self.by_canister {
            true => Ok(()),
            false => Err(Reject::new(
                ErrorCode::CanisterRejectedMessage,
                format!(
                    "{} can be called only by canisters, not by users",
                    self.method
                ),
            )),
        }
    }

    /// The argument, if it has the right type.
    fn decode<T: CandidType + for<'a> Deserialize<'a>>(&self) -> Result<T, Reject> {
        decode(self.argument)
    }

    /// Who makes a change, for the canister's history.
    fn change_origin(&self, sender_version: Option<u64>) -> ChangeOrigin {
        match self.by_canister {
            true => ChangeOrigin::FromCanister(FromCanisterRecord {
                canister_id: self.caller,
                canister_version: sender_version,
            }),
            false => ChangeOrigin::FromUser(FromUserRecord {
                user_id: self.caller,
            }),
        }
    }

    /// Refuses a call whose sender says that it was another version of itself.
    fn check_sender_version(
        &self,
        replica: &Replica,
        sender_version: Option<u64>,
    ) -> Result<(), Reject> {
        let Some(claimed) = sender_version else {
            return Ok(());
        };
        match replica.canisters.get(&self.caller) {
            Some(sender) if self.by_canister && sender.version < claimed => Err(Reject::new(
                ErrorCode::InvalidManagementPayload,
                format!(
                    "sender_canister_version {claimed} is later than the sender's version {}",
                    sender.version
                ),
            )),
            _ => Ok(()),
        }
    }
}

/// The one value that `argument` encodes. What a hostile argument can cost is bounded.
pub(crate) fn decode<T: CandidType + for<'a> Deserialize<'a>>(
    argument: &[u8],
) -> Result<T, Reject> {
    let mut config = DecoderConfig::new();
    config
        .set_decoding_quota(1_000_000 + 64 * argument.len())
        .set_skipping_quota(1_000_000 + 64 * argument.len())
        .set_full_error_message(false);
    let mut deserializer = candid::de::IDLDeserialize::new_with_config(argument, &config)
        .map_err(|error| bad_argument(&error))?;
    <(T,)>::decode(&mut deserializer)
        .map(|(value,)| value)
        .map_err(|error| bad_argument(&error))
}

fn bad_argument(error: &candid::Error) -> Reject {
    Reject::new(
        ErrorCode::InvalidManagementPayload,
        format!("Error decoding candid: {error}"),
    )
}

fn encode<T: CandidType>(value: &T) -> CallResult {
    candid::encode_one(value).map_err(|error| {
        Reject::new(
            ErrorCode::CanisterWasmEngineError,
            format!("the reply can't be encoded: {error}"),
        )
    })
}

/// The canister with this id.
fn find(replica: &mut Replica, id: CanisterId) -> Result<&mut Canister, Reject> {
    let canister = replica.canisters.get_mut(&id);
    canister.ok_or_else(|| not_found(id))
}

/// The canister with this id, if `caller` controls it.
fn controlled(
    replica: &mut Replica,
    id: CanisterId,
    caller: Principal,
) -> Result<&mut Canister, Reject> {
    let canister = find(replica, id)?;
    match canister.settings.controllers.contains(&caller) {
        true => Ok(canister),
        false => Err(Reject::new(
            ErrorCode::CanisterInvalidController,
            format!(
                "Only the controllers of the canister {id} can control it.\n\
                 Canister's controllers: {}\nSender's ID: {caller}",
                list(canister)
            ),
        )),
    }
}

fn list(canister: &Canister) -> String {
    let controllers = canister.settings.controllers.iter();
    let controllers: Vec<String> = controllers.map(Principal::to_text).collect();
    controllers.join(" ")
}

/// The one argument of the many methods that take only a canister id.
fn canister_id(call: &Call<'_>) -> Result<CanisterId, Reject> {
    Ok(call.decode::<CanisterIdRecord>()?.canister_id)
}
