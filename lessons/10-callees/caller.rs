//! The lesson `callees`: a callee that never answers, or whose answer is made to harm.
//!
//! The callee stands for a canister that somebody else wrote and may upgrade at any time.

use std::cell::RefCell;

use candid::{CandidType, DecoderConfig, Principal, decode_one_with_config};
use ic_cdk::{
    api::{is_controller, msg_caller},
    call::{Call, Response},
    trap,
};
use ic_cdk_macros::{post_upgrade, pre_upgrade, query, update};
use serde::Deserialize;

use shared::{bounded::Bounded, outcome::CallOutcome, peer};

// ---- A callee that doesn't answer ----------------------------------------------------------

/// The mistake: waiting for as long as the callee likes. Until it answers, this canister can't be
/// stopped.
#[update]
async fn wait_for_ever() -> CallOutcome {
    // COMMIT POINT: the call is sent.
    let result = Call::unbounded_wait(callee(), "dawdle").await;
    result.into()
}

/// The right way: after the deadline this canister gets SysUnknown and goes on. It doesn't know what the
/// callee did, or will still do.
#[update]
async fn wait_with_deadline() -> CallOutcome {
    // COMMIT POINT: the call is sent.
    let result = Call::bounded_wait(callee(), "dawdle")
        .change_timeout(60) // In seconds, 300 at most.
        .await;
    result.into()
}

// ---- A callee with a hostile reply ---------------------------------------------------------

/// An account: its owner, and its number. Nobody finds the account of somebody else.
type Account = (Principal, u64);

/// What outlives an upgrade: whether each account waits for a reply. One call an account.
#[derive(CandidType, Deserialize, Default)]
struct State {
    accounts: Bounded<Account, bool>,
}

/// How many accounts an owner may have: one alone doesn't take all the room.
const MOST_ACCOUNTS: usize = 100;

thread_local! {
    static STATE: RefCell<State> = RefCell::default();
}

/// Which reply the callee is to give.
#[derive(CandidType, Deserialize)]
enum NameReply {
    Honest,
    WrongType,
    Huge,
    Bomb,
}

/// A new account of the user who calls.
#[update]
fn open() -> Result<u64, String> {
    let user = msg_caller();
    STATE.with_borrow_mut(|State { accounts }| {
        let owned = accounts.iter().filter(|((owner, _), _)| *owner == user);
        if owned.count() >= MOST_ACCOUNTS {
            return Err(format!(
                "you have {MOST_ACCOUNTS} accounts, and nobody may have more"
            ));
        }
        let number = accounts.next_number();
        accounts.insert((user, number), false)?;
        Ok(number)
    })
}

/// Whether an account of the user's waits for a reply.
#[query]
fn waits(number: u64) -> Result<bool, String> {
    let account = (msg_caller(), number);
    STATE.with_borrow(|state| state.accounts.get(&account).copied().ok_or_else(unknown))
}

fn unknown() -> String {
    "you have no such account; `open` opens one".to_string()
}

/// Marks an account as waiting, if it does not wait yet.
fn begin(account: Account) -> Result<(), String> {
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

/// An account that waits until this is dropped: at the end, and in the cleanup after a trap too. That is
/// right here because asking for a name changes nothing: nothing is lost if nobody learns the answer.
#[must_use = "without a variable the account waits no more"]
struct Waiting(Account);

impl Waiting {
    fn begin(account: Account) -> Result<Self, String> {
        begin(account).map(|()| Waiting(account))
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        end(self.0);
    }
}

/// The account waits no more.
fn end(account: Account) {
    STATE.with_borrow_mut(|state| {
        if let Some(waits) = state.accounts.get_mut(&account) {
            *waits = false;
        }
    });
}

/// The mistake: decoding whatever comes, and trapping if that fails. Only a controller may try it: a
/// bomb costs this canister all instructions that a message may use.
#[update(guard = "by_controller")]
async fn ask_trusting(number: u64, reply: NameReply) -> Result<String, String> {
    let account = (msg_caller(), number);
    begin(account)?;
    // COMMIT POINT: the account waits.
    let response = Call::unbounded_wait(callee(), "name")
        .with_arg(reply)
        .await
        .map_err(|error| error.to_string());
    let name = response.map(|response| {
        // A trap here undoes this message, and with it the `end` below: the account goes on waiting.
        let name: Result<String, _> = response.candid();
        name.unwrap_or_else(|error| trap(error.to_string()))
    });
    end(account);
    name
}

fn by_controller() -> Result<(), String> {
    match is_controller(&msg_caller()) {
        true => Ok(()),
        false => Err("only a controller may do this".to_string()),
    }
}

/// The right way: wait with a deadline, measure before decoding, decode with a limit, and treat the
/// unexpected as an error like any other.
#[update]
async fn ask_careful(number: u64, reply: NameReply) -> Result<String, String> {
    let _waiting = Waiting::begin((msg_caller(), number))?;
    // COMMIT POINT: the account waits.
    let response = Call::bounded_wait(callee(), "name")
        .change_timeout(60)
        .with_arg(reply)
        .await
        .map_err(|error| error.to_string());
    response.and_then(read_name)
    // COMMIT POINT: the account doesn't wait any more, whatever the reply was, and without one too.
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

#[pre_upgrade]
fn save() {
    shared::upgrade::save(&STATE);
}

#[post_upgrade]
fn restore() {
    shared::upgrade::restore(&STATE);
    // The methods that waited in the code before will not go on.
    let all: Vec<Account> = STATE.with_borrow(|state| {
        let accounts = state.accounts.iter();
        accounts.map(|(account, _)| *account).collect()
    });
    all.into_iter().for_each(end);
}

fn callee() -> Principal {
    peer::id("callees_callee", option_env!("CANISTER_ID_CALLEES_CALLEE"))
}

ic_cdk::export_candid!();

fn main() {}
