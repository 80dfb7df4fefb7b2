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
    layout: Layout::Table(
        "pending: how many payments were pending, which were then settled. paid: by canister2 in the end.\n\
         left: in the account in the end. predicted, observed: both together, of 100.\n",
    ),
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
    /// The request does not get to canister2 for as long as a call with bounded wait can last.
    RequestWaits,
}

impl Fault {
    fn amount(self) -> u64 {
        match self {
            Fault::CalleeRejects => 95,
            _ => 80,
        }
    }

    /// Does it to the one payment that waits, and lets time pass until a lost answer is given up.
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
            Fault::RequestWaits => {}
        }
        stage.advance_time(LONGEST_WAIT)?;
        while stage.waiting()?.iter().any(response) {
            stage.deliver(response, Delivery::Normally)?;
        }
        Ok(())
    }
}

/// No call with bounded wait waits longer.
const LONGEST_WAIT: Duration = Duration::from_secs(300);

// ---- The facts -------------------------------------------------------------------------------

/// The facts of a withdrawal from an account with 100.
struct Outcome {
    /// What the caller got, in the words of [`Got::words`].
    got: &'static str,
    /// How many payments were pending, before they were settled.
    pending: usize,
    /// What canister2 has paid in the end.
    paid: u64,
    /// What the account has in the end.
    left: u64,
}

const ERR: &str = "reply: Err";
const TRAP: &str = "reject 5, IC0503";
const NOTHING_YET: &str = "nothing yet";

/// The fact that is asked for.
const SUM: &str = "paid and left together";

impl Outcome {
    fn compare(&self, stage: &mut Stage, account: u64, got: String) -> Result<Vec<Fact>> {
        let (canister1, canister2) = (stage.canister1, stage.canister2);
        let pending: Vec<u64> = stage.query(canister1, "refund_pending", (account,))?;
        for number in &pending {
            stage
                .reply::<Result<(), String>>(canister1, "refund_settle", (number,))?
                .map_err(|message| anyhow!(message))?;
        }
        let paid: u64 = stage.query(canister2, "refund_paid", (canister1, account))?;
        let left: Option<u64> = stage.query(canister1, "refund_balance", (account,))?;
        let left = left.context("the account is gone")?;
        Ok(vec![
            fact("the caller got", self.got, got),
            fact("pending", self.pending, pending.len()),
            fact("paid", self.paid, paid),
            fact("left", self.left, left),
            fact(SUM, self.paid + self.left, paid + left),
        ])
    }
}

// ---- The experiments -------------------------------------------------------------------------

/// A withdrawal with a fault.
struct Row {
    side: Side,
    method: &'static str,
    what: &'static str,
    fault: Fault,
    predicted: Outcome,
    why: &'static str,
}

impl Row {
    fn experiment(self) -> Experiment {
        Experiment {
            method: self.method,
            what: self.what,
            side: self.side,
            needs_local_replica: true,
            question: Some(self.question()),
            run: Box::new(move |stage| self.run(stage)),
        }
    }

    fn question(&self) -> Question {
        let amount = self.fault.amount();
        Question {
            ask: format!(
                "{amount} are withdrawn from an account with 100; {}. What is pending is settled. \
                 How much is paid by canister2 and left in the account, together?",
                self.what
            ),
            choices: ["20", "100", "180"].map(str::to_owned).to_vec(),
            fact: SUM,
            why: self.why,
        }
    }

    fn run(&self, stage: &mut Stage) -> Result<Vec<Fact>> {
        let account: u64 = stage.reply(stage.canister1, "refund_open", ())?;
        stage.begin_scene()?;
        stage.hold()?;
        let arguments = (account, self.fault.amount());
        let sent = stage.send(stage.canister1, self.method, arguments)?;
        stage.deliver_call(self.method)?;
        self.fault.happen(stage)?;
        let got = match stage.answer_so_far(&sent)? {
            Some(answer) => Got::read(&answer).words(),
            None => NOTHING_YET.to_owned(),
        };
        self.predicted.compare(stage, account, got)
    }
}

fn experiments() -> Vec<Experiment> {
    rows().into_iter().map(Row::experiment).collect()
}

