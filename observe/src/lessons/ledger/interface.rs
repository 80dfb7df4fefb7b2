//! The interfaces of the canister and the ledger, as far as they are called here.

use anyhow::Result;
use candid::{CandidType, Deserialize, Nat, Principal};

use crate::answer::Got;
use crate::network::Answer;
use crate::stage::{Stage, decode};

#[derive(CandidType, Clone, Copy, Deserialize)]
pub struct Account {
    pub owner: Principal,
    pub subaccount: Option<[u8; 32]>,
}

impl Account {
    pub fn of(owner: Principal) -> Self {
        Account {
            owner,
            subaccount: None,
        }
    }
}

#[derive(CandidType)]
pub struct TransferArg {
    pub to: Account,
    pub amount: Nat,
    pub created_at_time: Option<u64>,
}

impl TransferArg {
    pub fn new(to: Account, amount: u64) -> Self {
        TransferArg {
            to,
            amount: Nat::from(amount),
            created_at_time: None,
        }
    }
}

/// Those that are seen here.
#[derive(CandidType, Debug, Deserialize)]
pub enum TransferError {
    InsufficientFunds { balance: Nat },
    GenericError { error_code: Nat, message: String },
    TooOld,
    Duplicate { duplicate_of: Nat },
}

pub type Transferred = Result<Nat, TransferError>;

/// Transfers something from the user's account.
pub fn transfer(stage: &mut Stage, arg: &TransferArg) -> Result<Transferred> {
    stage.reply(stage.callee, "icrc1_transfer", (arg,))
}

pub fn transfer_words(transferred: &Transferred) -> String {
    match transferred {
        Ok(_) => "Ok".to_owned(),
        Err(TransferError::TooOld) => "TooOld".to_owned(),
        Err(other) => format!("{other:?}"),
    }
}

#[derive(CandidType, Clone, Debug, Deserialize, PartialEq)]
pub enum Progress {
    Open,
    Done(Nat),
    Refused(String),
    Unknown,
}

/// What a user gets for a transfer with a number.
pub type Outcome = Result<Progress, String>;

/// How far the user's last transfer has come.
pub fn progress(stage: &mut Stage, number: u64) -> Result<Outcome> {
    stage.query(stage.caller, "get_progress", (number,))
}

/// What a user got for a transfer with a number.
pub fn words(answer: &Answer) -> String {
    match decode::<Outcome>("", answer) {
        Ok(Ok(Progress::Open)) => "Open".to_owned(),
        Ok(Ok(Progress::Done(_))) => "Done".to_owned(),
        Ok(Ok(Progress::Refused(_))) => "Refused".to_owned(),
        Ok(Ok(Progress::Unknown)) => "Unknown".to_owned(),
        Ok(Err(why)) => format!("Err: {why}"),
        Err(_) => Got::read(answer).words(),
    }
}

/// What a user got for one of the mistakes, which return a block.
pub fn block_words(answer: &Answer) -> String {
    match decode::<Result<Nat, String>>("", answer) {
        Ok(Ok(_)) => "Ok".to_owned(),
        Ok(Err(why)) => format!("Err: {why}"),
        Err(_) => Got::read(answer).words(),
    }
}
