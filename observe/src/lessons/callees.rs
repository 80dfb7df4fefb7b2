//! The experiments of the lesson `callees`: a callee that doesn't answer, and one whose replies are
//! made to harm.
//!
//! The code that is observed: `canisters/canister1/src/callees.rs`.

use std::time::Duration;

use anyhow::Result;
use candid::{CandidType, Deserialize};

use crate::answer::Got;
use crate::lesson::{Experiment, Fact, Layout, Lesson, Question, Side, fact};
use crate::network::{Answer, Kind, Sent};
use crate::stage::{Stage, accepted};

/// The lesson.
pub const LESSON: Lesson = Lesson {
    name: "callees",
    about: "A callee that never answers, or whose reply is made to harm.",
    experiments,
    layout: Layout::List,
};

fn experiments() -> Vec<Experiment> {
    vec![
        Experiment {
            method: "callees_wait_for_ever",
            what: "waits with unbounded wait for a callee that doesn't answer",
            side: Side::Mistake,
            needs_local_replica: true,
            question: Some(wait_question(
                "canister1 waits for canister2 with unbounded wait, and canister2 doesn't answer. A \
                 controller stops canister1, to upgrade it. What has become of that after 5 minutes?",
                "It stops when every call that it handles is answered, and the one that waits for \
                 canister2 is not. The command gives up after 5 minutes, canister1 goes on stopping.",
            )),
            run: Box::new(|stage| {
                wait(stage, "callees_wait_for_ever", &Waited {
                    stop_after_1_minute: "not answered",
                    stop_after_5_minutes: TIMED_OUT,
                    caller: "no answer",
                    call: "reject 5, IC0509",
                    caller_in_the_end: "reply: saw a reply",
                })
            }),
        },
        Experiment {
            method: "callees_wait_with_deadline",
            what: "waits with bounded wait, for a minute",
            side: Side::RightWay,
            needs_local_replica: true,
            question: Some(wait_question(
                "The same with bounded wait and a deadline of a minute. What has become of the stop \
                 after 5 minutes?",
                "After a minute the system answers in place of canister2 with SysUnknown. canister1 \
                 goes on, answers its own caller, and has nothing more to wait for.",
            )),
            run: Box::new(|stage| {
                wait(stage, "callees_wait_with_deadline", &Waited {
                    stop_after_1_minute: STOPPED,
                    stop_after_5_minutes: STOPPED,
                    caller: "reply: saw reject 6",
                    call: "reply",
                    caller_in_the_end: "reply: saw reject 6",
                })
            }),
        },
        Experiment {
            method: "callees_ask_trusting",
            what: "decodes whatever canister2 replies, and traps if it can't",
            side: Side::Mistake,
            needs_local_replica: false,
            question: Some(Question {
                ask: "An account is marked as waiting, then canister1 awaits canister2's reply, decodes \
                      it, and takes the mark off. The reply is of 25 bytes, a name and a list of four \
                      billion nulls. How is the account afterwards?"
                    .to_owned(),
                choices: choices(&["free", "waiting"]),
                fact: BOMB.1,
                why: "Decoding visits every null, and reaches the limit of instructions: a trap. It undoes \
                      the callback, in which the mark was to be taken off, and not the message before.",
            }),
            run: Box::new(|stage| {
                ask(stage, "callees_ask_trusting", [
                    ("Ok, 9 letters", "free"),
                    ("reject 5, IC0503", "waiting"),
                    ("Ok, 1000000 letters", "free"),
                    ("reject 5, IC0522", "waiting"),
                ])
            }),
        },
        Experiment {
            method: "callees_ask_careful",
            what: "measures first, decodes within a limit, and doesn't trap",
            side: Side::RightWay,
            needs_local_replica: false,
            question: Some(Question {
                ask: "The same reply, but decoded with a limit, and without a trap. What does the caller \
                      get?"
                    .to_owned(),
                choices: choices(&["Ok, 9 letters", "Err", "reject 5, IC0503", "reject 5, IC0522"]),
                fact: BOMB.0,
                why: "The name could be read, but not what came behind it: the decoder gives up when its \
                      quota is used up. That is an error like any other, and the callback goes on.",
            }),
            run: Box::new(|stage| {
                ask(stage, "callees_ask_careful", [
                    ("Ok, 9 letters", "free"),
                    ("Err", "free"),
                    ("Err", "free"),
                    ("Err", "free"),
                ])
            }),
        },
    ]
}

fn choices(texts: &[&str]) -> Vec<String> {
    texts.iter().map(|text| (*text).to_owned()).collect()
}

// ---- A callee that doesn't answer --------------------------------------------------------------

const AFTER_5_MINUTES: &str = "stop_canister, after 5 minutes";
const STOPPED: &str = "canister1 has stopped";
const TIMED_OUT: &str = "reject 2, IC0206";

