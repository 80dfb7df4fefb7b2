//! The books of the canister: what it owes to each user, and the journal of the transfers.

use candid::{CandidType, Nat, Principal};
use ic_cdk::api::canister_self;
use icrc_ledger_types::icrc1::{
    account::Subaccount,
    transfer::{TransferArg, TransferError},
};
use serde::Deserialize;

use shared::bounded::Bounded;

/// What the ledger takes for a transfer. Should that change, it refuses with `BadFee`, and this
/// canister has to be upgraded.
pub const FEE: u128 = 10;

/// For how long attempts are made, in nanoseconds: 23 hours. The ledger knows for 24 what it has done;
/// the hour between is for calls on their way, and for clocks that differ.
pub const RETRY_TIME: u64 = 23 * HOUR;

/// After what time the ledger does a transfer no more, whatever is still on its way: 25 hours.
pub const SETTLE_TIME: u64 = 25 * HOUR;

const HOUR: u64 = 60 * 60 * 1_000_000_000;

/// What the ledger answers to a transfer.
pub type Answer = Result<Nat, TransferError>;

/// Which way tokens go.
#[derive(CandidType, Clone, Copy, Deserialize, PartialEq)]
pub enum Kind {
    /// From the deposit account of the user to the account of this canister.
    Deposit,
    /// From the account of this canister to that of the user.
    Withdrawal,
}

impl Kind {
    /// What the ledger is asked for.
    pub fn arg(
        self,
        user: Principal,
        number: u64,
        amount: u128,
        created_at_time: Option<u64>,
    ) -> TransferArg {
        let (from_subaccount, to) = match self {
            Kind::Deposit => (Some(subaccount_of(user)), canister_self()),
            Kind::Withdrawal => (None, user),
        };
        TransferArg {
            from_subaccount,
            to: to.into(),
            fee: Some(FEE.into()),
            created_at_time,
            // Else two that are alike in all the rest would be duplicates.
            memo: Some(number.into()),
            amount: amount.into(),
        }
    }
}

/// How far a transfer has come.
#[derive(CandidType, Clone, Deserialize, PartialEq)]
pub enum Progress {
    /// It was begun. Whether it is done is not known yet: ask again.
    Open,
    /// It is done, in this block of the ledger.
    Done(Nat),
    /// It was not done and will not be, for this reason.
    Refused(String),
    /// It may have been done, and it is too late to ask the ledger. A controller has to look.
    Unknown,
}

/// A transfer: what was intended, written down before the first attempt.
#[derive(CandidType, Clone, Deserialize)]
pub struct Transfer {
    kind: Kind,
    number: u64,
    amount: u128,
    /// In nanoseconds since 1970-01-01: chosen once, and the same in every attempt.
    pub created_at_time: u64,
    /// How many attempts were made that the ledger is not known to have refused.
    in_doubt: u32,
    pub progress: Progress,
}

/// A user, and the last transfer. The next one begins when that has ended.
#[derive(CandidType, Clone, Default, Deserialize)]
pub struct User {
    pub balance: u128,
    pub transfer: Option<Transfer>,
}

#[derive(CandidType, Default, Deserialize)]
pub struct State {
    pub users: Bounded<Principal, User>,
}

pub const NOTHING: &str = "you have nothing here; `deposit` first";

impl State {
    pub fn user(&mut self, user: Principal) -> Result<&mut User, String> {
        let known = self.users.get_mut(&user);
        known.ok_or_else(|| NOTHING.to_string())
    }

    /// Begins a transfer, unless it was begun before. Returns what to ask the ledger for, if it is open.
    pub fn attempt(
        &mut self,
        user: Principal,
        kind: Kind,
        number: u64,
        amount: u128,
        now: u64,
    ) -> Result<Option<TransferArg>, String> {
        self.begin(user, kind, number, amount, now)?;
        Ok(self.user(user)?.next_attempt(user, now))
    }

    /// Writes a transfer down, unless that was done before. For a withdrawal it takes the amount.
    fn begin(
        &mut self,
        user: Principal,
        kind: Kind,
        number: u64,
        amount: u128,
        now: u64,
    ) -> Result<(), String> {
        let mut new = self.users.get(&user).cloned().unwrap_or_default();
        let last = new.transfer.as_ref();
        if let Some(last) = last.filter(|last| last.number == number) {
            return match (last.kind, last.amount) == (kind, amount) {
                true => Ok(()),
                false => Err("another transfer has this number".to_string()),
            };
        }
        if let Some(last) = last.filter(|last| last.is_pending()) {
            let number = last.number;
            return Err(format!("transfer {number} has not ended"));
        }
        let next = last.map_or(1, |last| last.number + 1);
        if number != next {
            return Err(format!("the next transfer has the number {next}"));
        }
        if kind == Kind::Withdrawal {
            new.take(amount)?;
        }
        new.transfer = Some(Transfer {
            kind,
            number,
            amount,
            created_at_time: now,
            in_doubt: 0,
            progress: Progress::Open,
        });
        self.users.insert(user, new)?;
        Ok(())
    }
}

impl Transfer {
    /// What the ledger is asked for: the same in every attempt.
    fn arg(&self, user: Principal) -> TransferArg {
        let created = Some(self.created_at_time);
        self.kind.arg(user, self.number, self.amount, created)
    }

    fn is_pending(&self) -> bool {
        matches!(self.progress, Progress::Open | Progress::Unknown)
    }
}

impl User {
    /// Takes an amount and the fee.
    pub fn take(&mut self, amount: u128) -> Result<(), String> {
        let left = amount
            .checked_add(FEE)
            .and_then(|price| self.balance.checked_sub(price));
        self.balance = left.ok_or_else(|| {
            let balance = self.balance;
            format!("you have {balance}, less than {amount} and the fee of {FEE}")
        })?;
        Ok(())
    }

