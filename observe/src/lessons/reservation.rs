//! A seat and the money for it change together, or not at all.
//!
//! The code that is observed: `lessons/06-reservation`.

mod explorations;

use std::fmt;
use std::time::Duration;

use anyhow::{Context, Result, anyhow};
use candid::{CandidType, Deserialize};

use crate::answer::Got;
use crate::lesson::{
    Canisters, Experiment, Fact, Layout, Lesson, Question, fact, mistake, right_way,
};
use crate::network::{Answer, Delivery, Kind, Sent, WaitingMessage};
use crate::stage::Stage;

pub const LESSON: Lesson = Lesson {
    name: "reservation",
    about: "Two canisters change together in two steps: prepare, which expires, then commit.",
    canisters: Canisters::Room,
    introduction: None,
    experiments,
    explorations: explorations::all,
    layout: Layout::List,
};

/// Longer than the caller waits for an answer (30 s), and shorter than a seat is held (60 s).
const ANSWER_IS_OVERDUE: Duration = Duration::from_secs(31);

/// Longer than a seat is held.
const HOLD_IS_OVER: Duration = Duration::from_secs(61);

/// The money of a buyer: enough for two tickets.
const MONEY: u64 = 20;

// The facts.
const TOLD: &str = "the buyer is told";
const TOLD_THEN: &str = "the second time";
const BUYER: &str = "the buyer has";
const BUYER_THEN: &str = "the buyer then has";
const SEATS: &str = "the seats";
const SEATS_LATER: &str = "a minute later";
const ANOTHER: &str = "another buyer is told";
const FINISHED: &str = "finish says";
const FINISHED_TWICE: &str = "asked once more";

// What is predicted more than once.
const ONE_FREE: &str = "0 sold, 0 held, 1 free";
const ONE_HELD: &str = "0 sold, 1 held, 0 free";
const ONE_SOLD: &str = "1 sold, 0 held, 0 free";
const ONE_OF_TWO_SOLD: &str = "1 sold, 0 held, 1 free";
const BOTH_SOLD: &str = "2 sold, 0 held, 0 free";
const TRAP: &str = "reject 5, IC0503";
const NO_ANSWER: &str = "reply: Err, no answer from the callee";

