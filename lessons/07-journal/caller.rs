//! The lesson `journal`: write down what you are about to do, do it, write down what came of it.
//!
//! A transfer takes an amount from an account here and adds it to an account in the callee. The
//! argument `trap_at` says where it is to trap, so that every point of it can be tried.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::time::Duration;

use candid::{CandidType, Principal};
use ic_cdk::{api::canister_self, call::Call, trap};
use ic_cdk_macros::{post_upgrade, pre_upgrade, query, update};
use ic_cdk_timers::{TimerId, clear_timer, set_timer_interval};
use serde::Deserialize;

use shared::{bounded::BoundedMap, peer};

/// How long an answer of the callee is waited for, in seconds. While many calls are carried on one
/// after the other, a callee that is silent holds this canister up so long for each.
const PATIENCE: u32 = 30;

/// Where to trap on purpose.
#[derive(CandidType, Clone, Copy, Debug, Deserialize, PartialEq)]
enum TrapAt {
    /// Nowhere: go on to the end.
    Nowhere,
    /// Before the call of the callee.
    BeforeCall,
    /// In the callback, before the outcome of the call is written down.
    AfterCall,
    /// After the outcome was written down, in what remains to be done.
    AfterOutcome,
    /// When everything is done, and only the reply is missing.
    BeforeReply,
}

impl TrapAt {
    fn reach(self, point: TrapAt) {
        if self == point {
            trap(format!("trapped on purpose: {point:?}"));
        }
    }
}

/// An account.
#[derive(CandidType, Clone, Copy, Deserialize)]
struct Account {
    balance: u64,
    /// How many transfers from it were finished: what remains to be done after the outcome.
    receipts: u64,
    /// The highest number that a transfer with a journal had. What came of a lower one may be
    /// forgotten, so a new transfer has to take a higher one.
    last_number: Option<u64>,
}

// ---- The mistake ---------------------------------------------------------------------------------

/// The mistake: between the call and the end, only this method's local variables know of the
/// transfer, and a trap in the callback drops them.
#[update]
async fn transfer_without_journal(
    from: u64,
    to: u64,
    amount: u64,
    trap_at: TrapAt,
) -> Result<(), String> {
    STATE.with_borrow_mut(|state| state.take(from, amount))?;
    trap_at.reach(TrapAt::BeforeCall); // Undoes the taking. So far all is well.

    // COMMIT POINT: the await sends the call. The amount is gone from the account.
    let answer = Call::unbounded_wait(callee(), "add_without_id")
        .with_args(&(to, amount))
        .await;
    trap_at.reach(TrapAt::AfterCall); // Nobody knows any more what came of the amount.
    let outcome = match answer {
        Ok(reply) => reply.candid().map_err(|error| error.to_string()),
        Err(error) => Err(error.to_string()),
    };
    if let Err(why) = outcome.and_then(|outcome: Result<(), String>| outcome) {
        STATE.with_borrow_mut(|state| state.give_back(from, amount));
        return Err(why);
    }
    trap_at.reach(TrapAt::AfterOutcome); // The outcome is not kept yet: as above.
    STATE.with_borrow_mut(|state| state.count_receipt(from));
    trap_at.reach(TrapAt::BeforeReply); // The same, and the receipt is undone.
    Ok(())
    // COMMIT POINT: the message ends normally.
}

// ---- The right way -------------------------------------------------------------------------------

/// What names a transfer. The user counts the numbers up, and to try again uses the same one.
#[derive(CandidType, Clone, Copy, Deserialize, PartialEq, Eq, PartialOrd, Ord)]
struct TransferId {
    /// The account that it is from.
    account: u64,
    /// Its number, among those from that account.
    number: u64,
}

/// A journal entry.
#[derive(CandidType, Clone, Deserialize)]
struct Entry {
    /// The account in the callee.
    to: u64,
    amount: u64,
    progress: Progress,
}

/// How far a transfer has come.
#[derive(CandidType, Clone, Deserialize, PartialEq)]
enum Progress {
    /// The amount is taken from the account. Whether the callee has it is not known here.
    Intended,
    /// The callee has it.
    Added,
    /// The receipt is counted as well.
    Finished,
    /// The callee refused it, for this reason, and the amount was given back.
    Refused(String),
}

