//! The experiment of the lesson `ordering`: which request and which response comes first, and what
//! many calls cost.
//!
//! The code that is observed: `canisters/canister1/src/ordering.rs` and
//! `canisters/canister2/src/ordering.rs`.

use anyhow::{Context, Result, anyhow, bail};

use crate::lesson::{Experiment, Fact, Layout, Lesson, Question, Side, fact};
use crate::network::{Answer, Delivery, Kind, WaitingMessage};
use crate::stage::{Stage, decode};

/// The lesson.
pub const LESSON: Lesson = Lesson {
    name: "ordering",
    about: "Requests come in order, responses in any; calls in a loop, in parallel, and as one.",
    experiments,
    layout: Layout::List,
};

const LOOP: &str = "ordering_append_in_a_loop";
const PARALLEL: &str = "ordering_append_in_parallel";
const BATCH: &str = "ordering_append_as_a_batch";

/// How many entries are appended to count messages.
const MANY: u64 = 10;

/// How many entries are appended to see what it costs.
const VERY_MANY: u64 = 100;

/// How many entries are appended where something fails in the middle, and which fails.
const FEW: u64 = 5;
const MIDDLE: usize = 3;

const WAITING: &str = "canister1's requests that wait";
const NEXT: &str = "that may be delivered next";
const RECEIVED: &str = "canister2 received";
const IN_ORDER: &str = "responses in order";
const REVERSED: &str = "the second comes first";
const MESSAGES: &str = "messages executed";
const ROUND_TRIPS: &str = "round trips, one after another";
const COST: &str = "cycles for 100, against the loop";
const CALLEE_TRAPS: &str = "canister2 traps at 3: it has";
const CALLER_TRAPS: &str = "canister1 traps at 3: canister2 has";

fn experiments() -> Vec<Experiment> {
    vec![
        experiment(
            Side::Rule,
            PARALLEL,
            "sends two requests; the second is to be delivered first",
            Question::new(
                "canister1 sends the requests 1 and 2 with one message, then a user sends 9. Which of \
                 these can canister2 have received?",
                &["9, 2, 1", "2, 9, 1", "1, 9, 2"],
                RECEIVED,
                "Requests from one canister to another are executed in the order in which they were \
                 sent. What others send may come in between.",
            ),
            requests_in_order,
        ),
        experiment(
            Side::Mistake,
            "ordering_ask_prices_by_arrival",
            "takes the first response for the answer to the first request",
            Question::new(
                "canister1 asks for the prices of an apple (10) and a pear (20), and takes the first \
                 response for that of the apple. The second response comes first. What does it say?",
                &[
                    "apple 10, pear 20",
                    "apple 20, pear 10",
                    "apple 20, pear 20",
                ],
                REVERSED,
                "Requests arrive in order, responses in any.",
            ),
            |stage| {
                ask_prices(
                    stage,
                    "ordering_ask_prices_by_arrival",
                    ["apple 10, pear 20", "apple 20, pear 10"],
                )
            },
        ),
        experiment(
            Side::RightWay,
            "ordering_ask_prices_by_call",
            "keeps every response with what it answers",
            Question::new(
                "Now each response is kept with what was asked. The second response comes first again. \
                 What does canister1 say?",
                &[
                    "apple 10, pear 20",
                    "apple 20, pear 10",
                    "apple 20, pear 20",
                ],
                REVERSED,
                "The system knows which response belongs to which call: each await gets its own.",
            ),
            |stage| {
                ask_prices(
                    stage,
                    "ordering_ask_prices_by_call",
                    ["apple 10, pear 20", "apple 10, pear 20"],
                )
            },
        ),
        experiment(
            Side::Mistake,
            LOOP,
            "appends ten entries in a loop of awaits; then five, and something traps",
            Question::new(
                "A loop of awaits appends 1 to 5 to a list of canister2. canister2 traps at the third. \
                 What is in the list?",
                &["nothing", "1, 2", "1, 2, 4, 5", "1, 2, 3, 4, 5"],
                CALLEE_TRAPS,
                "Each await is a commit point: what came before is kept, what comes after is never sent.",
            ),
            |stage| {
                let trips = fact(ROUND_TRIPS, 10, round_trips(stage, LOOP)?);
                let mut facts = vec![fact(MESSAGES, 21, messages(stage)), trips];
                facts.extend(traps(stage, LOOP, MIDDLE, ["1, 2", "1, 2, 3"])?);
                Ok(facts)
            },
        ),
        experiment(
            Side::Rule,
            PARALLEL,
            "appends ten entries in parallel; then five, and something traps",
            Question::new(
                "Calls in parallel append 1 to 5 to a list of canister2. canister2 traps at the third. \
                 What is in the list?",
                &["nothing", "1, 2", "1, 2, 4, 5", "1, 2, 3, 4, 5"],
                CALLEE_TRAPS,
                "All calls had been sent. Each is a message of its own and fails alone.",
            ),
            |stage| {
                let trips = fact(ROUND_TRIPS, 1, round_trips(stage, PARALLEL)?);
                let mut facts = vec![fact(MESSAGES, 21, messages(stage)), trips];
                facts.push(fact(COST, "about the same", cost(stage, PARALLEL)?));
                let predicted = ["1, 2, 4, 5", "1, 2, 3, 4, 5"];
                facts.extend(traps(stage, PARALLEL, MIDDLE, predicted)?);
                Ok(facts)
            },
        ),
        experiment(
            Side::RightWay,
            BATCH,
            "appends ten entries with one call; then five, and something traps",
            Question::new(
                "How many messages are executed when ten entries are appended with one call?",
                &["3", "12", "21"],
                MESSAGES,
                "The method, the callee's method, the callback. A loop of ten awaits takes 21.",
            ),
            |stage| {
                let trips = fact(ROUND_TRIPS, 1, round_trips(stage, BATCH)?);
                let mut facts = vec![fact(MESSAGES, 3, messages(stage)), trips];
                facts.push(fact(COST, "less than a tenth", cost(stage, BATCH)?));
                // The third entry is in the first call, the only one.
                facts.extend(traps(stage, BATCH, 1, ["nothing", "1, 2, 3, 4, 5"])?);
                Ok(facts)
            },
        ),
    ]
}

