//! The experiments of the lesson `upgrades`: an upgrade while a call is in flight.
//!
//! The code that is observed: `canisters/canister1/src/upgrades.rs`.

use anyhow::{Result, anyhow};
use candid::{CandidType, Deserialize, Principal};

use crate::answer::Got;
use crate::lesson::{Experiment, Fact, Layout, Lesson, Question, Side, fact};
use crate::network::{Answer, Sent};
use crate::stage::{Stage, accepted};

/// The lesson.
pub const LESSON: Lesson = Lesson {
    name: "upgrades",
    about: "An upgrade while a call is in flight, without and with stopping first.",
    experiments,
    layout: Layout::List,
};

fn experiments() -> Vec<Experiment> {
    let experiment = |method, what, side, (ask, choices, fact, why): Asked, run: Run| Experiment {
        method,
        what,
        side,
        needs_local_replica: true,
        question: Some(Question {
            ask: ask.to_owned(),
            choices: choices.iter().map(|text| (*text).to_owned()).collect(),
            fact,
            why,
        }),
        run: Box::new(run),
    };
    vec![
        experiment(
            "upgrades_order",
            "canister1 is upgraded while its call is in flight",
            Side::Mistake,
            (
                "canister1 locks an order, calls canister2, and is upgraded before the answer comes. \
                 The lock was saved with the state. How is it after the answer?",
                &["open", "locked"],
                SAVED_LOCK,
                "The code that would open it was in the memory of the old instance, and went with it. \
                 The answer found nothing there but a trap; the lock had been saved.",
            ),
            upgraded_in_flight,
        ),
        experiment(
            "upgrades_order",
            "the same, and the next order is on its way when the answer comes",
            Side::Mistake,
            (
                "The same, but the next order was sent after the upgrade, and canister2 has not begun with \
                 it. The answer to the first order comes. How often did canister1 see the next \
                 order done?",
                &["never", "once", "twice"],
                NEXT_SEEN,
                "The answer is brought to a place in memory. At the same place the new instance keeps \
                 its wait for the next order, and takes the answer for its own.",
            ),
            answer_for_another,
        ),
        experiment(
            "upgrades_order",
            "canister1 is stopped first, then upgraded",
            Side::RightWay,
            (
                "At the same moment canister1 is stopped, and upgraded when it has stopped. How is the \
                 lock in the end?",
                &["open", "locked"],
                SAVED_LOCK,
                "Stopping refuses new calls but delivers answers to open ones. It ended only when the \
                 method had come to its end, and had opened the lock.",
            ),
            stopped_first,
        ),
        experiment(
            "upgrades_order_with_journal",
            "canister1 is upgraded while its call is in flight, and has a journal",
            Side::RightWay,
            (
                "canister1 writes 'Sent' into a journal, calls canister2, and is upgraded before the \
                 answer comes. What does the journal say after the answer?",
                &["New", "Sent", "Done"],
                JOURNAL,
                "'Sent' was committed by the await and saved by the upgrade; the code that would write \
                 'Done' is gone. But now somebody can see that, and finish it.",
            ),
            upgraded_with_journal,
        ),
        experiment(
            "upgrades_order_slow",
            "canister2 is upgraded in an await of its own, while it handles the call",
            Side::Mistake,
            (
                "canister2 is upgraded while it handles a call of canister1, in an await. What does \
                 canister1 see?",
                &["no answer, for ever", "a reply", "reject 5"],
                SAW,
                "canister2's callback trapped, and the system rejected the call in its place. canister1 \
                 can't tell from this whether the work was done.",
            ),
            |stage| callee(stage, false, "never", "reject 5"),
        ),
        experiment(
            "upgrades_order_slow",
            "canister2 is stopped first, then upgraded",
            Side::RightWay,
            (
                "canister2 is stopped at the same moment, and upgraded when it has stopped. What does \
                 canister1 see?",
                &["no answer, for ever", "a reply", "reject 5"],
                SAW,
                "canister2 stopped only after it had answered the call that it was handling.",
            ),
            |stage| callee(stage, true, "once", "a reply"),
        ),
    ]
}

type Run = fn(&mut Stage) -> Result<Vec<Fact>>;

/// What is asked, the choices, the fact that is asked for, and why it is so.
type Asked = (
    &'static str,
    &'static [&'static str],
    &'static str,
    &'static str,
);

const WORK: &str = "canister2 did the work";
const CALLER: &str = "the caller got";
const SEEN: &str = "canister1 saw it done";
const SAVED_LOCK: &str = "the lock that is saved";
const MEMORY_LOCK: &str = "the lock in memory only";
const RETRY: &str = "the same order again";
const UPGRADE: &str = "the upgrade";
const JOURNAL: &str = "the journal, after the answer";
const NEXT_SEEN: &str = "canister1 saw the next order done";
const SAW: &str = "canister1 saw";

