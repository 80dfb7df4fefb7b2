//! The lesson `journal`: write down what you are about to do, do it, write down what came of it.
//!
//! A transfer takes an amount from an account here and adds it to an account in the callee. The
//! argument `trap_at` says where it is to trap, so that every point of it can be tried.

use std::cell::RefCell;

use candid::{CandidType, Principal};
use ic_cdk::{
    api::{canister_self, msg_caller},
    call::Call,
    trap,
};
use ic_cdk_macros::{post_upgrade, pre_upgrade, query, update};
use serde::Deserialize;

use retry::Run;
use shared::{bounded::Bounded, peer};

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
    /// Who opened it. Nobody else can move what is in it.
    owner: Principal,
    balance: u64,
    /// How many transfers from it were finished: what remains to be done after the outcome.
    receipts: u64,
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
    STATE.with_borrow_mut(|state| state.take(msg_caller(), from, amount))?;
    trap_at.reach(TrapAt::BeforeCall); // The amount is back in the account. So far all is well.

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

/// What names a transfer. The user counts the numbers up from 1, and tries again with the same one.
#[derive(CandidType, Clone, Copy, Deserialize, PartialEq, Eq, PartialOrd, Ord)]
struct TransferId {
    /// The account that it is from.
    account: u64,
    /// Its number, among those from that account.
    number: u64,
}

/// A journal entry: the last transfer from an account.
#[derive(CandidType, Clone, Deserialize)]
struct Entry {
    number: u64,
    /// The account in the callee.
    to: u64,
    amount: u64,
    progress: Progress,
}

impl Entry {
    fn is_open(&self) -> bool {
        matches!(self.progress, Progress::Intended | Progress::Added)
    }
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

/// Transfers. With the id of a transfer that was begun, it continues from where that one stands, at
/// whatever point it trapped. Returns how far it has come.
#[update]
async fn transfer(
    id: TransferId,
    to: u64,
    amount: u64,
    trap_at: TrapAt,
) -> Result<Progress, String> {
    STATE.with_borrow_mut(|state| state.begin(msg_caller(), id, to, amount))?;
    watch();
    trap_at.reach(TrapAt::BeforeCall); // Undoes both: the amount is back, and the entry is gone.
    carry_on(id, trap_at).await;
    trap_at.reach(TrapAt::BeforeReply); // Undoes nothing: everything was in messages before.
    get_progress(id).ok_or_else(|| "it has ended, and the next has begun".to_string())
}

/// Takes an open transfer as far as possible. It may run twice at the same time, for a user and for the
/// timer: each step is done only by the run that finds it not done yet.
async fn carry_on(id: TransferId, trap_at: TrapAt) {
    if let Some(entry) = open_at(id, &Progress::Intended) {
        // COMMIT POINT: the await sends the call. The amount is taken and the intent is written, both
        // or neither. The wait is bounded: if the answer gets lost, the id makes it safe to ask again.
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
            state.set(id, Progress::Finished);
        });
        watch();
        trap_at.reach(TrapAt::AfterOutcome); // Undoes the receipt, not the outcome.
    }
    // COMMIT POINT: the message ends normally.
}

/// For how many seconds a run of `resume` takes on further transfers. The last one may wait 30 s more.
const RUN: u64 = 240;

/// Recovery: continues open transfers, 10 at most, and the next 10 in the next run. Anybody may call
/// it, and a timer does. While it is under way, a second call does nothing.
#[update]
async fn resume() {
    let Some(mut run) = Run::begin(RUN) else {
        return;
    };
    let open = STATE.with_borrow(|state| state.open().count());
    for _ in 0..open {
        if !run.takes_on_one() {
            return;
        }
        if let Some(id) = STATE.with_borrow_mut(State::next_open) {
            carry_on(id, TrapAt::Nowhere).await;
        }
    }
}

/// Has the timer run while a transfer is open: called whenever one begins or ends, and after an upgrade.
fn watch() {
    retry::watch(
        STATE.with_borrow(|state| state.open().next().is_some()),
        resume,
    );
}

// ---- The state -------------------------------------------------------------------------------------

/// How many accounts one owner may have.
const MOST_EACH: usize = 100;

/// How many characters of the callee's reason for a refusal are kept.
const REASON: usize = 200;

