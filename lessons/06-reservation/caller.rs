//! The lesson `reservation`: two canisters change together, or not at all, in two steps.
//!
//! This canister has the buyers' money, and the callee has the seats of a show. At the end both must
//! agree: a buyer with a ticket has paid for it, and the seat is sold.

use std::cell::RefCell;
use std::collections::BTreeSet;

use candid::{CandidType, Principal, utils::ArgumentEncoder};
use ic_cdk::{api::msg_caller, call::Call};
use ic_cdk_macros::{post_upgrade, pre_upgrade, query, update};
use serde::{Deserialize, de::DeserializeOwned};

use shared::{bounded::Bounded, peer};

/// What a ticket costs.
const PRICE: u64 = 10;

/// How long this canister waits for an answer, in seconds.
const PATIENCE: u32 = 30;

/// How many buyers' accounts one owner has at most.
const MOST_EACH: usize = 100;

thread_local! {
    static STATE: RefCell<State> = RefCell::default();
}

/// All buyers.
#[derive(CandidType, Default, Deserialize)]
struct State {
    buyers: Bounded<u64, Buyer>,
}

/// Somebody who wants to see a show.
#[derive(CandidType, Clone, Deserialize)]
struct Buyer {
    owner: Principal,
    show: u64,
    money: u64,
    tickets: u64,
    /// The hold that was paid for, if it is not known whether it was committed.
    pending: Option<u64>,
}

/// Opens an account of a buyer for a show of the callee, and returns its number.
#[update]
fn open_buyer(show: u64, money: u64) -> Result<u64, String> {
    let owner = msg_caller();
    STATE.with_borrow_mut(|State { buyers }| {
        let own = buyers.iter().filter(|(_, buyer)| buyer.owner == owner);
        if own.count() >= MOST_EACH {
            return Err(format!(
                "you have {MOST_EACH} accounts, and can't have more"
            ));
        }
        let number = buyers.next_number();
        let buyer = Buyer {
            owner,
            show,
            money,
            tickets: 0,
            pending: None,
        };
        buyers.insert(number, buyer)?;
        Ok(number)
    })
}

/// A buyer's account.
#[query]
fn buyer(buyer: u64) -> Option<Buyer> {
    STATE.with_borrow(|state| state.buyers.get(&buyer).cloned())
}

// ---- The mistake: one step -----------------------------------------------------------------

/// The mistake: taking the seat, then the money. A trap or an error in between leaves a seat that is
/// sold to nobody, for ever.
#[update]
async fn take_then_pay(buyer: u64) -> Result<(), String> {
    let show = with_buyer(buyer, |buyer| buyer.check_money().map(|()| buyer.show))?;
    // COMMIT POINT: the call is sent. The callee will make the sale final in a message of its own.
    ask::<Result<(), String>>("take", &(show,)).await??;
    // A trap on the next line undoes nothing in the callee.
    with_buyer(buyer, |buyer| {
        buyer.pay()?; // The money may be gone by now: other messages came in between.
        buyer.tickets += 1;
        Ok(())
    })
}

/// The same mistake the other way round: taking the money, then the seat. If the answer is lost,
/// nobody knows whether there is a seat, and a buyer who tries again pays for a second one.
#[update]
async fn pay_then_take(buyer: u64) -> Result<(), String> {
    let show = with_buyer(buyer, |buyer| buyer.pay().map(|()| buyer.show))?;
    // COMMIT POINT: the money is paid.
    ask::<Result<(), String>>("take", &(show,)).await??;
    with_buyer(buyer, |buyer| {
        buyer.tickets += 1;
        Ok(())
    })
}

// ---- The right way: prepare, then commit ---------------------------------------------------

/// The right way: the callee only holds the seat, for a time. Before the payment everything can be
/// forgotten, because the hold ends by itself. After it everything can be repeated.
#[update]
async fn buy_in_two_steps(buyer: u64) -> Result<(), String> {
    let show = with_buyer(buyer, |buyer| buyer.check_money().map(|()| buyer.show))?;
    let _until_the_end = Buying::begin(buyer)?;

    // Prepare. COMMIT POINT: the call is sent.
    let hold = ask::<Result<u64, String>>("prepare", &(show,)).await??;

    // Decide: one message takes the money and notes the hold. A trap here undoes both, and the seat is
    // free again in a minute.
    with_buyer(buyer, |buyer| {
        buyer.pay()?;
        buyer.pending = Some(hold);
        Ok(())
    })?;

    commit(buyer).await
}

