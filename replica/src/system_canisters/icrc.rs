//! The methods of the token standards ICRC-1 and ICRC-2, which all ledgers have.

use candid::{CandidType, Nat, Principal};
use icrc_ledger_types::icrc1::account::{Account, Subaccount};
use icrc_ledger_types::icrc1::transfer::{TransferArg, TransferError};
use icrc_ledger_types::icrc2::allowance::{Allowance, AllowanceArgs};
use icrc_ledger_types::icrc2::approve::{ApproveArgs, ApproveError};
use icrc_ledger_types::icrc2::transfer_from::{TransferFromArgs, TransferFromError};

use super::ledger::{Approval, Ledger, Refusal};
use crate::encoding::{decode, decode_nothing, encode};
use crate::message::{CallResult, ErrorCode, Reject, Time};

/// What a token says of itself.
pub(super) struct Token<K> {
    pub(super) name: &'static str,
    pub(super) symbol: &'static str,
    pub(super) decimals: u8,
    /// How the ledger calls an account.
    pub(super) key: fn(&Account) -> K,
}

/// A standard that a ledger follows.
#[derive(CandidType)]
struct Standard {
    name: &'static str,
    url: &'static str,
}

const STANDARDS: [Standard; 2] = [
    Standard {
        name: "ICRC-1",
        url: "https://github.com/dfinity/ICRC-1/tree/main/standards/ICRC-1",
    },
    Standard {
        name: "ICRC-2",
        url: "https://github.com/dfinity/ICRC-1/tree/main/standards/ICRC-2",
    },
];

/// Whether a method of the standards is a query.
pub(super) fn is_query(method: &str) -> bool {
    let updates = ["icrc1_transfer", "icrc2_approve", "icrc2_transfer_from"];
    let known = method.starts_with("icrc1_") || method.starts_with("icrc2_");
    known && !updates.contains(&method)
}

impl<K: Ord + Clone> Token<K> {
    /// The answer to a method of the standards; nothing if it is none.
    pub(super) fn call(
        &self,
        ledger: &mut Ledger<K>,
        now: Time,
        caller: Principal,
        method: &str,
        argument: &[u8],
    ) -> Option<CallResult> {
        Some(match method {
            "icrc1_transfer" => {
                decode(argument).and_then(|arg| encode(&self.transfer(ledger, now, caller, &arg)))
            }
            "icrc2_approve" => decode(argument)
                .and_then(|arg| self.approve(ledger, now, caller, &arg))
                .and_then(|result| encode(&result)),
            "icrc2_transfer_from" => decode(argument)
                .and_then(|arg| encode(&self.transfer_from(ledger, now, caller, &arg))),
            "icrc2_allowance" => decode(argument).and_then(|args: AllowanceArgs| {
                let (from, spender) = ((self.key)(&args.account), (self.key)(&args.spender));
                let allowed = ledger.allowance(now, &from, &spender);
                encode(&Allowance {
                    allowance: Nat::from(allowed.amount),
                    expires_at: allowed.until,
                })
            }),
            "icrc1_balance_of" => decode(argument)
                .and_then(|account| encode(&Nat::from(ledger.balance(&(self.key)(&account))))),
            "icrc1_name" => said(argument, &self.name),
            "icrc1_symbol" => said(argument, &self.symbol),
            "icrc1_decimals" => said(argument, &self.decimals),
            "icrc1_fee" => said(argument, &Nat::from(ledger.fee)),
            "icrc1_total_supply" => said(argument, &Nat::from(ledger.supply())),
            "icrc1_supported_standards" => said(argument, &STANDARDS),
            _ => return None,
        })
    }

    fn account(&self, owner: Principal, subaccount: Option<Subaccount>) -> K {
        (self.key)(&Account { owner, subaccount })
    }

