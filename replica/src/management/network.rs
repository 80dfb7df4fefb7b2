//! What can be learned about the network: it is one subnet with one node.

use candid::Principal;
use ic_management_canister_types::{
    NodeMetricsHistoryArgs, NodeMetricsHistoryResult, SubnetInfoArgs, SubnetInfoResult,
};

use super::call::Call;
use crate::encoding::encode;
use crate::message::{CallResult, ErrorCode, Reject};
use crate::replica::Replica;

/// The subnet's version of the replica, which is this program's, and of the registry, of which there is
/// only one.
pub(super) fn subnet_info(replica: &mut Replica, call: &mut Call<'_>) -> CallResult {
    let SubnetInfoArgs { subnet_id } = call.decode()?;
    check(replica, subnet_id)?;
    encode(&SubnetInfoResult {
        replica_version: concat!("local-replica-", env!("CARGO_PKG_VERSION")).to_owned(),
        registry_version: 1,
    })
}

/// The blocks that nodes proposed: none, for there is no consensus.
pub(super) fn node_metrics_history(replica: &mut Replica, call: &mut Call<'_>) -> CallResult {
    let NodeMetricsHistoryArgs { subnet_id, .. } = call.decode()?;
    check(replica, subnet_id)?;
    encode(&NodeMetricsHistoryResult::new())
}

fn check(replica: &Replica, subnet: Principal) -> Result<(), Reject> {
    match subnet == replica.subnet_id() {
        true => Ok(()),
        false => Err(Reject::new(
            ErrorCode::SubnetNotFound,
            format!("Subnet {subnet} not found"),
        )),
    }
}