/// Transfers, at whatever point it trapped before: with the id of a transfer that was begun, it
/// goes on where that one stands. Returns how far it has come.
#[update]
async fn transfer(
    id: TransferId,
    to: u64,
    amount: u64,
    trap_at: TrapAt,
) -> Result<Progress, String> {
    STATE.with_borrow_mut(|state| state.begin(id, to, amount))?;
    watch();
    trap_at.reach(TrapAt::BeforeCall); // Undoes the taking and the entry, both.
    carry_on(id, trap_at).await;
    trap_at.reach(TrapAt::BeforeReply); // Undoes nothing: everything was in messages before.
    get_progress(id).ok_or_else(|| "it was done, and forgotten since".to_string())
}

/// Carries an open transfer on, as far as it comes. It may run twice at the same time, for a user
/// and for the timer: each step is done only by whoever finds it not done yet.
async fn carry_on(id: TransferId, trap_at: TrapAt) {
    if let Some(entry) = open_at(id, &Progress::Intended) {
        // COMMIT POINT: the await sends the call. The taking and the intent are kept together.
        // The wait is bounded: should the answer get lost, the id makes it safe to ask again.
        let answer = Call::bounded_wait(callee(), "add")
            .change_timeout(PATIENCE)
            .with_args(&(id, entry.to, entry.amount))
            .await;
        trap_at.reach(TrapAt::AfterCall); // Undoes nothing: the intent still stands.
        // Only an answer of the callee is an outcome. After any error the intent stands.
        if let Some(outcome) = answer.ok().and_then(|reply| reply.candid().ok()) {
            STATE.with_borrow_mut(|state| state.record(id, outcome));
            watch();
        }
    }
    if open_at(id, &Progress::Added).is_some() {
        // COMMIT POINT: the call to itself ends this message, so the outcome is kept before
        // anything else is done. If that fails, the entry is still open.
        let _ = Call::unbounded_wait(canister_self(), "finish")
            .with_args(&(id, trap_at))
            .await;
    }
}

/// Does what remains once the outcome is kept. Anybody may call it: it does only what is due.
#[update]
fn finish(id: TransferId, trap_at: TrapAt) {
    if open_at(id, &Progress::Added).is_some() {
        STATE.with_borrow_mut(|state| {
            state.count_receipt(id.account);
            state.close(id, Progress::Finished);
        });
        watch();
        trap_at.reach(TrapAt::AfterOutcome); // Undoes the receipt, not the outcome.
    }
    // COMMIT POINT: the message ends normally.
}

/// Recovery: carries on every open transfer. Anybody may call it, and a timer does.
#[update]
async fn resume() {
    let open: Vec<TransferId> = STATE.with_borrow(|state| state.open.keys().copied().collect());
    for id in open {
        carry_on(id, TrapAt::Nowhere).await;
    }
}

// ---- The timer -------------------------------------------------------------------------------------

/// How often the timer carries open transfers on.
const RETRY_EVERY: Duration = Duration::from_secs(60);

thread_local! {
    static TIMER: Cell<Option<TimerId>> = const { Cell::new(None) };
}

/// Has the timer run while a transfer is open, and only then: called whenever one begins or ends,
/// in the same message, so that the two are kept or undone together. An upgrade ends all timers, so
/// it is called after one, too.
fn watch() {
    let some_open = STATE.with_borrow(|state| !state.open.is_empty());
    match (some_open, TIMER.get()) {
        (true, None) => TIMER.set(Some(set_timer_interval(RETRY_EVERY, resume))),
        (false, Some(timer)) => {
            clear_timer(timer);
            TIMER.set(None);
        }
        _ => {}
    }
}

// ---- The state -------------------------------------------------------------------------------------

/// How many transfers may be open. An open entry must never be dropped, so the next is refused.
const MAX_OPEN: usize = 100;

#[derive(CandidType, Default, Deserialize)]
struct State {
    accounts: BoundedMap<u64, Account>,
    /// The journal: what is begun and not ended.
    open: BTreeMap<TransferId, Entry>,
    /// What has ended: for users who ask, or try again.
    closed: BoundedMap<TransferId, Entry>,
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
    watch();
}

/// Opens an account with a balance.
#[update]
fn open(balance: u64) -> u64 {
    STATE.with_borrow_mut(|state| {
        let account = state.accounts.next_number();
        let new = Account {
            balance,
            receipts: 0,
            last_number: None,
        };
        state.accounts.insert(account, new);
        account
    })
}

/// An account.
#[query]
fn get_account(account: u64) -> Option<Account> {
    STATE.with_borrow(|state| state.accounts.get(&account).copied())
}

/// How far a transfer has come; null if it was never begun, or ended long ago.
#[query]
fn get_progress(id: TransferId) -> Option<Progress> {
    STATE.with_borrow(|state| Some(state.entry(id)?.progress.clone()))
}

