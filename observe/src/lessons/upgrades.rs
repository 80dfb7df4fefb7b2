//! An upgrade while a call is in flight.
//!
//! The code that is observed: `lessons/11-upgrades`.

mod explorations;

use anyhow::{Error, Result};
use candid::{CandidType, Deserialize};

use crate::answer::Got;
use crate::lesson::{
    Canisters, Experiment, Fact, Layout, Lesson, Question, fact, mistake, right_way,
};
use crate::network::{Answer, Sent};
use crate::stage::{Stage, accepted};

pub const LESSON: Lesson = Lesson {
    name: "upgrades",
    about: "An upgrade while a call is open: without stopping first, and with it.",
    canisters: Canisters::Room,
    introduction: None,
    experiments,
    explorations: explorations::all,
    layout: Layout::List,
};

fn experiments() -> Vec<Experiment> {
    vec![
        mistake(
            "order",
            "the caller is upgraded while its call is open",
            upgraded_in_flight,
        )
        .on_local_replica()
        .asks(Question::new(
            "The caller locks an order, calls the callee, and is upgraded before the answer comes. \
             The lock was saved with the state. How is it after the answer?",
            ["open", "locked"],
            SAVED_LOCK,
            "The code that would open it was in the memory of the old instance, and is gone. The \
             answer found nothing there and trapped. The lock had been saved.",
        )),
        mistake(
            "order",
            "the same; another order has been sent since when the answer arrives",
            answer_for_another,
        )
        .on_local_replica()
        .asks(Question::new(
            "The same, but the next order was sent after the upgrade, and the callee has not begun \
             it. The answer to the first order arrives. How often has the caller seen the next \
             order done?",
            ["never", "once", "twice"],
            NEXT_SEEN,
            "The answer goes to an address in memory. The new instance keeps its wait for the next \
             order at the same address, and takes the answer for its own.",
        )),
        right_way(
            "order",
            "the caller is stopped first, then upgraded",
            stopped_first,
        )
        .on_local_replica()
        .asks(Question::new(
            "The caller is stopped at the same moment, and upgraded when it has stopped. How is the \
             lock at the end?",
            ["open", "locked"],
            SAVED_LOCK,
            "A stopping canister refuses new calls and accepts the answers to its open ones. It \
             stopped only after the method had ended and had opened the lock.",
        )),
        right_way(
            "order_with_journal",
            "the caller is upgraded while its call is open, and has a journal",
            upgraded_with_journal,
        )
        .on_local_replica()
        .asks(Question::new(
            "The caller writes 'Sent' into a journal, calls the callee, and is upgraded before the \
             answer comes. What does the journal say after the answer?",
            ["New", "Sent", "Done"],
            JOURNAL,
            "'Sent' was committed by the await and saved by the upgrade; the code that would write \
             'Done' is gone. But now somebody can see that, and finish it.",
        )),
        mistake(
            "order_slow",
            "the callee is upgraded in the middle of the call, at an await of its own",
            callee_upgraded_in_flight,
        )
        .on_local_replica()
        .asks(Question::new(
            "The callee is upgraded while it handles a call of the caller, in an await. What does \
             the caller see?",
            ["no answer, for ever", "a reply", "reject 5"],
            SAW,
            "The callee's callback trapped, and the system rejected the call in its place. The \
             caller can't tell from this whether the work was done.",
        )),
        right_way(
            "order_slow",
            "the callee is stopped first, then upgraded",
            callee_stopped_first,
        )
        .on_local_replica()
        .asks(Question::new(
            "The callee is stopped at the same moment, and upgraded when it has stopped. What does \
             the caller see?",
            ["no answer, for ever", "a reply", "reject 5"],
            SAW,
            "The callee stopped only after it had answered the call that it was handling.",
        )),
        mistake(
            "trap_in_pre_upgrade",
            "the caller's pre_upgrade traps",
            trapping_pre_upgrade,
        )
        .asks(Question::new(
            "The caller's pre_upgrade traps. The new version's would not. A controller stops the caller \
             first. What becomes of the upgrade?",
            ["refused", "accepted", "accepted, and the state is lost"],
            STOPPED_FIRST,
            "The installed version runs its own pre_upgrade. Its trap cancels the upgrade, and every \
             later one, for as long as it traps.",
        )),
    ]
}

const SAVED_LOCK: &str = "the lock that is saved";
const NEXT_SEEN: &str = "the caller saw the next order done";
const JOURNAL: &str = "the journal, after the answer";
const STOPPED_FIRST: &str = "the upgrade, stopped first";
const SAW: &str = "the caller saw";

// ---- The caller is upgraded --------------------------------------------------------------------

