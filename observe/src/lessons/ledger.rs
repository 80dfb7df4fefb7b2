//! Tokens are paid out by a ledger, and an answer of the ledger gets lost.
//!
//! The code that is observed: `lessons/14-ledger`.

mod explorations;
pub mod interface;

use std::time::Duration;

use anyhow::{Context, Result, anyhow, bail};
use candid::Nat;
use candid::utils::ArgumentEncoder;

use self::interface::{
    Account, TransferArg, TransferError, block_words, progress, transfer, transfer_words, words,
};
use crate::lesson::{
    Canisters, Experiment, Fact, Layout, Lesson, Question, fact, mistake, right_way, rule,
};
use crate::network::{Answer, Delivery, Kind, WaitingMessage};
use crate::stage::{Stage, accepted};

pub const LESSON: Lesson = Lesson {
    name: "ledger",
    about: "Pay by a ledger, and ask again with the same created_at_time until it is certain.",
    canisters: Canisters::Room,
    introduction: None,
    experiments,
    explorations: explorations::all,
    layout: Layout::List,
};

/// What the ledger takes for a transfer.
const FEE: u64 = 10;

/// What the canister has at least before each experiment, all of it for one user.
const BALANCE: u64 = 300;

/// What is withdrawn, or deposited, in it.
const AMOUNT: u64 = 100;

/// How long the caller waits for an answer.
const WAIT: Duration = Duration::from_secs(60);

/// More than the 24 hours for which the ledger knows what it has done.
const LONG: Duration = Duration::from_secs(25 * 60 * 60);

// The facts.
const RETURNED: &str = "it returned";
const AGAIN: &str = "called again, it returned";
const LATER: &str = "25 hours later, it returned";
const TAKEN: &str = "taken from the user's balance";
const PAID: &str = "paid by the ledger";
const MISSING: &str = "missing in the canister's account";

const WITHDRAW: &str = "withdraw";
const DEPOSIT: &str = "deposit";
const BELIEVE: &str = "carry_on_believing_refusals";

fn experiments() -> Vec<Experiment> {
    let paid = |experiment: Experiment, why| {
        let ask = format!("{}. How much has the ledger paid?", experiment.what);
        let question = Question::new(&ask, [0, AMOUNT, 2 * AMOUNT], PAID, why);
        experiment.asks(question).on_local_replica()
    };
    let missing = |experiment: Experiment, why| {
        let ask = format!(
            "{}. How much is missing then in the canister's account, for all that it owes?",
            experiment.what
        );
        let question = Question::new(&ask, [0, AMOUNT, AMOUNT + FEE], MISSING, why);
        experiment.asks(question).on_local_replica()
    };
    vec![
        rule(
            "icrc1_transfer",
            "a user asks the ledger for the same transfer three times",
            ask_ledger_three_times,
        )
        .asks(Question::new(
            "A user asks a ledger for a transfer that it has done a minute ago, alike in each field. \
             What does the ledger answer?",
            ["Ok", SAME, "TooOld"],
            "at once again, it answered",
            "The created_at_time is the same, so for the ledger it is the same transfer. It names the \
             block in which it was done.",
        ))
        .on_local_replica(),
        paid(
            mistake(
                "withdraw_without_time",
                "the first answer gets lost; the canister asks again, without created_at_time",
                |stage| withdraw_twice(stage, "withdraw_without_time"),
            ),
            "Without a created_at_time the ledger does each transfer that it is asked for.",
        ),
        paid(
            mistake(
                "withdraw_with_new_time",
                "the first answer gets lost; the canister asks again, with a new created_at_time",
                |stage| withdraw_twice(stage, "withdraw_with_new_time"),
            ),
            "The created_at_time is part of what names a transfer. With a new one it is a new transfer.",
        ),
        paid(
            right_way(
                WITHDRAW,
                "the answer gets lost; the user calls again with the same number",
                |stage| withdraw_once(stage, Fault::AnswerLost),
            ),
            "The second attempt was the same in each field. The ledger answered Duplicate, and that is \
             success.",
        ),
        paid(
            right_way(
                WITHDRAW,
                "the request gets lost; the user calls again with the same number",
                |stage| withdraw_once(stage, Fault::RequestLost),
            ),
            "The ledger had never seen it, and did it the second time.",
        ),
        paid(
            right_way(
                WITHDRAW,
                "the canister traps when it is paid, and is upgraded; the user calls again",
                |stage| withdraw_once(stage, Fault::TrapAndUpgrade),
            ),
            "What was intended, with its created_at_time, was written down before the call. A trap after \
             the await does not undo it, and an upgrade keeps it.",
        ),
        missing(
            mistake(
                BELIEVE,
                "the answer gets lost; the canister asks again 25 hours later, and believes TooOld",
                believe_refusal,
            ),
            "TooOld says that the ledger did not pay now. It had paid the day before; the canister gave \
             back what was paid.",
        ),
        missing(
            right_way(
                WITHDRAW,
                "the answer gets lost; the user calls again 25 hours later, and a controller looks",
                withdraw_too_late,
            ),
            "The canister gives nothing back on TooOld. It says Unknown, until somebody has looked into \
             the ledger.",
        ),
        missing(
            right_way(
                DEPOSIT,
                "the answer gets lost; the user calls again with the same number",
                deposit_once,
            ),
            "The ledger moved the deposit once, answered Duplicate then, and the canister credited it \
             once.",
        ),
    ]
}

