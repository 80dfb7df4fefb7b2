//! The callee of the lesson `loops`: it confirms orders, and counts them.

use std::cell::RefCell;

use candid::Principal;
use ic_cdk::{api::msg_caller, call::Call};
use ic_cdk_macros::{post_upgrade, pre_upgrade, query, update};

use shared::{bounded::Bounded, callers::are_canisters};

thread_local! {
    /// How many orders were confirmed to each canister.
    static CONFIRMED: RefCell<Bounded<Principal, u64>> = RefCell::default();
}

#[pre_upgrade]
fn save() {
    shared::upgrade::save(&CONFIRMED);
}

#[post_upgrade]
fn restore() {
    shared::upgrade::restore(&CONFIRMED);
}

/// How many orders were confirmed to a canister.
#[query]
fn get_confirmed(caller: Principal) -> u64 {
    CONFIRMED.with_borrow(|confirmed| confirmed.get(&caller).copied().unwrap_or(0))
}

/// The right way: confirms the order of a user with what the caller says, and calls nobody.
#[update(guard = "are_canisters")]
fn confirm(_user: Principal) -> Result<(), String> {
    count_for(msg_caller())
}

/// How often `confirm_asking_back` asks. A real one of its kind would not stop; this one does, so that
/// nobody can have it ask for ever.
const ATTEMPTS: u32 = 100;

/// The mistake: asks the caller back, again and again until the user is free. The user is not free
/// as long as the caller waits for this.
#[update(guard = "are_canisters")]
async fn confirm_asking_back(user: Principal) -> Result<(), String> {
    let caller = msg_caller();
    for _ in 0..ATTEMPTS {
        // COMMIT POINT: the call is sent. While this method waits, this canister can't be stopped.
        let answer = Call::unbounded_wait(caller, "is_free").with_arg(user).await;
        let is_free: Option<bool> = answer.ok().and_then(|reply| reply.candid().ok());
        if is_free == Some(true) {
            return count_for(caller);
        }
    }
    Err(format!("the user was not free, {ATTEMPTS} times"))
}

fn count_for(caller: Principal) -> Result<(), String> {
    CONFIRMED.with_borrow_mut(|confirmed| {
        let so_far = confirmed.get(&caller).copied().unwrap_or(0);
        Ok(confirmed.insert(caller, so_far + 1)?)
    })
}

ic_cdk::export_candid!();

fn main() {}
