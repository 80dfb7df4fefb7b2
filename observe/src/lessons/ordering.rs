//! Which request and which response comes first, and what many calls cost.
//!
//! The code that is observed: `lessons/09-ordering`.

mod explorations;

use anyhow::{Context, Error, Result, anyhow, bail};

use crate::lesson::{
    Canisters, Experiment, Fact, Layout, Lesson, Question, fact, mistake, right_way, rule,
};
use crate::network::timeline::{Event, Step};
use crate::network::{Answer, Delivery, Kind, WaitingMessage};
use crate::stage::{Stage, decode};

pub const LESSON: Lesson = Lesson {
    name: "ordering",
    about: "Requests come in order, responses in any; calls in a loop, in parallel, or as one.",
    canisters: Canisters::Room,
    introduction: None,
    experiments,
    explorations: explorations::all,
    layout: Layout::List,
};

const LOOP: &str = "put_in_a_loop";
const PARALLEL: &str = "put_in_parallel";
const BATCH: &str = "put_as_a_batch";
const BY_ARRIVAL: &str = "ask_prices_by_arrival";
const BY_CALL: &str = "ask_prices_by_call";
const TWO_CALLEES: &str = "ask_two_callees";

/// How many items are put into a basket to count messages.
const MANY: u64 = 10;

/// How many items are put into a basket to see what it costs.
const VERY_MANY: u64 = 100;

/// How many items are put into a basket where something fails in the middle.
const FEW: u64 = 5;

const WAITING: &str = "the caller's requests that wait";
const NEXT: &str = "that may be delivered next";
const RECEIVED: &str = "the callee received";
const BATCH_FIRST: &str = "the batch comes first";
const USER_FIRST: &str = "the user comes first";
const ALSO_LOST: &str = "the batch comes first and traps";
const IN_ORDER: &str = "responses in order";
const REVERSED: &str = "the second comes first";
const MESSAGES: &str = "messages executed";
const ROUND_TRIPS: &str = "round trips, one after another";
const COST: &str = "cycles for 100, against the loop";
const CALLEE_TRAPS: &str = "the callee traps at 3: it has";
const CALLER_TRAPS: &str = "the caller traps at 3: the callee has";

