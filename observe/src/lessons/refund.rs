//! The experiment of the lesson `refund`: 80 are withdrawn from an account with 100, and something
//! goes wrong after the payout or before it.
//!
//! The code that is observed: `canisters/canister1/src/refund.rs`.

use std::time::Duration;

use anyhow::{Context, Result, anyhow};

use crate::answer::Got;
use crate::lesson::{Experiment, Fact, Layout, Lesson, Question, Side, fact};
use crate::network::{Delivery, Kind, WaitingMessage};
use crate::stage::Stage;

/// The lesson.
pub const LESSON: Lesson = Lesson {
    name: "refund",
    about: "When to give back what was taken for a payment that failed.",
    experiments,
    layout: Layout::List,
};

/// What goes wrong with a withdrawal.
#[derive(Clone, Copy)]
enum Fault {
    /// canister1 traps when it goes on after the await; canister2 has paid.
    TrapAfterPayout,
    /// canister2 has paid, and its answer is lost.
    AnswerLost,
    /// canister2 never gets the request.
    RequestLost,
    /// canister2 traps, and pays nothing.
    CalleeTraps,
    /// The system rejects the request in place of canister2.
    SystemRejects,
    /// canister2 rejects, as it does above 90.
    CalleeRejects,
}

impl Fault {
    fn amount(self) -> u64 {
        match self {
            Fault::CalleeRejects => 95,
            _ => 80,
        }
    }

    /// Does it to the one payment that waits, and lets time pass until no answer can come any more.
    fn happen(self, stage: &mut Stage) -> Result<()> {
        let request = |message: &WaitingMessage| message.kind == Kind::Request;
        let response = |message: &WaitingMessage| message.kind == Kind::Response;
        match self {
            Fault::TrapAfterPayout => {
                stage.deliver(request, Delivery::Normally)?;
                stage.deliver(response, Delivery::Trap)?;
            }
            Fault::AnswerLost => {
                stage.deliver(request, Delivery::Normally)?;
                stage.deliver(response, Delivery::Lose)?;
            }
            Fault::RequestLost => stage.deliver(request, Delivery::Lose)?,
            Fault::CalleeTraps => stage.deliver(request, Delivery::Trap)?,
            Fault::SystemRejects => stage.deliver(request, Delivery::Reject)?,
            Fault::CalleeRejects => stage.deliver(request, Delivery::Normally)?,
        }
        stage.advance_time(LONGEST_WAIT)?;
        stage.deliver_all()
    }
}

/// No call with bounded wait waits longer.
const LONGEST_WAIT: Duration = Duration::from_secs(300);

// ---- The facts -------------------------------------------------------------------------------

const GOT: &str = "the caller got";
const PAID: &str = "paid by canister2";
const LEFT: &str = "left in the account";
const SUM: &str = "both together, of 100";
const PENDING: &str = "pending payments";

const ERR: &str = "reply: Err";
const TRAP: &str = "reject 5, IC0503";

/// What was paid for an account and what is left in it.
#[derive(Clone, Copy)]
struct Money {
    paid: u64,
    left: u64,
}

impl Money {
    fn of(stage: &mut Stage, account: u64) -> Result<Self> {
        let (canister1, canister2) = (stage.canister1, stage.canister2);
        let left: Option<u64> = stage.query(canister1, "refund_balance", (account,))?;
        Ok(Money {
            paid: stage.query(canister2, "refund_paid", (canister1, account))?,
            left: left.context("the account is gone")?,
        })
    }

    fn facts(predicted: [u64; 3], observed: Money) -> [Fact; 3] {
        let Money { paid, left } = observed;
        [
            fact(PAID, predicted[0], paid),
            fact(LEFT, predicted[1], left),
            fact(SUM, predicted[2], paid + left),
        ]
    }
}

fn pending(stage: &mut Stage, account: u64) -> Result<Vec<u64>> {
    stage.query(stage.canister1, "refund_pending", (account,))
}

// ---- What is done ----------------------------------------------------------------------------

/// A withdrawal with a fault. Returns the account and what the caller got.
fn withdraw(stage: &mut Stage, method: &str, fault: Fault) -> Result<(u64, String)> {
    let account: u64 = stage.reply(stage.canister1, "refund_open", ())?;
    stage.begin_scene()?;
    stage.hold()?;
    let sent = stage.send(stage.canister1, method, (account, fault.amount()))?;
    stage.deliver_call(method)?;
    fault.happen(stage)?;
    let got = Got::read(&stage.answer(&sent)?).words();
    Ok((account, got))
}

/// A withdrawal that keeps no record.
fn without_record(
    stage: &mut Stage,
    method: &str,
    fault: Fault,
    answer: &str,
    money: [u64; 3],
) -> Result<Vec<Fact>> {
    let (account, got) = withdraw(stage, method, fault)?;
    let mut facts = vec![fact(GOT, answer, got)];
    facts.extend(Money::facts(money, Money::of(stage, account)?));
    Ok(facts)
}

/// A withdrawal that keeps a record: what is pending after it is settled.
fn with_record(
    stage: &mut Stage,
    fault: Fault,
    answer: &str,
    left_pending: usize,
    money: [u64; 3],
) -> Result<Vec<Fact>> {
    let (account, got) = withdraw(stage, "refund_withdraw", fault)?;
    let open = pending(stage, account)?;
    let mut facts = vec![
        fact(GOT, answer, got),
        fact(PENDING, left_pending, open.len()),
    ];
    for number in open {
        stage
            .reply::<Result<(), String>>(stage.canister1, "refund_settle", (number,))?
            .map_err(|message| anyhow!(message))?;
    }
    facts.push(fact(
        "pending when settled",
        0,
        pending(stage, account)?.len(),
    ));
    facts.extend(Money::facts(money, Money::of(stage, account)?));
    Ok(facts)
}

