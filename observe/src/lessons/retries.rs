//! The experiment of the lesson `retries`: a call that is made again, without an id and with one.
//!
//! The code that is observed: `canisters/canister1/src/retries.rs`.

use std::fmt;
use std::time::Duration;

use anyhow::{Context, Result, anyhow};
use candid::{CandidType, Deserialize};

use crate::answer::Got;
use crate::lesson::{Act, Experiment, Fact, Layout, Lesson, Question, Side, fact};
use crate::network::timeline::Step;
use crate::network::{Answer, Delivery, Kind, WaitingMessage};
use crate::stage::{Stage, decode};

/// The lesson.
pub const LESSON: Lesson = Lesson {
    name: "retries",
    about: "How to call again without doing it twice.",
    experiments,
    layout: Layout::List,
};

/// The mistake. It takes an account of canister2.
const WITHOUT_ID: &str = "retries_increment_without_id";
/// The right way. It takes the number of an increment that was begun.
const ONCE: &str = "retries_increment_once";
/// Tells what canister2 knows of an increment that was begun.
const ASK: &str = "retries_ask";

/// How long canister1 waits for an answer.
const WAIT: Duration = Duration::from_secs(60);

/// How often canister1 calls before it gives up.
const ATTEMPTS: u32 = 3;

/// For how long canister1 tries again, and half of the time for which canister2 remembers.
const HOUR: Duration = Duration::from_secs(60 * 60);

// The facts.
const FIRST: &str = "canister1 saw first";
const CALLS: &str = "it called canister2";
const RETURNED: &str = "it returned";
const AGAIN: &str = "called again, it returned";
const COUNT: &str = "canister2 counts";
const KNOWN: &str = "canister2 knows";

/// What canister1 returns where no attempt was answered.
const NO_ANSWER: &str = "Err: canister2 did not answer 3 times";

fn experiments() -> Vec<Experiment> {
    use Treatment::{AnswerLost, CallLost, Trap};
    let increment = |method, side, treatment, returned, count, why| {
        Increment {
            method,
            side,
            treatment,
            returned,
            count,
            why,
        }
        .experiment()
    };
    let (wrong, right) = (Side::Mistake, Side::RightWay);
    vec![
        increment(
            WITHOUT_ID,
            wrong,
            AnswerLost,
            "Ok(2)",
            "2",
            "canister1 was told only that the outcome is unknown. It called again, and canister2 did as it was told, twice.",
        ),
        increment(
            WITHOUT_ID,
            wrong,
            CallLost,
            "Ok(1)",
            "1",
            "Here it was right to call again. But canister1 saw the same reject as with a lost answer: it had luck.",
        ),
        increment(
            WITHOUT_ID,
            wrong,
            Trap,
            "Ok(2)",
            "2",
            "The trap undid what canister1 did after its await, and nothing in canister2. The user could not know, and called again.",
        ),
        increment(
            ONCE,
            right,
            AnswerLost,
            "Ok(1)",
            "1",
            "canister2 knew the id from the first call, and told its result again.",
        ),
        increment(
            ONCE,
            right,
            CallLost,
            "Ok(1)",
            "1",
            "canister2 had never seen the id, and did what it was told.",
        ),
        increment(
            ONCE,
            right,
            Trap,
            "Ok(1)",
            "1",
            "The id was committed before the first call, so the trap did not undo it: the second call had the same.",
        ),
        ask(
            "every answer gets lost, then canister1 asks",
            right,
            Box::new(|stage| lose_all_then_ask(stage, Kind::Response, ["done: 1", "1"])),
            "canister2 remembers the result with the id.",
        ),
        ask(
            "every call gets lost, then canister1 asks",
            right,
            Box::new(|stage| lose_all_then_ask(stage, Kind::Request, ["not done", "0"])),
            "canister2 never saw the id. And as requests arrive in the order sent, it won't see it later.",
        ),
        ask(
            "every answer gets lost, and canister1 asks after more than 2 hours",
            Side::Rule,
            Box::new(too_late),
            "canister2 remembers ids for 2 hours. It refuses what is older, so that it is not done twice; but whether it was done at all, nobody can tell.",
        ),
    ]
}