fn wait_question(ask: &str, why: &'static str) -> Question {
    Question {
        ask: ask.to_owned(),
        choices: choices(&[STOPPED, TIMED_OUT, "not answered"]),
        fact: AFTER_5_MINUTES,
        why,
    }
}

/// What is predicted of a wait.
struct Waited {
    stop_after_1_minute: &'static str,
    stop_after_5_minutes: &'static str,
    caller: &'static str,
    call: &'static str,
    caller_in_the_end: &'static str,
}

fn wait(stage: &mut Stage, method: &str, predicted: &Waited) -> Result<Vec<Fact>> {
    let (canister1, canister2) = (stage.canister1, stage.canister2);
    let before = stage.counters()?;
    stage.hold()?;
    let sent = stage.send(canister1, method, ())?;
    stage.deliver_call(method)?;
    stage.deliver_call("callees_dawdle")?;

    let stop = stage.send_command(canister1, "stop_canister")?;
    stage.advance_time(Duration::from_secs(60))?;
    // Where there was a deadline, it is over, and the system has answered in place of canister2.
    let answered = stage.waiting()?.into_iter().any(|message| {
        message.kind == Kind::Response && message.to == canister1 && message.from == canister2
    });
    if answered {
        stage.deliver_response("callees_dawdle")?;
    }
    let after_1_minute = stop_words(stage, &stop)?;
    stage.advance_time(Duration::from_secs(240))?;
    let after_5_minutes = stop_words(stage, &stop)?;
    let caller = match stage.answer_so_far(&sent)? {
        None => "no answer".to_owned(),
        Some(answer) => Got::read(&answer).words(),
    };

    // The controller goes on as planned, if canister1 has stopped.
    if after_5_minutes == STOPPED {
        accepted(stage.upgrade(canister1)?)?;
        accepted(stage.command(canister1, "start_canister")?)?;
    }
    let call = match stage.call_alone(canister1, "callees_open", ())? {
        Ok(_) => "reply".to_owned(),
        reject => Got::read(&reject).words(),
    };

    // At last canister2 gets to its end.
    stage.deliver_all()?;
    let in_the_end = Got::read(&stage.answer(&sent)?).words();
    accepted(stage.command(canister1, "start_canister")?)?;
    let grown = stage.counters()?.since(before).canister2;
    Ok(vec![
        fact(
            "stop_canister, after 1 minute",
            predicted.stop_after_1_minute,
            after_1_minute,
        ),
        fact(
            AFTER_5_MINUTES,
            predicted.stop_after_5_minutes,
            after_5_minutes,
        ),
        fact("the caller, after 5 minutes", predicted.caller, caller),
        fact("another call of canister1", predicted.call, call),
        fact("canister2, in the end", "+1", format!("+{grown}")),
        fact(
            "the caller, in the end",
            predicted.caller_in_the_end,
            in_the_end,
        ),
    ])
}

fn stop_words(stage: &mut Stage, stop: &Sent) -> Result<String> {
    Ok(match stage.answer_so_far(stop)? {
        None => "not answered".to_owned(),
        Some(Ok(_)) => STOPPED.to_owned(),
        Some(reject) => Got::read(&reject).words(),
    })
}

// ---- A callee with a hostile reply -------------------------------------------------------------

/// Which reply canister2 is to give, as its interface names them.
#[derive(CandidType, Deserialize)]
enum NameReply {
    Honest,
    WrongType,
    Huge,
    Bomb,
}

const BOMB: (&str, &str) = ("a bomb, the caller got", "a bomb, the account");

/// Asks for each reply, and compares what the caller gets and how the account is afterwards.
fn ask(stage: &mut Stage, method: &str, predicted: [(&str, &str); 4]) -> Result<Vec<Fact>> {
    let replies = [
        (
            NameReply::Honest,
            ("a name, the caller got", "a name, the account"),
        ),
        (
            NameReply::WrongType,
            ("a number, the caller got", "a number, the account"),
        ),
        (
            NameReply::Huge,
            ("a huge name, the caller got", "a huge name, the account"),
        ),
        (NameReply::Bomb, BOMB),
    ];
    let mut facts = Vec::new();
    for ((reply, names), predicted) in replies.into_iter().zip(predicted) {
        let account: u64 = stage.reply(stage.canister1, "callees_open", ())?;
        let answer = stage.call(stage.canister1, method, (account, reply))?;
        let waits: Result<bool, String> =
            stage.query(stage.canister1, "callees_waits", (account,))?;
        let account = match waits.map_err(anyhow::Error::msg)? {
            true => "waiting",
            false => "free",
        };
        facts.push(fact(names.0, predicted.0, name_words(&answer)?));
        facts.push(fact(names.1, predicted.1, account));
    }
    Ok(facts)
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
