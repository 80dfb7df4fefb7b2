//! Every failure that a caller can see, what the caller may conclude from it, and what had really
//! happened.
//!
//! The code that is observed: `lessons/02-rejects`.

mod explorations;
mod interface;

use std::time::Duration;

use anyhow::{Result, anyhow};

use self::interface::{Conclusion, FailedCall, counter};
use crate::lesson::{Canisters, Experiment, Fact, Layout, Lesson, Question, fact, rule};
use crate::network::{Delivery, Kind, WaitingMessage};
use crate::stage::{Stage, accepted, decode};

pub const LESSON: Lesson = Lesson {
    name: "rejects",
    about: "What you may conclude when a call fails, and what you may not.",
    canisters: Canisters::Room,
    introduction: None,
    experiments,
    explorations: explorations::all,
    layout: Layout::Table,
};

/// A way to fail: what is tried, and what is predicted to become of it.
struct Failure {
    what: &'static str,
    /// The caller's method that sees it.
    method: &'static str,
    /// How the call is made to fail, if the method alone doesn't do that.
    treatment: Treatment,
    /// What the caller sees.
    saw: &'static str,
    /// What it concludes.
    conclusion: Conclusion,
    /// Whether ic-cdk says that nothing happened.
    is_clean: bool,
    /// Whether ic-cdk says that the call might get through if it were made again at once.
    is_retryable: bool,
    /// How much the counter of the callee grows.
    grown: u64,
    why: &'static str,
}

/// What is done to a call on its way.
#[derive(Clone, Copy)]
enum Treatment {
    None,
    /// The callee is stopped before the call, and started after it.
    StoppedCallee,
    /// The system finds no room for the request.
    NoRoom,
    /// After the answer, time passes until what the callee set a timer for was done.
    TimeAfter,
    LostRequest,
    LostResponse,
    /// The time is over while the callee awaits.
    Late,
}

/// The fact that tells the counter.
const GROWN: &str = "callee grew by";

/// How long the caller waits where it doesn't wait for ever.
const WAIT: Duration = Duration::from_secs(60);

fn experiments() -> Vec<Experiment> {
    failures().into_iter().map(Failure::experiment).collect()
}

impl Failure {
    /// Of which ic-cdk says nothing good, and which leaves nothing behind.
    const DEFAULT: Failure = Failure {
        what: "",
        method: "",
        treatment: Treatment::None,
        saw: "",
        conclusion: Conclusion::Unknown,
        is_clean: false,
        is_retryable: false,
        grown: 0,
        why: "",
    };

    fn experiment(self) -> Experiment {
        let question = Question::new(
            &format!(
                "The caller sees: {}. By how much has the counter of the callee grown?",
                self.saw
            ),
            ["+0", "+1", "+2"],
            GROWN,
            self.why,
        );
        let treatment = self.treatment;
        let experiment = rule(self.method, self.what, move |stage| self.run(stage)).asks(question);
        match treatment {
            Treatment::None | Treatment::StoppedCallee => experiment,
            _ => experiment.on_local_replica(),
        }
    }

    fn run(&self, stage: &mut Stage) -> Result<Vec<Fact>> {
        stage.watch(stage.callee, "get", ())?;
        let before = counter(stage)?;
        let failed = self.treatment.call(stage, self.method)?;
        let grown = counter(stage)? - before;
        let (predicted, observed) = (self.conclusion.words(), failed.conclusion.words());
        let yes = |is| if is { "yes" } else { "no" };
        let (clean, retryable) = (failed.is_clean, failed.is_immediately_retryable);
        Ok(vec![
            fact("saw", self.saw, failed.saw),
            fact("may conclude", predicted, observed),
            fact("clean", yes(self.is_clean), yes(clean)),
            fact("retryable", yes(self.is_retryable), yes(retryable)),
            fact(GROWN, format!("+{}", self.grown), format!("+{grown}")),
        ])
    }
}

