//! The ICP ledger: balances of ICP, and transfers.

use std::collections::BTreeMap;

use candid::{Nat, Principal};
use ic_ledger_types::{
    AccountBalanceArgs, AccountIdentifier, DEFAULT_SUBACCOUNT, Subaccount, Tokens, TransferArgs,
    TransferError,
};
use icrc_ledger_types::icrc1::account::Account;
use icrc_ledger_types::icrc1::transfer::{TransferArg, TransferError as Icrc1TransferError};
use serde::{Deserialize, Serialize};

use super::methods::{is_token_query, missing};
use crate::cbor::{from_saved, to_saved};
use crate::encoding::{decode, decode_nothing, encode};
use crate::message::{CallResult, Cycles};
use crate::replica::{NativeCanister, Replica};

/// The fee of a transfer, in e8s.
const FEE: u64 = 10_000;

/// What the anonymous user has at first, in e8s: a billion ICP.
const SUPPLY: u64 = 1_000_000_000 * 100_000_000;

#[derive(Clone, Serialize, Deserialize)]
pub(super) struct IcpLedger {
    balances: BTreeMap<AccountIdentifier, u64>,
    blocks: u64,
}

/// Why a transfer was not made.
enum Refusal {
    Fee,
    Funds(u64),
}

impl IcpLedger {
    pub(super) fn new() -> Self {
        let anonymous = AccountIdentifier::new(&Principal::anonymous(), &DEFAULT_SUBACCOUNT);
        IcpLedger {
            balances: BTreeMap::from([(anonymous, SUPPLY)]),
            blocks: 0,
        }
    }

    fn balance(&self, account: &AccountIdentifier) -> u64 {
        self.balances.get(account).copied().unwrap_or(0)
    }

    /// Moves an amount and burns the fee. Returns the block's index.
    fn transfer(
        &mut self,
        from: AccountIdentifier,
        to: AccountIdentifier,
        amount: u64,
        fee: Option<u64>,
    ) -> Result<u64, Refusal> {
        if fee.is_some_and(|fee| fee != FEE) {
            return Err(Refusal::Fee);
        }
        let balance = self.balance(&from);
        let left = amount
            .checked_add(FEE)
            .and_then(|cost| balance.checked_sub(cost));
        let left = left.ok_or(Refusal::Funds(balance))?;
        self.balances.insert(from, left);
        *self.balances.entry(to).or_default() += amount;
        self.blocks += 1;
        Ok(self.blocks - 1)
    }

    fn icrc1_transfer(
        &mut self,
        caller: Principal,
        arg: &TransferArg,
    ) -> Result<Nat, Icrc1TransferError> {
        let small = |nat: &Nat| u64::try_from(nat.0.clone()).unwrap_or(u64::MAX);
        let from = Account {
            owner: caller,
            subaccount: arg.from_subaccount,
        };
        let fee = arg.fee.as_ref().map(small);
        self.transfer(
            identifier(&from),
            identifier(&arg.to),
            small(&arg.amount),
            fee,
        )
        .map(Nat::from)
        .map_err(|refusal| match refusal {
            Refusal::Fee => Icrc1TransferError::BadFee {
                expected_fee: Nat::from(FEE),
            },
            Refusal::Funds(balance) => Icrc1TransferError::InsufficientFunds {
                balance: Nat::from(balance),
            },
        })
    }
}

fn identifier(account: &Account) -> AccountIdentifier {
    let subaccount = account.subaccount.map_or(DEFAULT_SUBACCOUNT, Subaccount);
    AccountIdentifier::new(&account.owner, &subaccount)
}

impl NativeCanister for IcpLedger {
    fn call(
        &mut self,
        _replica: &mut Replica,
        caller: Principal,
        method: &str,
        argument: &[u8],
        _cycles: &mut Cycles,
    ) -> CallResult {
        match method {
            "transfer" => {
                let args: TransferArgs = decode(argument)?;
                let subaccount = args.from_subaccount.unwrap_or(DEFAULT_SUBACCOUNT);
                let from = AccountIdentifier::new(&caller, &subaccount);
                let (amount, fee) = (args.amount.e8s(), args.fee.e8s());
                let result = self.transfer(from, args.to, amount, Some(fee));
                encode(&result.map_err(|refusal| match refusal {
                    Refusal::Fee => TransferError::BadFee {
                        expected_fee: Tokens::from_e8s(FEE),
                    },
                    Refusal::Funds(balance) => TransferError::InsufficientFunds {
                        balance: Tokens::from_e8s(balance),
                    },
                }))
            }
            "account_balance" => {
                let args: AccountBalanceArgs = decode(argument)?;
                encode(&Tokens::from_e8s(self.balance(&args.account)))
            }
            "icrc1_transfer" => {
                let arg: TransferArg = decode(argument)?;
                let result = self.icrc1_transfer(caller, &arg);
                encode(&result)
            }
            "icrc1_balance_of" => {
                let account: Account = decode(argument)?;
                encode(&Nat::from(self.balance(&identifier(&account))))
            }
            "icrc1_name" => decode_nothing(argument).and_then(|()| encode(&"Internet Computer")),
            "icrc1_symbol" => decode_nothing(argument).and_then(|()| encode(&"ICP")),
            "icrc1_decimals" => decode_nothing(argument).and_then(|()| encode(&8u8)),
            "icrc1_fee" => decode_nothing(argument).and_then(|()| encode(&Nat::from(FEE))),
            "icrc1_total_supply" => {
                decode_nothing(argument)?;
                encode(&Nat::from(self.balances.values().sum::<u64>()))
            }
            _ => Err(missing("ICP ledger", method)),
        }
    }

    fn is_query(&self, method: &str) -> bool {
        method == "account_balance" || is_token_query(method)
    }

    fn cycles(&self) -> Cycles {
        0
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
