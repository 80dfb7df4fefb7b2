//! A call that is made again, without an id and with one.
//!
//! The code that is observed: `lessons/08-retries`.

mod explorations;

use std::fmt;
use std::time::Duration;

use anyhow::{Context, Result, anyhow};
use candid::{CandidType, Deserialize};

use crate::answer::Got;
use crate::lesson::{
    Canisters, Experiment, Fact, Layout, Lesson, Question, fact, mistake, right_way, rule,
};
use crate::network::timeline::Step;
use crate::network::{Answer, Delivery, Kind, WaitingMessage};
use crate::stage::{Stage, decode};

pub const LESSON: Lesson = Lesson {
    name: "retries",
    about: "How to call again without doing it twice.",
    canisters: Canisters::Room,
    introduction: None,
    experiments,
    explorations: explorations::all,
    layout: Layout::List,
};

/// The mistake. It takes an account of the callee.
const WITHOUT_ID: &str = "add_point_without_id";
/// The right way. It takes the number of a point that was begun.
const ONCE: &str = "add_point_once";
/// Tells what the callee knows of a point that was begun.
const ASK: &str = "ask";

/// How long the caller waits for an answer.
const WAIT: Duration = Duration::from_secs(60);

/// How often the caller calls before it gives up.
const ATTEMPTS: u32 = 3;

/// For how long the caller tries again, and half of the time for which the callee remembers.
const HOUR: Duration = Duration::from_secs(60 * 60);

// The facts.
const FIRST: &str = "the caller saw first";
const CALLS: &str = "it called the callee";
const RETURNED: &str = "it returned";
const AGAIN: &str = "called again, it returned";
const POINTS: &str = "points in the account";
const KNOWN: &str = "the callee knows";

/// What the caller returns where no attempt was answered.
const NO_ANSWER: &str = "Err: the callee did not answer 3 times";

fn experiments() -> Vec<Experiment> {
    let mut experiments: Vec<Experiment> = points().into_iter().map(Point::experiment).collect();
    experiments.extend(questions_to_the_callee());
    experiments.push(at_most_once());
    experiments
}

// ---- Points, each treated in the same way without an id and with one -------------------------

fn points() -> [Point; 6] {
    [
        Point {
            method: WITHOUT_ID,
            lost: Some(Kind::Response),
            points: 2,
            why: "The caller learned only that the outcome is unknown. It called again, and the callee added another point.",
        },
        Point {
            method: WITHOUT_ID,
            lost: Some(Kind::Request),
            points: 1,
            why: "Here it was right to call again. But the caller saw the same reject as with a lost answer. It was lucky.",
        },
        Point {
            method: WITHOUT_ID,
            lost: None,
            points: 2,
            why: "The trap undid what the caller did after its await, and nothing in the callee. The user could not know that.",
        },
        Point {
            method: ONCE,
            lost: Some(Kind::Response),
            points: 1,
            why: "The callee knew the id from the first call, and returned that result again.",
        },
        Point {
            method: ONCE,
            lost: Some(Kind::Request),
            points: 1,
            why: "The callee had never seen the id, so it added the point.",
        },
        Point {
            method: ONCE,
            lost: None,
            points: 1,
            why: "The id was committed before the first call, so the trap did not undo it. The second call had the same id.",
        },
    ]
}

/// One point that is wanted, and what is predicted.
struct Point {
    method: &'static str,
    /// What gets lost of the caller's first call. If nothing does, the caller traps when the answer
    /// arrives, and the user calls it again.
    lost: Option<Kind>,
    /// How many points the account has in the end, which the caller returns.
    points: u64,
    why: &'static str,
}

impl Point {
    fn experiment(self) -> Experiment {
        let what = match self.lost {
            Some(Kind::Response) => "one point, and the first answer gets lost",
            Some(_) => "one point, and the first call gets lost",
            None => "one point; the caller traps after the answer, and the user calls again",
        };
        let question = Question::new(
            &format!("{what}. How many points are in the account?"),
            [0, 1, 2],
            POINTS,
            self.why,
        );
        let method = self.method;
        let run = move |stage: &mut Stage| self.facts(stage);
        let experiment = match method {
            ONCE => right_way(method, what, run),
            _ => mistake(method, what, run),
        };
        experiment.asks(question).on_local_replica()
    }

    fn facts(&self, stage: &mut Stage) -> Result<Vec<Fact>> {
        let account = open(stage)?;
        let argument = match self.method {
            ONCE => begin(stage, account)?,
            _ => account,
        };
        let mut facts = match self.lost {
            Some(lost) => self.lose(stage, argument, lost)?,
            None => self.trap_then_call_again(stage, argument)?,
        };
        facts.push(fact(POINTS, self.points, points_in(stage, account)?));
        Ok(facts)
    }

