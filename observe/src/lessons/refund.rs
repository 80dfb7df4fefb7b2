//! 80 are withdrawn from an account with 100, and something goes wrong after the payout or before
//! it.
//!
//! The code that is observed: `lessons/04-refund`.

mod explorations;

use std::time::Duration;

use anyhow::{Context, Error, Result};

use crate::answer::Got;
use crate::lesson::{Canisters, Experiment, Fact, Layout, Lesson, Question, Side, fact, rule};
use crate::network::{Delivery, Kind, WaitingMessage};
use crate::stage::Stage;

pub const LESSON: Lesson = Lesson {
    name: "refund",
    about: "When a payment fails: give back only what is known not to have been paid.",
    canisters: Canisters::Room,
    introduction: None,
    experiments,
    explorations: explorations::all,
    layout: Layout::Table,
};

/// What goes wrong with a withdrawal.
#[derive(Clone, Copy)]
enum Fault {
    /// The caller traps when it goes on after the await; the callee has paid.
    TrapAfterPayout,
    /// The callee has paid, and its answer is lost.
    AnswerLost,
    RequestLost,
    /// The callee traps, and pays nothing.
    CalleeTraps,
    /// The callee pays, awaits, and traps then.
    CalleeTrapsAfterItsAwait,
    /// The system rejects the request in place of the callee.
    SystemRejects,
    /// The callee rejects, as it does above 90.
    CalleeRejects,
    /// The request does not get to the callee for as long as a call with bounded wait can last.
    RequestWaits,
}

/// No call with bounded wait waits longer.
const LONGEST_WAIT: Duration = Duration::from_secs(300);

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
            Fault::CalleeTrapsAfterItsAwait => {
                stage.deliver(request, Delivery::Normally)?; // The one to pay.
                stage.deliver(request, Delivery::Normally)?; // What the callee awaits.
                stage.deliver(response, Delivery::Trap)?;
            }
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

/// A withdrawal with a fault: what is tried, and what is predicted to become of it.
struct Withdrawal {
    side: Side,
    method: &'static str,
    what: &'static str,
    fault: Fault,
    /// What the user gets, in the words of [`Got::words`].
    got: &'static str,
    /// What is pending, before it is settled.
    pending: u64,
    /// What the callee has paid in the end.
    paid: u64,
    /// What the account has in the end.
    left: u64,
    why: &'static str,
}

const ERR: &str = "reply: Err";
const TRAP: &str = "reject 5, IC0503";
const NOTHING_YET: &str = "nothing yet";

/// The fact that is asked for.
const TOGETHER: &str = "together";

fn experiments() -> Vec<Experiment> {
    let all = withdrawals().into_iter();
    all.map(Withdrawal::experiment).collect()
}

impl Withdrawal {
    /// The right way, where nothing is paid and everything is given back at once.
    const GIVEN_BACK: Withdrawal = Withdrawal {
        side: Side::RightWay,
        method: "withdraw",
        what: "",
        fault: Fault::RequestLost,
        got: ERR,
        pending: 0,
        paid: 0,
        left: 100,
        why: "",
    };

    /// With unbounded wait.
    const UNBOUNDED: Withdrawal = Withdrawal {
        method: "withdraw_unbounded",
        ..Withdrawal::GIVEN_BACK
    };

    fn experiment(self) -> Experiment {
        let question = self.question();
        Experiment {
            side: self.side,
            ..rule(self.method, self.what, move |stage| self.run(stage))
        }
        .asks(question)
        .on_local_replica()
    }

    fn question(&self) -> Question {
        let ask = format!(
            "{} are withdrawn from an account with 100; {}. What is pending is settled. \
             How much is paid by the callee and left in the account, together?",
            self.fault.amount(),
            self.what
        );
        Question::new(&ask, ["20", "100", "180"], TOGETHER, self.why)
    }

    fn run(&self, stage: &mut Stage) -> Result<Vec<Fact>> {
        let (caller, callee) = (stage.caller, stage.callee);
        let opened: Result<u64, String> = stage.reply(caller, "open", ())?;
        let account = opened.map_err(Error::msg)?;
        stage.watch(caller, "balance", (account,))?;
        stage.watch(caller, "pending", (account,))?;
        stage.watch(callee, "paid", (caller, account))?;
        stage.begin_scene()?;
        stage.hold()?;
        let sent = stage.send(caller, self.method, (account, self.fault.amount()))?;
        stage.deliver_call(self.method)?;
        self.fault.happen(stage)?;
        let got = match stage.answer_so_far(&sent)? {
            Some(answer) => Got::read(&answer).words(),
            None => NOTHING_YET.to_owned(),
        };
        let pending: Option<u64> = stage.query(caller, "pending", (account,))?;
        if pending.is_some() {
            let settled: Result<(), String> = stage.reply(caller, "settle", (account,))?;
            settled.map_err(Error::msg)?;
        }
        let paid: u64 = stage.query(callee, "paid", (caller, account))?;
        let left: Option<u64> = stage.query(caller, "balance", (account,))?;
        let left = left.context("the account is gone")?;
        Ok(vec![
            fact("the user got", self.got, got),
            fact("pending", self.pending, pending.unwrap_or(0)),
            fact("paid", self.paid, paid),
            fact("left", self.left, left),
            fact(TOGETHER, self.paid + self.left, paid + left),
        ])
    }
}

