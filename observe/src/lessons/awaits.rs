//! What Rust holds across an await, and what a trap after it cancels.
//!
//! The code that is observed: `lessons/13-awaits`.

mod explorations;

use std::time::Duration;

use anyhow::{Context, Result, anyhow};
use candid::{CandidType, Deserialize, Principal};

use crate::answer::Got;
use crate::lesson::{
    Canisters, Experiment, Fact, Layout, Lesson, Question, fact, mistake, right_way, rule,
};
use crate::network::{Delivery, Kind, Sent, WaitingMessage};
use crate::stage::{Stage, decode};

pub const LESSON: Lesson = Lesson {
    name: "awaits",
    about: "What Rust holds across an await: borrows, tasks, and a lock that knows of a trap.",
    canisters: Canisters::Room,
    introduction: None,
    experiments,
    explorations: explorations::all,
    layout: Layout::List,
};

/// `Kind` in the caller's interface.
#[derive(CandidType, Clone, Copy, Debug)]
enum Task {
    Protected,
    Weak,
    Migratory,
}

/// `LockState` in the caller's interface.
#[derive(CandidType, Clone, Copy, Debug, Deserialize, PartialEq)]
enum LockState {
    Open,
    Held,
    LeftBehind,
}

/// What the caller tells of an account.
#[derive(CandidType, Deserialize)]
struct Books {
    balance: u64,
    receipts: u64,
    lock: LockState,
}

/// `Seen` in the caller's interface.
#[derive(CandidType, Deserialize)]
struct Seen {
    time: u64,
    cycles: u128,
    balance: u64,
    caller: Principal,
}

const OK: &str = "reply: Ok";
const ERR: &str = "reply: Err";
const TRAP: &str = "reject 5, IC0503";

const DEPOSIT: &str = "the deposit got";
const ORDER: &str = "the order got";
const USER: &str = "the user got";
const NEXT: &str = "the next order got";
const ORDERED: &str = "orders in the callee";
const NOTED: &str = "receipts in the caller";
const LOCK: &str = "the lock";
const LOCKS: &str = "left behind";
const SECONDS: &str = "time() moved on by";
const CALLER: &str = "msg_caller() after it";

// ---- What is done -----------------------------------------------------------------------------

/// An account of the user, new for each experiment.
#[derive(Clone, Copy)]
struct Account(u64);

impl Account {
    fn open(stage: &mut Stage) -> Result<Self> {
        let opened: Result<u64, String> = stage.reply(stage.caller, "open", ())?;
        let account = opened.map_err(|why| anyhow!(why))?;
        stage.watch(stage.caller, "get_account", (account,))?;
        stage.watch(stage.callee, "get_orders", (stage.caller, account))?;
        Ok(Account(account))
    }

    fn books(self, stage: &mut Stage) -> Result<Books> {
        let books: Option<Books> = stage.query(stage.caller, "get_account", (self.0,))?;
        books.context("the account is gone")
    }

    /// How many orders the callee has taken for it.
    fn ordered(self, stage: &mut Stage) -> Result<u64> {
        stage.query(stage.callee, "get_orders", (stage.caller, self.0))
    }

    /// Lets a method begin: it is executed until it awaits, and what it calls waits.
    fn begin(self, stage: &mut Stage, method: &str) -> Result<Sent> {
        let sent = stage.send(stage.caller, method, (self.0,))?;
        stage.deliver_call(method)?;
        Ok(sent)
    }

    fn call(self, stage: &mut Stage, method: &str) -> Result<String> {
        let answer = stage.call(stage.caller, method, (self.0,))?;
        Ok(Got::read(&answer).words())
    }
}

fn got(stage: &mut Stage, sent: &Sent) -> Result<String> {
    Ok(Got::read(&stage.answer(sent)?).words())
}