    fn lose(&self, stage: &mut Stage, argument: u64, lost: Kind) -> Result<Vec<Fact>> {
        let answer = call_and_lose(stage, self.method, argument, lost, 1)?;
        let calls = stage.events().flat_map(|event| &event.calls).count();
        Ok(vec![
            fact(FIRST, "reject 6", first_answer(stage)?),
            fact(CALLS, "2 times", format!("{calls} times")),
            fact(RETURNED, self.returned(), words(&answer)),
        ])
    }

    fn trap_then_call_again(&self, stage: &mut Stage, argument: u64) -> Result<Vec<Fact>> {
        stage.hold()?;
        let sent = stage.send(stage.caller, self.method, (argument,))?;
        stage.deliver_call(self.method)?;
        stage.deliver(is(Kind::Request), Delivery::Normally)?;
        stage.deliver(is(Kind::Response), Delivery::Trap)?;
        stage.release()?;
        let answer = stage.answer(&sent)?;
        let again = stage.call(stage.caller, self.method, (argument,))?;
        Ok(vec![
            fact(RETURNED, "reject 5, IC0503", words(&answer)),
            fact(AGAIN, self.returned(), words(&again)),
        ])
    }

    fn returned(&self) -> String {
        format!("Ok({})", self.points)
    }
}

// ---- What the callee knows afterwards --------------------------------------------------------

fn questions_to_the_callee() -> [Experiment; 3] {
    let asks = |experiment: Experiment, why| {
        let what = experiment.what;
        let ask = format!("One point with an id; {what}. What does the callee know of it?");
        let choices = ["done: 1", "not done", "forgotten"];
        let question = Question::new(&ask, choices, KNOWN, why);
        experiment.asks(question).on_local_replica()
    };
    [
        asks(
            right_way(
                ASK,
                "every answer gets lost, then the caller asks",
                lose_all_answers,
            ),
            "The callee remembers the result with the id.",
        ),
        asks(
            right_way(
                ASK,
                "every call gets lost, then the caller asks",
                lose_all_calls,
            ),
            "The callee never saw the id. Requests arrive in the order sent, so it won't see it later either.",
        ),
        asks(
            rule(
                ASK,
                "every answer gets lost, and the caller asks after more than 2 hours",
                too_late,
            ),
            "The callee remembers ids for 2 hours and refuses older ones, so nothing is done twice. Whether it was done at all, nobody can tell any more.",
        ),
    ]
}

fn lose_all_answers(stage: &mut Stage) -> Result<Vec<Fact>> {
    let account = open(stage)?;
    let number = begin(stage, account)?;
    let answer = call_and_lose(stage, ONCE, number, Kind::Response, ATTEMPTS)?;
    Ok(vec![
        fact(RETURNED, NO_ANSWER, words(&answer)),
        fact(KNOWN, "done: 1", ask(stage, number)?),
        fact(POINTS, 1, points_in(stage, account)?),
    ])
}

fn lose_all_calls(stage: &mut Stage) -> Result<Vec<Fact>> {
    let account = open(stage)?;
    let number = begin(stage, account)?;
    let answer = call_and_lose(stage, ONCE, number, Kind::Request, ATTEMPTS)?;
    Ok(vec![
        fact(RETURNED, NO_ANSWER, words(&answer)),
        fact(KNOWN, "not done", ask(stage, number)?),
        fact(POINTS, 0, points_in(stage, account)?),
    ])
}

fn too_late(stage: &mut Stage) -> Result<Vec<Fact>> {
    let account = open(stage)?;
    let number = begin(stage, account)?;
    let answer = call_and_lose(stage, ONCE, number, Kind::Response, ATTEMPTS)?;
    stage.advance_time(HOUR)?;
    let again = stage.call(stage.caller, ONCE, (number,))?;
    stage.advance_time(HOUR)?;
    let refusal = "Err: too late to try again; ask with `ask`";
    Ok(vec![
        fact(RETURNED, NO_ANSWER, words(&answer)),
        fact(AGAIN, refusal, words(&again)),
        fact(KNOWN, "forgotten", ask(stage, number)?),
        fact(POINTS, 1, points_in(stage, account)?),
    ])
}

/// What the callee knows of a point.
#[derive(CandidType, Deserialize)]
enum Remembered {
    Done(u64),
    NotDone,
    Forgotten,
}

impl fmt::Display for Remembered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Remembered::Done(count) => write!(f, "done: {count}"),
            Remembered::NotDone => f.write_str("not done"),
            Remembered::Forgotten => f.write_str("forgotten"),
        }
    }
}

fn ask(stage: &mut Stage, number: u64) -> Result<Remembered> {
    let known: Result<Remembered, String> = stage.reply(stage.caller, ASK, (number,))?;
    known.map_err(|why| anyhow!("the caller could not ask: {why}"))
}