fn rows() -> Vec<Row> {
    let row = |side, method, what, fault, got, [pending, paid, left]: [u64; 3], why| Row {
        side,
        method,
        what,
        fault,
        predicted: Outcome {
            got,
            pending: pending as usize,
            paid,
            left,
        },
        why,
    };
    let in_drop = "refund_withdraw_giving_back_in_drop";
    let on_any_error = "refund_withdraw_giving_back_on_any_error";
    let record = "refund_withdraw";
    let unbounded = "refund_withdraw_unbounded";
    // What is predicted: what is pending, what is paid, what is left.
    vec![
        row(
            Side::Mistake,
            in_drop,
            "Drop gives back: a trap after the payout",
            Fault::TrapAfterPayout,
            TRAP,
            [0, 80, 100],
            "The line that says that it was paid comes after the await, and was undone. Cleanup drops what was there at the await, and gives back.",
        ),
        row(
            Side::Mistake,
            on_any_error,
            "any Err gives back: the answer is lost",
            Fault::AnswerLost,
            ERR,
            [0, 80, 100],
            "After 300 seconds canister1 sees SysUnknown: nobody knows. It does not say that nothing was paid.",
        ),
        row(
            Side::RightWay,
            record,
            "a record is kept: a trap after the payout",
            Fault::TrapAfterPayout,
            TRAP,
            [1, 80, 20],
            "The record was written before the await, so the trap left it. canister2 says that it paid.",
        ),
        row(
            Side::RightWay,
            record,
            "a record is kept: the answer is lost",
            Fault::AnswerLost,
            ERR,
            [1, 80, 20],
            "SysUnknown proves nothing, so the payment stays pending. canister2 says that it paid.",
        ),
        row(
            Side::RightWay,
            record,
            "a record is kept: the request is lost",
            Fault::RequestLost,
            ERR,
            [1, 0, 100],
            "SysUnknown proves nothing, so the payment stays pending. canister2 says that it did not pay.",
        ),
        row(
            Side::RightWay,
            record,
            "a record is kept: canister2 traps",
            Fault::CalleeTraps,
            ERR,
            [1, 0, 100],
            "Of CANISTER_ERROR one does not know in general. canister2 says that it did not pay.",
        ),
        row(
            Side::RightWay,
            record,
            "a record is kept: the request waits for 300 s",
            Fault::RequestWaits,
            ERR,
            [1, 0, 100],
            "The call is over, and the request with it, but SysUnknown does not say so. canister2 says that it did not pay.",
        ),
        row(
            Side::RightWay,
            record,
            "a record is kept: canister2 rejects",
            Fault::CalleeRejects,
            ERR,
            [0, 0, 100],
            "canister2 promises that it pays nothing when it rejects, so the amount is given back at once.",
        ),
        row(
            Side::RightWay,
            record,
            "a record is kept: the system rejects",
            Fault::SystemRejects,
            ERR,
            [0, 0, 100],
            "SYS_TRANSIENT is a clean reject: canister2 never saw the request. The amount is given back at once.",
        ),
        row(
            Side::RightWay,
            unbounded,
            "unbounded wait: a trap after the payout",
            Fault::TrapAfterPayout,
            TRAP,
            [0, 80, 20],
            "The amount was taken before the await, and nothing gives it back in cleanup.",
        ),
        row(
            Side::RightWay,
            unbounded,
            "unbounded wait: canister2 traps",
            Fault::CalleeTraps,
            ERR,
            [0, 0, 100],
            "canister2 pays in the message that answers. It trapped, so nothing was paid.",
        ),
        row(
            Side::RightWay,
            unbounded,
            "unbounded wait: canister2 rejects",
            Fault::CalleeRejects,
            ERR,
            [0, 0, 100],
            "canister2 promises that it pays nothing when it rejects.",
        ),
        row(
            Side::RightWay,
            unbounded,
            "unbounded wait: the system rejects",
            Fault::SystemRejects,
            ERR,
            [0, 0, 100],
            "canister2 never saw the request.",
        ),
        row(
            Side::Rule,
            unbounded,
            "unbounded wait, its price: the request waits for 300 s",
            Fault::RequestWaits,
            NOTHING_YET,
            [0, 0, 20],
            "canister1 still waits, and could not be stopped: the 80 are taken, and neither paid nor given back.",
        ),
    ]
}
