//! canister2, the callee: a counter that canister1 adds to from afar.

mod callees;
mod callers;
mod compensation;
mod cycles;
mod interleaving;
mod journal;
mod ordering;
mod refund;
mod rejects;
mod reservation;
mod retries;
mod upgrades;

use std::cell::RefCell;

use candid::{CandidType, Nat};
use ic_cdk::{
    api::msg_reject,
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

/// Adds 1.
#[update]
fn increment() {
    add_one();
    // COMMIT POINT: the message ends here. No later error in the caller can undo it.
}

/// Adds 1, then traps: the 1 is undone, and the caller sees a reject with code 5.
#[update]
fn increment_then_trap() {
    add_one();
    trap("canister2 trapped on purpose");
}

/// Adds 1, then rejects: the caller sees a reject with code 4, and the 1 is kept all the same.
#[update(manual_reply = true)]
fn increment_then_reject() {
    add_one();
    msg_reject("canister2 rejected on purpose");
    // COMMIT POINT: a reject is an answer like any other, and the message ends normally.
}

/// What outlives an upgrade. As a record it can grow by optional fields.
#[derive(CandidType, Deserialize)]
struct Saved {
    counter: Nat,
    interleaving: Option<interleaving::State>,
    refund: Option<refund::State>,
    compensation: Option<compensation::State>,
    reservation: Option<reservation::State>,
    journal: Option<journal::State>,
    retries: Option<retries::State>,
    ordering: Option<ordering::State>,
    upgrades: Option<upgrades::State>,
    cycles: Option<cycles::State>,
}

#[pre_upgrade]
fn save() {
    let saved = Saved {
        counter: get(),
        interleaving: Some(interleaving::save()),
        refund: Some(refund::save()),
        compensation: Some(compensation::save()),
        reservation: Some(reservation::save()),
        journal: Some(journal::save()),
        retries: Some(retries::save()),
        ordering: Some(ordering::save()),
        upgrades: Some(upgrades::save()),
        cycles: Some(cycles::save()),
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
            interleaving::restore(saved.interleaving.unwrap_or_default());
            refund::restore(saved.refund.unwrap_or_default());
            compensation::restore(saved.compensation.unwrap_or_default());
            reservation::restore(saved.reservation.unwrap_or_default());
            journal::restore(saved.journal.unwrap_or_default());
            retries::restore(saved.retries.unwrap_or_default());
            ordering::restore(saved.ordering.unwrap_or_default());
            upgrades::restore(saved.upgrades.unwrap_or_default());
            cycles::restore(saved.cycles.unwrap_or_default());
        }
        // A trap cancels the upgrade; going on would start again at 0.
        Err(error) => trap(format!("the state could not be restored: {error}")),
    }
}

/// The interface, carried by the Wasm as the metadata that tools look for.
#[cfg(target_family = "wasm")]
#[used]
#[unsafe(link_section = "icp:public candid:service")]
static CANDID: [u8; include_bytes!("../../../candid/canister2.did").len()] =
    *include_bytes!("../../../candid/canister2.did");

#[cfg(test)]
mod tests {
    use std::marker::PhantomData;

    use super::*;
    use crate::callees::NameReply;
    use crate::cycles::{Account, Work};
    use crate::journal::TransferId;
    use crate::refund::PaymentFate;
    use crate::reservation::{Commit, Seats};
    use crate::retries::{IncrementId, Refusal, Remembered};
    use candid::Principal;
    use candid_parser::utils::{CandidSource, service_equal};

    candid::export_service!();

    #[test]
    fn the_written_interface_is_that_of_the_code() {
        let written = include_str!("../../../candid/canister2.did");
        let code = __export_service();
        service_equal(CandidSource::Text(&code), CandidSource::Text(written)).unwrap();
    }
}
