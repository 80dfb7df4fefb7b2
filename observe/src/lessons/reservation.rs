//! The experiment of the lesson `reservation`: a seat and the money for it change together, or not
//! at all.
//!
//! The code that is observed: `canisters/canister1/src/reservation.rs` and
//! `canisters/canister2/src/reservation.rs`.

use std::fmt;
use std::time::Duration;

use anyhow::{Context, Result, anyhow};
use candid::{CandidType, Deserialize};

use crate::answer::Got;
use crate::lesson::{Experiment, Fact, Layout, Lesson, Question, Side, fact};
use crate::network::{Answer, Delivery, Kind, WaitingMessage};
use crate::stage::Stage;

/// The lesson.
pub const LESSON: Lesson = Lesson {
    name: "reservation",
    about: "Two canisters change together in two steps: prepare, which expires, and commit.",
    experiments,
    layout: Layout::List,
};

/// Longer than canister1 waits for an answer (30 s), and shorter than a seat is held (60 s).
const ANSWER_IS_OVERDUE: Duration = Duration::from_secs(31);

/// Longer than a seat is held.
const HOLD_IS_OVER: Duration = Duration::from_secs(61);

/// The money of a buyer: enough for two tickets.
const MONEY: u64 = 20;

const TOLD: &str = "the buyer is told";
const TOLD_THEN: &str = "the second time";
const BUYER: &str = "the buyer has";
const BUYER_THEN: &str = "the buyer then has";
const SEATS: &str = "the seats";
const SEATS_LATER: &str = "a minute later";
const ANOTHER: &str = "another buyer is told";
const FINISHED: &str = "reservation_finish says";
const FINISHED_TWICE: &str = "asked once more";

fn experiments() -> Vec<Experiment> {
    vec![
        experiment(
            Side::Mistake,
            "reservation_take_then_pay",
            "takes a seat in one step, and traps before it is paid",
            Question::new(
                "canister2 has sold the only seat in one step. canister1 traps before it takes the \
                 money. What is there a minute later?",
                &[ONE_FREE, ONE_HELD, ONE_SOLD],
                SEATS_LATER,
                "canister2 committed the sale in a message of its own. Nobody has the ticket, and \
                 nobody will ever free the seat.",
            ),
            |stage| {
                trap_before_payment(
                    stage,
                    ("reservation_take_then_pay", "reservation_take"),
                    [
                        "reject 5, IC0503",
                        "0 tickets, 0 paid",
                        ONE_SOLD,
                        ONE_SOLD,
                        "reply: Err, sold out",
                    ],
                )
            },
        ),
        experiment(
            Side::RightWay,
            "reservation_buy_in_two_steps",
            "prepares, and traps before it is paid",
            Question::new(
                "canister2 holds the only seat. canister1 traps before it takes the money, and does \
                 nothing more. What is there a minute later?",
                &[ONE_FREE, ONE_HELD, ONE_SOLD],
                SEATS_LATER,
                "What was prepared and never committed expires: canister2 looks at its clock whenever \
                 somebody looks at the seat.",
            ),
            |stage| {
                trap_before_payment(
                    stage,
                    ("reservation_buy_in_two_steps", "reservation_prepare"),
                    [
                        "reject 5, IC0503",
                        "0 tickets, 0 paid",
                        ONE_HELD,
                        ONE_FREE,
                        "reply: Ok",
                    ],
                )
            },
        ),
        experiment(
            Side::Mistake,
            "reservation_pay_then_take",
            "pays, takes a seat in one step, the answer is lost, and the buyer tries again",
            Question::new(
                "A buyer has paid 10, but the answer to reservation_take is lost. The buyer tries again, \
                 and this time all goes well. What has the buyer got?",
                &[
                    "1 ticket, 10 paid",
                    "1 ticket, 20 paid",
                    "2 tickets, 20 paid",
                ],
                BUYER,
                "The first request was executed, only its answer was lost. The second one took another \
                 seat.",
            ),
            |stage| {
                lose_first_answer(
                    stage,
                    ("reservation_pay_then_take", "reservation_take"),
                    [
                        "reply: Err, no answer from canister2",
                        "reply: Ok",
                        "1 ticket, 20 paid",
                        "2 sold, 0 held, 0 free",
                        "2 sold, 0 held, 0 free",
                    ],
                )
            },
        ),
        experiment(
            Side::RightWay,
            "reservation_buy_in_two_steps",
            "prepares, the answer is lost, and the buyer tries again",
            Question::new(
                "The answer to reservation_prepare is lost, and the buyer tries again with success. Of \
                 two seats, what is there a minute later?",
                &[
                    "1 sold, 0 held, 1 free",
                    "1 sold, 1 held, 0 free",
                    "2 sold, 0 held, 0 free",
                ],
                SEATS_LATER,
                "The first hold was never paid and never committed, so it expired.",
            ),
            |stage| {
                lose_first_answer(
                    stage,
                    ("reservation_buy_in_two_steps", "reservation_prepare"),
                    [
                        "reply: Err, no answer from canister2",
                        "reply: Ok",
                        "1 ticket, 10 paid",
                        "1 sold, 1 held, 0 free",
                        "1 sold, 0 held, 1 free",
                    ],
                )
            },
        ),
        experiment(
            Side::RightWay,
            "reservation_buy_in_two_steps",
            "commits after the hold has expired, and the seat is sold to another",
            Question::new(
                "A buyer has paid, but the network has no room for the commit. A minute later another \
                 buyer gets the seat. Then the commit is repeated, and arrives. What has the first buyer?",
                &[
                    "0 tickets, 0 paid",
                    "0 tickets, 10 paid",
                    "1 ticket, 10 paid",
                ],
                BUYER_THEN,
                "canister2 refuses a commit after the time of the hold, and never sells it later: so \
                 canister1 can give the money back.",
            ),
            commit_late,
        ),
        experiment(
            Side::RightWay,
            "reservation_finish",
            "traps after the commit, and commits again",
            Question::new(
                "canister2 has committed, and canister1 traps when it learns that. Then \
                 reservation_finish commits a second time. Of two seats, what is there in the end?",
                &[
                    "0 sold, 0 held, 2 free",
                    "1 sold, 0 held, 1 free",
                    "2 sold, 0 held, 0 free",
                ],
                SEATS,
                "A commit names its hold. The second one finds it sold, and says the same as the first.",
            ),
            commit_twice,
        ),
    ]
}