fn experiments() -> Vec<Experiment> {
    let experiments = [
        mistake(
            TAKE_THEN_PAY.method,
            "takes a seat in one step, and traps before it takes the money",
            |stage| {
                let seen = trap_before_payment(stage, TAKE_THEN_PAY)?;
                Ok(vec![
                    fact(TOLD, TRAP, seen.told),
                    fact(BUYER, "0 tickets, 0 paid", seen.has),
                    fact(SEATS, ONE_SOLD, seen.seats),
                    fact(SEATS_LATER, ONE_SOLD, seen.seats_later),
                    fact(ANOTHER, "reply: Err, sold out", seen.told_then),
                ])
            },
        )
        .asks(Question::new(
            "The callee has sold the only seat in one step. The caller traps before it takes the \
             money. What are the seats a minute later?",
            [ONE_FREE, ONE_HELD, ONE_SOLD],
            SEATS_LATER,
            "The callee committed the sale in a message of its own. Nobody has the ticket, and \
             nobody will ever free the seat.",
        )),
        right_way(
            IN_TWO_STEPS.method,
            "holds a seat, and traps before it takes the money",
            |stage| {
                let seen = trap_before_payment(stage, IN_TWO_STEPS)?;
                Ok(vec![
                    fact(TOLD, TRAP, seen.told),
                    fact(BUYER, "0 tickets, 0 paid", seen.has),
                    fact(SEATS, ONE_HELD, seen.seats),
                    fact(SEATS_LATER, ONE_FREE, seen.seats_later),
                    fact(ANOTHER, "reply: Ok", seen.told_then),
                ])
            },
        )
        .asks(Question::new(
            "The callee holds the only seat. The caller traps before it takes the money, and does \
             nothing more. What are the seats a minute later?",
            [ONE_FREE, ONE_HELD, ONE_SOLD],
            SEATS_LATER,
            "A hold that is never committed expires. The callee looks at its clock whenever somebody \
             looks at the seat.",
        )),
        mistake(
            PAY_THEN_TAKE.method,
            "takes the money, then a seat in one step; the answer is lost, and the buyer tries again",
            |stage| {
                let seen = lose_first_answer(stage, PAY_THEN_TAKE)?;
                Ok(vec![
                    fact(TOLD, NO_ANSWER, seen.told),
                    fact(TOLD_THEN, "reply: Ok", seen.told_then),
                    fact(BUYER, "1 ticket, 20 paid", seen.has),
                    fact(SEATS, BOTH_SOLD, seen.seats),
                    fact(SEATS_LATER, BOTH_SOLD, seen.seats_later),
                ])
            },
        )
        .asks(Question::new(
            "A buyer has paid 10, but the answer to `take` is lost. The buyer tries again, and this \
             time all goes well. What does the buyer have?",
            ["1 ticket, 10 paid", "1 ticket, 20 paid", "2 tickets, 20 paid"],
            BUYER,
            "The first request was executed; only its answer was lost. The second took another \
             seat.",
        )),
        right_way(
            IN_TWO_STEPS.method,
            "holds a seat; the answer is lost, and the buyer tries again",
            |stage| {
                let seen = lose_first_answer(stage, IN_TWO_STEPS)?;
                Ok(vec![
                    fact(TOLD, NO_ANSWER, seen.told),
                    fact(TOLD_THEN, "reply: Ok", seen.told_then),
                    fact(BUYER, "1 ticket, 10 paid", seen.has),
                    fact(SEATS, "1 sold, 1 held, 0 free", seen.seats),
                    fact(SEATS_LATER, ONE_OF_TWO_SOLD, seen.seats_later),
                ])
            },
        )
        .asks(Question::new(
            "The answer to `prepare` is lost. The buyer tries again, and it works. There were two \
             seats. What are they a minute later?",
            [ONE_OF_TWO_SOLD, "1 sold, 1 held, 0 free", BOTH_SOLD],
            SEATS_LATER,
            "The first hold was never paid and never committed, so it expired.",
        )),
        right_way(
            IN_TWO_STEPS.method,
            "commits after the hold has expired, when somebody else has the seat",
            commit_late,
        )
        .asks(Question::new(
            "A buyer has paid, but the network has no room for the commit. A minute later another \
             buyer gets the seat. Then the commit is repeated, and arrives. What does the first buyer have?",
            ["0 tickets, 0 paid", "0 tickets, 10 paid", "1 ticket, 10 paid"],
            BUYER_THEN,
            "After the time of the hold the callee refuses the commit, now and for ever. So the caller \
             can give the money back.",
        )),
        right_way("finish", "traps after the commit, and commits again", commit_twice).asks(
            Question::new(
                "The callee has committed, and the caller traps when it learns that. Then `finish` \
                 commits a second time. There were two seats. What are they at the end?",
                ["0 sold, 0 held, 2 free", ONE_OF_TWO_SOLD, BOTH_SOLD],
                SEATS,
                "A commit names its hold. The second one finds it sold, and says the same as the \
                 first.",
            ),
        ),
    ];
    experiments.map(Experiment::on_local_replica).into()
}

// ---- What is done to both the mistake and the right way ----------------------------------------

/// A way to buy a ticket.
#[derive(Clone, Copy)]
struct Way {
    /// The caller's method.
    method: &'static str,
    /// The callee's method that it calls first.
    calls_first: &'static str,
}

const TAKE_THEN_PAY: Way = Way {
    method: "take_then_pay",
    calls_first: "take",
};
const PAY_THEN_TAKE: Way = Way {
    method: "pay_then_take",
    calls_first: "take",
};
const IN_TWO_STEPS: Way = Way {
    method: "buy_in_two_steps",
    calls_first: "prepare",
};

