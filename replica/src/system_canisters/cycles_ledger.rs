//! The cycles ledger: balances of cycles that belong to users, transfers, and new canisters for
//! them.

use std::collections::BTreeMap;

use candid::{CandidType, Deserialize, Nat, Principal};
use ic_management_canister_types::CanisterSettings;
use icrc_ledger_types::icrc1::account::{Account, Subaccount};
use icrc_ledger_types::icrc1::transfer::{TransferArg, TransferError};
use serde::Serialize;

use super::methods::{is_token_query, missing};
use crate::cbor::{from_saved, to_saved};
use crate::encoding::{decode, decode_nothing, encode};
use crate::management::create;
use crate::message::{CallResult, Cycles, Reject};
use crate::replica::{NativeCanister, Replica};

/// The fee of a transfer, and of every other operation.
const FEE: Cycles = 100_000_000;

/// What the anonymous user has at first: a million T.
const SUPPLY: Cycles = 1_000_000 * 1_000_000_000_000;

/// Whose subaccount of which principal; none is the one of zeros.
type Key = (Principal, Subaccount);

#[derive(Clone, Serialize, Deserialize)]
pub(super) struct CyclesLedger {
    balances: BTreeMap<Key, Cycles>,
    /// Fees, which nobody owns.
    fees: Cycles,
    blocks: u64,
}

#[derive(CandidType, Deserialize)]
struct CreateCanisterArgs {
    from_subaccount: Option<Subaccount>,
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
}

#[derive(CandidType)]
enum WithdrawError {
    InsufficientFunds { balance: Nat },
    InvalidReceiver { receiver: Principal },
}

impl CyclesLedger {
    pub(super) fn new() -> Self {
        CyclesLedger {
            balances: BTreeMap::from([((Principal::anonymous(), [0; 32]), SUPPLY)]),
            fees: 0,
            blocks: 0,
        }
    }

    fn balance(&self, key: &Key) -> Cycles {
        self.balances.get(key).copied().unwrap_or(0)
    }

    /// What is left of a balance after a payment and the fee; the balance if it is too small.
    fn left(&self, key: &Key, amount: &Nat) -> Result<(Cycles, Cycles), Cycles> {
        let balance = self.balance(key);
        let amount = Cycles::try_from(amount.0.clone()).map_err(|_| balance)?;
        let cost = amount.checked_add(FEE).ok_or(balance)?;
        let left = balance.checked_sub(cost).ok_or(balance)?;
        Ok((amount, left))
    }

    fn next_block(&mut self) -> Nat {
        self.blocks += 1;
        Nat::from(self.blocks - 1)
    }

    fn transfer(&mut self, caller: Principal, arg: &TransferArg) -> Result<Nat, TransferError> {
        if arg.fee.as_ref().is_some_and(|fee| *fee != FEE) {
            return Err(TransferError::BadFee {
                expected_fee: Nat::from(FEE),
            });
        }
        let from = (caller, arg.from_subaccount.unwrap_or_default());
        let (amount, left) =
            self.left(&from, &arg.amount)
                .map_err(|balance| TransferError::InsufficientFunds {
                    balance: Nat::from(balance),
                })?;
        self.balances.insert(from, left);
        *self.balances.entry(key(&arg.to)).or_default() += amount;
        self.fees += FEE;
        Ok(self.next_block())
    }

    fn create_canister(
        &mut self,
        replica: &mut Replica,
        caller: Principal,
        args: CreateCanisterArgs,
    ) -> Result<Created, CreateCanisterError> {
        let from = (caller, args.from_subaccount.unwrap_or_default());
        let (amount, left) = self.left(&from, &args.amount).map_err(|balance| {
            CreateCanisterError::InsufficientFunds {
                balance: Nat::from(balance),
            }
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
        self.balances.insert(from, left);
        self.fees += FEE;
        Ok(Created {
            block_id: self.next_block(),
            canister_id,
        })
    }
}

impl CyclesLedger {
    /// The cycles of a canister's call become those of an account.
    fn deposit(&mut self, to: &Account, cycles: &mut Cycles) -> Result<Deposited, Reject> {
        let credited = cycles.checked_sub(FEE).filter(|credited| *credited > 0);
        let Some(credited) = credited else {
            return Err(Reject::by_canister(format!(
                "a deposit needs more cycles attached than the fee of {FEE}"
            )));
        };
        *cycles = 0;
        self.fees += FEE;
        let balance = self.balances.entry(key(to)).or_default();
        *balance += credited;
        let balance = Nat::from(*balance);
        Ok(Deposited {
            block_index: self.next_block(),
            balance,
        })
    }

    /// The cycles of an account become those of a canister.
    fn withdraw(
        &mut self,
        replica: &mut Replica,
        caller: Principal,
        args: &WithdrawArgs,
    ) -> Result<Nat, WithdrawError> {
        let from = (caller, args.from_subaccount.unwrap_or_default());
        let (amount, left) =
            self.left(&from, &args.amount)
                .map_err(|balance| WithdrawError::InsufficientFunds {
                    balance: Nat::from(balance),
                })?;
        if !create::give_cycles(replica, args.to, amount) {
            return Err(WithdrawError::InvalidReceiver { receiver: args.to });
        }
        self.balances.insert(from, left);
        self.fees += FEE;
        Ok(self.next_block())
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
            "icrc1_transfer" => {
                let arg: TransferArg = decode(argument)?;
                let result = self.transfer(caller, &arg);
                encode(&result)
            }
            "icrc1_balance_of" => {
                let account: Account = decode(argument)?;
                encode(&Nat::from(self.balance(&key(&account))))
            }
            "icrc1_name" => decode_nothing(argument).and_then(|()| encode(&"Cycles")),
            "icrc1_symbol" => decode_nothing(argument).and_then(|()| encode(&"TCYCLES")),
            "icrc1_decimals" => decode_nothing(argument).and_then(|()| encode(&12u8)),
            "icrc1_fee" => decode_nothing(argument).and_then(|()| encode(&Nat::from(FEE))),
            "icrc1_total_supply" => {
                decode_nothing(argument)?;
                encode(&Nat::from(self.balances.values().sum::<Cycles>()))
            }
            _ => Err(missing("cycles ledger", method)),
        }
    }

    fn is_query(&self, method: &str) -> bool {
        is_token_query(method)
    }

    fn cycles(&self) -> Cycles {
        self.balances.values().sum::<Cycles>() + self.fees
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