// ---- canister1 is upgraded ---------------------------------------------------------------------

fn upgraded_in_flight(stage: &mut Stage) -> Result<Vec<Fact>> {
    let order = open(stage)?;
    stage.hold()?;
    let sent = begin(stage, "upgrades_order", order)?;

    let upgraded = stage.upgrade(stage.canister1)?;

    stage.deliver_all()?;
    let answer = stage.answer(&sent)?;
    let status = look(stage, order)?;
    let mut facts = vec![
        fact(UPGRADE, "accepted", words(&upgraded)),
        fact(WORK, "once", done(stage, order)?),
        fact(CALLER, "reject 5", got(&answer)),
        fact(SEEN, "never", times(status.order.seen_done)),
        fact(SAVED_LOCK, "locked", lock(status.order.locked)),
        fact(MEMORY_LOCK, "open", lock(status.locked_in_memory)),
    ];
    let again = stage.call(stage.canister1, "upgrades_order", (order,))?;
    facts.push(fact(RETRY, "reply: Err", got(&again)));
    Ok(facts)
}

fn answer_for_another(stage: &mut Stage) -> Result<Vec<Fact>> {
    let (first, next) = (open(stage)?, open(stage)?);
    // Both orders are the first call of a new instance: so both wait at the same place in memory.
    accepted(stage.upgrade(stage.canister1)?)?;
    stage.hold()?;
    let sent_first = begin(stage, "upgrades_order", first)?;
    let upgraded = stage.upgrade(stage.canister1)?;
    let sent_next = begin(stage, "upgrades_order", next)?;

    // canister2 does the first order, and its answer arrives.
    stage.deliver_call("upgrades_do")?;
    stage.deliver_response("upgrades_do")?;
    let answer = stage.answer(&sent_first)?;
    let (status_first, status_next) = (look(stage, first)?, look(stage, next)?);
    let next_done = done(stage, next)?;

    stage.deliver_all()?;
    let answer_next = stage.answer(&sent_next)?;
    let next_done_in_the_end = done(stage, next)?;
    // Memory can't be trusted any more: a new instance, with nothing in flight.
    accepted(stage.upgrade(stage.canister1)?)?;
    Ok(vec![
        fact(UPGRADE, "accepted", words(&upgraded)),
        fact("the first order's caller got", "reply: Ok", got(&answer)),
        fact(
            "canister1 saw the first order done",
            "never",
            times(status_first.order.seen_done),
        ),
        fact(
            "the first order's saved lock",
            "locked",
            lock(status_first.order.locked),
        ),
        fact(NEXT_SEEN, "once", times(status_next.order.seen_done)),
        fact("canister2 had done the next order", "never", next_done),
        fact("canister2 did it in the end", "once", next_done_in_the_end),
        fact("the next order's caller got", "reject 5", got(&answer_next)),
    ])
}

fn stopped_first(stage: &mut Stage) -> Result<Vec<Fact>> {
    let canister1 = stage.canister1;
    let (order, other) = (open(stage)?, open(stage)?);
    stage.hold()?;
    let sent = begin(stage, "upgrades_order", order)?;

    let stop = stage.send_command(canister1, "stop_canister")?;
    let at_once = stage.answer_so_far(&stop)?;
    let refused = stage.call_alone(canister1, "upgrades_order", (other,))?;
    stage.deliver_all()?;
    let stopped = stage.answer(&stop)?;
    let upgraded = stage.upgrade(canister1)?;
    accepted(stage.command(canister1, "start_canister")?)?;

    let answer = stage.answer(&sent)?;
    let status = look(stage, order)?;
    let at_once = at_once.as_ref().map_or("not answered", words);
    let mut facts = vec![
        fact("stop_canister, at once", "not answered", at_once),
        fact("a new call meanwhile", "reject 5", got(&refused)),
        fact(
            "stop_canister, after the answer",
            "accepted",
            words(&stopped),
        ),
        fact(UPGRADE, "accepted", words(&upgraded)),
        fact(WORK, "once", done(stage, order)?),
        fact(CALLER, "reply: Ok", got(&answer)),
        fact(SEEN, "once", times(status.order.seen_done)),
        fact(SAVED_LOCK, "open", lock(status.order.locked)),
        fact(MEMORY_LOCK, "open", lock(status.locked_in_memory)),
    ];
    let again = stage.call(canister1, "upgrades_order", (order,))?;
    facts.push(fact(RETRY, "reply: Ok", got(&again)));
    Ok(facts)
}