/// What is seen of a purchase that goes wrong, and of one after it.
struct Seen {
    told: String,
    told_then: String,
    has: String,
    seats: Seats,
    seats_later: Seats,
}

/// The caller traps when it learns that the callee has done the first thing that it was asked. A
/// minute later comes another buyer.
fn trap_before_payment(stage: &mut Stage, way: Way) -> Result<Seen> {
    let show = open_show(stage, 1)?;
    let (buyer, other) = (open_buyer(stage, show)?, open_buyer(stage, show)?);
    stage.begin_scene()?;
    let told = buy_with_first_answer(stage, way, buyer, Delivery::Trap)?;
    let (has, seats_now) = (look(stage, buyer)?, seats(stage, show)?);
    stage.advance_time(HOLD_IS_OVER)?;
    Ok(Seen {
        told,
        has,
        seats: seats_now,
        seats_later: seats(stage, show)?,
        told_then: told_by(&stage.call(stage.caller, way.method, (other,))?),
    })
}

/// The answer to the first thing that the callee is asked gets lost, and the buyer tries again.
fn lose_first_answer(stage: &mut Stage, way: Way) -> Result<Seen> {
    let show = open_show(stage, 2)?;
    let buyer = open_buyer(stage, show)?;
    stage.begin_scene()?;
    let told = buy_with_first_answer(stage, way, buyer, Delivery::Lose)?;
    let told_then = told_by(&stage.call(stage.caller, way.method, (buyer,))?);
    let (has, seats_now) = (look(stage, buyer)?, seats(stage, show)?);
    stage.advance_time(HOLD_IS_OVER)?;
    Ok(Seen {
        told,
        told_then,
        has,
        seats: seats_now,
        seats_later: seats(stage, show)?,
    })
}

/// Buys in a way, and has this happen to the first answer of the callee. Returns what the buyer is
/// told.
fn buy_with_first_answer(
    stage: &mut Stage,
    way: Way,
    buyer: u64,
    happens: Delivery,
) -> Result<String> {
    stage.hold()?;
    let sent = stage.send(stage.caller, way.method, (buyer,))?;
    stage.deliver_call(way.method)?;
    stage.deliver_call(way.calls_first)?;
    stage.deliver(answers(way.calls_first), happens)?;
    if happens == Delivery::Lose {
        stage.advance_time(ANSWER_IS_OVERDUE)?;
    }
    stage.release()?;
    Ok(told_by(&stage.answer(&sent)?))
}

// ---- What can only be done to two steps --------------------------------------------------------

/// The commit does not arrive before the hold is over and the seat sold to another.
fn commit_late(stage: &mut Stage) -> Result<Vec<Fact>> {
    let show = open_show(stage, 1)?;
    let (buyer, other) = (open_buyer(stage, show)?, open_buyer(stage, show)?);
    stage.begin_scene()?;
    let sent = buy_until_commit(stage, buyer)?;
    let is_commit = |message: &WaitingMessage| message.method == "commit";
    stage.deliver(is_commit, Delivery::Reject)?;
    stage.release()?;
    let told = told_by(&stage.answer(&sent)?);
    let has = look(stage, buyer)?;

    stage.advance_time(HOLD_IS_OVER)?;
    let another = told_by(&stage.call(stage.caller, IN_TWO_STEPS.method, (other,))?);
    let finished = finish(stage, buyer)?;
    let money_is_back = "reply: Err, the hold has expired, and the money is back";
    Ok(vec![
        fact(TOLD, NO_ANSWER, told),
        fact(BUYER, "0 tickets, 10 paid", has),
        fact(ANOTHER, "reply: Ok", another),
        fact(FINISHED, money_is_back, finished),
        fact(BUYER_THEN, "0 tickets, 0 paid", look(stage, buyer)?),
        fact(SEATS, ONE_SOLD, seats(stage, show)?),
    ])
}