/// Delivers messages until so many answers of the callee wait. The message that receives the last of
/// them traps, before the others are delivered.
fn trap_at_answer(stage: &mut Stage, number: usize) -> Result<()> {
    let is_answer =
        |message: &WaitingMessage| message.kind == Kind::Response && message.method == "take_order";
    let trapping = loop {
        let waiting = stage.waiting()?;
        if let Some(answer) = waiting.iter().filter(|one| is_answer(one)).nth(number - 1) {
            break answer.name;
        }
        stage.deliver_next()?;
    };
    stage.deliver(|message| message.name == trapping, Delivery::Trap)?;
    stage.deliver_all()
}

/// Somebody deposits 5 while an order waits for its answer.
fn deposit_meanwhile(stage: &mut Stage, method: &str, deposit: &str) -> Result<Vec<Fact>> {
    let account = Account::open(stage)?;
    stage.begin_scene()?;
    stage.hold()?;
    let order = account.begin(stage, method)?;
    stage.become_user(1)?;
    let deposited = stage.call_alone(stage.caller, "deposit", (account.0, 5u32))?;
    stage.deliver_all()?;
    let balance = if deposit == OK { 5 } else { 0 };
    Ok(vec![
        fact(DEPOSIT, deposit, Got::read(&deposited).words()),
        fact(ORDER, OK, got(stage, &order)?),
        fact("deposited", balance, account.books(stage)?.balance),
    ])
}

/// A method looks, awaits, and looks again; 60 seconds later, and after a deposit by somebody else.
fn look_twice(stage: &mut Stage) -> Result<Vec<Fact>> {
    let account = Account::open(stage)?;
    stage.begin_scene()?;
    stage.hold()?;
    let sent = account.begin(stage, "look_twice")?;
    stage.advance_time(Duration::from_secs(60))?;
    stage.become_user(1)?;
    let deposited = stage.call_alone(stage.caller, "deposit", (account.0, 5u32))?;
    stage.deliver_all()?;
    let answer = stage.answer(&sent)?;
    let seen: Result<(Seen, Seen), String> = decode("look_twice", &answer)?;
    let (before, after) = seen.map_err(|why| anyhow!(why))?;
    let seconds = Duration::from_nanos(after.time.saturating_sub(before.time)).as_secs();
    let cycles = match after.cycles == before.cycles {
        true => "the same",
        false => "another",
    };
    Ok(vec![
        fact(SECONDS, "60 s", format!("{seconds} s")),
        fact("the balance of cycles", "another", cycles),
        fact(
            "the account's balance",
            "0, then 5",
            format!("{}, then {}", before.balance, after.balance),
        ),
        fact(DEPOSIT, OK, Got::read(&deposited).words()),
        fact(CALLER, "the user", stage.name(&after.caller)),
    ])
}

/// Orders for three accounts; one traps when its answer has come: with tasks it is one of these, and
/// the others wait for their answers.
fn three_orders(
    stage: &mut Stage,
    method: &str,
    task: Option<Task>,
    [user, noted, locks]: [&str; 3],
) -> Result<Vec<Fact>> {
    let accounts = [
        Account::open(stage)?,
        Account::open(stage)?,
        Account::open(stage)?,
    ];
    let numbers = accounts.map(|account| account.0).to_vec();
    stage.begin_scene()?;
    stage.hold()?;
    let (sent, answers) = match task {
        Some(task) => (stage.send(stage.caller, method, (numbers, task))?, 3),
        None => (stage.send(stage.caller, method, (numbers,))?, 1),
    };
    trap_at_answer(stage, answers)?;
    let user_got = got(stage, &sent)?;
    let (mut ordered, mut receipts, mut left_behind) = (0, 0, 0);
    for account in accounts {
        let books = account.books(stage)?;
        ordered += account.ordered(stage)?;
        receipts += books.receipts;
        left_behind += u64::from(books.lock == LockState::LeftBehind);
    }
    Ok(vec![
        fact(USER, user, user_got),
        fact(ORDERED, 3, ordered),
        fact(NOTED, noted, receipts),
        fact(LOCKS, locks, format!("{left_behind} of 3 locks")),
    ])
}