fn experiments() -> Vec<Experiment> {
    let experiments = [
        rule(
            PARALLEL,
            "sends two requests; somebody tries to deliver the second first",
            requests_in_order,
        )
        .asks(Question::new(
            "The caller sends the requests 1 and 2 with one message, then a user sends 9. Which of \
             these can the callee have received?",
            ["9, 2, 1", "2, 9, 1", "1, 9, 2"],
            RECEIVED,
            "Requests from one canister to another are executed in the order in which they were \
             sent. What others send may come in between.",
        )),
        rule(
            TWO_CALLEES,
            "sends one request to the callee, then one to itself; the second is delivered first",
            no_order_between_callees,
        )
        .asks(Question::new(
            "The caller sends a request to the callee and then one to itself, with one message. Which \
             may be delivered first?",
            ["only the first", "only the second", "either"],
            NEXT,
            "The order of requests holds from one canister to one other. Between two callees there \
             is none.",
        )),
        mistake(
            BY_ARRIVAL,
            "takes the first response as the answer to the first request",
            |stage| {
                Ok(vec![
                    fact(IN_ORDER, "apple 10, pear 20", ask_prices(stage, BY_ARRIVAL)?),
                    fact(REVERSED, "apple 20, pear 10", ask_prices_reversed(stage, BY_ARRIVAL)?),
                ])
            },
        )
        .asks(Question::new(
            "The caller asks for the prices of an apple (10) and a pear (20), and takes the first \
             response as the apple's. The second response comes first. What does the caller say?",
            ["apple 10, pear 20", "apple 20, pear 10", "apple 20, pear 20"],
            REVERSED,
            "Requests arrive in order, responses in any.",
        )),
        right_way(
            BY_CALL,
            "keeps every response with what it answers",
            |stage| {
                Ok(vec![
                    fact(IN_ORDER, "apple 10, pear 20", ask_prices(stage, BY_CALL)?),
                    fact(REVERSED, "apple 10, pear 20", ask_prices_reversed(stage, BY_CALL)?),
                ])
            },
        )
        .asks(Question::new(
            "Now each response is kept with what was asked. The second response comes first again. \
             What does the caller say?",
            ["apple 10, pear 20", "apple 20, pear 10", "apple 20, pear 20"],
            REVERSED,
            "The system knows which response belongs to which call. Each await gets its own.",
        )),
        mistake(
            LOOP,
            "puts ten items into a basket, in a loop of awaits; then five, with a trap",
            |stage| {
                let trips = round_trips(stage, LOOP)?;
                Ok(vec![
                    fact(MESSAGES, 21, messages(stage)),
                    fact(ROUND_TRIPS, 10, trips),
                    fact(CALLEE_TRAPS, "1, 2", trap_at(stage, LOOP, Kind::Request, 3)?),
                    fact(CALLER_TRAPS, "1, 2, 3", trap_at(stage, LOOP, Kind::Response, 3)?),
                ])
            },
        )
        .asks(Question::new(
            "A loop of awaits puts the items 1 to 5 into a basket of the callee. The callee traps at \
             the third. What is in the basket?",
            ["nothing", "1, 2", "1, 2, 4, 5", "1, 2, 3, 4, 5"],
            CALLEE_TRAPS,
            "Each await is a commit point: what came before is kept, what comes after is never sent.",
        )),
        rule(
            PARALLEL,
            "puts ten items into a basket, in parallel; then five, with a trap",
            |stage| {
                let trips = round_trips(stage, PARALLEL)?;
                Ok(vec![
                    fact(MESSAGES, 21, messages(stage)),
                    fact(ROUND_TRIPS, 1, trips),
                    fact(COST, "about the same", cost(stage, PARALLEL)?),
                    fact(CALLEE_TRAPS, "1, 2, 4, 5", trap_at(stage, PARALLEL, Kind::Request, 3)?),
                    fact(CALLER_TRAPS, "1, 2, 3, 4, 5", trap_at(stage, PARALLEL, Kind::Response, 3)?),
                ])
            },
        )
        .asks(Question::new(
            "Calls in parallel put the items 1 to 5 into a basket of the callee. The callee traps at \
             the third. What is in the basket?",
            ["nothing", "1, 2", "1, 2, 4, 5", "1, 2, 3, 4, 5"],
            CALLEE_TRAPS,
            "All calls had been sent. Each is a message of its own and fails alone.",
        )),
        right_way(
            BATCH,
            "puts ten items into a basket, with one call; then five, with a trap",
            |stage| {
                let trips = round_trips(stage, BATCH)?;
                Ok(vec![
                    fact(MESSAGES, 3, messages(stage)),
                    fact(ROUND_TRIPS, 1, trips),
                    fact(COST, "less than a tenth", cost(stage, BATCH)?),
                    // The third item is in the first call, the only one.
                    fact(CALLEE_TRAPS, "nothing", trap_at(stage, BATCH, Kind::Request, 1)?),
                    fact(CALLER_TRAPS, "1, 2, 3, 4, 5", trap_at(stage, BATCH, Kind::Response, 1)?),
                ])
            },
        )
        .asks(Question::new(
            "How many messages are executed when one call puts ten items into a basket?",
            ["3", "12", "21"],
            MESSAGES,
            "The method, the callee's method, the callback. A loop of ten awaits takes 21.",
        )),
        rule(
            BATCH,
            "puts 1, 2, 3 into a basket with one call while a user puts 9, in either order",
            one_message_at_a_time,
        )
        .asks(Question::new(
            "The callee receives the batch 1, 2, 3 first, and the user's 9 is waiting. Which of these \
             can the basket be?",
            ["1, 9, 2, 3", "1, 2, 9, 3", "1, 2, 3, 9"],
            BATCH_FIRST,
            "The batch is one message, and a canister executes one message at a time.",
        )),
    ];
    experiments.map(Experiment::on_local_replica).into()
}

// ---- Which comes first -------------------------------------------------------------------------