// ---- What the ledger answers ---------------------------------------------------------------------

const SAME: &str = "Duplicate, of that block";

fn ask_ledger_three_times(stage: &mut Stage) -> Result<Vec<Fact>> {
    get_tokens(stage)?;
    let receiver = Account::of(stage.callee);
    let before = tokens(stage, receiver)?;
    let arg = TransferArg {
        created_at_time: Some(now(stage)?),
        ..TransferArg::new(receiver, AMOUNT)
    };
    stage.begin_scene()?;
    let first = transfer(stage, &arg)?;
    let again = transfer(stage, &arg)?;
    stage.advance_time(LONG)?;
    let later = transfer(stage, &arg)?;
    let again = match (&first, again) {
        (Ok(block), Err(TransferError::Duplicate { duplicate_of })) if *block == duplicate_of => {
            SAME.to_owned()
        }
        (_, again) => transfer_words(&again),
    };
    let moved = tokens(stage, receiver)? - before;
    Ok(vec![
        fact("at first it answered", "Ok", transfer_words(&first)),
        fact("at once again, it answered", SAME, again),
        fact(
            "25 hours later, it answered",
            "TooOld",
            transfer_words(&later),
        ),
        fact("moved in all", AMOUNT, moved),
    ])
}

/// The ledger's clock, as the last message tells it: it stands still meanwhile.
fn now(stage: &Stage) -> Result<u64> {
    let last = stage.events().last();
    let last = last.ok_or_else(|| anyhow!("nothing was executed"))?;
    Ok(last.time)
}

// ---- Withdrawals ---------------------------------------------------------------------------------

/// What goes wrong with the call to the ledger.
#[derive(Clone, Copy)]
enum Fault {
    AnswerLost,
    RequestLost,
    /// The caller traps when the answer comes, and is upgraded before it is called again.
    TrapAndUpgrade,
}

fn withdraw_twice(stage: &mut Stage, method: &str) -> Result<Vec<Fact>> {
    let before = begin(stage)?;
    let answer = call(stage, method, (Nat::from(AMOUNT),), Fault::AnswerLost)?;
    let mut facts = vec![fact(RETURNED, "Ok", block_words(&answer))];
    facts.extend(before.facts(stage, AMOUNT + FEE, 2 * AMOUNT, AMOUNT + FEE)?);
    Ok(facts)
}