// ---- Increments, each treated in the same way without an id and with one ---------------------

/// What goes wrong with one increment.
#[derive(Clone, Copy)]
enum Treatment {
    /// canister1's first call gets lost.
    CallLost,
    /// The answer to it gets lost.
    AnswerLost,
    /// canister1 traps when the answer arrives, and the user calls it again.
    Trap,
}

impl Treatment {
    fn words(self) -> &'static str {
        match self {
            Treatment::CallLost => "one increment, and the first call gets lost",
            Treatment::AnswerLost => "one increment, and the first answer gets lost",
            Treatment::Trap => "one increment; canister1 traps after it, and the user calls again",
        }
    }
}

/// One increment that is wanted, and what is predicted.
struct Increment {
    method: &'static str,
    side: Side,
    treatment: Treatment,
    /// What canister1 returns in the end.
    returned: &'static str,
    /// How often canister2 incremented.
    count: &'static str,
    why: &'static str,
}

impl Increment {
    fn experiment(self) -> Experiment {
        Experiment {
            method: self.method,
            what: self.treatment.words(),
            side: self.side,
            needs_local_replica: true,
            question: Some(Question {
                ask: format!("{}. What does canister2 count?", self.treatment.words()),
                choices: ["0", "1", "2"].map(str::to_owned).to_vec(),
                fact: COUNT,
                why: self.why,
            }),
            run: Box::new(move |stage| self.run(stage)),
        }
    }

    fn run(&self, stage: &mut Stage) -> Result<Vec<Fact>> {
        let account = open(stage)?;
        let argument = match self.method {
            ONCE => begin(stage, account)?,
            _ => account,
        };
        let mut facts = match self.treatment {
            Treatment::CallLost => self.lose(stage, argument, Kind::Request)?,
            Treatment::AnswerLost => self.lose(stage, argument, Kind::Response)?,
            Treatment::Trap => self.trap_then_call_again(stage, argument)?,
        };
        facts.push(fact(COUNT, self.count, count(stage, account)?));
        Ok(facts)
    }

    fn lose(&self, stage: &mut Stage, argument: u64, lost: Kind) -> Result<Vec<Fact>> {
        let answer = call_and_lose(stage, self.method, argument, lost, 1)?;
        let calls = stage.events().flat_map(|event| &event.calls).count();
        Ok(vec![
            fact(FIRST, "reject 6", first_answer(stage)?),
            fact(CALLS, "2 times", format!("{calls} times")),
            fact(RETURNED, self.returned, words(&answer)),
        ])
    }

    fn trap_then_call_again(&self, stage: &mut Stage, argument: u64) -> Result<Vec<Fact>> {
        stage.hold()?;
        let sent = stage.send(stage.canister1, self.method, (argument,))?;
        stage.deliver_call(self.method)?;
        stage.deliver(is(Kind::Request), Delivery::Normally)?;
        stage.deliver(is(Kind::Response), Delivery::Trap)?;
        stage.release()?;
        let answer = stage.answer(&sent)?;
        let again = stage.call(stage.canister1, self.method, (argument,))?;
        Ok(vec![
            fact(RETURNED, "reject 5, IC0503", words(&answer)),
            fact(AGAIN, self.returned, words(&again)),
        ])
    }
}

// ---- What canister2 knows afterwards ---------------------------------------------------------

/// What canister2 knows of an increment.
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

fn ask(what: &'static str, side: Side, run: Act, why: &'static str) -> Experiment {
    Experiment {
        method: ASK,
        what,
        side,
        needs_local_replica: true,
        question: Some(Question {
            ask: format!("One increment with an id; {what}. What does canister2 know of it?"),
            choices: ["done: 1", "not done", "forgotten"]
                .map(str::to_owned)
                .to_vec(),
            fact: KNOWN,
            why,
        }),
        run,
    }
}

