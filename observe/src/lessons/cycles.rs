//! Where attached cycles are after a call, however it ends.
//!
//! The code that is observed: `lessons/12-cycles`.

mod explorations;
mod interface;

use std::time::Duration;

use anyhow::Result;
use candid::{CandidType, Deserialize};

use self::interface::{Account, Work};
use crate::lesson::{Canisters, Experiment, Fact, Layout, Lesson, Question, Side, fact, rule};
use crate::network::{Answer, Delivery, Kind, WaitingMessage};
use crate::stage::{Stage, decode};

pub const LESSON: Lesson = Lesson {
    name: "cycles",
    about: "Where attached cycles end up, however the call ends.",
    canisters: Canisters::Room,
    introduction: None,
    experiments,
    explorations: explorations::all,
    layout: Layout::Table,
};

fn experiments() -> Vec<Experiment> {
    ways_to_end().into_iter().map(Way::experiment).collect()
}

/// All ways for a call to end, in the order of the table.
fn ways_to_end() -> Vec<Way> {
    vec![
        Way {
            what: "the callee accepts none",
            method: "call_free_method",
            saw: "reply",
            cycles: "1000 + 0 + 0",
            beliefs: ["0 + 1000 + 0", "0 + 0 + 1000"],
            why: "Attached cycles are an offer. What the callee does not accept comes back with the answer.",
            ..Way::DEFAULT
        },
        Way {
            what: "the method does not exist",
            method: "call_missing_method",
            saw: "reject 5",
            cycles: "1000 + 0 + 0",
            beliefs: ["0 + 1000 + 0", "0 + 0 + 1000"],
            why: "Nobody accepted them: they came back with the reject.",
            ..Way::DEFAULT
        },
        Way {
            what: "the call needs more cycles than there are",
            method: "call_with_too_many",
            saw: "not sent",
            attached: "too many",
            cycles: "all + 0 + 0",
            beliefs: ["0 + all + 0", "0 + 0 + all"],
            why: "The call was not sent, and the cycles never left the balance.",
            ..Way::DEFAULT
        },
        Way {
            what: "the callee accepts, then traps",
            method: "call_trapping_callee",
            saw: "reject 5",
            cycles: "1000 + 0 + 0",
            beliefs: ["600 + 400 + 0", "0 + 0 + 1000"],
            why: "The trap undid the message, and the acceptance with it.",
            ..Way::DEFAULT
        },
        Way {
            what: "the callee accepts, then rejects",
            side: Side::Mistake,
            method: "call_rejecting_callee",
            saw: "reject 4",
            cycles: "600 + 400 + 0",
            beliefs: ["1000 + 0 + 0", "0 + 400 + 600"],
            why: "A reject is an answer like any other: the message ended normally, and the acceptance is kept.",
            ..Way::DEFAULT
        },
        Way {
            what: "the callee accepts, awaits, then traps",
            side: Side::Mistake,
            method: "call_awaiting_callee",
            saw: "reject 5",
            cycles: "600 + 400 + 0",
            beliefs: ["1000 + 0 + 0", "0 + 400 + 600"],
            why: "The await was a commit point. The trap undid only what came after it.",
            ..Way::DEFAULT
        },
        Way {
            what: "the callee works, then accepts",
            side: Side::RightWay,
            method: "call_careful_callee",
            saw: "reply",
            cycles: "600 + 400 + 0",
            beliefs: ["1000 + 0 + 0", "0 + 1000 + 0"],
            why: "The offer waits with the call until it is answered, also across the callee's awaits.",
            ..Way::DEFAULT
        },
        Way {
            what: "the same, and the work is rejected",
            side: Side::RightWay,
            method: "call_careful_callee",
            work: Work::Rejects,
            saw: "reject 4",
            cycles: "1000 + 0 + 0",
            beliefs: ["600 + 400 + 0", "0 + 0 + 1000"],
            why: "The callee had accepted nothing yet when it learned that the work fails.",
            ..Way::DEFAULT
        },
        Way {
            what: "the same, and the work traps",
            side: Side::RightWay,
            method: "call_careful_callee",
            work: Work::Traps,
            saw: "reject 5",
            cycles: "1000 + 0 + 0",
            beliefs: ["600 + 400 + 0", "0 + 0 + 1000"],
            why: "The callee had accepted nothing yet when the work failed.",
            ..Way::DEFAULT
        },
        Way {
            what: "the same, and too few are attached",
            side: Side::RightWay,
            method: "call_with_too_few",
            saw: "reject 4",
            attached: "300",
            cycles: "300 + 0 + 0",
            beliefs: ["0 + 300 + 0", "0 + 0 + 300"],
            why: "The callee looks at what is attached before it works.",
            ..Way::DEFAULT
        },
        Way {
            what: "bounded wait, and all goes well",
            method: "call_bounded_wait",
            saw: "reply",
            cycles: "600 + 400 + 0",
            beliefs: ["0 + 1000 + 0", "0 + 400 + 600"],
            why: "As long as the answer arrives in time, bounded wait is like unbounded wait.",
            ..Way::DEFAULT
        },
        Way {
            what: "bounded wait, the request is lost",
            side: Side::Mistake,
            method: "call_bounded_wait",
            treatment: Treatment::LoseRequest,
            saw: "reject 6",
            cycles: "0 + 0 + 1000",
            beliefs: ["1000 + 0 + 0", "0 + 400 + 600"],
            why: "The cycles were on the request.",
            ..Way::DEFAULT
        },
        Way {
            what: "bounded wait, the answer is lost",
            side: Side::Mistake,
            method: "call_bounded_wait",
            treatment: Treatment::LoseResponse,
            saw: "reject 6",
            cycles: "0 + 400 + 600",
            beliefs: ["600 + 400 + 0", "0 + 0 + 1000"],
            why: "The callee had accepted its price. The refund was on the answer.",
            ..Way::DEFAULT
        },
        Way {
            what: "bounded wait, the answer comes too late",
            side: Side::Mistake,
            method: "call_bounded_wait",
            treatment: Treatment::AnswerLate,
            saw: "reject 6",
            cycles: "0 + 400 + 600",
            beliefs: ["600 + 400 + 0", "1000 + 0 + 0"],
            why: "The callee doesn't notice that nobody is waiting. It works and accepts, and the refund is lost.",
            ..Way::DEFAULT
        },
        Way {
            what: "unbounded wait, and the answer comes as late",
            side: Side::RightWay,
            method: "call_careful_callee",
            treatment: Treatment::AnswerLate,
            saw: "reply",
            cycles: "600 + 400 + 0",
            beliefs: ["0 + 400 + 600", "1000 + 0 + 0"],
            why: "The caller waits as long as it takes, and nothing gets lost.",
            ..Way::DEFAULT
        },
        Way {
            what: "bounded wait with the price, the answer is lost",
            side: Side::RightWay,
            method: "call_bounded_wait_with_the_price",
            treatment: Treatment::LoseResponse,
            saw: "reject 6",
            attached: "400",
            cycles: "0 + 400 + 0",
            beliefs: ["400 + 0 + 0", "0 + 0 + 400"],
            why: "There was nothing to refund, so nothing could get lost on the way back.",
            ..Way::DEFAULT
        },
    ]
}