impl Treatment {
    /// Calls a method of the caller, and returns how its own call failed.
    fn call(self, stage: &mut Stage, method: &str) -> Result<FailedCall> {
        let answer = match self {
            Treatment::None => stage.call(stage.caller, method, ())?,
            Treatment::StoppedCallee => {
                accepted(stage.command(stage.callee, "stop_canister")?)?;
                let answer = stage.call(stage.caller, method, ())?;
                accepted(stage.command(stage.callee, "start_canister")?)?;
                answer
            }
            Treatment::TimeAfter => {
                let answer = stage.call(stage.caller, method, ())?;
                stage.hold()?;
                stage.advance_time(WAIT)?;
                stage.release()?;
                answer
            }
            _ => {
                stage.hold()?;
                let sent = stage.send(stage.caller, method, ())?;
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
            Treatment::None | Treatment::StoppedCallee | Treatment::TimeAfter => {
                return Ok(());
            }
            Treatment::NoRoom => return stage.deliver(request, Delivery::Reject),
            Treatment::LostRequest => stage.deliver(request, Delivery::Lose)?,
            Treatment::LostResponse => {
                stage.deliver(request, Delivery::Normally)?;
                stage.deliver(response, Delivery::Lose)?;
            }
            // The callee begins, and awaits.
            Treatment::Late => stage.deliver(request, Delivery::Normally)?,
        }
        stage.advance_time(WAIT)
    }
}

/// From the failures that tell the most to those that tell the least.
fn failures() -> Vec<Failure> {
    let undelivered = "The system did not deliver the call: the callee executed nothing.";
    let unknown = "The caller sees the same when the call got lost, when the answer got lost, and when the callee took too long.";
    vec![
        Failure {
            what: "the call needs more cycles than there are",
            method: "call_with_too_many_cycles",
            saw: "too few cycles",
            conclusion: Conclusion::NothingHappened,
            is_clean: true,
            why: "The call never left the caller.",
            ..Failure::DEFAULT
        },
        Failure {
            what: "the system has no room for the call",
            method: "call_increment",
            treatment: Treatment::NoRoom,
            saw: "reject 2",
            conclusion: Conclusion::NothingHappened,
            is_clean: true,
            is_retryable: true,
            why: undelivered,
            ..Failure::DEFAULT
        },
        Failure {
            what: "the canister does not exist",
            method: "call_missing_canister",
            saw: "reject 3",
            conclusion: Conclusion::NothingHappened,
            is_clean: true,
            why: undelivered,
            ..Failure::DEFAULT
        },
        Failure {
            what: "the callee adds 1 and rejects",
            method: "call_rejecting_callee",
            saw: "reject 4",
            conclusion: Conclusion::AsTheCalleeSays,
            grown: 1,
            why: "A reject is an answer like any other: what the callee did before it is kept.",
            ..Failure::DEFAULT
        },
        Failure {
            what: "the method does not exist",
            method: "call_missing_method",
            saw: "reject 5",
            conclusion: Conclusion::UnknownButCallEnded,
            why: undelivered,
            ..Failure::DEFAULT
        },
        Failure {
            what: "the callee is stopped",
            method: "call_increment",
            treatment: Treatment::StoppedCallee,
            saw: "reject 5",
            conclusion: Conclusion::UnknownButCallEnded,
            why: undelivered,
            ..Failure::DEFAULT
        },
        Failure {
            what: "the callee adds 1 and traps",
            method: "call_trapping_callee",
            saw: "reject 5",
            conclusion: Conclusion::UnknownButCallEnded,
            why: "The callee had no commit point before it trapped: all of it was one message.",
            ..Failure::DEFAULT
        },
        Failure {
            what: "the callee adds 1, awaits, adds 1 and traps",
            method: "call_callee_trapping_after_await",
            saw: "reject 5",
            conclusion: Conclusion::UnknownButCallEnded,
            grown: 1,
            why: "The await of the callee was a commit point: its trap undid only what came after it.",
            ..Failure::DEFAULT
        },
        Failure {
            what: "the callee sets a timer, awaits and traps",
            method: "call_callee_with_timer",
            treatment: Treatment::TimeAfter,
            saw: "reject 5",
            conclusion: Conclusion::UnknownButCallEnded,
            grown: 1,
            why: "The await of the callee was a commit point, so the timer was kept. It adds its 1 long after the call has ended.",
            ..Failure::DEFAULT
        },
        Failure {
            what: "the callee adds 1 and does not reply",
            method: "call_silent_callee",
            saw: "reject 5",
            conclusion: Conclusion::UnknownButCallEnded,
            grown: 1,
            why: "The callee ended normally, and was kept. The system answered because nobody else did.",
            ..Failure::DEFAULT
        },
        Failure {
            what: "no room for a call of the management canister",
            method: "call_management_canister",
            treatment: Treatment::NoRoom,
            saw: "reject 2",
            conclusion: Conclusion::Unknown,
            is_clean: true,
            is_retryable: true,
            why: "The management canister was called. What its reject means depends on the method: http_request may end like this after servers have acted.",
            ..Failure::DEFAULT
        },
        Failure {
            what: "the call gets lost",
            method: "call_with_bounded_wait",
            treatment: Treatment::LostRequest,
            saw: "reject 6",
            conclusion: Conclusion::Unknown,
            is_retryable: true,
            why: unknown,
            ..Failure::DEFAULT
        },
        Failure {
            what: "the answer gets lost",
            method: "call_with_bounded_wait",
            treatment: Treatment::LostResponse,
            saw: "reject 6",
            conclusion: Conclusion::Unknown,
            is_retryable: true,
            grown: 1,
            why: unknown,
            ..Failure::DEFAULT
        },
        Failure {
            what: "the callee takes too long, then adds 1",
            method: "call_slow_callee",
            treatment: Treatment::Late,
            saw: "reject 6",
            conclusion: Conclusion::Unknown,
            is_retryable: true,
            grown: 1,
            why: unknown,
            ..Failure::DEFAULT
        },
        Failure {
            what: "the reply is not what was expected",
            method: "misread_reply",
            saw: "unreadable reply",
            conclusion: Conclusion::Replied,
            grown: 1,
            why: "The callee committed and replied. A caller that can't read the reply changes nothing about that.",
            ..Failure::DEFAULT
        },
    ]
}