#[derive(CandidType, Default, Deserialize)]
struct State {
    accounts: Bounded<u64, Account>,
    /// The journal: of each account the last transfer, open or ended. The next begins only when it
    /// has ended.
    journal: Bounded<u64, Entry>,
    /// What `resume` carried on last.
    resumed: Option<TransferId>,
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
fn open(balance: u64) -> Result<u64, String> {
    let owner = msg_caller();
    STATE.with_borrow_mut(|state| {
        let own = state.accounts.iter().filter(|(_, one)| one.owner == owner);
        if own.count() >= MOST_EACH {
            return Err(format!(
                "you have {MOST_EACH} accounts, and can't have more"
            ));
        }
        let account = state.accounts.next_number();
        let new = Account {
            owner,
            balance,
            receipts: 0,
        };
        state.accounts.insert(account, new)?;
        Ok(account)
    })
}

/// An account.
#[query]
fn get_account(account: u64) -> Option<Account> {
    STATE.with_borrow(|state| state.accounts.get(&account).copied())
}

/// How far the last transfer from an account has come; null if the last one has another number.
#[query]
fn get_progress(id: TransferId) -> Option<Progress> {
    STATE.with_borrow(|state| Some(state.entry(id)?.progress.clone()))
}

/// A transfer, if it has come just so far.
fn open_at(id: TransferId, progress: &Progress) -> Option<Entry> {
    let entry = STATE.with_borrow(|state| state.entry(id).cloned());
    entry.filter(|entry| entry.progress == *progress)
}

impl State {
    fn entry(&self, id: TransferId) -> Option<&Entry> {
        let last = self.journal.get(&id.account);
        last.filter(|last| last.number == id.number)
    }

    /// Takes the amount and writes the intent down, unless that was done before.
    fn begin(
        &mut self,
        user: Principal,
        id: TransferId,
        to: u64,
        amount: u64,
    ) -> Result<(), String> {
        self.account(user, id.account)?;
        let next = match self.journal.get(&id.account) {
            None => 1,
            Some(last) if last.number == id.number => {
                return match (last.to, last.amount) == (to, amount) {
                    true => Ok(()),
                    false => Err("another transfer has this number".to_string()),
                };
            }
            Some(last) if last.is_open() => {
                let number = last.number;
                return Err(format!("transfer {number} has not ended; ask for it again"));
            }
            Some(last) => last.number + 1,
        };
        // So a number is never used twice, and none is out of reach.
        if id.number != next {
            return Err(format!("the next transfer has the number {next}"));
        }
        self.take(user, id.account, amount)?;
        let intent = Entry {
            number: id.number,
            to,
            amount,
            progress: Progress::Intended,
        };
        // There are no more entries than accounts, so there is room.
        self.journal.insert(id.account, intent)?;
        Ok(())
    }

    /// Writes the outcome down, if that was not done meanwhile.
    fn record(&mut self, id: TransferId, outcome: Result<(), String>) {
        let entry = self.entry(id);
        let Some(entry) = entry.filter(|entry| entry.progress == Progress::Intended) else {
            return;
        };
        match outcome {
            Ok(()) => self.set(id, Progress::Added),
            Err(why) => {
                // In one message with the outcome: neither is ever kept without the other.
                self.give_back(id.account, entry.amount);
                // Another canister wrote it, so it may be long.
                let why = why.chars().take(REASON).collect();
                self.set(id, Progress::Refused(why));
            }
        }
    }

    fn set(&mut self, id: TransferId, progress: Progress) {
        if let Some(entry) = self.journal.get_mut(&id.account) {
            entry.progress = progress;
        }
    }

    /// The open transfers.
    fn open(&self) -> impl Iterator<Item = TransferId> {
        let open = self.journal.iter().filter(|(_, entry)| entry.is_open());
        open.map(|(&account, entry)| TransferId {
            account,
            number: entry.number,
        })
    }

    /// The open transfer whose turn it is, round and round.
    fn next_open(&mut self) -> Option<TransferId> {
        let later = self.open().find(|id| Some(*id) > self.resumed);
        self.resumed = later.or_else(|| self.open().next());
        self.resumed
    }

    /// An account of a user's.
    fn account(&mut self, user: Principal, account: u64) -> Result<&mut Account, String> {
        let found = self.accounts.get_mut(&account);
        let own = found.filter(|found| found.owner == user);
        own.ok_or_else(|| format!("you have no account {account}"))
    }

    fn take(&mut self, user: Principal, account: u64, amount: u64) -> Result<(), String> {
        let from = self.account(user, account)?;
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

    #[test]
    fn of_a_long_reason_only_200_characters_are_kept() {
        let (owner, account, number) = (Principal::anonymous(), 0, 1);
        let new = Account {
            owner,
            balance: 100,
            receipts: 0,
        };
        let mut state = State::default();
        state.accounts.insert(account, new).unwrap();
        let id = TransferId { account, number };
        state.begin(owner, id, 0, 40).unwrap();
        state.record(id, Err("é".repeat(1_000_000)));
        let refused = Progress::Refused("é".repeat(200));
        assert!(state.entry(id).unwrap().progress == refused);
        assert_eq!(state.account(owner, account).unwrap().balance, 100);
    }
}
