//! What the ledgers have in common: accounts, transfers, approvals, and that a transaction with a time
//! is made once.

use std::collections::BTreeMap;

use candid::{CandidType, Nat, Principal};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::message::Time;

/// How long a transaction with a time is accepted, and remembered: a day.
pub(super) const WINDOW: Time = 24 * 60 * 60 * 1_000_000_000;

/// How far ahead of the ledger the clock may be that a transaction's time is from: a minute.
const DRIFT: Time = 60 * 1_000_000_000;

/// Why a transaction was not made.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Refusal {
    /// The fee is not the ledger's.
    Fee,
    /// The account has only this much.
    Funds(u128),
    /// The spender may only spend this much.
    Allowance(u128),
    /// The allowance is not the one that was expected.
    AllowanceChanged(u128),
    /// The approval would expire before it begins.
    Expired,
    /// Its time is longer ago than the ledger remembers.
    TooOld,
    /// Its time is in the future.
    CreatedInFuture,
    /// It was made before, in this block.
    Duplicate(u64),
}

/// When a transaction was made by its sender's clock, and what tells it from others.
pub(super) struct Identity {
    created: Time,
    digest: [u8; 32],
}

/// How much a spender may take of an account, and until when.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Allowed {
    pub(super) amount: u128,
    pub(super) until: Option<Time>,
}

/// An approval.
pub(super) struct Approval<'a, K> {
    pub(super) from: K,
    pub(super) spender: K,
    pub(super) amount: &'a Nat,
    pub(super) expected: Option<&'a Nat>,
    pub(super) until: Option<Time>,
}

/// The accounts of a token.
#[derive(Clone, Serialize, Deserialize)]
#[serde(bound(deserialize = "K: Ord + Deserialize<'de>"))]
pub(super) struct Ledger<K> {
    /// What every transaction costs.
    pub(super) fee: u128,
    balances: BTreeMap<K, u128>,
    /// What was paid as fees, which nobody owns.
    fees: u128,
    blocks: u64,
    allowances: BTreeMap<(K, K), Allowed>,
    /// The transactions with a time that were made lately, and their blocks.
    made: BTreeMap<(Time, [u8; 32]), u64>,
}

impl<K: Ord + Clone> Ledger<K> {
    /// A ledger in which one account has everything.
    pub(super) fn new(fee: u128, rich: K, supply: u128) -> Self {
        Ledger {
            fee,
            balances: BTreeMap::from([(rich, supply)]),
            fees: 0,
            blocks: 0,
            allowances: BTreeMap::new(),
            made: BTreeMap::new(),
        }
    }

    pub(super) fn balance(&self, account: &K) -> u128 {
        self.balances.get(account).copied().unwrap_or(0)
    }

    /// What all accounts have together.
    pub(super) fn supply(&self) -> u128 {
        self.balances.values().sum()
    }

    /// What was paid as fees.
    pub(super) fn fees(&self) -> u128 {
        self.fees
    }

    /// What tells a transaction from others, if it has a time.
    pub(super) fn identity(
        caller: Principal,
        method: &str,
        argument: &impl CandidType,
        created: Option<Time>,
    ) -> Option<Identity> {
        let encoded = candid::encode_args((caller, method, argument)).ok()?;
        Some(Identity {
            created: created?,
            digest: Sha256::digest(encoded).into(),
        })
    }

    /// Refuses another fee than the ledger's.
    pub(super) fn check_fee(&self, fee: Option<&Nat>) -> Result<(), Refusal> {
        match fee {
            Some(fee) if *fee != self.fee => Err(Refusal::Fee),
            _ => Ok(()),
        }
    }

    /// Refuses a transaction whose time is not now, or that was made before.
    pub(super) fn check_new(&mut self, now: Time, id: Option<&Identity>) -> Result<(), Refusal> {
        let oldest = now.saturating_sub(WINDOW);
        self.made = self.made.split_off(&(oldest, [0; 32]));
        let Some(id) = id else { return Ok(()) };
        if id.created < oldest {
            return Err(Refusal::TooOld);
        }
        if id.created > now.saturating_add(DRIFT) {
            return Err(Refusal::CreatedInFuture);
        }
        match self.made.get(&(id.created, id.digest)) {
            Some(block) => Err(Refusal::Duplicate(*block)),
            None => Ok(()),
        }
    }