/// One way for a call to end.
struct Way {
    what: &'static str,
    side: Side,
    /// The method of the caller.
    method: &'static str,
    /// How the callee's work ends, where the method can tell it.
    work: Work,
    treatment: Treatment,
    /// What the caller sees.
    saw: &'static str,
    /// What it has attached.
    attached: &'static str,
    /// Where that is afterwards: in the caller, in the callee, in neither.
    cycles: &'static str,
    /// Where else somebody may believe it to be.
    beliefs: [&'static str; 2],
    /// Why it is so.
    why: &'static str,
}

/// What is done to a call on its way.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Treatment {
    Nothing,
    LoseRequest,
    LoseResponse,
    /// The callee has not answered yet when the caller stops waiting.
    AnswerLate,
}

/// The fact that tells where the cycles are.
const WHERE: &str = "caller + callee + lost";

/// Longer than the caller waits with bounded wait: 30 s.
const WAITING_IS_OVER: Duration = Duration::from_secs(31);

impl Way {
    /// The caller attaches 1000, and nothing is done to the call.
    const DEFAULT: Way = Way {
        what: "",
        side: Side::Rule,
        method: "",
        work: Work::Succeeds,
        treatment: Treatment::Nothing,
        saw: "",
        attached: "1000",
        cycles: "",
        beliefs: ["", ""],
        why: "",
    };

