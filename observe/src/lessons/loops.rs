//! Two canisters that wait for each other, and a callee behind a proxy.
//!
//! The code that is observed: `lessons/15-loops`.

mod explorations;

use std::time::Duration;

use anyhow::Result;
use candid::Principal;

use crate::answer::Got;
use crate::lesson::{
    Canisters, Experiment, Fact, Layout, Lesson, Question, fact, mistake, right_way,
};
use crate::network::Sent;
use crate::stage::{Stage, accepted};

pub const LESSON: Lesson = Lesson {
    name: "loops",
    about: "Calls in a circle, which nobody can stop, and a proxy for callees that are not trusted.",
    canisters: Canisters::RoomWithProxy,
    introduction: None,
    experiments,
    explorations: explorations::all,
    layout: Layout::List,
};

// The facts.
const USER: &str = "the user, after 20 messages";
const STOP_CALLER: &str = "stop_canister of the caller";
const STOP_CALLEE: &str = "then stop_canister of the callee";
const UNINSTALL: &str = "after uninstall_code of the callee";
const WHILE_SILENT: &str = "stop_canister, while the callee is silent";
const PROXY_GONE: &str = "after uninstall_code of the proxy";

const NO_ANSWER: &str = "no answer";
const CALLER_STOPPED: &str = "the caller has stopped";
const STOPPED: &str = "it has stopped";
const TIMED_OUT: &str = "reject 2, IC0206";

fn experiments() -> Vec<Experiment> {
    let asks = |experiment: Experiment, ask: &str, why| {
        let choices = [STOPPED, TIMED_OUT, NO_ANSWER];
        let question = Question::new(ask, choices, STOP_CALLER, why);
        experiment.asks(question).on_local_replica()
    };
    vec![
        asks(
            mistake(
                "order_in_circle",
                "the caller waits for the callee, which asks it again and again",
                order_in_circle,
            ),
            "The caller keeps a user busy and waits for the callee. The callee asks the caller again and \
             again whether the user is free. A controller stops the caller. What does stop_canister get in \
             the end?",
            "The caller can't stop before the callee answers. The callee doesn't answer before the user is \
             free, and that is only when it has answered. After 5 minutes the command gives up.",
        ),
        asks(
            right_way(
                "order",
                "the caller says all, and the callee asks nothing",
                order,
            ),
            "The caller checks that the user is free before it calls, and the callee calls nobody. A \
             controller stops the caller. What does stop_canister get?",
            "The callee answers in one message. Nobody waits for anybody who waits.",
        ),
        asks(
            right_way(
                "order_with_deadline",
                "the same circle, with one wait that is bounded",
                order_with_deadline,
            ),
            "The circle again, but the caller waits for a minute at most. A controller stops the caller. \
             What does stop_canister get in the end?",
            "After a minute the system answers in place of the callee. The caller waits for nobody any \
             more, and stops. When it is started again the user is free, and so is the callee.",
        ),
        right_way(
            "order_by_proxy",
            "a proxy waits for a callee that is silent, and is uninstalled",
            order_by_proxy,
        )
        .asks(Question::new(
            "The caller waits without a bound for a proxy, the proxy for a callee that is silent. A \
             controller stops the caller and uninstalls the proxy. What has become of the stop?",
            [CALLER_STOPPED, TIMED_OUT, NO_ANSWER],
            PROXY_GONE,
            "A canister that is uninstalled has the calls that it handles rejected. So the caller got \
             its answer, and stopped.",
        ))
        .on_local_replica(),
    ]
}

// ---- A circle ------------------------------------------------------------------------------------

/// How many messages are delivered between two looks.
const SOME: usize = 20;

fn order_in_circle(stage: &mut Stage) -> Result<Vec<Fact>> {
    let (mut facts, _) = order_then_stop(
        stage,
        "order_in_circle",
        Expected {
            user: NO_ANSWER,
            caller: TIMED_OUT,
            callee: TIMED_OUT,
        },
    )?;
    let (caller, callee) = (stage.caller, stage.callee);
    // The only way out. The callee forgets all that it knew.
    accepted(stage.command(callee, "uninstall_code")?)?;
    stage.deliver_all()?;
    let stop = stage.send_command(caller, "stop_canister")?;
    let stopped = words(stage, &stop, CALLER_STOPPED)?;
    facts.push(fact(UNINSTALL, CALLER_STOPPED, stopped));
    accepted(stage.install(callee)?)?;
    start(stage, &[caller, callee])?;
    Ok(facts)
}

fn order(stage: &mut Stage) -> Result<Vec<Fact>> {
    let expected = Expected {
        user: "reply: Ok",
        caller: STOPPED,
        callee: STOPPED,
    };
    let (facts, _) = order_then_stop(stage, "order", expected)?;
    start(stage, &[stage.caller, stage.callee])?;
    Ok(facts)
}

