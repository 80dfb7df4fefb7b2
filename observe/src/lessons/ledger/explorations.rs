//! What is gone through in every order: a withdrawal and a deposit, whatever two messages suffer.

use anyhow::{Context, Error, Result, ensure};
use candid::utils::ArgumentEncoder;
use candid::{Nat, Principal};

use super::interface::{Account, Outcome, Progress, TransferArg, progress, transfer};
use crate::exploration::{Exploration, FAULTS, Fault, Plan, Seen, finds, holds};
use crate::stage::Stage;

/// What a user keeps in the canister at first, as transfer number 1, and what the ledger takes.
const KEPT: u64 = 500;
const FEE: u64 = 10;

/// What is withdrawn or deposited, as transfer number 2.
const AMOUNT: u64 = 100;

/// The canister may wait for three lost answers, and for a start.
const WAITS: usize = 10;

const ONCE: &str = "100 are paid once, and the canister has what it owes";

/// How the books change: what is kept for the user, what the canister has at the ledger, and what the
/// user has there.
type Change = [i128; 3];
const PAID: Change = [-110, -110, 100];
const DEPOSITED: Change = [100, 100, 0];

pub fn all() -> Vec<Exploration> {
    vec![
        finds(
            "withdraw_without_time",
            "a withdrawal; an answer may get lost",
            "pay twice",
            |stage| mistake(stage, "withdraw_without_time"),
        ),
        finds(
            "withdraw_with_new_time",
            "a withdrawal; an answer may get lost",
            "pay twice",
            |stage| mistake(stage, "withdraw_with_new_time"),
        ),
        holds(
            "withdraw",
            "a withdrawal, asked for again afterwards",
            ONCE,
            |stage| Ok(withdraw(stage, 1)?.faults(FAULTS, 2)),
        ),
        holds(
            "withdraw",
            "the same by a user who does not wait and asks twice at the same time",
            ONCE,
            |stage| Ok(withdraw(stage, 2)?.faults(FAULTS, 2)),
        ),
        holds(
            "deposit",
            "a deposit, asked for again afterwards",
            "100 are credited once, and the canister has what it owes",
            |stage| Ok(deposit(stage)?.faults(FAULTS, 2)),
        ),
    ]
}

/// Has the user keep 500 in the canister, if that was not done before.
fn prepare(stage: &mut Stage) -> Result<()> {
    if is_done(&progress(stage, 1)?) {
        return Ok(());
    }
    let _gift: Result<Nat, String> = stage.reply(stage.callee, "get_tokens", ())?;
    put(stage, KEPT + FEE)?;
    let deposited: Outcome = stage.reply(stage.caller, "deposit", (1u64, Nat::from(KEPT)))?;
    ensure!(
        is_done(&deposited),
        "the deposit is not done: {deposited:?}"
    );
    Ok(())
}

/// Puts tokens into the user's deposit account.
fn put(stage: &mut Stage, amount: u64) -> Result<()> {
    let to: Account = stage.query(stage.caller, "get_deposit_account", ())?;
    let put = transfer(stage, &TransferArg::new(to, amount))?;
    put.map_err(|error| Error::msg(format!("{error:?}")))?;
    Ok(())
}

fn is_done(outcome: &Outcome) -> bool {
    matches!(outcome, Ok(Progress::Done(_)))
}

fn number(nat: &Nat) -> Result<i128> {
    i128::try_from(nat.0.clone()).context("it is more than there can be")
}

fn tokens(stage: &mut Stage, owner: Principal) -> Result<i128> {
    let tokens: Nat = stage.query(stage.callee, "icrc1_balance_of", (Account::of(owner),))?;
    number(&tokens)
}

/// Calls with these arguments at the same time, and what is looked at.
fn calls(
    stage: &mut Stage,
    method: &str,
    together: usize,
    arguments: impl ArgumentEncoder + Clone,
) -> Result<(
    Plan,
    impl Fn(&Seen<'_>) -> Result<Change> + Send + Sync + 'static,
)> {
    let (user, caller) = (stage.user(), stage.caller);
    let kept: Nat = stage.query(caller, "get_balance", (user,))?;
    let before = [number(&kept)?, tokens(stage, caller)?, tokens(stage, user)?];
    let mut plan = Plan::from(stage)?
        .most_waits(WAITS)
        .look(caller, "get_balance", (user,))?
        .look(stage.callee, "icrc1_balance_of", (Account::of(caller),))?
        .look(stage.callee, "icrc1_balance_of", (Account::of(user),))?;
    for _ in 0..together {
        plan = plan.call(caller, method, arguments.clone())?;
    }
    let change = move |seen: &Seen<'_>| {
        let mut change = [0; 3];
        for (place, change) in change.iter_mut().enumerate() {
            *change = number(&seen.look::<Nat>(place)?)? - before[place];
        }
        Ok(change)
    };
    Ok((plan, change))
}

fn mistake(stage: &mut Stage, method: &str) -> Result<Plan> {
    prepare(stage)?;
    let (plan, change) = calls(stage, method, 1, (Nat::from(AMOUNT),))?;
    let plan = plan.faults(&[Fault::Lose], 1);
    Ok(plan.at_end(move |seen| Ok(change(seen)?[2] <= i128::from(AMOUNT))))
}

/// Asked for so often at the same time, and once more.
fn ask(stage: &mut Stage, method: &str, together: usize, expected: Change) -> Result<Plan> {
    let arguments = (2u64, Nat::from(AMOUNT));
    let (plan, change) = calls(stage, method, together, arguments.clone())?;
    let plan = plan.afterwards(stage.caller, method, arguments)?.look(
        stage.caller,
        "get_progress",
        (2u64,),
    )?;
    Ok(plan.at_end(move |seen| Ok(change(seen)? == expected && is_done(&seen.look(3)?))))
}

fn withdraw(stage: &mut Stage, together: usize) -> Result<Plan> {
    prepare(stage)?;
    ask(stage, "withdraw", together, PAID)
}

fn deposit(stage: &mut Stage) -> Result<Plan> {
    prepare(stage)?;
    put(stage, AMOUNT + FEE)?;
    ask(stage, "deposit", 1, DEPOSITED)
}