// ---- What the system repeats, and what it doesn't ----------------------------------------------

/// How many points there are, long after the caller has given up.
const POINTS_LATER: &str = "a day later, points";

fn at_most_once() -> Experiment {
    rule(
        WITHOUT_ID,
        "three attempts: two calls and the third answer get lost, and a day passes",
        delivered_at_most_once,
    )
    .on_local_replica()
    .asks(Question::new(
        "The caller calls three times, and gives up. The first two calls got lost, and the answer to \
         the third. How many points are in the account a day later?",
        [0, 1, 3],
        POINTS_LATER,
        "Each call is delivered once or never. The system repeats nothing: only the caller does.",
    ))
}

fn delivered_at_most_once(stage: &mut Stage) -> Result<Vec<Fact>> {
    const DAY: Duration = Duration::from_secs(24 * 60 * 60);
    let account = open(stage)?;
    stage.hold()?;
    let sent = stage.send(stage.caller, WITHOUT_ID, (account,))?;
    stage.deliver_call(WITHOUT_ID)?;
    for lost in [Kind::Request, Kind::Request, Kind::Response] {
        lose(stage, lost)?;
    }
    let calls = stage.events().flat_map(|event| &event.calls).count();
    let at_once = points_in(stage, account)?;
    stage.advance_time(DAY)?;
    let waiting = stage.waiting()?.len();
    stage.release()?;
    Ok(vec![
        fact(RETURNED, NO_ANSWER, words(&stage.answer(&sent)?)),
        fact(CALLS, "3 times", format!("{calls} times")),
        fact(POINTS, 1, at_once),
        fact("a day later, messages on their way", 0, waiting),
        fact(POINTS_LATER, 1, points_in(stage, account)?),
    ])
}

// ---- Calls -----------------------------------------------------------------------------------

/// A new account of the callee. What follows is the scene that a reader wants to see.
fn open(stage: &mut Stage) -> Result<u64> {
    let opened: Result<u64, String> = stage.reply(stage.callee, "open", (stage.caller,))?;
    let account = opened.map_err(|why| anyhow!("open: {why}"))?;
    stage.watch(stage.callee, "points", (account,))?;
    stage.begin_scene()?;
    Ok(account)
}

/// A new point for an account. The one before it, which nobody calls for, tells its number, so
/// that its beginning can be watched as well.
fn begin(stage: &mut Stage, account: u64) -> Result<u64> {
    let next = |stage: &mut Stage| -> Result<u64> {
        let begun: Result<u64, String> = stage.reply(stage.caller, "begin", (account,))?;
        begun.map_err(|why| anyhow!("begin: {why}"))
    };
    let before = next(stage)?;
    stage.watch(stage.caller, "result", (before + 1,))?;
    stage.begin_scene()?;
    next(stage)
}

/// How many points an account has.
fn points_in(stage: &mut Stage, account: u64) -> Result<u64> {
    let points: Option<u64> = stage.query(stage.callee, "points", (account,))?;
    points.context("the callee has lost the account")
}

/// Calls a method of the caller, and loses what it calls, or the answers, this many times.
fn call_and_lose(
    stage: &mut Stage,
    method: &str,
    argument: u64,
    lost: Kind,
    times: u32,
) -> Result<Answer> {
    stage.hold()?;
    let sent = stage.send(stage.caller, method, (argument,))?;
    stage.deliver_call(method)?;
    for _ in 0..times {
        lose(stage, lost)?;
    }
    stage.release()?;
    stage.answer(&sent)
}

/// Loses the call that waits, or the answer to it, and delivers what the system then answers.
fn lose(stage: &mut Stage, lost: Kind) -> Result<()> {
    if lost == Kind::Response {
        stage.deliver(is(Kind::Request), Delivery::Normally)?;
    }
    stage.deliver(is(lost), Delivery::Lose)?;
    stage.advance_time(WAIT)?;
    // The system's answer: SysUnknown.
    stage.deliver(is(Kind::Response), Delivery::Normally)
}

fn is(kind: Kind) -> impl Fn(&WaitingMessage) -> bool {
    move |message| message.kind == kind
}

/// What the caller got for its first call.
fn first_answer(stage: &Stage) -> Result<String> {
    let mut answers = stage.events().filter_map(|event| match &event.step {
        Step::Callback { reject: None, .. } => Some("reply".to_owned()),
        Step::Callback {
            reject: Some(reject),
            ..
        } => Some(format!("reject {}", reject.code as u64)),
        _ => None,
    });
    answers.next().context("no call of the caller was answered")
}

/// What the user got.
fn words(answer: &Answer) -> String {
    match decode::<Result<u64, String>>("", answer) {
        Ok(Ok(count)) => format!("Ok({count})"),
        Ok(Err(why)) => format!("Err: {why}"),
        Err(_) => Got::read(answer).words(),
    }
}