/// A task that waits for nothing that its method calls.
fn outlive(stage: &mut Stage) -> Result<Vec<Fact>> {
    let account = Account::open(stage)?;
    stage.begin_scene()?;
    let mut run = |task| -> Result<String> {
        let answer = stage.call(stage.caller, "outlive", (account.0, task))?;
        let lock = account.books(stage)?.lock;
        Ok(format!("{}; lock: {lock:?}", Got::read(&answer).words()))
    };
    let (protected, weak) = (run(Task::Protected)?, run(Task::Weak)?);
    Ok(vec![
        fact("with spawn", format!("{TRAP}; lock: Open"), protected),
        fact("with spawn_weak", format!("{OK}; lock: Open"), weak),
    ])
}

/// An order that traps when the callee has taken it.
fn trapped_order(stage: &mut Stage, method: &str) -> Result<(Account, String)> {
    let account = Account::open(stage)?;
    stage.begin_scene()?;
    stage.hold()?;
    let sent = account.begin(stage, method)?;
    trap_at_answer(stage, 1)?;
    let got = got(stage, &sent)?;
    Ok((account, got))
}

fn order_again_after_trap(stage: &mut Stage) -> Result<Vec<Fact>> {
    let method = "order_with_lock_that_opens";
    let (account, first) = trapped_order(stage, method)?;
    let lock = account.books(stage)?.lock;
    let next = account.call(stage, method)?;
    Ok(vec![
        fact(USER, TRAP, first),
        fact(LOCK, "Open", format!("{lock:?}")),
        fact(NEXT, OK, next),
        fact(ORDERED, 2, account.ordered(stage)?),
        fact(NOTED, 1, account.books(stage)?.receipts),
    ])
}

fn settle_after_trap(stage: &mut Stage) -> Result<Vec<Fact>> {
    let (account, first) = trapped_order(stage, "order")?;
    let lock = account.books(stage)?.lock;
    let next = account.call(stage, "order")?;
    let settled = account.call(stage, "settle")?;
    let books = account.books(stage)?;
    Ok(vec![
        fact(USER, TRAP, first),
        fact(LOCK, "LeftBehind", format!("{lock:?}")),
        fact(NEXT, ERR, next),
        fact("the settlement got", OK, settled),
        fact(ORDERED, 1, account.ordered(stage)?),
        fact(NOTED, 1, books.receipts),
        fact("the lock at last", "Open", format!("{:?}", books.lock)),
    ])
}

// ---- The experiments --------------------------------------------------------------------------

