//! canister1, the caller: it adds 1 to a counter of its own, then asks canister2 to do the same.
//!
//! This file has the state and `increment_both`. Each lesson that uses the pair is a file of
//! its own. A comment `COMMIT POINT` marks where everything so far becomes final: at an await
//! that sends a call, and at the normal end of a message.
//!
//! `guard = "peer::is_known"` has the CDK ask that function before a method begins, and reject the
//! call if it says no. (It has nothing to do with the guards of the lesson `interleaving`.)

mod callees;
mod compensation;
mod cycles;
mod guard;
mod interleaving;
mod journal;
mod ordering;
mod peer;
mod refund;
mod rejects;
mod reservation;
mod retries;
mod rollback;
mod upgrades;

use std::cell::RefCell;

use candid::{CandidType, Nat};
use ic_cdk::{
    call::Call,
    storage::{stable_restore, stable_save},
    trap,
};
use ic_cdk_macros::{post_upgrade, pre_upgrade, query, update};
use serde::Deserialize;

thread_local! {
    static COUNTER: RefCell<Nat> = RefCell::new(Nat::from(0u8));
}

fn add_one() {
    COUNTER.with_borrow_mut(|counter| *counter += 1u8);
}

/// The counter.
#[query]
fn get() -> Nat {
    COUNTER.with_borrow(Nat::clone)
}

/// Adds 1 here and 1 in canister2, then fails by returning `Err`. Nothing is undone: `Err` is
/// a reply like any other.
#[update(guard = "peer::is_known")]
async fn increment_both() -> Result<(), String> {
    // Step 1: add 1 here. A trap before the commit point would undo it.
    add_one();

    // Step 2: ask canister2 to add 1.
    // COMMIT POINT: the await sends the call. The 1 of step 1 is final, whatever follows.
    Call::unbounded_wait(peer::canister2(), "increment")
        .await
        .map_err(|error| format!("canister2 did not increment: {error}"))?;

    // Step 3: fail. A trap here would undo what was done since the commit point: nothing.
    Err("Failed to complete the operation.".to_string())
    // COMMIT POINT: the message ends normally.
}

/// What outlives an upgrade. As a record it can grow by optional fields.
#[derive(CandidType, Deserialize)]
struct Saved {
    counter: Nat,
    drops: Nat,
    interleaving: Option<interleaving::State>,
    refund: Option<refund::State>,
    compensation: Option<compensation::State>,
    reservation: Option<reservation::State>,
    journal: Option<journal::State>,
    retries: Option<retries::State>,
    callees: Option<callees::State>,
    upgrades: Option<upgrades::State>,
}

#[pre_upgrade]
fn save() {
    let saved = Saved {
        counter: get(),
        drops: rollback::get_drops(),
        interleaving: Some(interleaving::save()),
        refund: Some(refund::save()),
        compensation: Some(compensation::save()),
        reservation: Some(reservation::save()),
        journal: Some(journal::save()),
        retries: Some(retries::save()),
        callees: Some(callees::save()),
        upgrades: Some(upgrades::save()),
    };
    if let Err(error) = stable_save((saved,)) {
        trap(format!("the state could not be saved: {error}"));
    }
}

#[post_upgrade]
fn restore() {
    match stable_restore::<(Saved,)>() {
        Ok((saved,)) => {
            COUNTER.set(saved.counter);
            rollback::set_drops(saved.drops);
            interleaving::restore(saved.interleaving.unwrap_or_default());
            refund::restore(saved.refund.unwrap_or_default());
            compensation::restore(saved.compensation.unwrap_or_default());
            reservation::restore(saved.reservation.unwrap_or_default());
            journal::restore(saved.journal.unwrap_or_default());
            retries::restore(saved.retries.unwrap_or_default());
            callees::restore(saved.callees.unwrap_or_default());
            upgrades::restore(saved.upgrades.unwrap_or_default());
        }
        // A trap cancels the upgrade; going on would start again at 0.
        Err(error) => trap(format!("the state could not be restored: {error}")),
    }
}

/// The interface, carried by the Wasm as the metadata that tools look for.
#[cfg(target_family = "wasm")]
#[used]
#[unsafe(link_section = "icp:public candid:service")]
static CANDID: [u8; include_bytes!("../../../candid/canister1.did").len()] =
    *include_bytes!("../../../candid/canister1.did");

#[cfg(test)]
mod tests {
    use super::*;
    use crate::callees::NameReply;
    use crate::compensation::Trip;
    use crate::cycles::{Report, Work};
    use crate::journal::{Account, Progress, TransferId, TrapAt};
    use crate::rejects::FailedCall;
    use crate::reservation::Buyer;
    use crate::retries::Remembered;
    use crate::rollback::CallOutcome;
    use crate::upgrades::OrderStatus;
    use candid_parser::utils::{CandidSource, service_equal};

    candid::export_service!();

    #[test]
    fn the_written_interface_is_that_of_the_code() {
        let written = include_str!("../../../candid/canister1.did");
        let code = __export_service();
        service_equal(CandidSource::Text(&code), CandidSource::Text(written)).unwrap();
    }
}