/// Whether canister1 can be stopped 300 seconds after a withdrawal that canister2 leaves without an
/// answer: with bounded wait, and without.
fn stop_while_callee_is_silent(stage: &mut Stage) -> Result<Vec<Fact>> {
    let mut facts = Vec::new();
    for (method, what, predicted) in [
        ("refund_withdraw", "after bounded wait it stops", "at once"),
        (
            "refund_withdraw_unbounded",
            "after unbounded wait",
            "when canister2 has answered",
        ),
    ] {
        let account: u64 = stage.reply(stage.canister1, "refund_open", ())?;
        stage.hold()?;
        let sent = stage.send(stage.canister1, method, (account, 80u64))?;
        stage.deliver_call(method)?;
        stage.advance_time(LONGEST_WAIT)?;
        // Everything but the request to canister2, where it still waits.
        let goes_on = |message: &WaitingMessage| message.kind != Kind::Request;
        while stage.waiting()?.iter().any(goes_on) {
            stage.deliver(goes_on, Delivery::Normally)?;
        }
        let stop = stage.send_command(stage.canister1, "stop_canister")?;
        let stopped = match stage.answer_so_far(&stop)? {
            Some(_) => "at once",
            None => "when canister2 has answered",
        };
        facts.push(fact(what, predicted, stopped));
        stage.release()?;
        for sent in [sent, stop] {
            // Both must be answered by now; what the answer is does not matter here.
            drop(stage.answer(&sent)?);
        }
        let started = stage.command(stage.canister1, "start_canister")?;
        started.map_err(|reject| anyhow!(reject.reject_message))?;
    }
    Ok(facts)
}

// ---- All of them -----------------------------------------------------------------------------

fn experiments() -> Vec<Experiment> {
    let on_any_error = "refund_withdraw_giving_back_on_any_error";
    let mut all = vec![
        Experiment {
            method: "refund_withdraw_giving_back_in_drop",
            what: "a trap after the payout, and Drop gives back",
            side: Side::Mistake,
            needs_local_replica: true,
            question: Some(sum_question(
                "An account has 100. 80 are taken, canister2 pays them, and canister1 traps after its await. A Drop gives back what was not paid. How much is paid and left, together?",
                "The line that says that it was paid is behind the await, and was undone. Cleanup drops what was there at the await, and gives back.",
            )),
            run: Box::new(|stage| {
                let method = "refund_withdraw_giving_back_in_drop";
                without_record(stage, method, Fault::TrapAfterPayout, TRAP, [80, 100, 180])
            }),
        },
        Experiment {
            method: on_any_error,
            what: "the answer is lost, and any Err gives back",
            side: Side::Mistake,
            needs_local_replica: true,
            question: Some(sum_question(
                "The call has bounded wait. canister2 pays, but its answer is lost; after 300 seconds canister1 gets Err (SYS_UNKNOWN), and gives back. How much is paid and left, together?",
                "SYS_UNKNOWN says that nobody knows, not that nothing happened.",
            )),
            run: Box::new(move |stage| {
                without_record(stage, on_any_error, Fault::AnswerLost, ERR, [80, 100, 180])
            }),
        },
    ];
    for (fault, what, answer, left_pending, money) in [
        (
            Fault::TrapAfterPayout,
            "a trap after the payout",
            TRAP,
            1,
            [80, 20, 100],
        ),
        (
            Fault::AnswerLost,
            "the answer is lost",
            ERR,
            1,
            [80, 20, 100],
        ),
        (
            Fault::RequestLost,
            "the request is lost",
            ERR,
            1,
            [0, 100, 100],
        ),
        (Fault::CalleeTraps, "canister2 traps", ERR, 1, [0, 100, 100]),
        (
            Fault::CalleeRejects,
            "canister2 rejects, and promises that nothing was paid",
            ERR,
            0,
            [0, 100, 100],
        ),
        (
            Fault::SystemRejects,
            "the system rejects before canister2 saw it",
            ERR,
            0,
            [0, 100, 100],
        ),
    ] {
        all.push(Experiment {
            method: "refund_withdraw",
            what,
            side: Side::RightWay,
            needs_local_replica: true,
            question: None,
            run: Box::new(move |stage| with_record(stage, fault, answer, left_pending, money)),
        });
    }
    for (fault, what, answer, money) in [
        (
            Fault::TrapAfterPayout,
            "unbounded wait: a trap after the payout",
            TRAP,
            [80, 20, 100],
        ),
        (
            Fault::CalleeTraps,
            "unbounded wait: canister2 traps",
            ERR,
            [0, 100, 100],
        ),
        (
            Fault::CalleeRejects,
            "unbounded wait: canister2 rejects",
            ERR,
            [0, 100, 100],
        ),
        (
            Fault::SystemRejects,
            "unbounded wait: the system rejects",
            ERR,
            [0, 100, 100],
        ),
    ] {
        all.push(Experiment {
            method: "refund_withdraw_unbounded",
            what,
            side: Side::RightWay,
            needs_local_replica: true,
            question: None,
            run: Box::new(move |stage| {
                without_record(stage, "refund_withdraw_unbounded", fault, answer, money)
            }),
        });
    }
    all.push(Experiment {
        method: "refund_withdraw_unbounded",
        what: "unbounded wait, its price: canister1 is to be stopped while canister2 is silent",
        side: Side::Rule,
        needs_local_replica: true,
        question: None,
        run: Box::new(stop_while_callee_is_silent),
    });
    all
}

fn sum_question(ask: &str, why: &'static str) -> Question {
    Question {
        ask: ask.to_owned(),
        choices: ["20", "100", "180"].map(str::to_owned).to_vec(),
        fact: SUM,
        why,
    }
}
