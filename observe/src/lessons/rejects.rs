//! The experiment of the lesson `rejects`: every failure that a caller can see, what the caller may
//! conclude from it, and what had really happened.
//!
//! The code that is observed: `canisters/canister1/src/rejects.rs`.

use std::time::Duration;

use anyhow::{Result, anyhow, ensure};
use candid::{CandidType, Deserialize};

use crate::lesson::{Experiment, Fact, Layout, Lesson, Question, Side, fact};
use crate::network::{Delivery, Kind, WaitingMessage};
use crate::stage::{Stage, decode};

/// The lesson.
pub const LESSON: Lesson = Lesson {
    name: "rejects",
    about: "What a caller may conclude when a call fails, and what it may not.",
    experiments,
    layout: Layout::Table(
        "saw: the error that canister1 got. may conclude: what its function conclude makes of it.\n\
         clean, retryable: what ic-cdk says of it. predicted, observed: by how much the counter of\n\
         canister2 grew.\n",
    ),
};

/// One failure.
struct Row {
    /// What happens.
    what: &'static str,
    /// The method of canister1 that sees it.
    method: &'static str,
    /// How the call is made to fail, if the method alone doesn't do that.
    treatment: Treatment,
    /// What canister1 sees.
    saw: &'static str,
    /// What it concludes.
    conclusion: Conclusion,
    /// Whether ic-cdk says that nothing happened.
    is_clean: bool,
    /// Whether ic-cdk says that the call might get through if it were made again at once.
    is_retryable: bool,
    /// How much the counter of canister2 grows.
    grown: u64,
    /// Why it is so.
    why: &'static str,
}

/// What is done to a call on its way.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Treatment {
    /// Nothing.
    None,
    /// canister2 is stopped before the call, and started after it.
    StoppedCallee,
    /// The system finds no room for the request.
    NoRoom,
    /// The request gets lost.
    LostRequest,
    /// The response gets lost.
    LostResponse,
    /// The time is over while canister2 awaits.
    Late,
}

/// What canister1 concludes.
#[derive(CandidType, Clone, Copy, Debug, Deserialize)]
enum Conclusion {
    NothingHappened,
    AsTheCalleeSays,
    UnknownButOver,
    Unknown,
    ItHappened,
}

impl Conclusion {
    fn words(self) -> &'static str {
        match self {
            Conclusion::NothingHappened => "nothing happened",
            Conclusion::AsTheCalleeSays => "as the callee says",
            Conclusion::UnknownButOver => "unknown, but over",
            Conclusion::Unknown => "unknown",
            Conclusion::ItHappened => "it happened",
        }
    }
}

/// What canister1 tells of a call that failed.
#[derive(CandidType, Deserialize)]
struct FailedCall {
    saw: String,
    conclusion: Conclusion,
    is_clean: bool,
    is_immediately_retryable: bool,
}

/// The fact that tells the counter.
const GROWN: &str = "how much canister2 grew";

/// How long canister1 waits where it doesn't wait for ever.
const WAIT: Duration = Duration::from_secs(60);

impl Row {
    fn experiment(self) -> Experiment {
        Experiment {
            method: self.method,
            what: self.what,
            side: Side::Rule,
            needs_local_replica: !matches!(
                self.treatment,
                Treatment::None | Treatment::StoppedCallee
            ),
            question: Some(Question {
                ask: format!(
                    "canister1 sees: {}. By how much has the counter of canister2 grown?",
                    self.saw
                ),
                choices: ["+0", "+1", "+2"].map(str::to_owned).to_vec(),
                fact: GROWN,
                why: self.why,
            }),
            run: Box::new(move |stage| self.run(stage)),
        }
    }

    fn run(&self, stage: &mut Stage) -> Result<Vec<Fact>> {
        let before = stage.counters()?.canister2;
        let failed = self.treatment.call(stage, self.method)?;
        let grown = stage.counters()?.canister2 - before;
        let yes = |is| if is { "yes" } else { "no" };
        Ok(vec![
            fact("saw", self.saw, &failed.saw),
            fact(
                "may conclude",
                self.conclusion.words(),
                failed.conclusion.words(),
            ),
            fact("clean", yes(self.is_clean), yes(failed.is_clean)),
            fact(
                "retryable",
                yes(self.is_retryable),
                yes(failed.is_immediately_retryable),
            ),
            fact(GROWN, format!("+{}", self.grown), format!("+{grown}")),
        ])
    }
}

impl Treatment {
    /// Calls a method of canister1, and returns how its own call failed.
    fn call(self, stage: &mut Stage, method: &str) -> Result<FailedCall> {
        let answer = match self {
            Treatment::None => stage.call(stage.canister1, method, ())?,
            Treatment::StoppedCallee => {
                command(stage, "stop_canister")?;
                let answer = stage.call(stage.canister1, method, ());
                command(stage, "start_canister")?;
                answer?
            }
            Treatment::NoRoom
            | Treatment::LostRequest
            | Treatment::LostResponse
            | Treatment::Late => {
                stage.hold()?;
                let sent = stage.send(stage.canister1, method, ())?;
                stage.deliver_call(method)?;
                self.disturb(stage)?;
                stage.release()?;
                stage.answer(&sent)?
            }
        };
        let outcome: Result<(), FailedCall> = decode(method, &answer)?;
        outcome
            .err()
            .ok_or_else(|| anyhow!("{method} did not fail"))
    }

