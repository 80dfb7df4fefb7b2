//! The experiment of the lesson `cycles`: where attached cycles are after a call, however it ends.
//!
//! The code that is observed: `canisters/canister1/src/cycles.rs` and
//! `canisters/canister2/src/cycles.rs`.

use std::time::Duration;

use anyhow::{Context, Result};
use candid::{CandidType, Deserialize};

use crate::lesson::{Experiment, Fact, Layout, Lesson, Question, Side, fact};
use crate::network::{Answer, Delivery, Kind, WaitingMessage};
use crate::stage::{Stage, decode};

/// The lesson.
pub const LESSON: Lesson = Lesson {
    name: "cycles",
    about: "Where attached cycles are after a call, however it ends.",
    experiments,
    layout: Layout::Table(
        "C1, C2: canister1 and canister2. C1 saw: what became of its call. predicted, observed: how many of\n\
         the attached cycles C1 has again + how many C2 has + how many are lost. The price is 400 cycles.\n\
         Fees are not in it: they are paid from the balance, and not from what is attached.\n",
    ),
};

/// Longer than canister1 waits with bounded wait: 30 s.
const WAITING_IS_OVER: Duration = Duration::from_secs(31);

/// One way for a call to end.
struct Row {
    /// What happens.
    what: &'static str,
    /// What it stands for.
    side: Side,
    /// The method of canister1.
    method: &'static str,
    /// How the callee's work ends, where the method can tell it.
    work: Option<Work>,
    /// What the network does to the messages.
    treatment: Treatment,
    /// What canister1 sees.
    saw: &'static str,
    /// What it has attached.
    attached: &'static str,
    /// Where that is afterwards.
    predicted: &'static str,
    /// What else somebody may believe.
    beliefs: [&'static str; 2],
    /// Why it is so.
    why: &'static str,
}

/// What is done to a call on its way.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Treatment {
    /// Nothing.
    Nothing,
    /// The request gets lost.
    LoseRequest,
    /// The response gets lost.
    LoseResponse,
    /// canister2 has not answered yet when canister1 stops waiting.
    AnswerLate,
}

/// `Work` in both interfaces.
#[derive(CandidType, Clone, Copy)]
enum Work {
    Succeeds,
    Rejects,
    Traps,
}

/// What matters here of `Report` in canister1's interface.
#[derive(CandidType, Deserialize)]
struct Report {
    outcome: CallOutcome,
    attached: u128,
    back: u128,
}

/// `CallOutcome` in canister1's interface, without the texts.
#[derive(CandidType, Deserialize)]
enum CallOutcome {
    Replied,
    Rejected { code: u32 },
    NotSent(String),
}

/// What matters here of `Account` in canister2's interface.
#[derive(CandidType, Deserialize)]
struct Account {
    accepted: u128,
}

fn experiments() -> Vec<Experiment> {
    rows().into_iter().map(Row::experiment).collect()
}

