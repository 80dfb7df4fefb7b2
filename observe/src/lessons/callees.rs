//! A callee that doesn't answer, and one whose replies are made to harm.
//!
//! The code that is observed: `lessons/10-callees`.

mod explorations;
mod interface;

use std::time::Duration;

use anyhow::{Error, Result, bail};

use self::interface::NameReply;
use crate::answer::Got;
use crate::lesson::{
    Canisters, Experiment, Fact, Layout, Lesson, Question, fact, mistake, right_way, rule,
};
use crate::network::{Answer, Delivery, Kind, Sent, WaitingMessage};
use crate::stage::{Stage, accepted};

pub const LESSON: Lesson = Lesson {
    name: "callees",
    about: "A callee that never answers, or that replies with hostile data.",
    canisters: Canisters::Room,
    introduction: None,
    experiments,
    explorations: explorations::all,
    layout: Layout::List,
};

fn experiments() -> Vec<Experiment> {
    vec![
        mistake(
            "wait_for_ever",
            "waits with unbounded wait for a callee that doesn't answer",
            wait_for_ever,
        )
        .on_local_replica()
        .asks(Question::new(
            "The caller waits for the callee with unbounded wait, and the callee doesn't answer. A \
             controller stops the caller to upgrade it. What has become of that after 5 minutes?",
            [STOPPED, TIMED_OUT, "not answered"],
            AFTER_5_MINUTES,
            "A canister stops when every call that it handles is answered, and one of them waits for \
             the callee. The command gives up after 5 minutes, and the caller goes on stopping.",
        )),
        right_way(
            "wait_with_deadline",
            "waits with bounded wait, one minute at most",
            wait_with_deadline,
        )
        .on_local_replica()
        .asks(Question::new(
            "The same with bounded wait and a deadline of a minute. What has become of the stop \
             after 5 minutes?",
            [STOPPED, TIMED_OUT, "not answered"],
            AFTER_5_MINUTES,
            "After a minute the system answers in place of the callee: SysUnknown. The caller goes on, \
             answers its user, and has nothing left to wait for.",
        )),
        rule(
            "wait_for_ever",
            "waits with unbounded wait; the network tries to lose the messages, and a day passes",
            no_end_in_sys_unknown,
        )
        .on_local_replica()
        .asks(Question::new(
            "The caller waits with unbounded wait. The call is delayed, and the callee takes a day. \
             What does the caller see?",
            ["reject 6", "a reply"],
            CALLER_SEES,
            "An unbounded wait ends with the callee's own response, however late. SysUnknown is the \
             price of a deadline.",
        )),
        mistake(
            "ask_trusting",
            "decodes whatever the callee replies, and traps if that fails",
            ask_trusting,
        )
        .asks(Question::new(
            "An account is marked as waiting, then the caller awaits the callee's reply, decodes \
             it, and removes the mark. The reply has 22 bytes: a name, and a list of four billion \
             nulls. How is the account afterwards?",
            ["free", "waiting"],
            BOMBED_ACCOUNT,
            "Decoding visits every null and reaches the limit of instructions: a trap. It undoes the \
             callback, which would have removed the mark, and not the message before.",
        )),
        right_way(
            "ask_careful",
            "measures first, decodes within a limit, and doesn't trap",
            ask_careful,
        )
        .asks(Question::new(
            "The same reply, decoded with a limit and without a trap. What does the user get?",
            [
                "Ok, 6 letters",
                "Err",
                "reject 5, IC0503",
                "reject 5, IC0522",
            ],
            BOMBED_USER,
            "The name could be read, but not what came after it: the decoder gives up when its quota \
             is used up. That is an error like any other, and the callback goes on.",
        )),
    ]
}

// ---- A callee that doesn't answer --------------------------------------------------------------

const AFTER_5_MINUTES: &str = "stop_canister, after 5 minutes";
const STOPPED: &str = "the caller has stopped";
const TIMED_OUT: &str = "reject 2, IC0206";

fn wait_for_ever(stage: &mut Stage) -> Result<Vec<Fact>> {
    let waited = wait(stage, "wait_for_ever")?;
    Ok(vec![
        fact(
            "stop_canister, after 1 minute",
            "not answered",
            waited.stop_after_1_minute,
        ),
        fact(AFTER_5_MINUTES, TIMED_OUT, waited.stop_after_5_minutes),
        fact(
            "the user, after 5 minutes",
            "no answer",
            waited.user_after_5_minutes,
        ),
        fact(
            "another call of the caller",
            "reject 5, IC0509",
            waited.another_call,
        ),
        fact("the callee, in the end", "+1", waited.callee_in_the_end),
        fact(
            "the user, in the end",
            "reply: saw a reply",
            waited.user_in_the_end,
        ),
    ])
}