fn upgraded_in_flight(stage: &mut Stage) -> Result<Vec<Fact>> {
    let order = open(stage)?;
    stage.hold()?;
    let sent = begin(stage, "order", order)?;

    let upgraded = stage.upgrade(stage.caller)?;

    stage.deliver_all()?;
    let answer = stage.answer(&sent)?;
    let status = look(stage, order)?;
    let done = done(stage, order)?;
    let again = stage.call(stage.caller, "order", (order,))?;
    Ok(vec![
        fact("the upgrade", "accepted", words(&upgraded)),
        fact("the callee did the work", "once", done),
        fact("the user got", "reject 5", got(&answer)),
        fact(
            "the caller saw it done",
            "never",
            times(status.order.seen_done),
        ),
        fact(SAVED_LOCK, "locked", lock(status.order.locked)),
        fact(
            "the lock in memory only",
            "open",
            lock(status.locked_in_memory),
        ),
        fact("the same order again", "reply: Err", got(&again)),
    ])
}

fn answer_for_another(stage: &mut Stage) -> Result<Vec<Fact>> {
    let (first, next) = (open(stage)?, open(stage)?);
    // Both orders are the first call of a new instance: so both wait at the same place in memory.
    accepted(stage.upgrade(stage.caller)?)?;
    stage.hold()?;
    let sent_first = begin(stage, "order", first)?;
    let upgraded = stage.upgrade(stage.caller)?;
    let sent_next = begin(stage, "order", next)?;

    // The callee does the first order, and its answer arrives.
    stage.deliver_call("do_work")?;
    stage.deliver_response("do_work")?;
    let answer = stage.answer(&sent_first)?;
    let first = look(stage, first)?.order;
    let next_seen = look(stage, next)?.order.seen_done;
    let next_done = done(stage, next)?;

    stage.deliver_all()?;
    let answer_next = stage.answer(&sent_next)?;
    let next_done_in_the_end = done(stage, next)?;
    // Memory can't be trusted any more: a new instance, with nothing in flight.
    accepted(stage.upgrade(stage.caller)?)?;
    Ok(vec![
        fact("the upgrade", "accepted", words(&upgraded)),
        fact("the first order's user got", "reply: Ok", got(&answer)),
        fact(
            "the caller saw the first order done",
            "never",
            times(first.seen_done),
        ),
        fact("the first order's saved lock", "locked", lock(first.locked)),
        fact(NEXT_SEEN, "once", times(next_seen)),
        fact("the callee had done the next order", "never", next_done),
        fact("the callee did it in the end", "once", next_done_in_the_end),
        fact("the next order's user got", "reject 5", got(&answer_next)),
    ])
}

fn stopped_first(stage: &mut Stage) -> Result<Vec<Fact>> {
    let caller = stage.caller;
    let (order, other) = (open(stage)?, open(stage)?);
    stage.hold()?;
    let sent = begin(stage, "order", order)?;

    let stop = stage.send_command(caller, "stop_canister")?;
    let at_once = stage.answer_so_far(&stop)?;
    let at_once = at_once.as_ref().map_or("not answered", words);
    let refused = stage.call_alone(caller, "order", (other,))?;
    stage.deliver_all()?;
    let stopped = stage.answer(&stop)?;
    let upgraded = stage.upgrade(caller)?;
    accepted(stage.command(caller, "start_canister")?)?;

    let answer = stage.answer(&sent)?;
    let status = look(stage, order)?;
    let done = done(stage, order)?;
    let again = stage.call(caller, "order", (order,))?;
    Ok(vec![
        fact("stop_canister, at once", "not answered", at_once),
        fact("a new call meanwhile", "reject 5", got(&refused)),
        fact(
            "stop_canister, after the answer",
            "accepted",
            words(&stopped),
        ),
        fact("the upgrade", "accepted", words(&upgraded)),
        fact("the callee did the work", "once", done),
        fact("the user got", "reply: Ok", got(&answer)),
        fact(
            "the caller saw it done",
            "once",
            times(status.order.seen_done),
        ),
        fact(SAVED_LOCK, "open", lock(status.order.locked)),
        fact(
            "the lock in memory only",
            "open",
            lock(status.locked_in_memory),
        ),
        fact("the same order again", "reply: Ok", got(&again)),
    ])
}

fn upgraded_with_journal(stage: &mut Stage) -> Result<Vec<Fact>> {
    let order = open(stage)?;
    stage.hold()?;
    let sent = begin(stage, "order_with_journal", order)?;

    let upgraded = stage.upgrade(stage.caller)?;

    stage.deliver_all()?;
    let answer = stage.answer(&sent)?;
    let journal = look(stage, order)?.order.journal;
    let again = stage.call(stage.caller, "order_with_journal", (order,))?;
    let resumed = stage.call(stage.caller, "resume", (order,))?;
    let journal_in_the_end = look(stage, order)?.order.journal;
    Ok(vec![
        fact("the upgrade", "accepted", words(&upgraded)),
        fact("the user got", "reject 5", got(&answer)),
        fact(JOURNAL, "Sent", format!("{journal:?}")),
        fact("the same order again", "reply: Err", got(&again)),
        fact("resume", "reply: Ok", got(&resumed)),
        fact(
            "the journal, in the end",
            "Done",
            format!("{journal_in_the_end:?}"),
        ),
        fact("the callee did the work", "once", done(stage, order)?),
    ])
}