const ONE_FREE: &str = "0 sold, 0 held, 1 free";
const ONE_HELD: &str = "0 sold, 1 held, 0 free";
const ONE_SOLD: &str = "1 sold, 0 held, 0 free";

fn experiment(
    side: Side,
    method: &'static str,
    what: &'static str,
    question: Question,
    run: impl Fn(&mut Stage) -> Result<Vec<Fact>> + 'static,
) -> Experiment {
    Experiment {
        method,
        what,
        side,
        needs_local_replica: true,
        question: Some(question),
        run: Box::new(run),
    }
}

// ---- What is done to both the mistake and the right way ----------------------------------------

/// canister1 traps when it learns that canister2 has done the first thing that it was asked.
fn trap_before_payment(
    stage: &mut Stage,
    (method, asked): (&str, &str),
    predicted: [&str; 5],
) -> Result<Vec<Fact>> {
    let show = open_show(stage, 1)?;
    let (buyer, other) = (open_buyer(stage, show)?, open_buyer(stage, show)?);
    stage.begin_scene()?;
    let told = until_answered(stage, method, buyer, asked, Delivery::Trap)?;
    let (has, seats_now) = (look(stage, buyer)?, seats(stage, show)?);
    stage.advance_time(HOLD_IS_OVER)?;
    let later = seats(stage, show)?;
    let another = told_by(&stage.call(stage.canister1, method, (other,))?);
    let names = [TOLD, BUYER, SEATS, SEATS_LATER, ANOTHER];
    Ok(facts(
        names,
        predicted,
        [told, has, seats_now, later, another],
    ))
}

/// The answer to the first thing that canister2 is asked gets lost, and the buyer tries again.
fn lose_first_answer(
    stage: &mut Stage,
    (method, asked): (&str, &str),
    predicted: [&str; 5],
) -> Result<Vec<Fact>> {
    let show = open_show(stage, 2)?;
    let buyer = open_buyer(stage, show)?;
    stage.begin_scene()?;
    let told = until_answered(stage, method, buyer, asked, Delivery::Lose)?;
    let then = told_by(&stage.call(stage.canister1, method, (buyer,))?);
    let (has, seats_now) = (look(stage, buyer)?, seats(stage, show)?);
    stage.advance_time(HOLD_IS_OVER)?;
    let later = seats(stage, show)?;
    let names = [TOLD, TOLD_THEN, BUYER, SEATS, SEATS_LATER];
    Ok(facts(names, predicted, [told, then, has, seats_now, later]))
}

// ---- What can only be done to two steps --------------------------------------------------------

/// The commit does not arrive before the hold is over and the seat sold to another.
fn commit_late(stage: &mut Stage) -> Result<Vec<Fact>> {
    let show = open_show(stage, 1)?;
    let (buyer, other) = (open_buyer(stage, show)?, open_buyer(stage, show)?);
    stage.begin_scene()?;
    stage.hold()?;
    let method = "reservation_buy_in_two_steps";
    let sent = stage.send(stage.canister1, method, (buyer,))?;
    stage.deliver_call(method)?;
    stage.deliver_call("reservation_prepare")?;
    stage.deliver_response("reservation_prepare")?;
    let is_commit = |message: &WaitingMessage| message.method == "reservation_commit";
    stage.deliver(is_commit, Delivery::Reject)?;
    stage.release()?;
    let told = told_by(&stage.answer(&sent)?);
    let has = look(stage, buyer)?;

    stage.advance_time(HOLD_IS_OVER)?;
    let another = told_by(&stage.call(stage.canister1, method, (other,))?);
    let finished = finish(stage, buyer)?;
    let (has_then, seats) = (look(stage, buyer)?, seats(stage, show)?);
    Ok(facts(
        [TOLD, BUYER, ANOTHER, FINISHED, BUYER_THEN, SEATS],
        [
            "reply: Err, no answer from canister2",
            "0 tickets, 10 paid",
            "reply: Ok",
            "reply: Err, the hold has expired, and the money is back",
            "0 tickets, 0 paid",
            ONE_SOLD,
        ],
        [told, has, another, finished, has_then, seats],
    ))
}