fn experiments() -> Vec<Experiment> {
    let in_tasks = "order_for_all_in_tasks";
    vec![
        mistake(
            "order_while_borrowed",
            "an order waits with a RefCell borrowed, and somebody deposits",
            |stage| deposit_meanwhile(stage, "order_while_borrowed", TRAP),
        )
        .asks(Question::new(
            "A method borrows an account's RefCell mutably and awaits. Meanwhile another user \
             deposits 5 into that account. What does this user get?",
            [OK, ERR, TRAP],
            DEPOSIT,
            "The message ended at the await, the borrow did not. The deposit's borrow_mut panics: \
             it traps, and the method with the mistake goes on as if nothing were wrong.",
        ))
        .on_local_replica(),
        right_way(
            "order",
            "an order waits with nothing borrowed, and somebody deposits",
            |stage| deposit_meanwhile(stage, "order", OK),
        )
        .asks(Question::new(
            "The same, but the method borrows only after its await. What does the other user get?",
            [OK, ERR, TRAP],
            DEPOSIT,
            "Between the messages nothing is borrowed.",
        ))
        .on_local_replica(),
        rule(
            "look_twice",
            "a method looks before its await, and again 60 seconds and a deposit later",
            look_twice,
        )
        .asks(Question::new(
            "While a method of user 1 awaits, user 2 calls another one. What does msg_caller() say \
             in the first method after its await?",
            ["the user", "user 2", "callee"],
            CALLER,
            "The response belongs to the call of user 1, and that call has one caller.",
        ))
        .on_local_replica(),
        mistake(
            in_tasks,
            "three orders, two of them in tasks of spawn; one task traps after its await",
            move |stage| three_orders(stage, in_tasks, Some(Task::Protected), [TRAP, "0", "3 of 3 locks"]),
        )
        .asks(Question::new(
            "A method spawns two tasks and goes on. All three place an order with the callee, await \
             it, and then note a receipt. One task traps when its answer arrives. How many receipts \
             are noted?",
            ["0", "1", "2", "3"],
            NOTED,
            "A trap cancels all protected tasks of its method, and the method itself is one. The \
             answers to the other two arrive, and nothing waits for them.",
        ))
        .on_local_replica(),
        mistake(
            in_tasks,
            "the same with spawn_weak",
            move |stage| three_orders(stage, in_tasks, Some(Task::Weak), [TRAP, "0", "3 of 3 locks"]),
        )
        .asks(Question::new(
            "The same with spawn_weak. How many receipts are noted?",
            ["0", "1", "2", "3"],
            NOTED,
            "Weak says what happens when the method ends before the task. A trap cancels weak tasks \
             as it does protected ones.",
        ))
        .on_local_replica(),
        rule(
            in_tasks,
            "the same with spawn_migratory",
            move |stage| three_orders(stage, in_tasks, Some(Task::Migratory), [OK, "2", "1 of 3 locks"]),
        )
        .asks(Question::new(
            "The same with spawn_migratory. How many receipts are noted?",
            ["0", "1", "2", "3"],
            NOTED,
            "A migratory task belongs to no method, so only the one that trapped is canceled.",
        ))
        .on_local_replica(),
        right_way(
            "order_for_all",
            "three orders, each a method of its own; one traps after its await",
            |stage| three_orders(stage, "order_for_all", None, [ERR, "2", "1 of 3 locks"]),
        )
        .asks(Question::new(
            "Each order is a method of its own, which the canister calls. One of them traps when its \
             answer arrives. How many receipts are noted?",
            ["0", "1", "2", "3"],
            NOTED,
            "The trap ended one method, and its caller got a reject. The other orders are methods of \
             their own.",
        ))
        .on_local_replica(),
        rule(
            "outlive",
            "a task waits for something that its method did not call",
            outlive,
        )
        .asks(Question::new(
            "A method takes a lock, spawns a task that waits for something that will not come, and \
             returns Ok. What happens with spawn?",
            [
                format!("{TRAP}; lock: Open"),
                format!("{OK}; lock: Open"),
                format!("{OK}; lock: Held"),
            ],
            "with spawn",
            "A method without open calls is over. A protected task that is not done by then traps, and \
             that undoes the message, with the lock.",
        )),
        mistake(
            "order_with_lock_that_opens",
            "a trap after the order; the lock opens, and the user orders again",
            order_again_after_trap,
        )
        .asks(Question::new(
            "An order holds a lock that Drop opens. It traps after the callee has accepted it. Then \
             the user orders again. How many orders does the callee have?",
            ["0", "1", "2"],
            ORDERED,
            "Cleanup dropped the lock, so the account was open. Nothing said that there may be an order \
             without a receipt.",
        ))
        .on_local_replica(),
        right_way(
            "settle",
            "a trap after the order; the lock is left behind, and the owner settles",
            settle_after_trap,
        )
        .asks(Question::new(
            "The same with a lock whose Drop asks is_recovering_from_trap(). What does the next \
             order get?",
            [OK, ERR, TRAP],
            NEXT,
            "The lock marked itself as left behind, and the order is refused until the owner has \
             asked the callee.",
        ))
        .on_local_replica(),
    ]
}