fn rows() -> Vec<Row> {
    // canister1 attaches 1000, waits unbounded, and nothing is done to the call.
    let row = |what, side, method, saw, predicted, beliefs, why| Row {
        what,
        side,
        method,
        work: None,
        treatment: Treatment::Nothing,
        saw,
        attached: "1000",
        predicted,
        beliefs,
        why,
    };
    let careful = |what, work, saw, predicted, beliefs, why| Row {
        work: Some(work),
        ..row(
            what,
            Side::RightWay,
            "cycles_call_careful_callee",
            saw,
            predicted,
            beliefs,
            why,
        )
    };
    let bounded = |what, side, treatment, saw, predicted, beliefs, why| Row {
        treatment,
        ..row(
            what,
            side,
            "cycles_call_bounded_wait",
            saw,
            predicted,
            beliefs,
            why,
        )
    };
    vec![
        row(
            "the callee accepts none",
            Side::Rule,
            "cycles_call_free_method",
            "reply",
            "1000 + 0 + 0",
            ["0 + 1000 + 0", "0 + 0 + 1000"],
            "Attached cycles are an offer. What the callee does not accept comes back with the answer.",
        ),
        row(
            "the method does not exist",
            Side::Rule,
            "cycles_call_missing_method",
            "reject 5",
            "1000 + 0 + 0",
            ["0 + 1000 + 0", "0 + 0 + 1000"],
            "Nobody accepted them: they came back with the reject.",
        ),
        Row {
            attached: "too many",
            ..row(
                "the call needs more cycles than there are",
                Side::Rule,
                "cycles_call_with_too_many",
                "not sent",
                "all + 0 + 0",
                ["0 + all + 0", "0 + 0 + all"],
                "The call was not sent, and the cycles never left the balance.",
            )
        },
        row(
            "the callee accepts, then traps",
            Side::Rule,
            "cycles_call_trapping_callee",
            "reject 5",
            "1000 + 0 + 0",
            ["600 + 400 + 0", "0 + 0 + 1000"],
            "The trap undid the message, and the acceptance with it.",
        ),
        row(
            "the callee accepts, then rejects",
            Side::Mistake,
            "cycles_call_rejecting_callee",
            "reject 4",
            "600 + 400 + 0",
            ["1000 + 0 + 0", "0 + 400 + 600"],
            "A reject is an answer like any other: the message ended normally, and the acceptance is kept.",
        ),
        row(
            "the callee accepts, awaits, then traps",
            Side::Mistake,
            "cycles_call_awaiting_callee",
            "reject 5",
            "600 + 400 + 0",
            ["1000 + 0 + 0", "0 + 400 + 600"],
            "The await was a commit point. The trap undid only what came after it.",
        ),
        careful(
            "the callee works, then accepts",
            Work::Succeeds,
            "reply",
            "600 + 400 + 0",
            ["1000 + 0 + 0", "0 + 1000 + 0"],
            "The offer waits with the call until it is answered, also across the callee's awaits.",
        ),
        careful(
            "the same, and the work is rejected",
            Work::Rejects,
            "reject 4",
            "1000 + 0 + 0",
            ["600 + 400 + 0", "0 + 0 + 1000"],
            "When it was known that the work fails, nothing had been accepted yet.",
        ),
        careful(
            "the same, and the work traps",
            Work::Traps,
            "reject 5",
            "1000 + 0 + 0",
            ["600 + 400 + 0", "0 + 0 + 1000"],
            "When the work failed, nothing had been accepted yet.",
        ),
        Row {
            attached: "300",
            ..row(
                "the same, and too few are attached",
                Side::RightWay,
                "cycles_call_with_too_few",
                "reject 4",
                "300 + 0 + 0",
                ["0 + 300 + 0", "0 + 0 + 300"],
                "The callee looks at what is attached before it works.",
            )
        },
        bounded(
            "bounded wait, and all goes well",
            Side::Rule,
            Treatment::Nothing,
            "reply",
            "600 + 400 + 0",
            ["0 + 1000 + 0", "0 + 400 + 600"],
            "While the answer arrives in time, bounded wait is like unbounded wait.",
        ),
        bounded(
            "bounded wait, the request is lost",
            Side::Mistake,
            Treatment::LoseRequest,
            "reject 6",
            "0 + 0 + 1000",
            ["1000 + 0 + 0", "0 + 400 + 600"],
            "The cycles were on the request.",
        ),
        bounded(
            "bounded wait, the answer is lost",
            Side::Mistake,
            Treatment::LoseResponse,
            "reject 6",
            "0 + 400 + 600",
            ["600 + 400 + 0", "0 + 0 + 1000"],
            "canister2 had accepted its price. The refund was on the answer.",
        ),
        bounded(
            "bounded wait, the answer comes too late",
            Side::Mistake,
            Treatment::AnswerLate,
            "reject 6",
            "0 + 400 + 600",
            ["600 + 400 + 0", "1000 + 0 + 0"],
            "canister2 does not notice that nobody waits any more: it works and accepts. The refund finds nobody.",
        ),
        Row {
            treatment: Treatment::AnswerLate,
            ..careful(
                "unbounded wait, and the answer comes as late",
                Work::Succeeds,
                "reply",
                "600 + 400 + 0",
                ["0 + 400 + 600", "1000 + 0 + 0"],
                "canister1 waits as long as it takes, and nothing gets lost.",
            )
        },
        Row {
            attached: "400",
            treatment: Treatment::LoseResponse,
            ..row(
                "bounded wait with the price, the answer is lost",
                Side::RightWay,
                "cycles_call_bounded_wait_with_the_price",
                "reject 6",
                "0 + 400 + 0",
                ["400 + 0 + 0", "0 + 0 + 400"],
                "There was nothing to refund, so nothing could get lost on the way back.",
            )
        },
    ]
}

