//! Stand-ins for the canisters that command-line tools expect of every network. They are answered
//! by this program, and do what tools ask of them: balances are real, everything else is small.

mod cycles_ledger;
mod cycles_minting;
mod icp_ledger;
mod icrc;
mod ledger;
mod methods;

use candid::Principal;

use crate::replica::{NativeCanister, Replica};

/// Puts all of them into a replica. The anonymous user has plenty of each token, to give away.
pub fn add_to(replica: &mut Replica) {
    let add: [(&str, Box<dyn NativeCanister>); 3] = [
        (
            "ryjl3-tyaaa-aaaaa-aaaba-cai",
            Box::new(icp_ledger::IcpLedger::new()),
        ),
        (
            "rkp4c-7iaaa-aaaaa-aaaca-cai",
            Box::new(cycles_minting::CyclesMinting),
        ),
        (
            "um5iw-rqaaa-aaaaq-qaaba-cai",
            Box::new(cycles_ledger::CyclesLedger::new()),
        ),
    ];
    for (id, canister) in add {
        let id = Principal::from_text(id).expect("the ids above are well-formed");
        replica.add_native(id, canister);
    }
}