/// The caller traps when it learns that the callee has committed, and asks again.
fn commit_twice(stage: &mut Stage) -> Result<Vec<Fact>> {
    let show = open_show(stage, 2)?;
    let buyer = open_buyer(stage, show)?;
    stage.begin_scene()?;
    let sent = buy_until_commit(stage, buyer)?;
    stage.deliver_call("commit")?;
    stage.deliver(answers("commit"), Delivery::Trap)?;
    stage.release()?;
    let told = told_by(&stage.answer(&sent)?);
    let nothing_to_finish = "reply: Err, nothing is to be finished";
    Ok(vec![
        fact(TOLD, TRAP, told),
        fact(BUYER, "0 tickets, 10 paid", look(stage, buyer)?),
        fact(FINISHED, "reply: Ok", finish(stage, buyer)?),
        fact(BUYER_THEN, "1 ticket, 10 paid", look(stage, buyer)?),
        fact(SEATS, ONE_OF_TWO_SOLD, seats(stage, show)?),
        fact(FINISHED_TWICE, nothing_to_finish, finish(stage, buyer)?),
    ])
}

/// Buys in two steps, up to where the commit waits to be delivered.
fn buy_until_commit(stage: &mut Stage, buyer: u64) -> Result<Sent> {
    let Way { method, .. } = IN_TWO_STEPS;
    stage.hold()?;
    let sent = stage.send(stage.caller, method, (buyer,))?;
    stage.deliver_call(method)?;
    stage.deliver_call("prepare")?;
    stage.deliver_response("prepare")?;
    Ok(sent)
}

// ---- On the stage ------------------------------------------------------------------------------

fn answers(method: &str) -> impl Fn(&WaitingMessage) -> bool {
    move |message| message.kind == Kind::Response && message.method == method
}

fn finish(stage: &mut Stage, buyer: u64) -> Result<String> {
    Ok(told_by(&stage.call(stage.caller, "finish", (buyer,))?))
}

fn open_show(stage: &mut Stage, seats: u64) -> Result<u64> {
    let arguments = (seats, vec![stage.caller]);
    let opened: Result<u64, String> = stage.reply(stage.callee, "open_show", arguments)?;
    let show = opened.map_err(|error| anyhow!("open_show: {error}"))?;
    stage.watch(stage.callee, "seats", (show,))?;
    Ok(show)
}

fn open_buyer(stage: &mut Stage, show: u64) -> Result<u64> {
    let opened: Result<u64, String> = stage.reply(stage.caller, "open_buyer", (show, MONEY))?;
    let buyer = opened.map_err(|error| anyhow!("open_buyer: {error}"))?;
    stage.watch(stage.caller, "buyer", (buyer,))?;
    Ok(buyer)
}

fn look(stage: &mut Stage, buyer: u64) -> Result<String> {
    let found: Option<Buyer> = stage.query(stage.caller, "buyer", (buyer,))?;
    let Buyer { money, tickets } = found.context("the buyer's account is gone")?;
    let plural = if tickets == 1 { "" } else { "s" };
    let paid = MONEY.saturating_sub(money);
    Ok(format!("{tickets} ticket{plural}, {paid} paid"))
}

fn seats(stage: &mut Stage, show: u64) -> Result<Seats> {
    stage.query(stage.callee, "seats", (show,))
}

/// What matters here of `Buyer` in the caller's interface.
#[derive(CandidType, Deserialize)]
struct Buyer {
    money: u64,
    tickets: u64,
}

/// `Seats` in the callee's interface.
#[derive(CandidType, Deserialize)]
struct Seats {
    free: u64,
    held: u64,
    sold: u64,
}

impl fmt::Display for Seats {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Seats { free, held, sold } = self;
        write!(f, "{sold} sold, {held} held, {free} free")
    }
}

/// What a buyer is told. Of an error's text, what comes before a colon: the details have ids in them.
fn told_by(answer: &Answer) -> String {
    match Got::read(answer) {
        Got::ReplyErr(text) => {
            let (what, _) = text.split_once(':').unwrap_or((&text, ""));
            format!("reply: Err, {what}")
        }
        got => got.words(),
    }
}