fn wait_with_deadline(stage: &mut Stage) -> Result<Vec<Fact>> {
    let waited = wait(stage, "wait_with_deadline")?;
    Ok(vec![
        fact(
            "stop_canister, after 1 minute",
            STOPPED,
            waited.stop_after_1_minute,
        ),
        fact(AFTER_5_MINUTES, STOPPED, waited.stop_after_5_minutes),
        fact(
            "the user, after 5 minutes",
            "reply: saw reject 6",
            waited.user_after_5_minutes,
        ),
        fact("another call of the caller", "reply", waited.another_call),
        fact("the callee, in the end", "+1", waited.callee_in_the_end),
        fact(
            "the user, in the end",
            "reply: saw reject 6",
            waited.user_in_the_end,
        ),
    ])
}

/// What was observed of a wait.
struct Waited {
    stop_after_1_minute: String,
    stop_after_5_minutes: String,
    user_after_5_minutes: String,
    another_call: String,
    callee_in_the_end: String,
    user_in_the_end: String,
}

fn wait(stage: &mut Stage, method: &str) -> Result<Waited> {
    let (caller, callee) = (stage.caller, stage.callee);
    let before: u128 = stage.query(callee, "get", ())?;
    stage.watch(callee, "get", ())?;
    stage.hold()?;
    let sent = stage.send(caller, method, ())?;
    stage.deliver_call(method)?;
    stage.deliver_call("dawdle")?;

    let stop = stage.send_command(caller, "stop_canister")?;
    stage.advance_time(Duration::from_secs(60))?;
    // Where there was a deadline, it is over, and the system has answered in place of the callee.
    let answered = stage.waiting()?.into_iter().any(|message| {
        message.kind == Kind::Response && message.to == caller && message.from == callee
    });
    if answered {
        stage.deliver_response("dawdle")?;
    }
    let stop_after_1_minute = stop_words(stage, &stop)?;
    stage.advance_time(Duration::from_secs(240))?;
    let stop_after_5_minutes = stop_words(stage, &stop)?;
    let user_after_5_minutes = match stage.answer_so_far(&sent)? {
        None => "no answer".to_owned(),
        Some(answer) => Got::read(&answer).words(),
    };

    // The controller goes on as planned, if the caller has stopped.
    if stop_after_5_minutes == STOPPED {
        accepted(stage.upgrade(caller)?)?;
        accepted(stage.command(caller, "start_canister")?)?;
    }
    let another_call = match stage.call_alone(caller, "open", ())? {
        Ok(_) => "reply".to_owned(),
        reject => Got::read(&reject).words(),
    };

    // At last the callee gets to its end.
    stage.deliver_all()?;
    let user_in_the_end = Got::read(&stage.answer(&sent)?).words();
    accepted(stage.command(caller, "start_canister")?)?;
    let after: u128 = stage.query(callee, "get", ())?;
    Ok(Waited {
        stop_after_1_minute,
        stop_after_5_minutes,
        user_after_5_minutes,
        another_call,
        callee_in_the_end: format!("+{}", after - before),
        user_in_the_end,
    })
}

fn stop_words(stage: &mut Stage, stop: &Sent) -> Result<String> {
    Ok(match stage.answer_so_far(stop)? {
        None => "not answered".to_owned(),
        Some(Ok(_)) => STOPPED.to_owned(),
        Some(reject) => Got::read(&reject).words(),
    })
}

/// The fact that is asked for.
const CALLER_SEES: &str = "the caller, in the end, saw";