/// An open transfer, if it has come just so far.
fn open_at(id: TransferId, progress: &Progress) -> Option<Entry> {
    let entry = STATE.with_borrow(|state| state.open.get(&id).cloned());
    entry.filter(|entry| entry.progress == *progress)
}

impl State {
    fn entry(&self, id: TransferId) -> Option<&Entry> {
        self.open.get(&id).or_else(|| self.closed.get(&id))
    }

    /// Takes the amount and writes the intent down, unless that was done before.
    fn begin(&mut self, id: TransferId, to: u64, amount: u64) -> Result<(), String> {
        if let Some(entry) = self.entry(id) {
            return match (entry.to, entry.amount) == (to, amount) {
                true => Ok(()),
                false => Err("another transfer has this number; take a new one".to_string()),
            };
        }
        if self.open.len() >= MAX_OPEN {
            return Err(format!(
                "{MAX_OPEN} transfers are open; `resume` carries them on"
            ));
        }
        // Else a number whose transfer is forgotten would be used for a second one.
        if let Some(last) = self.account(id.account)?.last_number
            && last >= id.number
        {
            return Err(format!(
                "take a number above {last}; lower ones may be forgotten"
            ));
        }
        self.take(id.account, amount)?;
        self.account(id.account)?.last_number = Some(id.number);
        let progress = Progress::Intended;
        self.open.insert(
            id,
            Entry {
                to,
                amount,
                progress,
            },
        );
        Ok(())
    }

    /// Writes the outcome down, if that was not done meanwhile.
    fn record(&mut self, id: TransferId, outcome: Result<(), String>) {
        let Some(entry) = self.open.get_mut(&id) else {
            return;
        };
        match outcome {
            Ok(()) => entry.progress = Progress::Added,
            Err(why) => {
                // In one message with the outcome: neither is ever kept without the other.
                let amount = entry.amount;
                self.give_back(id.account, amount);
                self.close(id, Progress::Refused(why));
            }
        }
    }

    fn close(&mut self, id: TransferId, progress: Progress) {
        if let Some(entry) = self.open.remove(&id) {
            self.closed.insert(id, Entry { progress, ..entry });
        }
    }

    fn account(&mut self, account: u64) -> Result<&mut Account, String> {
        let found = self.accounts.get_mut(&account);
        found.ok_or_else(|| format!("the caller has no account {account}"))
    }

    fn take(&mut self, account: u64, amount: u64) -> Result<(), String> {
        let from = self.account(account)?;
        from.balance = from
            .balance
            .checked_sub(amount)
            .ok_or_else(|| format!("account {account} has {}, less than {amount}", from.balance))?;
        Ok(())
    }

    fn give_back(&mut self, account: u64, amount: u64) {
        if let Some(from) = self.accounts.get_mut(&account) {
            from.balance += amount;
        }
    }

    fn count_receipt(&mut self, account: u64) {
        if let Some(from) = self.accounts.get_mut(&account) {
            from.receipts += 1;
        }
    }
}

fn callee() -> Principal {
    peer::id("journal_callee", option_env!("CANISTER_ID_JOURNAL_CALLEE"))
}

ic_cdk::export_candid!();

fn main() {}

#[cfg(test)]
mod tests {
    use super::*;

    fn transfer(state: &mut State, account: u64, number: u64) -> Result<(), String> {
        let id = TransferId { account, number };
        state.begin(id, 0, 1)?;
        state.close(id, Progress::Finished);
        Ok(())
    }

    #[test]
    fn a_number_is_not_used_again_after_it_was_forgotten() {
        let mut state = State::default();
        for account in [0, 1] {
            let new = Account {
                balance: 10_000,
                receipts: 0,
                last_number: None,
            };
            state.accounts.insert(account, new);
        }
        transfer(&mut state, 0, 1).unwrap();
        assert_eq!(transfer(&mut state, 0, 1), Ok(()), "it is known");
        // Somebody else makes so many transfers that this one is forgotten.
        let mut number = 0;
        while state
            .entry(TransferId {
                account: 0,
                number: 1,
            })
            .is_some()
        {
            number += 1;
            transfer(&mut state, 1, number).unwrap();
        }
        transfer(&mut state, 0, 1).expect_err("it would be done a second time");
        assert_eq!(state.accounts.get(&0).unwrap().balance, 9_999);
        assert_eq!(transfer(&mut state, 0, 2), Ok(()));
    }
}
