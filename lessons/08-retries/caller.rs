//! The lesson `retries`: calling again without doing it twice.
//!
//! This canister is a shop. For a user it adds points to the user's account in the callee.
//!
//! A call with bounded wait can end with the reject code SysUnknown: it may or may not have
//! happened. Calling again without an id may do it twice; not calling again may leave it undone.
//! With an id that the callee remembers, calling again is right.

use std::cell::RefCell;

use candid::{CandidType, Principal, utils::ArgumentEncoder};
use ic_cdk::{
    api::{msg_caller, time},
    call::{Call, CallErrorExt},
};
use ic_cdk_macros::{post_upgrade, pre_upgrade, query, update};
use serde::{Deserialize, de::DeserializeOwned};

use shared::{bounded::Bounded, peer};

/// How often a method calls the callee until it gives up. Its user may call it once more.
const ATTEMPTS: u32 = 3;

/// How long it waits for each answer, in seconds. 300 is the most that the system allows.
const WAIT: u32 = 60;

/// For how long a point is tried again, in nanoseconds: 1 hour. This has to be less than the 2
/// hours for which the callee remembers ids, by more than a call can be on its way and clocks
/// differ.
const RETRY_TIME: u64 = 60 * 60 * 1_000_000_000;

/// For how long a point is kept, in nanoseconds: 2 hours. Then the callee has forgotten its id.
const KEEP_TIME: u64 = 2 * RETRY_TIME;

/// How many points one user may have begun within that time.
const MOST_EACH: usize = 100;

/// Makes a call until it is answered, or has failed in a way that calling at once can't mend.
async fn call_until_answered<R: CandidType + DeserializeOwned>(
    method: &str,
    arguments: &impl ArgumentEncoder,
) -> Result<R, String> {
    for _ in 0..ATTEMPTS {
        let call = Call::bounded_wait(callee(), method);
        // COMMIT POINT: the call is sent.
        match call.with_args(arguments).change_timeout(WAIT).await {
            Ok(reply) => return reply.candid().map_err(|error| error.to_string()),
            // "Retryable" says that calling again might work. It does not say that it is safe.
            Err(error) if error.is_immediately_retryable() => {}
            Err(error) => return Err(error.to_string()),
        }
    }
    Err(format!("the callee did not answer {ATTEMPTS} times"))
}

// ---- The mistake ---------------------------------------------------------------------------

/// The mistake: if only the answer was lost, the callee adds another point.
#[update]
async fn add_point_without_id(account: u64) -> Result<u64, String> {
    let result: Result<u64, Refusal> =
        call_until_answered("add_point", &(account, msg_caller())).await?;
    result.map_err(|refusal| refusal.to_string())
}

// ---- The right way -------------------------------------------------------------------------

/// Chooses the id for one point on an account of the callee, before the first attempt. Returns the
/// number under which the point is known here.
#[update]
fn begin(account: u64) -> Result<u64, String> {
    let (owner, created) = (msg_caller(), time());
    STATE.with_borrow_mut(|State { points }| {
        let all = points.iter();
        let old = all.filter(|(_, one)| one.id.created + KEEP_TIME < created);
        let old: Vec<u64> = old.map(|(number, _)| *number).collect();
        for number in old {
            points.remove(&number);
        }
        let own = points.iter().filter(|(_, one)| one.owner == owner);
        if own.count() >= MOST_EACH {
            return Err(format!(
                "you have begun {MOST_EACH} points; begin more later"
            ));
        }
        let number = points.next_number();
        points.insert(
            number,
            Point {
                owner,
                account,
                id: PointId { created, number },
                result: None,
            },
        )?;
        Ok(number)
    })
    // COMMIT POINT: from now on every attempt uses this id, whatever fails.
}