    /// Delivers the one call that waits, or its answer, in the way that makes it fail.
    fn disturb(self, stage: &mut Stage) -> Result<()> {
        let request = |message: &WaitingMessage| message.kind == Kind::Request;
        let response = |message: &WaitingMessage| message.kind == Kind::Response;
        match self {
            Treatment::None | Treatment::StoppedCallee => return Ok(()),
            Treatment::NoRoom => return stage.deliver(request, Delivery::Reject),
            Treatment::LostRequest => stage.deliver(request, Delivery::Lose)?,
            Treatment::LostResponse => {
                stage.deliver(request, Delivery::Normally)?;
                stage.deliver(response, Delivery::Lose)?;
            }
            // canister2 begins, and awaits.
            Treatment::Late => stage.deliver(request, Delivery::Normally)?,
        }
        stage.advance_time(WAIT)
    }
}

/// What a controller commands canister2 to do.
fn command(stage: &mut Stage, method: &str) -> Result<()> {
    let answer = stage.command(stage.canister2, method)?;
    ensure!(answer.is_ok(), "canister2 does not obey {method}");
    Ok(())
}

/// All rows, in the order of the table: from the failures that tell the most to those that tell the
/// least.
fn experiments() -> Vec<Experiment> {
    rows().into_iter().map(Row::experiment).collect()
}

fn rows() -> Vec<Row> {
    let row = |what, method, treatment, saw, conclusion, ic_cdk: [bool; 2], grown, why| Row {
        what,
        method,
        treatment,
        saw,
        conclusion,
        is_clean: ic_cdk[0],
        is_retryable: ic_cdk[1],
        grown,
        why,
    };
    let unread = "canister2 committed, and replied. That canister1 can't read the reply changes nothing there.";
    let undelivered = "The system did not deliver the call: canister2 executed nothing.";
    let unknown = "canister1 sees the same when the call got lost, when the answer got lost, and when canister2 took too long.";
    // Of ic-cdk: whether the error is clean, and whether the call is retryable.
    vec![
        row(
            "the call needs more cycles than there are",
            "rejects_call_with_too_many_cycles",
            Treatment::None,
            "too few cycles",
            Conclusion::NothingHappened,
            [true, false],
            0,
            "The call never left canister1.",
        ),
        row(
            "the system has no room for the call",
            "rejects_call",
            Treatment::NoRoom,
            "reject 2",
            Conclusion::NothingHappened,
            [true, true],
            0,
            undelivered,
        ),
        row(
            "the canister does not exist",
            "rejects_call_missing_canister",
            Treatment::None,
            "reject 3",
            Conclusion::NothingHappened,
            [true, false],
            0,
            undelivered,
        ),
        row(
            "the callee adds 1 and rejects",
            "rejects_call_rejecting_callee",
            Treatment::None,
            "reject 4",
            Conclusion::AsTheCalleeSays,
            [false, false],
            1,
            "A reject is an answer like any other: what canister2 did before it is kept.",
        ),
        row(
            "the method does not exist",
            "rejects_call_missing_method",
            Treatment::None,
            "reject 5",
            Conclusion::UnknownButOver,
            [false, false],
            0,
            undelivered,
        ),
        row(
            "the callee is stopped",
            "rejects_call",
            Treatment::StoppedCallee,
            "reject 5",
            Conclusion::UnknownButOver,
            [false, false],
            0,
            undelivered,
        ),
        row(
            "the callee adds 1 and traps",
            "rejects_call_trapping_callee",
            Treatment::None,
            "reject 5",
            Conclusion::UnknownButOver,
            [false, false],
            0,
            "canister2 had no commit point before it trapped: all of it was one message.",
        ),
        row(
            "the callee adds 1, awaits, adds 1 and traps",
            "rejects_call_callee_trapping_after_await",
            Treatment::None,
            "reject 5",
            Conclusion::UnknownButOver,
            [false, false],
            1,
            "The await of canister2 was a commit point: its trap undid only what came after it.",
        ),
        row(
            "the callee adds 1 and does not reply",
            "rejects_call_silent_callee",
            Treatment::None,
            "reject 5",
            Conclusion::UnknownButOver,
            [false, false],
            1,
            "canister2 ended normally, and was kept. The system answered because nobody else did.",
        ),
        row(
            "the call gets lost",
            "rejects_call_with_bounded_wait",
            Treatment::LostRequest,
            "reject 6",
            Conclusion::Unknown,
            [false, true],
            0,
            unknown,
        ),
        row(
            "the answer gets lost",
            "rejects_call_with_bounded_wait",
            Treatment::LostResponse,
            "reject 6",
            Conclusion::Unknown,
            [false, true],
            1,
            unknown,
        ),
        row(
            "the callee takes too long, then adds 1",
            "rejects_call_slow_callee",
            Treatment::Late,
            "reject 6",
            Conclusion::Unknown,
            [false, true],
            1,
            unknown,
        ),
        row(
            "the reply is not what was expected",
            "rejects_misread_reply",
            Treatment::None,
            "unreadable reply",
            Conclusion::ItHappened,
            [false, false],
            1,
            unread,
        ),
    ]
}