fn withdraw_once(stage: &mut Stage, fault: Fault) -> Result<Vec<Fact>> {
    let before = begin(stage)?;
    let arguments = (before.next, Nat::from(AMOUNT));
    let answer = call(stage, WITHDRAW, arguments.clone(), fault)?;
    let first = match fault {
        Fault::TrapAndUpgrade => "reject 5, IC0503",
        _ => "Open",
    };
    if matches!(fault, Fault::TrapAndUpgrade) {
        accepted(stage.upgrade(stage.caller)?)?;
    }
    let again = stage.call(stage.caller, WITHDRAW, arguments)?;
    let mut facts = vec![
        fact(RETURNED, first, words(&answer)),
        fact(AGAIN, "Done", words(&again)),
    ];
    facts.extend(before.facts(stage, AMOUNT + FEE, AMOUNT, 0)?);
    Ok(facts)
}

fn believe_refusal(stage: &mut Stage) -> Result<Vec<Fact>> {
    let before = begin(stage)?;
    let answer = call(
        stage,
        WITHDRAW,
        (before.next, Nat::from(AMOUNT)),
        Fault::AnswerLost,
    )?;
    stage.advance_time(LONG)?;
    let later = stage.call(stage.caller, BELIEVE, ())?;
    let mut facts = vec![
        fact(RETURNED, "Open", words(&answer)),
        fact(LATER, "Refused", words(&later)),
    ];
    facts.extend(before.facts(stage, 0, AMOUNT, AMOUNT + FEE)?);
    Ok(facts)
}

fn withdraw_too_late(stage: &mut Stage) -> Result<Vec<Fact>> {
    let before = begin(stage)?;
    let arguments = (before.next, Nat::from(AMOUNT));
    let answer = call(stage, WITHDRAW, arguments.clone(), Fault::AnswerLost)?;
    stage.advance_time(LONG)?;
    let later = stage.call(stage.caller, WITHDRAW, arguments)?;
    // A controller finds the payment in the ledger.
    let (user, number) = (stage.user(), before.next);
    let paid = tokens(stage, Account::of(user))? - before.tokens;
    let block = (paid == AMOUNT).then(|| Nat::from(0u8));
    let settled = stage.call(stage.caller, "settle", (user, number, block))?;
    let mut facts = vec![
        fact(RETURNED, "Open", words(&answer)),
        fact(LATER, "Unknown", words(&later)),
        fact("settled by a controller, it is", "Done", words(&settled)),
    ];
    facts.extend(before.facts(stage, AMOUNT + FEE, AMOUNT, 0)?);
    Ok(facts)
}

// ---- Deposits ------------------------------------------------------------------------------------

fn deposit_once(stage: &mut Stage) -> Result<Vec<Fact>> {
    let before = begin(stage)?;
    let put = put_into_deposit_account(stage, AMOUNT)?;
    let arguments = (before.next, Nat::from(AMOUNT));
    let answer = call(stage, DEPOSIT, arguments.clone(), Fault::AnswerLost)?;
    let again = stage.call(stage.caller, DEPOSIT, arguments)?;
    let credited = balance(stage)? - before.balance;
    Ok(vec![
        fact(RETURNED, "Open", words(&answer)),
        fact(AGAIN, "Done", words(&again)),
        fact("left in the deposit account", 0, tokens(stage, put)?),
        fact("added to the user's balance", AMOUNT, credited),
        fact(MISSING, 0, missing(stage)? - before.missing),
    ])
}

/// What a user transfers to the canister before it can take that: the amount, and the fee for taking it.
fn put_into_deposit_account(stage: &mut Stage, amount: u64) -> Result<Account> {
    let account: Account = stage.query(stage.caller, "get_deposit_account", ())?;
    let put = TransferArg::new(account, amount + FEE);
    transfer(stage, &put)?.map_err(|refusal| anyhow!("the ledger refused: {refusal:?}"))?;
    Ok(account)
}

// ---- The scene -----------------------------------------------------------------------------------

/// How things stood before the call that an experiment is about.
struct Before {
    /// The number of the user's next transfer.
    next: u64,
    balance: u64,
    tokens: u64,
    missing: u64,
}

