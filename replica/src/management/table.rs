//! Which methods there are, who may call each and how, which canister each is about, and what
//! answers it: the specification's section "The IC management canister".

use candid::{CandidType, Deserialize, Principal};
use ic_management_canister_types::CanisterIdRecord;

use super::call::{Answer, Call};
use super::{
    chunks, control, create, information, install, network, raw_rand, snapshot_data, snapshots,
};
use crate::encoding::decode;
use crate::message::{CallResult, CanisterId, Reject};
use crate::replica::Replica;

/// One method.
pub(super) struct Method {
    /// The name; with `*` at the end, all names that begin like this.
    pub(super) name: &'static str,
    pub(super) modes: Modes,
    pub(super) users: Users,
    pub(super) effective: EffectiveId,
    pub(super) handler: Handler,
}

/// How a method can be called.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Modes {
    Update,
    Query,
    Both,
}

/// Whose calls are taken in, of the users. Canisters can call every update.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Users {
    /// No user's.
    Nobody,
    /// The controllers' of the canister that the call is about.
    Controllers,
    /// Everybody's who names a canister. The handler asks who it is.
    Named,
    /// Everybody's.
    Everybody,
}

/// Where the effective canister id of a call is.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum EffectiveId {
    /// It can be any id: the call is about no canister yet, or about the subnet.
    Any,
    /// There is none: the call is about a subnet that its argument names.
    Subnet,
    /// In `canister_id` of the argument.
    CanisterId,
    /// In `target_canister` of the argument.
    TargetCanister,
}