fn experiment(
    side: Side,
    method: &'static str,
    what: &'static str,
    question: Question,
    run: impl Fn(&mut Stage) -> Result<Vec<Fact>> + 'static,
) -> Experiment {
    Experiment {
        method,
        what,
        side,
        needs_local_replica: true,
        question: Some(question),
        run: Box::new(run),
    }
}

// ---- Which comes first -------------------------------------------------------------------------

/// Tries to have the second of two requests executed before the first.
fn requests_in_order(stage: &mut Stage) -> Result<Vec<Fact>> {
    let list = open_list(stage)?;
    stage.hold()?;
    stage.begin_scene()?;
    let sent = stage.send(stage.canister1, PARALLEL, (list, 2u64))?;
    stage.deliver_call(PARALLEL)?;
    let waiting = stage.waiting()?;
    let requests = waiting.iter().filter(|message| is(Kind::Request)(message));
    let may_go: Vec<bool> = requests.map(|request| request.deliverable).collect();
    let next = match may_go.as_slice() {
        [true, false] => "only the first",
        [false, true] => "only the second",
        _ => "both, or none",
    };
    // What a user sends may overtake the second request, and the second request not the first.
    let users = stage.send(stage.canister2, "ordering_append", (list, 9u64))?;
    stage.deliver(is(Kind::Request), Delivery::Normally)?;
    stage.deliver(is(Kind::Ingress), Delivery::Normally)?;
    stage.release()?;
    appended(&stage.answer(&sent)?)?;
    let _nothing: () = decode("ordering_append", &stage.answer(&users)?)?;
    Ok(vec![
        fact(WAITING, 2, may_go.len()),
        fact(NEXT, "only the first", next),
        fact(RECEIVED, "1, 9, 2", entries(stage, list)?),
    ])
}

/// Asks for two prices, and delivers the responses in order, and then the other way round.
fn ask_prices(
    stage: &mut Stage,
    method: &'static str,
    [in_order, reversed]: [&str; 2],
) -> Result<Vec<Fact>> {
    let answer = prices(&stage.reply(stage.canister1, method, ())?)?;
    let mut facts = vec![fact(IN_ORDER, in_order, answer)];

    stage.begin_scene()?;
    stage.hold()?;
    let sent = stage.send(stage.canister1, method, ())?;
    stage.deliver_call(method)?;
    stage.deliver_call("ordering_price")?;
    stage.deliver_call("ordering_price")?;
    let waiting = stage.waiting()?;
    let second = waiting.last().context("no response waits")?.number;
    stage.deliver(|message| message.number == second, Delivery::Normally)?;
    stage.release()?;
    let answer = prices(&decode(method, &stage.answer(&sent)?)?)?;
    facts.push(fact(REVERSED, reversed, answer));
    Ok(facts)
}

