//! The cycles ledger: balances of cycles that belong to users, transfers, and new canisters for
//! them.

use std::collections::BTreeMap;

use candid::{CandidType, Deserialize, Nat, Principal};
use ic_management_canister_types::CanisterSettings;
use icrc_ledger_types::icrc1::account::{Account, Subaccount};
use serde::Serialize;

use super::icrc::{self, Token};
use super::ledger::{Ledger, Refusal};
use super::methods::missing;
use crate::cbor::{from_saved, to_saved};
use crate::encoding::{decode, encode};
use crate::management::create;
use crate::message::{CallResult, Cycles, Reject, Time};
use crate::replica::{NativeCanister, Replica};

/// The fee of a transfer, and of every other operation.
const FEE: Cycles = 100_000_000;

/// What the anonymous user has at first: a million T.
const SUPPLY: Cycles = 1_000_000 * 1_000_000_000_000;

/// Whose subaccount of which principal; none is the one of zeros.
type Key = (Principal, Subaccount);

const TOKEN: Token<Key> = Token {
    name: "Cycles",
    symbol: "TCYCLES",
    decimals: 12,
    key,
};

#[derive(Clone, Serialize, Deserialize)]
pub(super) struct CyclesLedger {
    ledger: Ledger<Key>,
    /// The canisters that were created, by block.
    created: BTreeMap<u64, Principal>,
}

#[derive(CandidType, Deserialize)]
struct CreateCanisterArgs {
    from_subaccount: Option<Subaccount>,
    created_at_time: Option<Time>,
    amount: Nat,
    creation_args: Option<CreationArgs>,
}

#[derive(CandidType, Deserialize)]
struct CreationArgs {
    settings: Option<CanisterSettings>,
}

#[derive(CandidType)]
struct Created {
    block_id: Nat,
    canister_id: Principal,
}

#[derive(CandidType)]
enum CreateCanisterError {
    InsufficientFunds {
        balance: Nat,
    },
    TooOld,
    CreatedInFuture {
        ledger_time: Time,
    },
    Duplicate {
        duplicate_of: Nat,
        canister_id: Option<Principal>,
    },
    FailedToCreate {
        fee_block: Option<Nat>,
        refund_block: Option<Nat>,
        error: String,
    },
}

#[derive(CandidType, Deserialize)]
struct DepositArgs {
    to: Account,
}

#[derive(CandidType)]
struct Deposited {
    block_index: Nat,
    balance: Nat,
}

#[derive(CandidType, Deserialize)]
struct WithdrawArgs {
    amount: Nat,
    from_subaccount: Option<Subaccount>,
    to: Principal,
    created_at_time: Option<Time>,
}

#[derive(CandidType)]
enum WithdrawError {
    InsufficientFunds { balance: Nat },
    InvalidReceiver { receiver: Principal },
    TooOld,
    CreatedInFuture { ledger_time: Time },
    Duplicate { duplicate_of: Nat },
}

impl CyclesLedger {
    pub(super) fn new() -> Self {
        CyclesLedger {
            ledger: Ledger::new(FEE, (Principal::anonymous(), [0; 32]), SUPPLY),
            created: BTreeMap::new(),
        }
    }

    fn create_canister(
        &mut self,
        replica: &mut Replica,
        caller: Principal,
        args: CreateCanisterArgs,
    ) -> Result<Created, CreateCanisterError> {
        let now = replica.time();
        let from = (caller, args.from_subaccount.unwrap_or_default());
        let id = Ledger::<Key>::identity(caller, "create_canister", &args, args.created_at_time);
        let affordable = self
            .ledger
            .check_new(now, id.as_ref())
            .and_then(|()| self.ledger.affordable(&from, &args.amount));
        let (amount, left) = affordable.map_err(|refusal| match refusal {
            Refusal::TooOld => CreateCanisterError::TooOld,
            Refusal::CreatedInFuture => CreateCanisterError::CreatedInFuture { ledger_time: now },
            Refusal::Duplicate(block) => CreateCanisterError::Duplicate {
                duplicate_of: Nat::from(block),
                canister_id: self.created.get(&block).copied(),
            },
            _ => CreateCanisterError::InsufficientFunds {
                balance: Nat::from(self.ledger.balance(&from)),
            },
        })?;
        let settings = args.creation_args.and_then(|args| args.settings);
        let canister_id =
            create::by_system(replica, caller, settings, amount).map_err(|reject| {
                CreateCanisterError::FailedToCreate {
                    fee_block: None,
                    refund_block: None,
                    error: reject.message,
                }
            })?;
        let block = self.ledger.take(from, left, id);
        self.created.insert(block, canister_id);
        Ok(Created {
            block_id: Nat::from(block),
            canister_id,
        })
    }