fn withdrawals() -> Vec<Withdrawal> {
    vec![
        Withdrawal {
            side: Side::Mistake,
            method: "withdraw_giving_back_in_drop",
            what: "gives back in Drop: a trap after the payout",
            fault: Fault::TrapAfterPayout,
            got: TRAP,
            paid: 80,
            why: "The line that says that it was paid comes after the await, and was undone. Cleanup drops the variables as they were at the await, and gives back.",
            ..Withdrawal::GIVEN_BACK
        },
        Withdrawal {
            side: Side::Mistake,
            method: "withdraw_giving_back_in_drop",
            what: "gives back in Drop: the answer is lost",
            fault: Fault::AnswerLost,
            paid: 80,
            why: "After 300 seconds the caller sees SysUnknown, and returns Err without saying that it was paid. Drop gives back.",
            ..Withdrawal::GIVEN_BACK
        },
        Withdrawal {
            side: Side::Mistake,
            method: "withdraw_giving_back_on_any_error",
            what: "gives back on any error: the answer is lost",
            fault: Fault::AnswerLost,
            paid: 80,
            why: "After 300 seconds the caller sees SysUnknown: nobody knows. It does not say that nothing was paid.",
            ..Withdrawal::GIVEN_BACK
        },
        Withdrawal {
            side: Side::Mistake,
            method: "withdraw_giving_back_on_any_reject",
            what: "gives back on any reject: the callee pays, awaits, traps",
            fault: Fault::CalleeTrapsAfterItsAwait,
            paid: 80,
            why: "The await of the callee was a commit point: its trap did not undo the payout, and the caller saw a reject like any other.",
            ..Withdrawal::GIVEN_BACK
        },
        Withdrawal {
            what: "keeps a record: a trap after the payout",
            fault: Fault::TrapAfterPayout,
            got: TRAP,
            pending: 80,
            paid: 80,
            left: 20,
            why: "The record was written before the await, so the trap left it. The callee says that it paid.",
            ..Withdrawal::GIVEN_BACK
        },
        Withdrawal {
            what: "keeps a record: the answer is lost",
            fault: Fault::AnswerLost,
            pending: 80,
            paid: 80,
            left: 20,
            why: "SysUnknown proves nothing, so the payment stays pending. The callee says that it paid.",
            ..Withdrawal::GIVEN_BACK
        },
        Withdrawal {
            what: "keeps a record: the request is lost",
            fault: Fault::RequestLost,
            pending: 80,
            why: "SysUnknown proves nothing, so the payment stays pending. The callee says that it did not pay.",
            ..Withdrawal::GIVEN_BACK
        },
        Withdrawal {
            what: "keeps a record: the callee traps",
            fault: Fault::CalleeTraps,
            pending: 80,
            why: "CanisterError proves nothing in general. The callee says that it did not pay.",
            ..Withdrawal::GIVEN_BACK
        },
        Withdrawal {
            what: "keeps a record: the request waits for 300 s",
            fault: Fault::RequestWaits,
            pending: 80,
            why: "The call is over, and the request with it, but SysUnknown does not say so. The callee says that it did not pay.",
            ..Withdrawal::GIVEN_BACK
        },
        Withdrawal {
            what: "keeps a record: the callee rejects",
            fault: Fault::CalleeRejects,
            why: "The callee promises that it pays nothing when it rejects, so the amount is given back at once.",
            ..Withdrawal::GIVEN_BACK
        },
        Withdrawal {
            what: "keeps a record: the system rejects",
            fault: Fault::SystemRejects,
            why: "SysTransient is a clean reject: the callee never saw the request. The amount is given back at once.",
            ..Withdrawal::GIVEN_BACK
        },
        Withdrawal {
            what: "unbounded wait: a trap after the payout",
            fault: Fault::TrapAfterPayout,
            got: TRAP,
            paid: 80,
            left: 20,
            why: "The amount was taken before the await, and nothing gives it back in cleanup.",
            ..Withdrawal::UNBOUNDED
        },
        Withdrawal {
            what: "unbounded wait: the callee traps",
            fault: Fault::CalleeTraps,
            why: "The callee pays in the message that answers. It trapped, so nothing was paid.",
            ..Withdrawal::UNBOUNDED
        },
        Withdrawal {
            what: "unbounded wait: the callee rejects",
            fault: Fault::CalleeRejects,
            why: "The callee promises that it pays nothing when it rejects.",
            ..Withdrawal::UNBOUNDED
        },
        Withdrawal {
            what: "unbounded wait: the system rejects",
            fault: Fault::SystemRejects,
            why: "The callee never saw the request.",
            ..Withdrawal::UNBOUNDED
        },
        Withdrawal {
            side: Side::Rule,
            what: "unbounded wait, its price: the request waits for 300 s",
            fault: Fault::RequestWaits,
            got: NOTHING_YET,
            left: 20,
            why: "The caller still waits, and could not be stopped: the 80 are taken, and neither paid nor given back.",
            ..Withdrawal::UNBOUNDED
        },
    ]
}