/// Tries to end an unbounded wait without the callee: by a loss, and by time.
fn no_end_in_sys_unknown(stage: &mut Stage) -> Result<Vec<Fact>> {
    const DAY: Duration = Duration::from_secs(24 * 60 * 60);
    let method = "wait_for_ever";
    stage.watch(stage.callee, "get", ())?;
    stage.hold()?;
    let sent = stage.send(stage.caller, method, ())?;
    stage.deliver_call(method)?;
    let call = lose(stage, Kind::Request)?;
    stage.advance_time(DAY)?;
    let after_a_day = match stage.answer_so_far(&sent)? {
        None => "no answer".to_owned(),
        Some(answer) => Got::read(&answer).words(),
    };
    // The callee executes, up to its answer.
    let (caller, callee) = (stage.caller, stage.callee);
    let answers = |message: &WaitingMessage| {
        message.kind == Kind::Response && message.from == callee && message.to == caller
    };
    while !stage.waiting()?.iter().any(answers) {
        if !stage.deliver_next()? {
            bail!("the callee never answers");
        }
    }
    let answer = lose(stage, Kind::Response)?;
    stage.deliver_all()?;
    let in_the_end = Got::read(&stage.answer(&sent)?).words();
    let saw = in_the_end
        .strip_prefix("reply: saw ")
        .unwrap_or(&in_the_end);
    Ok(vec![
        fact("the call can be lost", "no", call),
        fact("the user, after a day", "no answer", after_a_day),
        fact("the answer can be lost", "no", answer),
        fact(CALLER_SEES, "a reply", saw),
    ])
}

/// Whether the network can lose the message of this kind that waits.
fn lose(stage: &mut Stage, kind: Kind) -> Result<&'static str> {
    let waiting = stage.waiting()?;
    if !waiting.iter().any(|message| message.kind == kind) {
        bail!("no message of this kind waits: {waiting:?}");
    }
    let lost = stage.deliver(|message| message.kind == kind, Delivery::Lose);
    Ok(if lost.is_ok() { "yes" } else { "no" })
}

// ---- A callee with a hostile reply -------------------------------------------------------------

const BOMBED_USER: &str = "a bomb, the user got";
const BOMBED_ACCOUNT: &str = "a bomb, the account";

fn ask_trusting(stage: &mut Stage) -> Result<Vec<Fact>> {
    let method = "ask_trusting";
    let name = ask(stage, method, NameReply::Honest)?;
    let number = ask(stage, method, NameReply::WrongType)?;
    let huge = ask(stage, method, NameReply::Huge)?;
    let bomb = ask(stage, method, NameReply::Bomb)?;
    Ok(vec![
        fact("a name, the user got", "Ok, 6 letters", name.user_got),
        fact("a name, the account", "free", name.account),
        fact(
            "a number, the user got",
            "reject 5, IC0503",
            number.user_got,
        ),
        fact("a number, the account", "waiting", number.account),
        fact(
            "a huge name, the user got",
            "Ok, 1000000 letters",
            huge.user_got,
        ),
        fact("a huge name, the account", "free", huge.account),
        fact(BOMBED_USER, "reject 5, IC0522", bomb.user_got),
        fact(BOMBED_ACCOUNT, "waiting", bomb.account),
    ])
}

fn ask_careful(stage: &mut Stage) -> Result<Vec<Fact>> {
    let method = "ask_careful";
    let name = ask(stage, method, NameReply::Honest)?;
    let number = ask(stage, method, NameReply::WrongType)?;
    let huge = ask(stage, method, NameReply::Huge)?;
    let bomb = ask(stage, method, NameReply::Bomb)?;
    Ok(vec![
        fact("a name, the user got", "Ok, 6 letters", name.user_got),
        fact("a name, the account", "free", name.account),
        fact("a number, the user got", "Err", number.user_got),
        fact("a number, the account", "free", number.account),
        fact("a huge name, the user got", "Err", huge.user_got),
        fact("a huge name, the account", "free", huge.account),
        fact(BOMBED_USER, "Err", bomb.user_got),
        fact(BOMBED_ACCOUNT, "free", bomb.account),
    ])
}

/// What was observed of a reply.
struct Asked {
    user_got: String,
    account: &'static str,
}

/// Asks for a reply, with a new account.
fn ask(stage: &mut Stage, method: &str, reply: NameReply) -> Result<Asked> {
    let account: Result<u64, String> = stage.reply(stage.caller, "open", ())?;
    let account = account.map_err(Error::msg)?;
    stage.watch(stage.caller, "waits", (account,))?;
    let answer = stage.call(stage.caller, method, (account, reply))?;
    let waits: Result<bool, String> = stage.query(stage.caller, "waits", (account,))?;
    let account = match waits.map_err(Error::msg)? {
        true => "waiting",
        false => "free",
    };
    Ok(Asked {
        user_got: name_words(&answer)?,
        account,
    })
}

fn name_words(answer: &Answer) -> Result<String> {
    let Ok(reply) = answer else {
        return Ok(Got::read(answer).words());
    };
    let name: Result<String, String> = candid::decode_one(reply)?;
    Ok(match name {
        Ok(name) => format!("Ok, {} letters", name.len()),
        Err(_) => "Err".to_owned(),
    })
}
