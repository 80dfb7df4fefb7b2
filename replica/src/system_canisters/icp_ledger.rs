//! The ICP ledger: balances of ICP, and transfers.

use candid::{Nat, Principal};
use ic_ledger_types::{
    AccountBalanceArgs, AccountIdentifier, DEFAULT_SUBACCOUNT, Subaccount, Tokens, TransferArgs,
    TransferError,
};
use icrc_ledger_types::icrc1::account::Account;
use serde::{Deserialize, Serialize};

use super::icrc::{self, Token};
use super::ledger::{Ledger, Refusal, WINDOW};
use super::methods::missing;
use crate::cbor::{from_saved, to_saved};
use crate::encoding::{decode, encode};
use crate::message::{CallResult, Cycles, Time};
use crate::replica::{NativeCanister, Replica};

/// The fee of a transfer, in e8s.
const FEE: u64 = 10_000;

/// What the anonymous user has at first, in e8s: a billion ICP.
const SUPPLY: u64 = 1_000_000_000 * 100_000_000;

const TOKEN: Token<AccountIdentifier> = Token {
    name: "Internet Computer",
    symbol: "ICP",
    decimals: 8,
    key: identifier,
};

#[derive(Clone, Serialize, Deserialize)]
pub(super) struct IcpLedger {
    ledger: Ledger<AccountIdentifier>,
}

impl IcpLedger {
    pub(super) fn new() -> Self {
        let anonymous = AccountIdentifier::new(&Principal::anonymous(), &DEFAULT_SUBACCOUNT);
        IcpLedger {
            ledger: Ledger::new(FEE.into(), anonymous, SUPPLY.into()),
        }
    }

    /// The transfer that only this ledger has.
    fn transfer(
        &mut self,
        now: Time,
        caller: Principal,
        args: &TransferArgs,
    ) -> Result<u64, TransferError> {
        let created = args.created_at_time.map(|time| time.timestamp_nanos);
        let id = Ledger::<AccountIdentifier>::identity(caller, "transfer", args, created);
        let subaccount = args.from_subaccount.unwrap_or(DEFAULT_SUBACCOUNT);
        let way = (AccountIdentifier::new(&caller, &subaccount), args.to);
        let (amount, fee) = (Nat::from(args.amount.e8s()), Nat::from(args.fee.e8s()));
        let made = self
            .ledger
            .check_fee(Some(&fee))
            .and_then(|()| self.ledger.transfer(now, way, &amount, id));
        made.map_err(|refusal| match refusal {
            Refusal::Fee => TransferError::BadFee {
                expected_fee: Tokens::from_e8s(FEE),
            },
            Refusal::TooOld => TransferError::TxTooOld {
                allowed_window_nanos: WINDOW,
            },
            Refusal::CreatedInFuture => TransferError::TxCreatedInFuture,
            Refusal::Duplicate(block) => TransferError::TxDuplicate {
                duplicate_of: block,
            },
            Refusal::Funds(balance) => TransferError::InsufficientFunds {
                balance: tokens(balance),
            },
            Refusal::Allowance(_) | Refusal::AllowanceChanged(_) | Refusal::Expired => {
                unreachable!("a transfer needs no approval")
            }
        })
    }
}

fn identifier(account: &Account) -> AccountIdentifier {
    let subaccount = account.subaccount.map_or(DEFAULT_SUBACCOUNT, Subaccount);
    AccountIdentifier::new(&account.owner, &subaccount)
}

/// An amount, of which there is never more than the supply.
fn tokens(e8s: u128) -> Tokens {
    Tokens::from_e8s(u64::try_from(e8s).unwrap_or(u64::MAX))
}

impl NativeCanister for IcpLedger {
    fn call(
        &mut self,
        replica: &mut Replica,
        caller: Principal,
        method: &str,
        argument: &[u8],
        _cycles: &mut Cycles,
    ) -> CallResult {
        let now = replica.time();
        if let Some(answer) = TOKEN.call(&mut self.ledger, now, caller, method, argument) {
            return answer;
        }
        match method {
            "transfer" => {
                let args: TransferArgs = decode(argument)?;
                encode(&self.transfer(now, caller, &args))
            }
            "account_balance" => {
                let args: AccountBalanceArgs = decode(argument)?;
                encode(&tokens(self.ledger.balance(&args.account)))
            }
            _ => Err(missing("ICP ledger", method)),
        }
    }

    fn is_query(&self, method: &str) -> bool {
        method == "account_balance" || icrc::is_query(method)
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