// ---- The callee is upgraded --------------------------------------------------------------------

fn callee_upgraded_in_flight(stage: &mut Stage) -> Result<Vec<Fact>> {
    let order = open(stage)?;
    stage.hold()?;
    let sent = begin(stage, "order_slow", order)?;
    stage.deliver_call("do_work_slowly")?;

    let upgraded = stage.upgrade(stage.callee)?;

    stage.deliver_all()?;
    let answer = stage.answer(&sent)?;
    let status = look(stage, order)?;
    Ok(vec![
        fact("the upgrade of the callee", "accepted", words(&upgraded)),
        fact("the callee did the work", "never", done(stage, order)?),
        fact(SAW, "reject 5", seen_by_caller(&answer)),
        fact(SAVED_LOCK, "open", lock(status.order.locked)),
    ])
}

fn callee_stopped_first(stage: &mut Stage) -> Result<Vec<Fact>> {
    let order = open(stage)?;
    stage.hold()?;
    let sent = begin(stage, "order_slow", order)?;
    stage.deliver_call("do_work_slowly")?;

    let stop = stage.send_command(stage.callee, "stop_canister")?;
    stage.deliver_all()?;
    accepted(stage.answer(&stop)?)?;
    let upgraded = stage.upgrade(stage.callee)?;
    accepted(stage.command(stage.callee, "start_canister")?)?;

    let answer = stage.answer(&sent)?;
    let status = look(stage, order)?;
    Ok(vec![
        fact("the upgrade of the callee", "accepted", words(&upgraded)),
        fact("the callee did the work", "once", done(stage, order)?),
        fact(SAW, "a reply", seen_by_caller(&answer)),
        fact(SAVED_LOCK, "open", lock(status.order.locked)),
    ])
}

/// How the caller's own call ended, as it tells its user.
fn seen_by_caller(answer: &Answer) -> String {
    match Got::read(answer) {
        Got::ReplyOk => "a reply".to_owned(),
        Got::ReplyErr(error) if error.starts_with("call rejected: 5 - ") => "reject 5".to_owned(),
        other => other.to_string(),
    }
}

// ---- An upgrade that fails ---------------------------------------------------------------------

fn trapping_pre_upgrade(stage: &mut Stage) -> Result<Vec<Fact>> {
    let (caller, method) = (stage.caller, "trap_in_pre_upgrade");
    let order = open(stage)?;
    accepted(stage.call(caller, method, (true,))?)?;

    let upgraded = stage.upgrade(caller)?;
    accepted(stage.command(caller, "stop_canister")?)?;
    let later = stage.upgrade(caller)?;
    accepted(stage.command(caller, "start_canister")?)?;

    let answer = stage.call(caller, "order", (order,))?;
    // So that it can be upgraded again.
    accepted(stage.call(caller, method, (false,))?)?;
    let repaired = stage.upgrade(caller)?;
    let seen_done = look(stage, order)?.order.seen_done;
    Ok(vec![
        fact("the upgrade", "refused", words(&upgraded)),
        fact(STOPPED_FIRST, "refused", words(&later)),
        fact("an order from before", "reply: Ok", got(&answer)),
        fact(
            "without the trap, the upgrade",
            "accepted",
            words(&repaired),
        ),
        fact("the caller saw the order done", "once", times(seen_done)),
    ])
}

// ---- Steps that experiments share --------------------------------------------------------------

/// `OrderStatus` in the caller's interface.
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

#[derive(CandidType, Debug, Deserialize)]
enum Step {
    New,
    Sent,
    Done,
}

/// Opens a new order.
fn open(stage: &mut Stage) -> Result<u64> {
    let order: Result<u64, String> = stage.reply(stage.caller, "open", ())?;
    let order = order.map_err(Error::msg)?;
    stage.watch(stage.caller, "look", (order,))?;
    stage.watch(stage.callee, "done", (stage.caller, order))?;
    Ok(order)
}

/// Has the caller begin with an order: afterwards its call of the callee is in flight.
fn begin(stage: &mut Stage, method: &str, order: u64) -> Result<Sent> {
    let sent = stage.send(stage.caller, method, (order,))?;
    stage.deliver_call(method)?;
    Ok(sent)
}

/// What the caller knows of an order.
fn look(stage: &mut Stage, order: u64) -> Result<OrderStatus> {
    let status: Result<OrderStatus, String> = stage.query(stage.caller, "look", (order,))?;
    status.map_err(Error::msg)
}

/// How often the callee did the work of an order.
fn done(stage: &mut Stage, order: u64) -> Result<String> {
    let done: u64 = stage.query(stage.callee, "done", (stage.caller, order))?;
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
    match locked {
        true => "locked",
        false => "open",
    }
}

/// How a controller's command was answered.
fn words(answer: &Answer) -> &'static str {
    match answer {
        Ok(_) => "accepted",
        Err(_) => "refused",
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