    /// What to ask the ledger for, once more, if the last transfer is open and its time is not over.
    /// From now on this attempt is in doubt.
    fn next_attempt(&mut self, user: Principal, now: u64) -> Option<TransferArg> {
        let last = self.transfer.as_mut();
        let open = last.filter(|last| last.progress == Progress::Open)?;
        if now > open.created_at_time + RETRY_TIME {
            open.progress = Progress::Unknown;
            return None;
        }
        open.in_doubt += 1;
        Some(open.arg(user))
    }

    /// A transfer, if it is the last one and has not ended.
    pub fn pending(&mut self, number: u64) -> Option<&mut Transfer> {
        let last = self.transfer.as_mut();
        last.filter(|last| last.number == number && last.is_pending())
    }

    /// The last transfer, once more.
    pub fn last_arg(&self, user: Principal) -> Result<(u64, TransferArg), String> {
        let last = self.transfer.as_ref().ok_or("there is no transfer")?;
        Ok((last.number, last.arg(user)))
    }

    /// Ends a transfer: in one message with what follows from it for the balance.
    pub fn end(&mut self, number: u64, progress: Progress) {
        let Some(pending) = self.pending(number) else {
            return;
        };
        let (kind, amount) = (pending.kind, pending.amount);
        pending.progress = progress.clone();
        match (kind, progress) {
            (Kind::Deposit, Progress::Done(_)) => self.balance += amount,
            (Kind::Withdrawal, Progress::Refused(_)) => self.balance += amount + FEE,
            _ => {}
        }
    }

    pub fn progress(&self, number: u64) -> Result<Progress, String> {
        let last = self.transfer.as_ref();
        let found = last.filter(|last| last.number == number);
        let found = found.ok_or_else(|| format!("{number} is not the last transfer"))?;
        Ok(found.progress.clone())
    }
}

/// A subaccount for each principal: its length, its bytes, and zeros.
pub fn subaccount_of(user: Principal) -> Subaccount {
    let bytes = user.as_slice(); // 29 at most.
    let mut subaccount = [0; 32];
    subaccount[0] = bytes.len() as u8;
    subaccount[1..=bytes.len()].copy_from_slice(bytes);
    subaccount
}

/// Learns what the ledger answered to an attempt.
pub fn learn(user: &mut User, number: u64, answer: Result<Answer, String>) {
    let Some(pending) = user.pending(number) else {
        return; // Another attempt has ended it.
    };
    let progress = match answer {
        // `Duplicate` is success: an earlier attempt has done it, in this block.
        Ok(Ok(block)) => Progress::Done(block),
        Ok(Err(TransferError::Duplicate { duplicate_of })) => Progress::Done(duplicate_of),
        // A refusal tells of this attempt alone.
        Ok(Err(refusal)) => {
            pending.in_doubt -= 1;
            match refusal {
                // No other attempt is in doubt, so it was not done. The reason may be long.
                refusal if pending.in_doubt == 0 => {
                    Progress::Refused(refusal.to_string().chars().take(200).collect())
                }
                // Another attempt may have done it, and no later one will ever tell.
                TransferError::TooOld => Progress::Unknown,
                _ => return,
            }
        }
        // No answer proves nothing. Ask again.
        Err(_) => return,
    };
    user.end(number, progress);
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: u64 = 1_700_000_000_000_000_000;

    /// A user with a withdrawal of 100, and so many attempts at it.
    fn withdrawing(attempts: u32) -> User {
        let (user, mut state) = (Principal::anonymous(), State::default());
        let before = User {
            balance: 500,
            transfer: None,
        };
        state.users.insert(user, before).unwrap();
        for _ in 0..attempts {
            let attempt = state.attempt(user, Kind::Withdrawal, 1, 100, NOW);
            assert!(attempt.unwrap().is_some());
        }
        state.user(user).unwrap().clone()
    }

    #[test]
    fn too_old_is_a_refusal_only_where_no_other_attempt_is_in_doubt() {
        for (attempts, unknown, balance) in [(1, false, 500), (2, true, 390)] {
            let mut user = withdrawing(attempts);
            learn(&mut user, 1, Ok(Err(TransferError::TooOld)));
            let is_unknown = user.progress(1) == Ok(Progress::Unknown);
            assert_eq!((is_unknown, user.balance), (unknown, balance));
        }
    }

    #[test]
    fn an_answer_that_comes_late_still_ends_what_is_unknown() {
        let mut user = withdrawing(2);
        learn(&mut user, 1, Ok(Err(TransferError::TooOld)));
        learn(&mut user, 1, Ok(Ok(Nat::from(7u8))));
        assert!(user.progress(1) == Ok(Progress::Done(Nat::from(7u8))));
        assert_eq!(user.balance, 390);
        // Nothing changes what has ended.
        learn(&mut user, 1, Ok(Err(TransferError::TooOld)));
        assert!(user.progress(1) == Ok(Progress::Done(Nat::from(7u8))));
    }

    #[test]
    fn of_a_long_reason_only_200_characters_are_kept() {
        let mut user = withdrawing(1);
        let refusal = TransferError::GenericError {
            error_code: Nat::from(1u8),
            message: "é".repeat(1_000_000),
        };
        learn(&mut user, 1, Ok(Err(refusal)));
        let Ok(Progress::Refused(why)) = user.progress(1) else {
            panic!("it is not refused");
        };
        assert_eq!(why.chars().count(), 200);
    }
}