/// The fact that tells where the cycles are.
const WHERE: &str = "C1 + C2 + lost";

impl Row {
    fn experiment(self) -> Experiment {
        let question = Question {
            ask: format!(
                "{} cycles are attached, and canister2 wants 400. How many has canister1 again, how many \
                 has canister2, and how many are lost?",
                self.attached
            ),
            choices: self.choices(),
            fact: WHERE,
            why: self.why,
        };
        Experiment {
            method: self.method,
            what: self.what,
            side: self.side,
            needs_local_replica: self.treatment != Treatment::Nothing,
            question: Some(question),
            run: Box::new(move |stage| self.run(stage)),
        }
    }

    /// In an order that tells nothing.
    fn choices(&self) -> Vec<String> {
        let mut choices = vec![self.predicted, self.beliefs[0], self.beliefs[1]];
        choices.sort_unstable();
        choices.into_iter().map(str::to_owned).collect()
    }

    fn run(&self, stage: &mut Stage) -> Result<Vec<Fact>> {
        let account: u64 = stage.reply(stage.canister2, "cycles_open_account", ())?;
        stage.begin_scene()?;
        let answer = self.call(stage, account)?;
        let report: Report = decode(self.method, &answer)?;
        let found: Option<Account> = stage.query(stage.canister2, "cycles_account", (account,))?;
        let accepted = found.context("the account is gone")?.accepted;
        Ok(vec![
            fact("C1 saw", self.saw, report.outcome.words()),
            fact(
                "attached",
                self.attached,
                amount(report.attached, "too many"),
            ),
            fact(WHERE, self.predicted, report.sum(accepted)),
        ])
    }

    fn call(&self, stage: &mut Stage, account: u64) -> Result<Answer> {
        // Candid ignores arguments that a method does not know.
        let arguments = (account, self.work.unwrap_or(Work::Succeeds));
        if self.treatment == Treatment::Nothing {
            return stage.call(stage.canister1, self.method, arguments);
        }
        let callee = "cycles_work_then_accept";
        stage.hold()?;
        let sent = stage.send(stage.canister1, self.method, arguments)?;
        stage.deliver_call(self.method)?;
        match self.treatment {
            Treatment::LoseRequest => {
                stage.deliver(on_its_way(Kind::Request, callee), Delivery::Lose)?
            }
            Treatment::LoseResponse => {
                let response = on_its_way(Kind::Response, callee);
                while !stage.waiting()?.iter().any(&response) {
                    stage.deliver_next()?;
                }
                stage.deliver(response, Delivery::Lose)?;
            }
            // canister2 has begun, and waits for an answer itself.
            _ => stage.deliver_call(callee)?,
        }
        stage.advance_time(WAITING_IS_OVER)?;
        stage.release()?;
        stage.answer(&sent)
    }
}

fn on_its_way(kind: Kind, method: &'static str) -> impl Fn(&WaitingMessage) -> bool {
    move |message| message.kind == kind && message.method == method
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
    /// Where the attached cycles are: in canister1, in canister2, and neither.
    fn sum(&self, accepted: u128) -> String {
        let back = amount(self.back, "all");
        match self
            .attached
            .checked_sub(self.back.saturating_add(accepted))
        {
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