/// Tries to have the second of two requests executed before the first.
fn requests_in_order(stage: &mut Stage) -> Result<Vec<Fact>> {
    open_basket(stage)?;
    stage.hold()?;
    stage.begin_scene()?;
    let sent = stage.send(stage.caller, PARALLEL, (2u64,))?;
    stage.deliver_call(PARALLEL)?;
    let (count, next) = requests_that_wait(stage)?;
    // What a user sends may overtake the second request, and the second request not the first.
    let users = stage.send(stage.callee, "put", (stage.user(), 9u64))?;
    stage.deliver(is(Kind::Request), Delivery::Normally)?;
    stage.deliver(is(Kind::Ingress), Delivery::Normally)?;
    stage.release()?;
    all_put(&stage.answer(&sent)?)?;
    let _nothing: () = decode("put", &stage.answer(&users)?)?;
    Ok(vec![
        fact(WAITING, 2, count),
        fact(NEXT, "only the first", next),
        fact(RECEIVED, "1, 9, 2", items(stage)?),
    ])
}

/// How many requests wait, and which of two may be delivered next.
fn requests_that_wait(stage: &mut Stage) -> Result<(usize, &'static str)> {
    let waiting = stage.waiting()?;
    let requests = waiting.iter().filter(|message| is(Kind::Request)(message));
    let may_go: Vec<bool> = requests.map(|request| request.deliverable).collect();
    let next = match may_go.as_slice() {
        [true, false] => "only the first",
        [false, true] => "only the second",
        [true, true] => "either",
        _ => "something else",
    };
    Ok((may_go.len(), next))
}

/// Has the second of two requests to different callees executed before the first.
fn no_order_between_callees(stage: &mut Stage) -> Result<Vec<Fact>> {
    stage.begin_scene()?;
    stage.hold()?;
    let sent = stage.send(stage.caller, TWO_CALLEES, ())?;
    stage.deliver_call(TWO_CALLEES)?;
    let (count, next) = requests_that_wait(stage)?;
    let caller = stage.caller;
    let to_itself = |message: &WaitingMessage| is(Kind::Request)(message) && message.to == caller;
    stage.deliver(to_itself, Delivery::Normally)?;
    stage.deliver(is(Kind::Request), Delivery::Normally)?;
    let executes =
        |event: &&Event| matches!(&event.step, Step::Method { name, .. } if name == "price");
    let executed: Vec<String> = stage
        .events()
        .filter(executes)
        .map(|event| stage.name(&event.canister))
        .collect();
    stage.release()?;
    let prices: Result<Vec<u64>, String> = decode(TWO_CALLEES, &stage.answer(&sent)?)?;
    let prices = prices.map_err(Error::msg)?;
    Ok(vec![
        fact(WAITING, 2, count),
        fact(NEXT, "either", next),
        fact(
            "executed in this order",
            "caller, callee",
            executed.join(", "),
        ),
        fact("the caller got", "10, 11", numbers(&prices)),
    ])
}

/// A batch and another message for the same basket, in both orders; and a batch that traps.
fn one_message_at_a_time(stage: &mut Stage) -> Result<Vec<Fact>> {
    Ok(vec![
        fact(
            BATCH_FIRST,
            "1, 2, 3, 9",
            batch_and_user(stage, Kind::Request, Delivery::Normally)?,
        ),
        fact(
            USER_FIRST,
            "9, 1, 2, 3",
            batch_and_user(stage, Kind::Ingress, Delivery::Normally)?,
        ),
        fact(
            ALSO_LOST,
            "9",
            batch_and_user(stage, Kind::Request, Delivery::Trap)?,
        ),
    ])
}

/// What the basket has when a batch and a user's item wait for the callee, and the one of this kind is
/// delivered first, in this way.
fn batch_and_user(stage: &mut Stage, first: Kind, how: Delivery) -> Result<String> {
    open_basket(stage)?;
    stage.begin_scene()?;
    stage.hold()?;
    stage.send(stage.caller, BATCH, (3u64,))?;
    stage.deliver_call(BATCH)?;
    stage.send(stage.callee, "put", (stage.user(), 9u64))?;
    stage.deliver(is(first), how)?;
    stage.release()?;
    items(stage)
}

/// Asks for two prices, and delivers the responses in order.
fn ask_prices(stage: &mut Stage, method: &str) -> Result<String> {
    prices(&stage.call(stage.caller, method, ())?)
}