fn upgraded_with_journal(stage: &mut Stage) -> Result<Vec<Fact>> {
    let order = open(stage)?;
    stage.hold()?;
    let sent = begin(stage, "upgrades_order_with_journal", order)?;

    let upgraded = stage.upgrade(stage.canister1)?;

    stage.deliver_all()?;
    let answer = stage.answer(&sent)?;
    let journal = look(stage, order)?.order.journal;
    let again = stage.call(stage.canister1, "upgrades_order_with_journal", (order,))?;
    let resumed = stage.call(stage.canister1, "upgrades_resume", (order,))?;
    let status = look(stage, order)?;
    Ok(vec![
        fact(UPGRADE, "accepted", words(&upgraded)),
        fact(CALLER, "reject 5", got(&answer)),
        fact(JOURNAL, "Sent", journal.name()),
        fact(RETRY, "reply: Err", got(&again)),
        fact("upgrades_resume", "reply: Ok", got(&resumed)),
        fact(
            "the journal, in the end",
            "Done",
            status.order.journal.name(),
        ),
        fact(WORK, "once", done(stage, order)?),
    ])
}

// ---- canister2 is upgraded ---------------------------------------------------------------------

fn callee(
    stage: &mut Stage,
    stopped_first: bool,
    predicted_done: &str,
    predicted_saw: &str,
) -> Result<Vec<Fact>> {
    let canister2 = stage.canister2;
    let order = open(stage)?;
    stage.hold()?;
    let sent = begin(stage, "upgrades_order_slow", order)?;
    stage.deliver_call("upgrades_do_slowly")?;

    let upgraded = match stopped_first {
        false => stage.upgrade(canister2)?,
        true => {
            let stop = stage.send_command(canister2, "stop_canister")?;
            stage.deliver_all()?;
            accepted(stage.answer(&stop)?)?;
            let upgraded = stage.upgrade(canister2)?;
            accepted(stage.command(canister2, "start_canister")?)?;
            upgraded
        }
    };

    stage.deliver_all()?;
    let saw = match Got::read(&stage.answer(&sent)?) {
        Got::ReplyOk => "a reply".to_owned(),
        Got::ReplyErr(error) if error.starts_with("call rejected: 5 - ") => "reject 5".to_owned(),
        other => other.to_string(),
    };
    let status = look(stage, order)?;
    Ok(vec![
        fact("the upgrade of canister2", "accepted", words(&upgraded)),
        fact(WORK, predicted_done, done(stage, order)?),
        fact(SAW, predicted_saw, saw),
        fact(SAVED_LOCK, "open", lock(status.order.locked)),
    ])
}

// ---- Steps that experiments share --------------------------------------------------------------

/// What canister1 knows of an order, as far as it matters here.
#[derive(CandidType, Deserialize)]
struct OrderStatus {
    order: Order,
    locked_in_memory: bool,
}

#[derive(CandidType, Deserialize)]
struct Order {
    locked: bool,
    seen_done: u64,
    journal: Step,
}

#[derive(CandidType, Deserialize)]
enum Step {
    New,
    Sent,
    Done,
}

impl Step {
    fn name(&self) -> &'static str {
        match self {
            Step::New => "New",
            Step::Sent => "Sent",
            Step::Done => "Done",
        }
    }
}

/// Opens a new order.
fn open(stage: &mut Stage) -> Result<u64> {
    stage.reply(stage.canister1, "upgrades_open", ())
}

/// Has canister1 begin with an order: afterwards its call of canister2 is in flight.
fn begin(stage: &mut Stage, method: &str, order: u64) -> Result<Sent> {
    let sent = stage.send(stage.canister1, method, (order,))?;
    stage.deliver_call(method)?;
    Ok(sent)
}

/// What canister1 knows of an order.
fn look(stage: &mut Stage, order: u64) -> Result<OrderStatus> {
    let status: Result<OrderStatus, String> =
        stage.query(stage.canister1, "upgrades_look", (order,))?;
    status.map_err(|error| anyhow!(error))
}

/// How often canister2 did the work of an order.
fn done(stage: &mut Stage, order: u64) -> Result<String> {
    let caller: Principal = stage.canister1;
    let done: u64 = stage.query(stage.canister2, "upgrades_done", (caller, order))?;
    Ok(times(done))
}

fn times(number: u64) -> String {
    match number {
        0 => "never".to_owned(),
        1 => "once".to_owned(),
        2 => "twice".to_owned(),
        many => format!("{many} times"),
    }
}

fn lock(locked: bool) -> &'static str {
    if locked { "locked" } else { "open" }
}

/// How a controller's command was answered.
fn words(answer: &Answer) -> &'static str {
    if answer.is_ok() {
        "accepted"
    } else {
        "refused"
    }
}

/// An answer in a few words. What a callback says that runs into another instance's memory depends
/// on what it finds there, so the error code is left out.
fn got(answer: &Answer) -> String {
    match Got::read(answer) {
        Got::Reject { code, .. } => format!("reject {code}"),
        got => got.words(),
    }
}