    fn experiment(self) -> Experiment {
        let ask = format!(
            "{} cycles are attached, and the callee wants 400. How many has the caller again, how \
             many has the callee, and how many are lost?",
            self.attached
        );
        // In an order that tells nothing.
        let mut choices = vec![self.cycles, self.beliefs[0], self.beliefs[1]];
        choices.sort_unstable();
        Experiment {
            side: self.side,
            needs_local_replica: self.treatment != Treatment::Nothing,
            question: Some(Question::new(&ask, choices, WHERE, self.why)),
            ..rule(self.method, self.what, move |stage| self.run(stage))
        }
    }

    fn run(&self, stage: &mut Stage) -> Result<Vec<Fact>> {
        let before = accepted(stage)?;
        stage.watch(stage.callee, "account", (stage.caller,))?;
        let answer = self.call(stage)?;
        let report: Report = decode(self.method, &answer)?;
        let accepted = accepted(stage)? - before;
        Ok(vec![
            fact("caller saw", self.saw, report.outcome.words()),
            fact(
                "attached",
                self.attached,
                amount(report.attached, "too many"),
            ),
            fact(WHERE, self.cycles, report.sum(accepted)),
        ])
    }

    fn call(&self, stage: &mut Stage) -> Result<Answer> {
        // Candid ignores arguments that a method does not know.
        let arguments = (self.work,);
        if self.treatment == Treatment::Nothing {
            return stage.call(stage.caller, self.method, arguments);
        }
        let work = "work_then_accept";
        stage.hold()?;
        let sent = stage.send(stage.caller, self.method, arguments)?;
        stage.deliver_call(self.method)?;
        match self.treatment {
            Treatment::LoseRequest => {
                stage.deliver(on_its_way(Kind::Request, work), Delivery::Lose)?;
            }
            Treatment::LoseResponse => {
                let response = on_its_way(Kind::Response, work);
                while !stage.waiting()?.iter().any(&response) {
                    stage.deliver_next()?;
                }
                stage.deliver(response, Delivery::Lose)?;
            }
            // The callee has begun, and waits for an answer itself.
            _ => stage.deliver_call(work)?,
        }
        stage.advance_time(WAITING_IS_OVER)?;
        stage.release()?;
        stage.answer(&sent)
    }
}

/// The cycles that the callee has accepted from the caller so far.
fn accepted(stage: &mut Stage) -> Result<u128> {
    let account: Account = stage.query(stage.callee, "account", (stage.caller,))?;
    Ok(account.accepted)
}

fn on_its_way(kind: Kind, method: &'static str) -> impl Fn(&WaitingMessage) -> bool {
    move |message| message.kind == kind && message.method == method
}

/// What matters here of `Report` in the caller's interface.
#[derive(CandidType, Deserialize)]
struct Report {
    outcome: CallOutcome,
    attached: u128,
    back: u128,
}

/// `CallOutcome` in the caller's interface, without the texts.
#[derive(CandidType, Deserialize)]
enum CallOutcome {
    Replied,
    Rejected { code: u32 },
    NotSent(String),
}

impl CallOutcome {
    fn words(&self) -> String {
        match self {
            CallOutcome::Replied => "reply".to_owned(),
            CallOutcome::Rejected { code } => format!("reject {code}"),
            CallOutcome::NotSent(_) => "not sent".to_owned(),
        }
    }
}

impl Report {
    /// Where the attached cycles are: in the caller, in the callee, and in neither.
    fn sum(&self, accepted: u128) -> String {
        let back = amount(self.back, "all");
        let found = self.back.saturating_add(accepted);
        match self.attached.checked_sub(found) {
            Some(lost) => format!("{back} + {accepted} + {lost}"),
            None => format!("{back} + {accepted}: more than were attached"),
        }
    }
}

/// A number of cycles; or a word for more than there can be.
fn amount(cycles: u128, endless: &str) -> String {
    match cycles {
        u128::MAX => endless.to_owned(),
        cycles => cycles.to_string(),
    }
}