/// canister1 traps when it learns that canister2 has committed, and asks again.
fn commit_twice(stage: &mut Stage) -> Result<Vec<Fact>> {
    let show = open_show(stage, 2)?;
    let buyer = open_buyer(stage, show)?;
    stage.begin_scene()?;
    stage.hold()?;
    let method = "reservation_buy_in_two_steps";
    let sent = stage.send(stage.canister1, method, (buyer,))?;
    stage.deliver_call(method)?;
    stage.deliver_call("reservation_prepare")?;
    stage.deliver_response("reservation_prepare")?;
    stage.deliver_call("reservation_commit")?;
    stage.deliver(answers("reservation_commit"), Delivery::Trap)?;
    stage.release()?;
    let told = told_by(&stage.answer(&sent)?);
    let has = look(stage, buyer)?;

    let finished = finish(stage, buyer)?;
    let (has_then, seats) = (look(stage, buyer)?, seats(stage, show)?);
    let again = finish(stage, buyer)?;
    Ok(facts(
        [TOLD, BUYER, FINISHED, BUYER_THEN, SEATS, FINISHED_TWICE],
        [
            "reject 5, IC0503",
            "0 tickets, 10 paid",
            "reply: Ok",
            "1 ticket, 10 paid",
            "1 sold, 0 held, 1 free",
            "reply: Err, nothing is to be finished",
        ],
        [told, has, finished, has_then, seats, again],
    ))
}

// ---- On the stage ------------------------------------------------------------------------------

/// Calls `method`, delivers the answer to the first thing that it asks canister2 in this way, and
/// returns what the buyer is told.
fn until_answered(
    stage: &mut Stage,
    method: &str,
    buyer: u64,
    asked: &str,
    how: Delivery,
) -> Result<String> {
    stage.hold()?;
    let sent = stage.send(stage.canister1, method, (buyer,))?;
    stage.deliver_call(method)?;
    stage.deliver_call(asked)?;
    stage.deliver(answers(asked), how)?;
    if how == Delivery::Lose {
        stage.advance_time(ANSWER_IS_OVERDUE)?;
    }
    stage.release()?;
    Ok(told_by(&stage.answer(&sent)?))
}

fn answers(method: &str) -> impl Fn(&WaitingMessage) -> bool {
    move |message| message.kind == Kind::Response && message.method == method
}

fn finish(stage: &mut Stage, buyer: u64) -> Result<String> {
    let answer = stage.call(stage.canister1, "reservation_finish", (buyer,))?;
    Ok(told_by(&answer))
}

fn open_show(stage: &mut Stage, seats: u64) -> Result<u64> {
    let opened: Result<u64, String> =
        stage.reply(stage.canister2, "reservation_open_show", (seats,))?;
    opened.map_err(|error| anyhow!("reservation_open_show: {error}"))
}

fn open_buyer(stage: &mut Stage, show: u64) -> Result<u64> {
    stage.reply(stage.canister1, "reservation_open_buyer", (show, MONEY))
}

fn look(stage: &mut Stage, buyer: u64) -> Result<String> {
    let found: Option<Buyer> = stage.query(stage.canister1, "reservation_buyer", (buyer,))?;
    let Buyer { money, tickets } = found.context("the buyer's account is gone")?;
    let plural = if tickets == 1 { "" } else { "s" };
    let paid = MONEY.saturating_sub(money);
    Ok(format!("{tickets} ticket{plural}, {paid} paid"))
}

fn seats(stage: &mut Stage, show: u64) -> Result<String> {
    let seats: Seats = stage.query(stage.canister2, "reservation_seats", (show,))?;
    Ok(seats.to_string())
}

/// What matters here of `Buyer` in canister1's interface.
#[derive(CandidType, Deserialize)]
struct Buyer {
    money: u64,
    tickets: u64,
}

/// `Seats` in canister2's interface.
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

// ---- In words ----------------------------------------------------------------------------------

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

fn facts<const N: usize>(
    names: [&'static str; N],
    predicted: [&str; N],
    observed: [String; N],
) -> Vec<Fact> {
    let both = predicted.into_iter().zip(observed);
    names
        .into_iter()
        .zip(both)
        .map(|(name, (predicted, observed))| fact(name, predicted, observed))
        .collect()
}