fn prices(reply: &Result<Vec<(String, u64)>, String>) -> Result<String> {
    match reply {
        Ok(prices) => {
            let prices = prices.iter().map(|(item, price)| format!("{item} {price}"));
            Ok(prices.collect::<Vec<_>>().join(", "))
        }
        Err(error) => bail!("canister1 has no prices: {error}"),
    }
}

// ---- Many calls --------------------------------------------------------------------------------

/// Appends many entries, delivers all that waits, then all that waits because of that, and so on.
/// Returns how often the canisters waited for each other.
fn round_trips(stage: &mut Stage, method: &str) -> Result<usize> {
    let list = open_list(stage)?;
    stage.hold()?;
    stage.begin_scene()?;
    let sent = stage.send(stage.canister1, method, (list, MANY))?;
    let mut rounds = 0;
    loop {
        let waiting = stage.waiting()?;
        if waiting.is_empty() {
            break;
        }
        for message in &waiting {
            stage.deliver(|other| other.number == message.number, Delivery::Normally)?;
        }
        rounds += 1;
    }
    stage.release()?;
    appended(&stage.answer(&sent)?)?;
    // The first round is the user's call. Then it takes one there and one back.
    Ok(rounds / 2)
}

/// How many messages were executed.
fn messages(stage: &Stage) -> usize {
    stage.events().count()
}

/// What a method costs both canisters to append very many entries, compared with the loop.
fn cost(stage: &mut Stage, method: &str) -> Result<&'static str> {
    let mut of = |method: &str| -> Result<u128> {
        let list = open_list(stage)?;
        let before = balances(stage)?;
        appended(&stage.call(stage.canister1, method, (list, VERY_MANY))?)?;
        let after = balances(stage)?;
        before.checked_sub(after).context("the balances have grown")
    };
    let (cost, loops) = (of(method)?, of(LOOP)?);
    Ok(match cost {
        _ if cost * 10 < loops => "less than a tenth",
        _ if cost * 10 < loops * 9 => "less",
        _ if cost * 10 <= loops * 11 => "about the same",
        _ => "more",
    })
}

fn balances(stage: &mut Stage) -> Result<u128> {
    Ok(stage.cycles(stage.canister1)? + stage.cycles(stage.canister2)?)
}

/// What a list has after canister2 has trapped, and then another one after canister1 has: at the
/// `number`th request, and at the `number`th response.
fn traps(
    stage: &mut Stage,
    method: &str,
    number: usize,
    [callee, caller]: [&str; 2],
) -> Result<[Fact; 2]> {
    let callee_trapped = trap_at(stage, method, Kind::Request, number)?;
    let caller_trapped = trap_at(stage, method, Kind::Response, number)?;
    Ok([
        fact(CALLEE_TRAPS, callee, callee_trapped),
        fact(CALLER_TRAPS, caller, caller_trapped),
    ])
}

/// Appends a few entries. The `number`th message of a kind traps. Returns what the list then has.
fn trap_at(stage: &mut Stage, method: &str, kind: Kind, number: usize) -> Result<String> {
    let list = open_list(stage)?;
    stage.hold()?;
    stage.begin_scene()?;
    stage.send(stage.canister1, method, (list, FEW))?;
    for nth in 1..=number {
        while !stage.waiting()?.iter().any(is(kind)) {
            if !stage.deliver_next()? {
                bail!("no message of this kind was sent for the {nth}th time");
            }
        }
        let how = match nth == number {
            true => Delivery::Trap,
            false => Delivery::Normally,
        };
        stage.deliver(is(kind), how)?;
    }
    stage.release()?;
    entries(stage, list)
}

// ---- On the stage ------------------------------------------------------------------------------

/// Nothing, if canister1 says that it has appended everything.
fn appended(answer: &Answer) -> Result<()> {
    let appended: Result<(), String> = decode("appending", answer)?;
    appended.map_err(|error| anyhow!("appending: {error}"))
}

fn is(kind: Kind) -> impl Fn(&WaitingMessage) -> bool {
    move |message| message.kind == kind
}

fn open_list(stage: &mut Stage) -> Result<u64> {
    stage.reply(stage.canister2, "ordering_open_list", ())
}

fn entries(stage: &mut Stage, list: u64) -> Result<String> {
    let entries: Option<Vec<u64>> = stage.query(stage.canister2, "ordering_list", (list,))?;
    let entries = entries.context("the list is gone")?;
    Ok(match entries.is_empty() {
        true => "nothing".to_owned(),
        false => {
            let entries = entries.iter().map(u64::to_string);
            entries.collect::<Vec<_>>().join(", ")
        }
    })
}