/// Asks for two prices, and delivers the second response first.
fn ask_prices_reversed(stage: &mut Stage, method: &str) -> Result<String> {
    stage.begin_scene()?;
    stage.hold()?;
    let sent = stage.send(stage.caller, method, ())?;
    stage.deliver_call(method)?;
    stage.deliver_call("price")?;
    stage.deliver_call("price")?;
    let waiting = stage.waiting()?;
    let second = waiting.last().context("no response waits")?.name;
    stage.deliver(|message| message.name == second, Delivery::Normally)?;
    stage.release()?;
    prices(&stage.answer(&sent)?)
}

fn prices(answer: &Answer) -> Result<String> {
    let prices: Result<Vec<(String, u64)>, String> = decode("asking for prices", answer)?;
    let prices = prices.map_err(|error| anyhow!("the caller has no prices: {error}"))?;
    let prices = prices.iter().map(|(item, price)| format!("{item} {price}"));
    Ok(prices.collect::<Vec<_>>().join(", "))
}

// ---- Many calls --------------------------------------------------------------------------------

/// Puts many items into a basket, delivers all that waits, then all that waits because of that, and so on.
/// Returns how often the canisters waited for each other.
fn round_trips(stage: &mut Stage, method: &str) -> Result<usize> {
    open_basket(stage)?;
    stage.hold()?;
    stage.begin_scene()?;
    let sent = stage.send(stage.caller, method, (MANY,))?;
    let mut rounds = 0;
    loop {
        let waiting = stage.waiting()?;
        if waiting.is_empty() {
            break;
        }
        for message in &waiting {
            stage.deliver(|other| other.name == message.name, Delivery::Normally)?;
        }
        rounds += 1;
    }
    stage.release()?;
    all_put(&stage.answer(&sent)?)?;
    // The first round is the user's call. Then it takes one there and one back.
    Ok(rounds / 2)
}

/// How many messages were executed.
fn messages(stage: &Stage) -> usize {
    stage.events().count()
}

/// What it costs both canisters to put very many items into a basket by a method, compared with the loop.
fn cost(stage: &mut Stage, method: &str) -> Result<&'static str> {
    let mut of = |method: &str| -> Result<u128> {
        open_basket(stage)?;
        let before = balances(stage)?;
        all_put(&stage.call(stage.caller, method, (VERY_MANY,))?)?;
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
    Ok(stage.cycles(stage.caller)? + stage.cycles(stage.callee)?)
}

/// Puts a few items into a basket. The `number`th message of a kind traps. Returns what the basket then has.
fn trap_at(stage: &mut Stage, method: &str, kind: Kind, number: usize) -> Result<String> {
    open_basket(stage)?;
    stage.hold()?;
    stage.begin_scene()?;
    stage.send(stage.caller, method, (FEW,))?;
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
    items(stage)
}

// ---- On the stage ------------------------------------------------------------------------------

/// Nothing, if the caller says that everything is in the basket.
fn all_put(answer: &Answer) -> Result<()> {
    let put: Result<(), String> = decode("putting items into a basket", answer)?;
    put.map_err(|error| anyhow!("putting items into a basket: {error}"))
}

fn is(kind: Kind) -> impl Fn(&WaitingMessage) -> bool {
    move |message| message.kind == kind
}

/// Begins an empty basket of the user's, into which the caller may put items.
fn open_basket(stage: &mut Stage) -> Result<()> {
    let opened: Result<(), String> = stage.reply(stage.callee, "open_basket", (stage.caller,))?;
    opened.map_err(Error::msg)?;
    stage.watch(stage.callee, "basket", (stage.user(),))
}

fn items(stage: &mut Stage) -> Result<String> {
    let items: Option<Vec<u64>> = stage.query(stage.callee, "basket", (stage.user(),))?;
    let items = items.context("the basket is gone")?;
    Ok(match items.is_empty() {
        true => "nothing".to_owned(),
        false => numbers(&items),
    })
}

fn numbers(numbers: &[u64]) -> String {
    let numbers = numbers.iter().map(u64::to_string);
    numbers.collect::<Vec<_>>().join(", ")
}