/// Sees to it that the canister has something, and that the user may withdraw it.
fn begin(stage: &mut Stage) -> Result<Before> {
    get_tokens(stage)?;
    let mut number = next_number(stage)?;
    let wanted = BALANCE + missing(stage)?;
    let amount = wanted.saturating_sub(balance(stage)?);
    if amount > 0 {
        put_into_deposit_account(stage, amount)?;
        let deposited = stage.call(stage.caller, DEPOSIT, (number, Nat::from(amount)))?;
        if words(&deposited) != "Done" {
            bail!("the deposit: {deposited:?}");
        }
        number += 1;
    }
    let user = stage.user();
    stage.watch(stage.caller, "get_balance", (user,))?;
    stage.watch(stage.caller, "get_progress", (number,))?;
    stage.watch(stage.callee, "icrc1_balance_of", (Account::of(user),))?;
    stage.begin_scene()?;
    Ok(Before {
        next: number,
        balance: balance(stage)?,
        tokens: tokens(stage, Account::of(user))?,
        missing: missing(stage)?,
    })
}

impl Before {
    /// What became of the tokens.
    fn facts(&self, stage: &mut Stage, taken: u64, paid: u64, gone: u64) -> Result<[Fact; 3]> {
        let user = Account::of(stage.user());
        Ok([
            fact(TAKEN, taken, self.balance - balance(stage)?),
            fact(PAID, paid, tokens(stage, user)? - self.tokens),
            fact(MISSING, gone, missing(stage)? - self.missing),
        ])
    }
}

/// Gets the user some tokens, the first time.
fn get_tokens(stage: &mut Stage) -> Result<()> {
    let _no_more: Result<Nat, String> = stage.reply(stage.callee, "get_tokens", ())?;
    Ok(())
}

/// The number of the user's next transfer: the canister knows none but the last.
fn next_number(stage: &mut Stage) -> Result<u64> {
    const FEW: u64 = 100;
    for number in 1..FEW {
        if progress(stage, number)?.is_ok() {
            return Ok(number + 1);
        }
    }
    Ok(1)
}

/// What the canister keeps for the user.
fn balance(stage: &mut Stage) -> Result<u64> {
    number(&stage.query(stage.caller, "get_balance", (stage.user(),))?)
}

/// What an account has at the ledger.
fn tokens(stage: &mut Stage, account: Account) -> Result<u64> {
    number(&stage.query(stage.callee, "icrc1_balance_of", (account,))?)
}

/// By how much the canister has less than it owes to the user, its only one.
fn missing(stage: &mut Stage) -> Result<u64> {
    let (owes, has) = (balance(stage)?, tokens(stage, Account::of(stage.caller))?);
    let missing = owes.checked_sub(has);
    missing.with_context(|| format!("it owes {owes} and has {has}"))
}

fn number(nat: &Nat) -> Result<u64> {
    Ok(u64::try_from(&nat.0)?)
}

/// Calls a method of the caller, which asks the ledger, and something goes wrong with that.
fn call(
    stage: &mut Stage,
    method: &str,
    arguments: impl ArgumentEncoder,
    fault: Fault,
) -> Result<Answer> {
    let request = |message: &WaitingMessage| message.kind == Kind::Request;
    let response = |message: &WaitingMessage| message.kind == Kind::Response;
    stage.hold()?;
    let sent = stage.send(stage.caller, method, arguments)?;
    stage.deliver_call(method)?;
    match fault {
        Fault::AnswerLost => {
            stage.deliver(request, Delivery::Normally)?;
            stage.deliver(response, Delivery::Lose)?;
        }
        Fault::RequestLost => stage.deliver(request, Delivery::Lose)?,
        Fault::TrapAndUpgrade => {
            stage.deliver(request, Delivery::Normally)?;
            stage.deliver(response, Delivery::Trap)?;
        }
    }
    if !matches!(fault, Fault::TrapAndUpgrade) {
        stage.advance_time(WAIT)?;
        // The system's answer: SysUnknown.
        stage.deliver(response, Delivery::Normally)?;
    }
    stage.release()?;
    stage.answer(&sent)
}