fn lose_all_then_ask(
    stage: &mut Stage,
    lost: Kind,
    [known, counted]: [&str; 2],
) -> Result<Vec<Fact>> {
    let account = open(stage)?;
    let number = begin(stage, account)?;
    let answer = call_and_lose(stage, ONCE, number, lost, ATTEMPTS)?;
    Ok(vec![
        fact(RETURNED, NO_ANSWER, words(&answer)),
        fact(KNOWN, known, known_by_canister2(stage, number)?),
        fact(COUNT, counted, count(stage, account)?),
    ])
}

fn too_late(stage: &mut Stage) -> Result<Vec<Fact>> {
    let account = open(stage)?;
    let number = begin(stage, account)?;
    let answer = call_and_lose(stage, ONCE, number, Kind::Response, ATTEMPTS)?;
    stage.advance_time(HOUR)?;
    let again = stage.call(stage.canister1, ONCE, (number,))?;
    stage.advance_time(HOUR)?;
    Ok(vec![
        fact(RETURNED, NO_ANSWER, words(&answer)),
        fact(
            AGAIN,
            "Err: too late to try again; ask with retries_ask",
            words(&again),
        ),
        fact(KNOWN, "forgotten", known_by_canister2(stage, number)?),
        fact(COUNT, "1", count(stage, account)?),
    ])
}

fn known_by_canister2(stage: &mut Stage, number: u64) -> Result<Remembered> {
    let known: Result<Remembered, String> = stage.reply(stage.canister1, ASK, (number,))?;
    known.map_err(|why| anyhow!("canister1 could not ask: {why}"))
}

// ---- Calls -----------------------------------------------------------------------------------

/// A new account of canister2.
fn open(stage: &mut Stage) -> Result<u64> {
    stage.reply(stage.canister2, "retries_open", ())
}

/// A new increment of an account. What follows is the scene that a reader wants to see.
fn begin(stage: &mut Stage, account: u64) -> Result<u64> {
    stage.reply(stage.canister1, "retries_begin", (account,))
}

/// How often canister2 incremented an account.
fn count(stage: &mut Stage, account: u64) -> Result<u64> {
    let count: Option<u64> = stage.query(stage.canister2, "retries_count", (account,))?;
    count.context("canister2 has lost the account")
}

/// Calls a method of canister1, and loses what it calls, or the answers, this many times.
fn call_and_lose(
    stage: &mut Stage,
    method: &str,
    argument: u64,
    lost: Kind,
    times: u32,
) -> Result<Answer> {
    stage.hold()?;
    let sent = stage.send(stage.canister1, method, (argument,))?;
    stage.deliver_call(method)?;
    for _ in 0..times {
        if lost == Kind::Response {
            stage.deliver(is(Kind::Request), Delivery::Normally)?;
        }
        stage.deliver(is(lost), Delivery::Lose)?;
        stage.advance_time(WAIT)?;
        // The system's answer: SysUnknown.
        stage.deliver(is(Kind::Response), Delivery::Normally)?;
    }
    stage.release()?;
    stage.answer(&sent)
}

fn is(kind: Kind) -> impl Fn(&WaitingMessage) -> bool {
    move |message| message.kind == kind
}

/// What canister1 got for its first call.
fn first_answer(stage: &Stage) -> Result<String> {
    let mut answers = stage.events().filter_map(|event| match &event.step {
        Step::Callback { reject: None, .. } => Some("reply".to_owned()),
        Step::Callback {
            reject: Some(reject),
            ..
        } => Some(format!("reject {}", reject.code as u64)),
        _ => None,
    });
    answers.next().context("no call of canister1 was answered")
}

/// What the user got.
fn words(answer: &Answer) -> String {
    match decode::<Result<u64, String>>("", answer) {
        Ok(Ok(count)) => format!("Ok({count})"),
        Ok(Err(why)) => format!("Err: {why}"),
        Err(_) => Got::read(answer).words(),
    }
}