/// What answers a method.
#[derive(Clone, Copy)]
pub(super) enum Handler {
    /// It answers now.
    Now(fn(&mut Replica, &mut Call<'_>) -> CallResult),
    /// It answers now or later.
    NowOrLater(fn(&mut Replica, &mut Call<'_>) -> Result<Answer, Reject>),
    /// It only reads, for this caller and with this argument.
    Read(fn(&mut Replica, Principal, &[u8]) -> CallResult),
    /// Nothing: it is a method of the network, and belongs to what a local replica does not have.
    Missing(&'static str),
}

impl EffectiveId {
    /// The id, if the argument has it.
    pub(super) fn read(self, argument: &[u8]) -> Result<Option<CanisterId>, Reject> {
        #[derive(CandidType, Deserialize)]
        struct OfTarget {
            target_canister: CanisterId,
        }
        match self {
            EffectiveId::Any | EffectiveId::Subnet => Ok(None),
            EffectiveId::CanisterId => {
                decode(argument).map(|of: CanisterIdRecord| Some(of.canister_id))
            }
            EffectiveId::TargetCanister => {
                decode(argument).map(|of: OfTarget| Some(of.target_canister))
            }
        }
    }
}

/// The method with this name.
pub(super) fn find(name: &str) -> Option<&'static Method> {
    METHODS.iter().find(|method| {
        let prefix = method.name.strip_suffix('*');
        prefix.map_or(method.name == name, |prefix| name.starts_with(prefix))
    })
}

macro_rules! methods {
    ($($name:literal $modes:ident, $users:ident, $effective:ident, $handler:expr;)*) => {
        &[$(Method {
            name: $name,
            modes: Modes::$modes,
            users: Users::$users,
            effective: EffectiveId::$effective,
            handler: $handler,
        },)*]
    };
}

/// All methods.
pub(super) const METHODS: &[Method] = {
    use Handler::{Missing, Now, NowOrLater, Read};
    const SIGNATURES: Handler = Missing("threshold signatures");
    const OUTCALLS: Handler = Missing("HTTPS outcalls");
    const METRICS: Handler = Missing("metrics of the network");
    const BITCOIN: Handler = Missing("the Bitcoin integration");
    methods! {
        "create_canister" Update, Nobody, Any, Now(create::create_canister);
        "update_settings" Update, Controllers, CanisterId, Now(control::update_settings);
        "upload_chunk" Update, Controllers, CanisterId, Now(chunks::upload_chunk);
        "clear_chunk_store" Update, Controllers, CanisterId, Now(chunks::clear_chunk_store);
        "stored_chunks" Update, Controllers, CanisterId, Now(chunks::stored_chunks);
        "install_code" Update, Controllers, CanisterId, Now(install::install_code);
        "install_chunked_code" Update, Controllers, TargetCanister, Now(install::install_chunked_code);
        "uninstall_code" Update, Controllers, CanisterId, Now(install::uninstall_code);
        "canister_status" Both, Named, CanisterId, Read(information::canister_status);
        "canister_metrics" Both, Controllers, CanisterId, Read(information::canister_metrics);
        "canister_info" Update, Nobody, CanisterId, Now(information::canister_info);
        "canister_metadata" Update, Nobody, CanisterId, Now(information::canister_metadata);
        "start_canister" Update, Controllers, CanisterId, Now(control::start_canister);
        "stop_canister" Update, Controllers, CanisterId, NowOrLater(control::stop_canister);
        "delete_canister" Update, Controllers, CanisterId, Now(control::delete_canister);
        "deposit_cycles" Update, Nobody, CanisterId, Now(create::deposit_cycles);
        "raw_rand" Update, Nobody, CanisterId, Now(raw_rand::raw_rand);
        "node_metrics_history" Update, Nobody, Subnet, Now(network::node_metrics_history);
        "subnet_info" Update, Nobody, Subnet, Now(network::subnet_info);
        "provisional_create_canister_with_cycles" Update, Everybody, Any, Now(create::provisional);
        "provisional_top_up_canister" Update, Everybody, CanisterId, Now(create::provisional_top_up);
        "take_canister_snapshot" Update, Controllers, CanisterId, Now(snapshots::take);
        "load_canister_snapshot" Update, Controllers, CanisterId, Now(snapshots::load);
        "list_canister_snapshots" Update, Named, CanisterId, Read(snapshots::list);
        "delete_canister_snapshot" Update, Controllers, CanisterId, Now(snapshots::delete);
        "read_canister_snapshot_metadata" Update, Named, CanisterId, Read(snapshot_data::read_metadata);
        "read_canister_snapshot_data" Update, Named, CanisterId, Now(snapshot_data::read_data);
        "upload_canister_snapshot_metadata" Update, Controllers, CanisterId, Now(snapshot_data::upload_metadata);
        "upload_canister_snapshot_data" Update, Controllers, CanisterId, Now(snapshot_data::upload_data);
        "fetch_canister_logs" Query, Everybody, CanisterId, Read(information::fetch_canister_logs);

        "ecdsa_public_key" Update, Nobody, CanisterId, SIGNATURES;
        "sign_with_ecdsa" Update, Nobody, CanisterId, SIGNATURES;
        "schnorr_public_key" Update, Nobody, CanisterId, SIGNATURES;
        "sign_with_schnorr" Update, Nobody, CanisterId, SIGNATURES;
        "vetkd_public_key" Update, Nobody, CanisterId, SIGNATURES;
        "vetkd_derive_key" Update, Nobody, CanisterId, SIGNATURES;
        "http_request" Update, Nobody, CanisterId, OUTCALLS;
        "flexible_http_request" Update, Nobody, CanisterId, OUTCALLS;
        "subnet_metrics" Update, Nobody, CanisterId, METRICS;
        "list_canisters" Query, Everybody, Any, METRICS;
        "bitcoin_*" Update, Nobody, CanisterId, BITCOIN;
    }
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_finds_its_own_row() {
        for method in METHODS {
            let found = find(&method.name.replace('*', "get_balance"));
            assert_eq!(found.map(|found| found.name), Some(method.name));
        }
        let rows = METHODS.iter().map(|method| method.name);
        let names: std::collections::BTreeSet<&str> = rows.collect();
        assert_eq!(names.len(), METHODS.len());
    }

    #[test]
    fn methods_of_a_canister_s_controllers_are_about_a_canister() {
        for method in METHODS {
            let names_one = matches!(method.users, Users::Controllers | Users::Named);
            assert!(
                !names_one || method.effective != EffectiveId::Any,
                "{}",
                method.name
            );
        }
    }
}