thread_local! {
    static BUYING: RefCell<BTreeSet<u64>> = const { RefCell::new(BTreeSet::new()) };
}

/// A buyer's purchase in two steps. A buyer with many at once would hold many seats and pay for one. It
/// is dropped at the end, after a trap too.
struct Buying(u64);

impl Buying {
    fn begin(buyer: u64) -> Result<Self, String> {
        match BUYING.with_borrow_mut(|buying| buying.insert(buyer)) {
            true => Ok(Buying(buyer)),
            false => Err("a purchase is under way".to_owned()),
        }
    }
}

impl Drop for Buying {
    fn drop(&mut self) {
        BUYING.with_borrow_mut(|buying| buying.remove(&self.0));
    }
}

/// Repeats the commit of a purchase whose end is not known: after a trap, or a lost answer.
#[update]
async fn finish(buyer: u64) -> Result<(), String> {
    commit(buyer).await
}

async fn commit(buyer: u64) -> Result<(), String> {
    let (show, hold) = with_buyer(buyer, |buyer| match buyer.pending {
        Some(hold) => Ok((buyer.show, hold)),
        None => Err("nothing is to be finished".to_owned()),
    })?;
    // COMMIT POINT: the payment and the hold are kept. Without an answer both stay as they are, and
    // `finish` asks again.
    let commit: Commit = ask("commit", &(show, hold)).await?;
    with_buyer(buyer, |buyer| {
        // Two messages may have asked at the same time: only the first answer counts.
        let is_first = buyer.pending.take_if(|pending| *pending == hold).is_some();
        match commit {
            Commit::Sold => {
                buyer.tickets += u64::from(is_first);
                Ok(())
            }
            // The callee itself says that it has not sold and never will: only now is it safe to
            // give the money back.
            Commit::Expired => {
                buyer.money += if is_first { PRICE } else { 0 };
                Err("the hold has expired, and the money is back".to_owned())
            }
        }
    })
}

/// The callee's answer to a commit.
#[derive(CandidType, Deserialize)]
enum Commit {
    Sold,
    Expired,
}

// ---- What both use -------------------------------------------------------------------------

impl Buyer {
    fn check_money(&self) -> Result<(), String> {
        match (self.pending, self.money) {
            (Some(_), _) => Err("a purchase has to be finished first".to_owned()),
            (None, PRICE..) => Ok(()),
            (None, money) => Err(format!("a ticket costs {PRICE}, and there is only {money}")),
        }
    }

    fn pay(&mut self) -> Result<(), String> {
        self.check_money()?;
        self.money -= PRICE;
        Ok(())
    }
}

/// Does something with a buyer's account, if the caller of this method owns it. (After an await,
/// `msg_caller` still says who that is.)
fn with_buyer<T>(
    buyer: u64,
    act: impl FnOnce(&mut Buyer) -> Result<T, String>,
) -> Result<T, String> {
    STATE.with_borrow_mut(|state| match state.buyers.get_mut(&buyer) {
        Some(buyer) if buyer.owner == msg_caller() => act(buyer),
        _ => Err(format!("you have no account {buyer}")),
    })
}

/// Asks the callee. An error means that it is not known what the callee did.
async fn ask<R: CandidType + DeserializeOwned>(
    method: &str,
    arguments: &impl ArgumentEncoder,
) -> Result<R, String> {
    let answer = Call::bounded_wait(callee(), method)
        .change_timeout(PATIENCE)
        .with_args(arguments)
        .await
        .map_err(|error| format!("no answer from the callee: {error}"))?;
    answer
        .candid()
        .map_err(|error| format!("an answer that can't be read: {error}"))
}

#[pre_upgrade]
fn save() {
    shared::upgrade::save(&STATE);
}

#[post_upgrade]
fn restore() {
    shared::upgrade::restore(&STATE);
}

fn callee() -> Principal {
    peer::id(
        "reservation_callee",
        option_env!("CANISTER_ID_RESERVATION_CALLEE"),
    )
}

ic_cdk::export_candid!();

fn main() {}
