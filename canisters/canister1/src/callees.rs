//! The lesson `callees`: a callee that never answers, or whose answer is made to harm.
//!
//! canister2 stands for a canister that somebody else wrote and may upgrade at any time.

use std::cell::RefCell;

use bounded::BoundedMap;
use candid::{CandidType, DecoderConfig, decode_one_with_config};
use ic_cdk::{
    call::{Call, Response},
    trap,
};
use ic_cdk_macros::{query, update};
use serde::Deserialize;

use crate::{peer, rollback::CallOutcome};

// ---- A callee that doesn't answer ----------------------------------------------------------

/// The mistake: to wait for as long as the callee likes. Until it answers, canister1 can't be
/// stopped.
#[update(guard = "peer::is_known")]
async fn callees_wait_for_ever() -> CallOutcome {
    // COMMIT POINT: the call is sent.
    let result = Call::unbounded_wait(peer::canister2(), "callees_dawdle").await;
    result.into()
}

/// The right way: after the deadline canister1 is told SysUnknown, and goes on. What the callee
/// did, or will still do, is not known.
#[update(guard = "peer::is_known")]
async fn callees_wait_with_deadline() -> CallOutcome {
    // COMMIT POINT: the call is sent.
    let result = Call::bounded_wait(peer::canister2(), "callees_dawdle")
        .change_timeout(60) // In seconds, 300 at most.
        .await;
    result.into()
}

// ---- A callee with a hostile reply ---------------------------------------------------------

/// What outlives an upgrade: whether each account waits for a reply. One call an account.
#[derive(CandidType, Deserialize, Default)]
pub struct State {
    accounts: BoundedMap<u64, bool>,
}

thread_local! {
    static STATE: RefCell<State> = RefCell::default();
}

/// Which reply canister2 is to give.
#[derive(CandidType, Deserialize)]
pub enum NameReply {
    Honest,
    WrongType,
    Huge,
    Bomb,
}

/// A new account.
#[update]
fn callees_open() -> u64 {
    STATE.with_borrow_mut(|state| {
        let account = state.accounts.next_number();
        state.accounts.insert(account, false);
        account
    })
}

/// Whether an account waits for a reply.
#[query]
fn callees_waits(account: u64) -> Result<bool, String> {
    STATE.with_borrow(|state| state.accounts.get(&account).copied().ok_or_else(unknown))
}

fn unknown() -> String {
    "there is no such account; callees_open opens one".to_string()
}

/// Marks an account as waiting, if it does not wait yet.
fn begin(account: u64) -> Result<(), String> {
    STATE.with_borrow_mut(
        |state| match state.accounts.get_mut(&account).ok_or_else(unknown)? {
            true => Err("this account still waits for a reply".to_string()),
            waits => {
                *waits = true;
                Ok(())
            }
        },
    )
}

/// The account waits no more.
fn end(account: u64) {
    STATE.with_borrow_mut(|state| {
        if let Some(waits) = state.accounts.get_mut(&account) {
            *waits = false;
        }
    });
}

/// The mistake: to decode whatever comes, and to trap if that fails.
#[update(guard = "peer::is_known")]
async fn callees_ask_trusting(account: u64, reply: NameReply) -> Result<String, String> {
    begin(account)?;
    // COMMIT POINT: the account waits.
    let response = Call::unbounded_wait(peer::canister2(), "callees_name")
        .with_arg(reply)
        .await
        .map_err(|error| error.to_string());
    let name = response.map(|response| {
        // A trap here undoes this message, and with it the `end` below: the account waits for ever.
        let name: Result<String, _> = response.candid();
        name.unwrap_or_else(|error| trap(error.to_string()))
    });
    end(account);
    name
}

/// The right way: to measure before decoding, to decode within a limit, and to take what is
/// not as expected for an error like any other.
#[update(guard = "peer::is_known")]
async fn callees_ask_careful(account: u64, reply: NameReply) -> Result<String, String> {
    begin(account)?;
    // COMMIT POINT: the account waits.
    let response = Call::unbounded_wait(peer::canister2(), "callees_name")
        .with_arg(reply)
        .await
        .map_err(|error| error.to_string());
    let name = response.and_then(read_name);
    end(account);
    name
    // COMMIT POINT: the account doesn't wait any more, whatever the reply was.
}

/// How many bytes a name may take, with what Candid adds.
const LONGEST_REPLY: usize = 100;

/// How much work the decoder may do for it, by its own measure: see
/// [`DecoderConfig::set_decoding_quota`]. A short text costs its length and a few tens more.
const MOST_WORK: usize = 1_000;

fn read_name(response: Response) -> Result<String, String> {
    let length = response.len();
    if length > LONGEST_REPLY {
        return Err(format!(
            "the reply has {length} bytes, more than {LONGEST_REPLY}"
        ));
    }
    let mut limits = DecoderConfig::new();
    limits.set_decoding_quota(MOST_WORK);
    decode_one_with_config(&response, &limits).map_err(|error| format!("no name: {error}"))
}

/// What is to be kept in an upgrade.
pub fn save() -> State {
    STATE.take()
}

/// Puts back what [`save`] gave.
pub fn restore(state: State) {
    STATE.set(state);
}