fn order_with_deadline(stage: &mut Stage) -> Result<Vec<Fact>> {
    let expected = Expected {
        user: NO_ANSWER,
        caller: STOPPED,
        callee: STOPPED,
    };
    let (mut facts, sent) = order_then_stop(stage, "order_with_deadline", expected)?;
    let answer = Got::read(&stage.answer(&sent)?).words();
    facts.push(fact("the user, in the end", "reply: Err", answer));
    start(stage, &[stage.caller, stage.callee])?;
    Ok(facts)
}

struct Expected {
    user: &'static str,
    caller: &'static str,
    callee: &'static str,
}

/// Orders; then stops the caller, which is started again if that worked; then the callee.
fn order_then_stop(
    stage: &mut Stage,
    method: &str,
    expected: Expected,
) -> Result<(Vec<Fact>, Sent)> {
    let (caller, callee) = (stage.caller, stage.callee);
    stage.watch(caller, "is_free", (stage.user(),))?;
    stage.watch(callee, "get_confirmed", (caller,))?;
    stage.hold()?;
    let sent = stage.send(caller, method, ())?;
    deliver_some(stage)?;
    let user = match stage.answer_so_far(&sent)? {
        None => NO_ANSWER.to_owned(),
        Some(answer) => Got::read(&answer).words(),
    };
    let caller_stopped = stop(stage, caller)?;
    if caller_stopped == STOPPED {
        start(stage, &[caller])?;
        deliver_some(stage)?;
    }
    let callee_stopped = stop(stage, callee)?;
    let facts = vec![
        fact(USER, expected.user, user),
        fact(STOP_CALLER, expected.caller, caller_stopped),
        fact(STOP_CALLEE, expected.callee, callee_stopped),
    ];
    Ok((facts, sent))
}

fn deliver_some(stage: &mut Stage) -> Result<()> {
    for _ in 0..SOME {
        if !stage.deliver_next()? {
            break;
        }
    }
    Ok(())
}

/// Tells a canister to stop, and lets messages and the 5 minutes pass for which that tries. Returns what became of the command.
fn stop(stage: &mut Stage, canister: Principal) -> Result<String> {
    let stop = stage.send_command(canister, "stop_canister")?;
    for seconds in [60, 240] {
        deliver_some(stage)?;
        stage.advance_time(Duration::from_secs(seconds))?;
    }
    deliver_some(stage)?;
    words(stage, &stop, STOPPED)
}

fn words(stage: &mut Stage, stop: &Sent, stopped: &str) -> Result<String> {
    Ok(match stage.answer_so_far(stop)? {
        None => NO_ANSWER.to_owned(),
        Some(Ok(_)) => stopped.to_owned(),
        Some(reject) => Got::read(&reject).words(),
    })
}

fn start(stage: &mut Stage, canisters: &[Principal]) -> Result<()> {
    for canister in canisters {
        accepted(stage.command(*canister, "start_canister")?)?;
    }
    Ok(())
}

// ---- A callee behind a proxy ---------------------------------------------------------------------

fn order_by_proxy(stage: &mut Stage) -> Result<Vec<Fact>> {
    let (caller, callee, proxy) = (stage.caller, stage.callee, stage.proxy()?);
    let method = "order_by_proxy";
    let before: u64 = stage.query(callee, "get_confirmed", (proxy,))?;
    stage.watch(caller, "is_free", (stage.user(),))?;
    stage.watch(callee, "get_confirmed", (proxy,))?;
    stage.hold()?;
    let sent = stage.send(caller, method, ())?;
    stage.deliver_call(method)?;
    stage.deliver_call("forward")?;
    // The callee is silent: the call to it goes on waiting.
    let stop = stage.send_command(caller, "stop_canister")?;
    stage.advance_time(Duration::from_secs(60))?;
    let while_silent = words(stage, &stop, CALLER_STOPPED)?;
    accepted(stage.command(proxy, "uninstall_code")?)?;
    stage.deliver_response("forward")?;
    let proxy_gone = words(stage, &stop, CALLER_STOPPED)?;
    let got = Got::read(&stage.answer(&sent)?).words();
    let upgrade = match stage.upgrade(caller)? {
        Ok(_) => "done".to_owned(),
        reject => Got::read(&reject).words(),
    };
    // Only now the callee takes the call. Nobody waits for what it answers.
    stage.deliver_call("confirm")?;
    stage.release()?;
    let after: u64 = stage.query(callee, "get_confirmed", (proxy,))?;
    accepted(stage.install(proxy)?)?;
    start(stage, &[caller])?;
    let again = Got::read(&stage.call(caller, method, ())?).words();
    Ok(vec![
        fact(WHILE_SILENT, NO_ANSWER, while_silent),
        fact(PROXY_GONE, CALLER_STOPPED, proxy_gone),
        fact("upgrade of the caller", "done", upgrade),
        fact("the user got", "reply: Err", got),
        fact(
            "the callee, in the end",
            "+1",
            format!("+{}", after - before),
        ),
        fact("with the proxy installed again", "reply: Ok", again),
    ])
}