    /// The cycles of a canister's call become those of an account.
    fn deposit(&mut self, to: &Account, cycles: &mut Cycles) -> Result<Deposited, Reject> {
        let Some((block, balance)) = self.ledger.give(key(to), *cycles) else {
            return Err(Reject::by_canister(format!(
                "a deposit needs more cycles attached than the fee of {FEE}"
            )));
        };
        *cycles = 0;
        Ok(Deposited {
            block_index: Nat::from(block),
            balance: Nat::from(balance),
        })
    }

    /// The cycles of an account become those of a canister.
    fn withdraw(
        &mut self,
        replica: &mut Replica,
        caller: Principal,
        args: &WithdrawArgs,
    ) -> Result<Nat, WithdrawError> {
        let now = replica.time();
        let from = (caller, args.from_subaccount.unwrap_or_default());
        let id = Ledger::<Key>::identity(caller, "withdraw", args, args.created_at_time);
        let affordable = self
            .ledger
            .check_new(now, id.as_ref())
            .and_then(|()| self.ledger.affordable(&from, &args.amount));
        let (amount, left) = affordable.map_err(|refusal| match refusal {
            Refusal::TooOld => WithdrawError::TooOld,
            Refusal::CreatedInFuture => WithdrawError::CreatedInFuture { ledger_time: now },
            Refusal::Duplicate(block) => WithdrawError::Duplicate {
                duplicate_of: Nat::from(block),
            },
            _ => WithdrawError::InsufficientFunds {
                balance: Nat::from(self.ledger.balance(&from)),
            },
        })?;
        if !create::give_cycles(replica, args.to, amount) {
            return Err(WithdrawError::InvalidReceiver { receiver: args.to });
        }
        Ok(Nat::from(self.ledger.take(from, left, id)))
    }
}

fn key(account: &Account) -> Key {
    (account.owner, account.subaccount.unwrap_or_default())
}

impl NativeCanister for CyclesLedger {
    fn call(
        &mut self,
        replica: &mut Replica,
        caller: Principal,
        method: &str,
        argument: &[u8],
        cycles: &mut Cycles,
    ) -> CallResult {
        let now = replica.time();
        if let Some(answer) = TOKEN.call(&mut self.ledger, now, caller, method, argument) {
            return answer;
        }
        match method {
            "create_canister" => {
                let args: CreateCanisterArgs = decode(argument)?;
                let result = self.create_canister(replica, caller, args);
                encode(&result)
            }
            "deposit" => {
                let args: DepositArgs = decode(argument)?;
                let result = self.deposit(&args.to, cycles)?;
                encode(&result)
            }
            "withdraw" => {
                let args: WithdrawArgs = decode(argument)?;
                let result = self.withdraw(replica, caller, &args);
                encode(&result)
            }
            _ => Err(missing("cycles ledger", method)),
        }
    }

    fn is_query(&self, method: &str) -> bool {
        icrc::is_query(method)
    }

    fn cycles(&self) -> Cycles {
        self.ledger.supply() + self.ledger.fees()
    }

    fn save(&self) -> Vec<u8> {
        to_saved(self)
    }

    fn restore(&mut self, state: &[u8]) -> Result<(), String> {
        *self = from_saved(state)?;
        Ok(())
    }

    fn fork(&self) -> Box<dyn NativeCanister> {
        Box::new(self.clone())
    }
}