    /// What is left of a balance after a payment and the fee, and the payment.
    pub(super) fn affordable(&self, account: &K, amount: &Nat) -> Result<(u128, u128), Refusal> {
        let balance = self.balance(account);
        let poor = Refusal::Funds(balance);
        let Ok(amount) = u128::try_from(amount.0.clone()) else {
            return Err(poor);
        };
        let cost = amount.checked_add(self.fee);
        let left = cost.and_then(|cost| balance.checked_sub(cost));
        left.map(|left| (amount, left)).ok_or(poor)
    }

    /// Takes an amount and the fee from an account. Returns the transaction's block.
    pub(super) fn take(&mut self, account: K, left: u128, id: Option<Identity>) -> u64 {
        self.balances.insert(account, left);
        self.fees += self.fee;
        self.block(id)
    }

    /// Gives an account an amount that is new to the ledger, less the fee. Returns the transaction's
    /// block and the new balance; `None` if the amount is no more than the fee.
    pub(super) fn give(&mut self, account: K, amount: u128) -> Option<(u64, u128)> {
        let credited = amount.checked_sub(self.fee).filter(|left| *left > 0)?;
        self.fees += self.fee;
        let balance = self.balances.entry(account).or_default();
        *balance += credited;
        let balance = *balance;
        Some((self.block(None), balance))
    }

    /// Moves an amount, for which `from` pays the fee too. Returns the transaction's block.
    pub(super) fn transfer(
        &mut self,
        now: Time,
        (from, to): (K, K),
        amount: &Nat,
        id: Option<Identity>,
    ) -> Result<u64, Refusal> {
        self.check_new(now, id.as_ref())?;
        let (amount, left) = self.affordable(&from, amount)?;
        let block = self.take(from, left, id);
        *self.balances.entry(to).or_default() += amount;
        Ok(block)
    }

    /// Moves an amount that a spender was allowed to take.
    pub(super) fn transfer_from(
        &mut self,
        now: Time,
        spender: K,
        (from, to): (K, K),
        amount: &Nat,
        id: Option<Identity>,
    ) -> Result<u64, Refusal> {
        if spender == from {
            return self.transfer(now, (from, to), amount, id);
        }
        self.check_new(now, id.as_ref())?;
        let allowed = self.allowance(now, &from, &spender);
        let cost = u128::try_from(amount.0.clone()).ok();
        let cost = cost.and_then(|amount| amount.checked_add(self.fee));
        let left = cost.and_then(|cost| allowed.amount.checked_sub(cost));
        let amount_left = left.ok_or(Refusal::Allowance(allowed.amount))?;
        let block = self.transfer(now, (from.clone(), to), amount, id)?;
        let left = Allowed {
            amount: amount_left,
            ..allowed
        };
        self.allow(from, spender, left);
        Ok(block)
    }

    /// Lets a spender take an amount from an account. Returns the transaction's block.
    pub(super) fn approve(
        &mut self,
        now: Time,
        approval: Approval<'_, K>,
        id: Option<Identity>,
    ) -> Result<u64, Refusal> {
        self.check_new(now, id.as_ref())?;
        if approval.until.is_some_and(|until| until <= now) {
            return Err(Refusal::Expired);
        }
        let current = self.allowance(now, &approval.from, &approval.spender);
        if approval.expected.is_some_and(|e| *e != current.amount) {
            return Err(Refusal::AllowanceChanged(current.amount));
        }
        let (_, left) = self.affordable(&approval.from, &Nat::from(0u8))?;
        let block = self.take(approval.from.clone(), left, id);
        let allowed = Allowed {
            // More than everything is everything.
            amount: u128::try_from(approval.amount.0.clone()).unwrap_or(u128::MAX),
            until: approval.until,
        };
        self.allow(approval.from, approval.spender, allowed);
        Ok(block)
    }

    /// How much a spender may take now.
    pub(super) fn allowance(&self, now: Time, from: &K, spender: &K) -> Allowed {
        let allowed = self.allowances.get(&(from.clone(), spender.clone()));
        let valid = allowed.filter(|allowed| allowed.until.is_none_or(|until| now < until));
        valid.copied().unwrap_or_default()
    }

    fn allow(&mut self, from: K, spender: K, allowed: Allowed) {
        match allowed.amount {
            0 => self.allowances.remove(&(from, spender)),
            _ => self.allowances.insert((from, spender), allowed),
        };
    }

    fn block(&mut self, id: Option<Identity>) -> u64 {
        let block = self.blocks;
        self.blocks += 1;
        if let Some(id) = id {
            self.made.insert((id.created, id.digest), block);
        }
        block
    }
}