    fn transfer(
        &self,
        ledger: &mut Ledger<K>,
        now: Time,
        caller: Principal,
        arg: &TransferArg,
    ) -> Result<Nat, TransferError> {
        let id = Ledger::<K>::identity(caller, "icrc1_transfer", arg, arg.created_at_time);
        let from = self.account(caller, arg.from_subaccount);
        let made = ledger
            .check_fee(arg.fee.as_ref())
            .and_then(|()| ledger.transfer(now, (from, (self.key)(&arg.to)), &arg.amount, id));
        made.map(Nat::from).map_err(|refusal| match refusal {
            Refusal::Fee => TransferError::BadFee {
                expected_fee: Nat::from(ledger.fee),
            },
            Refusal::Funds(balance) => TransferError::InsufficientFunds {
                balance: Nat::from(balance),
            },
            Refusal::TooOld => TransferError::TooOld,
            Refusal::CreatedInFuture => TransferError::CreatedInFuture { ledger_time: now },
            Refusal::Duplicate(block) => TransferError::Duplicate {
                duplicate_of: Nat::from(block),
            },
            Refusal::Allowance(_) | Refusal::AllowanceChanged(_) | Refusal::Expired => {
                unreachable!("a transfer needs no approval")
            }
        })
    }

    fn approve(
        &self,
        ledger: &mut Ledger<K>,
        now: Time,
        caller: Principal,
        arg: &ApproveArgs,
    ) -> Result<Result<Nat, ApproveError>, Reject> {
        if arg.spender.owner == caller {
            return Err(Reject::new(
                ErrorCode::CanisterCalledTrap,
                "self approval is not allowed",
            ));
        }
        let id = Ledger::<K>::identity(caller, "icrc2_approve", arg, arg.created_at_time);
        let approval = Approval {
            from: self.account(caller, arg.from_subaccount),
            spender: (self.key)(&arg.spender),
            amount: &arg.amount,
            expected: arg.expected_allowance.as_ref(),
            until: arg.expires_at,
        };
        let made = ledger
            .check_fee(arg.fee.as_ref())
            .and_then(|()| ledger.approve(now, approval, id));
        Ok(made.map(Nat::from).map_err(|refusal| match refusal {
            Refusal::Fee => ApproveError::BadFee {
                expected_fee: Nat::from(ledger.fee),
            },
            Refusal::Funds(balance) => ApproveError::InsufficientFunds {
                balance: Nat::from(balance),
            },
            Refusal::AllowanceChanged(current) => ApproveError::AllowanceChanged {
                current_allowance: Nat::from(current),
            },
            Refusal::Expired => ApproveError::Expired { ledger_time: now },
            Refusal::TooOld => ApproveError::TooOld,
            Refusal::CreatedInFuture => ApproveError::CreatedInFuture { ledger_time: now },
            Refusal::Duplicate(block) => ApproveError::Duplicate {
                duplicate_of: Nat::from(block),
            },
            Refusal::Allowance(_) => unreachable!("an approval spends nobody's allowance"),
        }))
    }

    fn transfer_from(
        &self,
        ledger: &mut Ledger<K>,
        now: Time,
        caller: Principal,
        arg: &TransferFromArgs,
    ) -> Result<Nat, TransferFromError> {
        let id = Ledger::<K>::identity(caller, "icrc2_transfer_from", arg, arg.created_at_time);
        let spender = self.account(caller, arg.spender_subaccount);
        let way = ((self.key)(&arg.from), (self.key)(&arg.to));
        let made = ledger
            .check_fee(arg.fee.as_ref())
            .and_then(|()| ledger.transfer_from(now, spender, way, &arg.amount, id));
        made.map(Nat::from).map_err(|refusal| match refusal {
            Refusal::Fee => TransferFromError::BadFee {
                expected_fee: Nat::from(ledger.fee),
            },
            Refusal::Funds(balance) => TransferFromError::InsufficientFunds {
                balance: Nat::from(balance),
            },
            Refusal::Allowance(allowance) => TransferFromError::InsufficientAllowance {
                allowance: Nat::from(allowance),
            },
            Refusal::TooOld => TransferFromError::TooOld,
            Refusal::CreatedInFuture => TransferFromError::CreatedInFuture { ledger_time: now },
            Refusal::Duplicate(block) => TransferFromError::Duplicate {
                duplicate_of: Nat::from(block),
            },
            Refusal::AllowanceChanged(_) | Refusal::Expired => {
                unreachable!("a transfer approves nothing")
            }
        })
    }
}

/// The answer to a method that has no argument.
fn said(argument: &[u8], what: &impl CandidType) -> CallResult {
    decode_nothing(argument).and_then(|()| encode(what))
}