/// The right way: the same call, with an id. For an hour it may be called again after whatever
/// error; the point is added once at most.
#[update]
async fn add_point_once(number: u64) -> Result<u64, String> {
    let point = find(number)?;
    if let Some(result) = point.result {
        return Ok(result);
    }
    if time() > point.id.created + RETRY_TIME {
        return Err("too late to try again; ask with `ask`".to_string());
    }
    let Point {
        owner, account, id, ..
    } = point;
    let result: Result<u64, Refusal> =
        call_until_answered("add_point_once", &(account, id, owner)).await?;
    let result = result.map_err(|refusal| refusal.to_string())?;
    // A trap here would lose the result, but not the id: the callee tells the result again.
    remember(number, result);
    Ok(result)
    // COMMIT POINT: the result is known for as long as the point is kept here.
}

/// Asks the callee what became of a point, without trying again. Requests from one canister to
/// another arrive in the order sent, so once the callee has answered `NotDone`, no earlier attempt of
/// this canister can still arrive. A later one can: another message may be trying again meanwhile.
#[update]
async fn ask(number: u64) -> Result<Remembered, String> {
    let Point {
        owner, account, id, ..
    } = find(number)?;
    let known = call_until_answered("look_up", &(account, id, owner)).await?;
    if let Remembered::Done(result) = known {
        remember(number, result);
    }
    Ok(known)
}

/// How many points the account had with this one, if this canister knows it.
#[query]
fn result(number: u64) -> Result<Option<u64>, String> {
    Ok(find(number)?.result)
}

/// A point that is to be added.
#[derive(CandidType, Clone, Deserialize)]
struct Point {
    /// Who began it.
    owner: Principal,
    account: u64,
    id: PointId,
    /// How many points the account then had, once that is known.
    result: Option<u64>,
}

/// The points that were begun in the last 2 hours, or longer ago, if none was begun since.
#[derive(CandidType, Default, Deserialize)]
struct State {
    points: Bounded<u64, Point>,
}

thread_local! {
    static STATE: RefCell<State> = RefCell::default();
}

#[pre_upgrade]
fn save() {
    shared::upgrade::save(&STATE);
}

#[post_upgrade]
fn restore() {
    shared::upgrade::restore(&STATE);
}

/// A point of the caller of this method.
fn find(number: u64) -> Result<Point, String> {
    let point = STATE.with_borrow(|state| state.points.get(&number).cloned());
    let own = point.filter(|point| point.owner == msg_caller());
    own.ok_or_else(|| format!("you have begun no point {number}; `begin` begins one"))
}

fn remember(number: u64, result: u64) {
    STATE.with_borrow_mut(|State { points }| {
        if let Some(point) = points.get_mut(&number) {
            point.result = Some(result);
        }
    });
}

// ---- The words of the callee's interface ---------------------------------------------------

/// What this canister calls one point, in every attempt.
#[derive(CandidType, Clone, Copy, Deserialize)]
struct PointId {
    /// When it was chosen, in nanoseconds since 1970-01-01.
    created: u64,
    /// Tells it from others of the same time.
    number: u64,
}

/// Why the callee added no point.
#[derive(CandidType, Debug, Deserialize)]
enum Refusal {
    NoSuchAccount,
    TooOld,
    TooNew,
    Full,
}

impl std::fmt::Display for Refusal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Refusal::NoSuchAccount => {
                "the callee has no such account of yours; its `open` opens one"
            }
            Refusal::TooOld => "the callee remembers no ids as old as this one",
            Refusal::TooNew => "the clock of the callee is far behind; try again later",
            Refusal::Full => "the callee can remember no more ids now; try again later",
        })
    }
}

/// What the callee knows of a point.
#[derive(CandidType, Clone, Copy, Deserialize)]
enum Remembered {
    /// It was added, and the account then had so many.
    Done(u64),
    /// It was not added.
    NotDone,
    /// It was so long ago that nobody knows, or the account is not yours.
    Forgotten,
}

fn callee() -> Principal {
    peer::id("retries_callee", option_env!("CANISTER_ID_RETRIES_CALLEE"))
}

ic_cdk::export_candid!();

fn main() {}
